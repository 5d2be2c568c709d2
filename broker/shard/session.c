/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c -- one worker process, and the leases that its heartbeats keep.
 *
 * Heartbeats are not written down: a restart gives every stored session its whole time again,
 * which no promise forbids, so that keeping a hundred thousand leases costs no disk at all.
 */
#include "base/assert.h"
#include "shard/state.h"

static enum status write_record(struct shard *shard, uint64_t id,
                                const struct session_record *record)
{
    struct key key = key_of_session(id);
    uint8_t *value;
    enum status status =
        batch_reserve(shard, STORE_SESSION, key_slice(&key), session_record_size(record), &value);

    if (status == STATUS_OK)
        session_record_write(record, key_slice(&key), value);
    return status;
}

static enum call_result run_open(struct shard *shard, struct call *base)
{
    struct session_call *call = CONTAINER_OF(base, struct session_call, call);
    struct queue *queue = shard_find_queue(shard, call->queue, &base->error);
    int64_t max = shard->options.limits.sessions_max;
    struct session_record record;
    struct effect *effect;

    if (queue == NULL)
        return CALL_DONE;
    if ((int64_t)shard->sessions.count >= max) {
        error_limit(&base->error, STATUS_LIMIT_REACHED, "queue", max, max,
                    "the broker has its %d open sessions already", (int)max);
        return CALL_DONE;
    }
    record =
        (struct session_record){queue->number, call->session_ms, shard->batch.now_ms, call->names};
    call->session = (uint64_t)shard->options.index << 58 | shard->meta.next_session++;
    batch_touch_meta(shard);
    effect = batch_effect(shard, EFFECT_SESSION_BEGIN);
    if (effect == NULL || write_record(shard, call->session, &record) != STATUS_OK)
        return CALL_DONE;
    effect->session = session_new(call->session, &record);
    effect->at_ms = shard->batch.now_ms + call->session_ms;
    if (effect->session == NULL)
        batch_fail(shard, STATUS_UNAVAILABLE);
    else
        effect->session->heartbeat_ms = shard->batch.now_ms;
    return CALL_DONE;
}

/* A session's ID names its queue to the shard alone. */
static bool may_touch(struct shard *shard, const struct call *call, const struct session *session)
{
    const struct queue *queue;

    if (call->scope == NULL)
        return true;
    queue = shard_queue_of_number(shard, session->queue);
    return queue != NULL && scope_covers_queue(call->scope, queue);
}

static struct session *find_open(struct shard *shard, struct session_call *call)
{
    struct session *session = session_find(shard, call->session);

    if (session == NULL || session->ended) {
        error_set(&call->call.error, STATUS_SESSION_NOT_FOUND, NULL);
        return NULL;
    }
    if (!may_touch(shard, &call->call, session)) {
        error_set(&call->call.error, STATUS_PERMISSION_DENIED,
                  "the right work on the session's queue is missing");
        return NULL;
    }
    return session;
}

static void take_stops(struct session *session, struct session_call *call)
{
    call->stops = ARENA_ARRAY(call->call.arena, session->stop_count, struct stop_notice);
    call->stop_count = call->stops == NULL ? 0 : session->stop_count;
    if (call->stop_count > 0)
        memcpy(call->stops, session->stops, session->stop_count * sizeof *session->stops);
    session->stop_count -= call->stop_count;
}

static enum call_result run_heartbeat(struct shard *shard, struct call *base)
{
    struct session_call *call = CONTAINER_OF(base, struct session_call, call);
    struct session *session = find_open(shard, call);

    if (session == NULL)
        return CALL_DONE;
    if (call->stops == NULL) /* else it has them already, from a batch that was taken back */
        take_stops(session, call);
    session->heartbeat_ms = shard->batch.now_ms;
    heap_move(&shard->session_deadlines, &session->deadline,
              shard->batch.now_ms + session->session_ms);
    for (size_t i = 0; i < call->progress_count; i++)
        progress_hear(shard, session, &call->progress[i]);
    call->session_ms = session->session_ms;
    call->leased = session->lease_count;
    return CALL_DONE;
}

/* A batch may come late, after a slow commit: whoever has sent a heartbeat meanwhile is alive. */
void session_keep_alive(struct shard *shard, const struct list *calls)
{
    LIST_EACH (link, calls) {
        struct call *base = CONTAINER_OF(link, struct call, link);
        struct session *session;

        if (base->verb != &verb_session_heartbeat)
            continue;
        session = session_find(shard, CONTAINER_OF(base, struct session_call, call)->session);
        if (session != NULL && !session->ended && may_touch(shard, base, session))
            heap_move(&shard->session_deadlines, &session->deadline,
                      shard->batch.now_ms + session->session_ms);
    }
}

/* False: there was nothing to give back. */
static bool return_lease(struct shard *shard, const struct session *session, struct lease *lease,
                         enum task_command_kind kind)
{
    struct queue *queue = shard_queue_of_number(shard, lease->place.queue);
    struct task_command command = {.kind = kind,
                                   .session = session->id,
                                   .fence = lease->fence,
                                   .delay_ms = TASK_DELAY_BACKOFF};
    struct task_effects effects;
    struct held held;
    enum status status = STATUS_QUEUE_NOT_FOUND;

