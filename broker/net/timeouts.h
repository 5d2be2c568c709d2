/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timeouts.h -- one deadline a connection, one timer a loop.
 */
#ifndef ACKD_NET_TIMEOUTS_H
#define ACKD_NET_TIMEOUTS_H

#include <uv.h>

#include "base/heap.h"

#define TIMEOUT_NEVER INT64_MAX

struct timeouts {
    uv_timer_t timer;
    struct heap heap;
    int64_t armed_ms; /* what the timer waits for; TIMEOUT_NEVER: it is not running */
    /* The node's deadline may have come: to be looked at, and set anew or removed. */
    void (*expired)(struct heap_node *node);
};

void timeouts_init(struct timeouts *self, uv_loop_t *loop, void (*expired)(struct heap_node *node));
/* Closes the timer; the loop must run once more before deinit. */
void timeouts_close(struct timeouts *self);
void timeouts_deinit(struct timeouts *self);

/* Takes a node in, at TIMEOUT_NEVER. False: no memory. */
bool timeouts_add(struct timeouts *self, struct heap_node *node);
void timeouts_remove(struct timeouts *self, struct heap_node *node);
/* The node's next deadline, by uv_now; TIMEOUT_NEVER for none. */
void timeouts_set(struct timeouts *self, struct heap_node *node, int64_t deadline_ms);

#endif
