/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c -- makes, shows, changes and deletes queues.
 *
 * Deleting marks the queue and frees its name in one commit; its records are removed by sweep.c in
 * the background, also after a restart.
 */
#include "base/assert.h"
#include "shard/state.h"

static struct queue_view view_of(const struct shard *shard, const struct queue *queue)
{
    return (struct queue_view){
        .config = queue->now.config,
        .tally = queue->now.tally,
        .created_ms = queue->created_ms,
        .paused = queue->now.paused,
        .waiters = queue->waiter_count,
        .sessions = queue->session_count,
        .oldest_ready_age_ms = -1,
        .oldest_lease_age_ms = figures_oldest_lease_age_ms(shard, queue),
    };
}

static enum call_result show(const struct shard *shard, struct queue_call *call,
                             const struct queue *queue)
{
    call->view = view_of(shard, queue);
    call->view.name = call->name; /* the same, and outlives the queue */
    return CALL_DONE;
}

static struct queue_state initial_state(const struct queue_config *config)
{
    struct queue_state state = {.config = *config, .next_seq = 1};

    for (int i = 0; i < PRIORITY_COUNT; i++)
        state.cursor[i] = 1;
    return state;
}

static struct queue *make(struct shard *shard, struct queue_call *call)
{
    uint32_t number = (uint32_t)shard->options.index << 26 | shard->meta.next_queue;
    struct queue *queue = queue_new(shard, call->name, number, shard->batch.now_ms);

    if (queue == NULL) {
        batch_fail(shard, STATUS_UNAVAILABLE);
        return NULL;
    }
    shard->meta.next_queue++;
    batch_touch_meta(shard);
    queue->is_new = true;
    queue->now = initial_state(&call->config);
    batch_touch_queue(shard, queue);
    shard->has_ttl |= call->config.task_ttl_ms > 0;
    return queue;
}

static enum call_result run_create(struct shard *shard, struct call *base)
{
    struct queue_call *call = CONTAINER_OF(base, struct queue_call, call);
    struct error missing = ERROR_NONE;
    struct queue *queue = shard_find_queue(shard, call->name, &missing);

    call->created = queue == NULL;
    if (queue == NULL && (shard->queue_count >= shard->options.limits.queues_max ||
                          shard->meta.next_queue > QUEUE_NUMBER_MAX)) {
        error_limit(&base->error, STATUS_LIMIT_REACHED, "name", shard->options.limits.queues_max,
                    shard->queue_count, "the broker has as many queues as it may");
        return CALL_DONE;
    }
    if (queue == NULL)
        queue = make(shard, call);
    else if (!queue_config_equal(&queue->now.config, &call->config))
        error_set(&base->error, STATUS_QUEUE_EXISTS,
                  "there is a queue \"%s\" already, with another config", queue->name);
    return queue == NULL ? CALL_DONE : show(shard, call, queue);
}

static enum call_result run_get(struct shard *shard, struct call *base)
{
    struct queue_call *call = CONTAINER_OF(base, struct queue_call, call);
    struct queue *queue = shard_find_queue(shard, call->name, &base->error);

    if (queue == NULL)
        return CALL_DONE;
    (void)show(shard, call, queue);
    call->view.oldest_ready_age_ms = figures_oldest_ready_age_ms(shard, queue);
    return CALL_DONE;
}

/* The fields that are set in `call`, over those the queue has. */
static struct queue_config merged(const struct queue_call *call, const struct queue_config *now)
{
    struct queue_config config = *now;
    int row = 0;

#define X(name, min, max, fallback)                                                                \
    if (call->set[row++])                                                                          \
        config.name = call->config.name;
    QUEUE_CONFIG_TABLE(X)
#undef X
    return config;
}

static enum call_result run_update(struct shard *shard, struct call *base)
{
    struct queue_call *call = CONTAINER_OF(base, struct queue_call, call);
    struct queue *queue = shard_find_queue(shard, call->name, &base->error);
    struct queue_config config;

    if (queue == NULL)
        return CALL_DONE;
    config = merged(call, &queue->now.config);
    if (queue_config_check(&config, &base->error) != STATUS_OK)
        return CALL_DONE;
    if (config.dedup != queue->now.config.dedup) {
        error_limit(&base->error, STATUS_INVALID, "config.dedup", 0, 0,
                    "dedup can't be changed once the queue is made");
        return CALL_DONE;
    }
    batch_touch_queue(shard, queue);
    queue->now.config = config;
    shard->has_ttl |= config.task_ttl_ms > 0;
    return show(shard, call, queue);
}

static enum call_result set_paused(struct shard *shard, struct call *base, bool paused)
{
    struct queue_call *call = CONTAINER_OF(base, struct queue_call, call);
    struct queue *queue = shard_find_queue(shard, call->name, &base->error);

    if (queue == NULL)
        return CALL_DONE;
    if (queue->now.paused != paused) {
        batch_touch_queue(shard, queue);
        queue->now.paused = paused;
    }
    return show(shard, call, queue);
}

static enum call_result run_pause(struct shard *shard, struct call *base)
{
    return set_paused(shard, base, true);
}

static enum call_result run_resume(struct shard *shard, struct call *base)
{
    return set_paused(shard, base, false);
}

static enum call_result run_delete(struct shard *shard, struct call *base)
{
    struct queue_call *call = CONTAINER_OF(base, struct queue_call, call);
    struct queue *queue = shard_find_queue(shard, call->name, &base->error);
    struct effect *effect;

    if (queue == NULL)
        return CALL_DONE;
    batch_touch_queue(shard, queue);
    queue->now.deleting = true;
    effect = batch_effect(shard, EFFECT_QUEUE_DELETING);
    if (effect != NULL)
        effect->queue = queue;
    return CALL_DONE;
}

static enum call_result run_list(struct shard *shard, struct call *base)
{
    struct queue_list_call *call = CONTAINER_OF(base, struct queue_list_call, call);

    call->view_count = 0;
    call->views = ARENA_ARRAY(base->arena, (size_t)shard->queue_count, struct queue_view);
    if (call->views == NULL) {
        error_set(&base->error, STATUS_TOO_LARGE, "too many queues for one reply");
        return CALL_DONE;
    }
    LIST_EACH (link, &shard->queues) {
        struct queue *queue = CONTAINER_OF(link, struct queue, link);
        struct queue_view *view = &call->views[call->view_count];

        if (queue->now.deleting || !scope_covers_queue(base->scope, queue))
            continue;
        *view = view_of(shard, queue);
        view->name = arena_copy(base->arena, slice_of(queue->name, queue->name_size));
        if (view->name.data == NULL) {
            error_set(&base->error, STATUS_TOO_LARGE, "too many queues for one reply");
            return CALL_DONE;
        }
        call->view_count++;
    }
    return CALL_DONE;
}

const struct verb verb_queue_create = {"queue_create", true, true, run_create};
const struct verb verb_queue_get = {"queue_get", false, false, run_get};
const struct verb verb_queue_update = {"queue_update", true, false, run_update};
const struct verb verb_queue_delete = {"queue_delete", true, false, run_delete};
const struct verb verb_queue_pause = {"queue_pause", true, false, run_pause};
const struct verb verb_queue_resume = {"queue_resume", true, false, run_resume};
const struct verb verb_queue_list = {"queue_list", false, false, run_list};
