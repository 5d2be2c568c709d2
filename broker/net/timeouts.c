/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timeouts.c -- one deadline a connection, one timer a loop.
 *
 * Every connection's node stays in the heap from birth to death, so that setting a deadline can't
 * fail. A node's key is never later than its deadline, but it may be earlier: what moves a deadline
 * later, as every request of a healthy connection does twice, touches neither heap nor timer. The
 * node comes up early, its owner finds nothing due and sets the deadline anew.
 */
#include "net/timeouts.h"

#include "base/assert.h"
#include "base/list.h"

static void on_timer(uv_timer_t *timer);

void timeouts_init(struct timeouts *self, uv_loop_t *loop, void (*expired)(struct heap_node *node))
{
    heap_init(&self->heap);
    self->armed_ms = TIMEOUT_NEVER;
    self->expired = expired;
    uv_timer_init(loop, &self->timer);
}

void timeouts_close(struct timeouts *self)
{
    uv_close((uv_handle_t *)&self->timer, NULL);
}

void timeouts_deinit(struct timeouts *self)
{
    ASSERT(self->heap.count == 0);
    heap_deinit(&self->heap);
}

bool timeouts_add(struct timeouts *self, struct heap_node *node)
{
    if (!heap_reserve(&self->heap, 1))
        return false;
    heap_node_init(node);
    heap_push(&self->heap, node, TIMEOUT_NEVER);
    return true;
}

void timeouts_remove(struct timeouts *self, struct heap_node *node)
{
    heap_remove(&self->heap, node);
}

static void arm(struct timeouts *self)
{
    struct heap_node *first = heap_first(&self->heap);
    int64_t now_ms = (int64_t)uv_now(self->timer.loop);
    uint64_t wait_ms;

    if (first == NULL || first->key >= self->armed_ms)
        return;
    self->armed_ms = first->key;
    wait_ms = first->key > now_ms ? (uint64_t)(first->key - now_ms) : 0;
    uv_timer_start(&self->timer, on_timer, wait_ms, 0);
}

void timeouts_set(struct timeouts *self, struct heap_node *node, int64_t deadline_ms)
{
    if (node->key <= deadline_ms)
        return;
    heap_move(&self->heap, node, deadline_ms);
    arm(self);
}

static void on_timer(uv_timer_t *timer)
{
    struct timeouts *self = CONTAINER_OF(timer, struct timeouts, timer);
    int64_t now_ms = (int64_t)uv_now(timer->loop);
    struct heap_node *first;

    self->armed_ms = 0; /* nothing that `expired` does need set the timer */
    while ((first = heap_first(&self->heap)) != NULL && first->key <= now_ms) {
        heap_move(&self->heap, first, TIMEOUT_NEVER);
        self->expired(first);
    }
    self->armed_ms = TIMEOUT_NEVER;
    arm(self);
}