    ASSERT(queue != NULL);
    if (!queue->now.deleting)
        status = held_load(shard, queue, lease->place, &held);
    if (status == STATUS_OK)
        status = held_step(shard, &held, &command, NULL, &effects);
    if (status != STATUS_OK) /* another call of this batch has ended the lease, or worse */
        expire_odd_lease(shard, queue, lease, status);
    return status == STATUS_OK;
}

enum status session_return_leases(struct shard *shard, struct session *session,
                                  enum task_command_kind kind, size_t max, int64_t *ret_returned,
                                  bool *ret_more)
{
    struct key key = key_of_session(session->id);
    struct effect *effect;
    size_t count = 0;

    *ret_more = false;
    if (session->ending)
        return STATUS_OK; /* closed and lost in one batch */
    LIST_EACH (link, &session->leases) {
        if (count++ == max) {
            *ret_more = true;
            return STATUS_OK;
        }
        *ret_returned += return_lease(shard, session, CONTAINER_OF(link, struct lease, link), kind);
        if (shard->batch.failed != STATUS_OK)
            return shard->batch.failed;
    }
    effect = batch_effect(shard, EFFECT_SESSION_END);
    if (effect == NULL)
        return STATUS_UNAVAILABLE;
    effect->session_id = session->id;
    session->ending = true;
    return batch_remove(shard, STORE_SESSION, key_slice(&key));
}

/* Leases that this batch gives it are indexed by the next, which takes them back with the others.
 */
static enum call_result begin_close(struct shard *shard, struct call *base, uint64_t id)
{
    struct effect *effect = batch_effect(shard, EFFECT_SESSION_CLOSE);

    if (effect == NULL)
        return CALL_DONE;
    effect->session_id = id;
    base->progress.begun = true;
    return CALL_AGAIN;
}

static enum call_result run_close(struct shard *shard, struct call *base)
{
    struct session_call *call = CONTAINER_OF(base, struct session_call, call);
    struct session *session = session_find(shard, call->session);
    bool more;

    if (!base->progress.begun) {
        if (find_open(shard, call) == NULL)
            return CALL_DONE;
        return begin_close(shard, base, call->session);
    }
    if (session == NULL)
        return CALL_DONE; /* it expired meanwhile: nothing is left to give back */
    if (session_return_leases(shard, session, TASK_NACK_PREEMPTED, STEP_RECORDS_MAX,
                              &base->progress.count, &more) != STATUS_OK)
        return CALL_DONE;
    return more ? CALL_AGAIN : CALL_DONE;
}

static bool copy_names(struct arena *arena, const struct worker_names *names,
                       struct worker_names *ret)
{
    bool has_room = true;

#define X(name, bytes_max) has_room &= copy_slice(arena, names->name, &ret->name);
    WORKER_NAMES(X)
#undef X
    return has_room;
}

static bool fill_view(struct arena *arena, const struct session *session, const struct queue *queue,
                      struct session_view *ret)
{
    *ret = (struct session_view){
        .session = session->id,
        .opened_ms = session->opened_ms,
        .heartbeat_ms = session->heartbeat_ms,
        .session_ms = session->session_ms,
        .leased = session->lease_count,
        .acked = session->acked,
    };
    return copy_slice(arena, slice_of(queue->name, queue->name_size), &ret->queue) &&
           copy_names(arena, &session->names, &ret->names);
}

static enum call_result run_list(struct shard *shard, struct call *base)
{
    struct session_call *call = CONTAINER_OF(base, struct session_call, call);
    struct queue *only = NULL;
    bool has_room = true;

    call->view_count = 0;
    if (call->queue.size > 0 && (only = shard_find_queue(shard, call->queue, &base->error)) == NULL)
        return CALL_DONE;
    call->views = ARENA_ARRAY(base->arena, shard->sessions.count, struct session_view);
    has_room = call->views != NULL;
    for (struct map_node *node = map_next(&shard->sessions, NULL); node != NULL && has_room;
         node = map_next(&shard->sessions, node)) {
        struct session *session = CONTAINER_OF(node, struct session, node);
        struct queue *queue = shard_queue_of_number(shard, session->queue);

        if (session->ended || queue == NULL || (only != NULL && queue != only) ||
            !scope_covers_queue(base->scope, queue))
            continue;
        has_room = fill_view(base->arena, session, queue, &call->views[call->view_count++]);
    }
    if (!has_room)
        error_set(&base->error, STATUS_TOO_LARGE, "too many sessions for one reply");
    return CALL_DONE;
}

/* Also when the store is nearly full: without workers it would stay so. */
const struct verb verb_session_open = {"session_open", true, false, run_open};
const struct verb verb_session_heartbeat = {"session_heartbeat", false, false, run_heartbeat};
const struct verb verb_session_close = {"session_close", true, false, run_close};
const struct verb verb_session_list = {"session_list", false, false, run_list};
