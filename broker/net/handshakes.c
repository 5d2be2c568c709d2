/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshakes.c -- the TLS handshakes of a loop: how many are under way, and what became of them.
 *
 * A handshake costs far more than a request and its client has not yet shown anything, so that
 * there is a bound. Past it the oldest ends: whoever means it needs two round trips, while those
 * who only want to fill the room are pushed out by one another. Refusing the newest would leave the
 * room to them.
 *
 * Failures are all counted, and ten in ten seconds are logged: a scanner, or a fleet with a wrong
 * certificate, makes thousands.
 */
#include "net/handshakes.h"

#include "base/log.h"

void handshakes_init(struct handshakes *self, const struct net_options *options)
{
    *self = (struct handshakes){.options = options};
    list_init(&self->oldest);
}

/* The loops share what there may be. */
static int64_t count_max(const struct handshakes *self)
{
    int64_t share = self->options->handshakes_max / self->options->io_threads;

    return share > 0 ? share : 1;
}

struct list *handshakes_begin(struct handshakes *self, struct list *link)
{
    struct list *pushed = self->count >= count_max(self) ? self->oldest.next : NULL;

    list_append(&self->oldest, link);
    self->count++;
    counter_add(&self->options->counters->handshakes, 1);
    counter_add(&self->options->counters->handshakes_now, 1);
    return pushed;
}

void handshakes_end(struct handshakes *self, struct list *link)
{
    list_remove(link);
    self->count--;
    counter_add(&self->options->counters->handshakes_now, -1);
}

void handshakes_fail(struct handshakes *self, struct list *link, const char *peer,
                     const char *reason, int64_t now_ms)
{
    handshakes_end(self, link);
    counter_add(&self->options->counters->handshakes_failed, 1);
    if (!ration_take(&self->complaints, now_ms))
        return;
    LOG_WARN("tls_handshake_failed", LOG_STRING("peer", peer), LOG_STRING("reason", reason),
             LOG_INT("unlogged_before", self->complaints.left_out));
    self->complaints.left_out = 0;
}
