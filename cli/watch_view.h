/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch_view.h -- how a queue or a dataset stands, in one look: three calls to the broker.
 */
#ifndef ACKD_CLI_WATCH_VIEW_H
#define ACKD_CLI_WATCH_VIEW_H

#include "ackd/v1/common.pb-c.h"
#include "ackd/v1/session.pb-c.h"
#include "base/arena.h"
#include "base/status.h"
#include "cli/cli.h"

/* What a queue and a dataset have in common. */
struct view {
    Ackd__V1__Counts counts;
    int64_t failures;
    int64_t preemptions;
    int64_t losses;
    int64_t salvaged;
    int64_t useful_ms;
    int64_t wasted_ms;
    bool is_paused;
    const Ackd__V1__ListSessionsResponse *sessions;
};

/* The command's queue, or one dataset of it; `dataset` NULL: the whole queue. Replies live in
 * `arena`. False: see the error. */
bool view_look(struct view *self, struct cli *cli, const char *dataset, struct arena *arena,
               struct error *error) MUST_USE;
/* Tasks that have not ended. */
int64_t view_open_count(const struct view *self);
/* Share of the tasks that have ended, 0 .. 1. */
double view_fraction_done(const struct view *self);

#endif
