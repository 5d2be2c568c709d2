/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.c -- long polls: leases that wait for a task, first come first served.
 *
 * Waiters are served at the end of each batch, in its transaction: whatever made tasks ready
 * (a publish, a nack, a delay that ended) and the waiter's lease are one commit. A served waiter
 * stays on the batch's `served` list until the commit stands; if it does not, it goes back to the
 * front of its queue.
 */
#include "base/assert.h"
#include "shard/state.h"

enum call_result wait_park(struct shard *shard, struct queue *queue, struct lease_call *call)
{
    int64_t max = shard->options.limits.waiters_max;

    if ((int64_t)shard->wait_deadlines.count >= max) {
        error_limit(&call->call.error, STATUS_LIMIT_REACHED, "wait_ms", max, max,
                    "the broker has its %d waiting long polls already", (int)max);
        return CALL_DONE;
    }
    if (!heap_reserve(&shard->wait_deadlines, 1)) {
        error_set(&call->call.error, STATUS_UNAVAILABLE, NULL);
        return CALL_DONE;
    }
    heap_node_init(&call->wait_node);
    heap_push(&shard->wait_deadlines, &call->wait_node, shard->batch.now_ms + call->wait_ms);
    call->waits_for = queue;
    call->parked_in = shard->batch.serial;
    list_remove(&call->call.link);
    list_append(&queue->waiters, &call->call.link);
    queue->waiter_count++;
    if (list_is_empty(&queue->waiting_link))
        list_append(&shard->waiting, &queue->waiting_link);
    return CALL_WAIT;
}

/* Takes the call off its queue's waiters. */
static struct queue *unpark(struct shard *shard, struct lease_call *call)
{
    struct queue *queue = call->waits_for;

    heap_remove(&shard->wait_deadlines, &call->wait_node);
    list_remove(&call->call.link);
    queue->waiter_count--;
    if (list_is_empty(&queue->waiters))
        list_remove(&queue->waiting_link);
    call->waits_for = NULL;
    return queue;
}

void wait_drop(struct shard *shard, struct lease_call *call, enum status status)
{
    struct queue *queue;

    if (call->waits_for == NULL)
        return; /* served, or never waited: its answer is on the way */
    queue = unpark(shard, call);
    call->task_count = 0;
    call->situation = lease_situation(shard, queue);
    if (status != STATUS_OK)
        error_set(&call->call.error, status, NULL);
    list_append(&shard->batch.dropped, &call->call.link);
}

static bool session_is_gone(struct shard *shard, const struct lease_call *call)
{
    struct session *session = call->session == 0 ? NULL : session_find(shard, call->session);

    return call->session != 0 && (session == NULL || session->ended);
}

void wait_serve_queue(struct shard *shard, struct queue *queue)
{
    while (!list_is_empty(&queue->waiters) && shard->batch.failed == STATUS_OK &&
           queue->now.tally.ready > 0 && !queue->now.paused && !queue->now.deleting) {
        struct call *base = CONTAINER_OF(queue->waiters.next, struct call, link);
        struct lease_call *call = CONTAINER_OF(base, struct lease_call, call);

        if (session_is_gone(shard, call)) {
            wait_drop(shard, call, STATUS_SESSION_NOT_FOUND);
            continue;
        }
        if (lease_take(shard, queue, call) == STATUS_UNAVAILABLE) {
            wait_drop(shard, call, STATUS_UNAVAILABLE);
            continue;
        }
        if (shard->batch.failed != STATUS_OK || call->task_count == 0)
            return;
        call->situation = lease_situation(shard, queue);
        unpark(shard, call);
        call->waits_for = queue; /* for wait_put_back; wait_settle ends it */
        list_append(&shard->batch.served, &base->link);
    }
}

void wait_serve(struct shard *shard)
{
    LIST_EACH_SAFE (link, &shard->waiting)
        wait_serve_queue(shard, CONTAINER_OF(link, struct queue, waiting_link));
}

/* The commit stands. */
void wait_settle(struct shard *shard)
{
    LIST_EACH (link, &shard->batch.served) {
        struct call *base = CONTAINER_OF(link, struct call, link);

        CONTAINER_OF(base, struct lease_call, call)->waits_for = NULL;
    }
    list_append_all(&shard->batch.done, &shard->batch.served);
}

/* The commit failed: in reverse, so that the first is first again. */
void wait_put_back(struct shard *shard)
{
    while (!list_is_empty(&shard->batch.served)) {
        struct list *last = shard->batch.served.prev;
        struct lease_call *call =
            CONTAINER_OF(CONTAINER_OF(last, struct call, link), struct lease_call, call);
        struct queue *queue = call->waits_for;

        list_remove(last);
        call->task_count = 0;
        heap_push(&shard->wait_deadlines, &call->wait_node, call->wait_node.key);
        list_append(queue->waiters.next, last); /* before the first */
        queue->waiter_count++;
        if (list_is_empty(&queue->waiting_link))
            list_append(&shard->waiting, &queue->waiting_link);
    }
}

/* Before the first call that ran later. */
static void insert_in_order(struct list *ran, struct call *call)
{
    struct list *at = ran->next;

    while (at != ran && CONTAINER_OF(at, struct call, link)->ran_as < call->ran_as)
        at = at->next;
    list_append(at, &call->link);
}

/* They are the last of their queues: those before them came with earlier batches. */
void wait_unpark_new(struct shard *shard)
{
    LIST_EACH_SAFE (link, &shard->waiting) {
        struct queue *queue = CONTAINER_OF(link, struct queue, waiting_link);

        while (!list_is_empty(&queue->waiters)) {
            struct call *last = CONTAINER_OF(queue->waiters.prev, struct call, link);
            struct lease_call *lease = CONTAINER_OF(last, struct lease_call, call);

            if (lease->parked_in != shard->batch.serial)
                break;
            unpark(shard, lease);
            insert_in_order(&shard->batch.ran, last);
        }
    }
}

void wait_expire(struct shard *shard)
{
    struct heap_node *first;

    while ((first = heap_first(&shard->wait_deadlines)) != NULL &&
           first->key <= shard->batch.now_ms)
        wait_drop(shard, CONTAINER_OF(first, struct lease_call, wait_node), STATUS_OK);
}

void wait_drain(struct shard *shard)
{
    struct heap_node *first;

    while ((first = heap_first(&shard->wait_deadlines)) != NULL)
        wait_drop(shard, CONTAINER_OF(first, struct lease_call, wait_node), STATUS_OK);
}

void wait_drop_queue(struct shard *shard, struct queue *queue)
{
    while (!list_is_empty(&queue->waiters)) {
        struct call *base = CONTAINER_OF(queue->waiters.next, struct call, link);

        wait_drop(shard, CONTAINER_OF(base, struct lease_call, call), STATUS_QUEUE_NOT_FOUND);
    }
}
