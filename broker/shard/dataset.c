/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset.c -- how far a dataset is, and how fast it goes.
 *
 * The rate is an exponentially weighted mean over the last minute or so of done tasks, corrected
 * for the time since the first one, so that it is right from the start. It lives in memory alone.
 */
#include <math.h>

#include "shard/state.h"

#define RATE_MS 60000.0

/* The decayed count of done tasks, as of now. */
static double weight_at(const struct dataset *dataset, int64_t now_ms)
{
    return dataset->rate * exp(-(double)(now_ms - dataset->rate_at_ms) / RATE_MS);
}

void dataset_note_done(struct dataset *dataset, int64_t done, int64_t now_ms)
{
    if (dataset->rate_since_ms == 0)
        dataset->rate_since_ms = now_ms;
    dataset->rate = weight_at(dataset, now_ms) + (double)done;
    dataset->rate_at_ms = now_ms;
}

static double done_per_s(const struct dataset *dataset, int64_t now_ms)
{
    double age_ms = (double)(now_ms - dataset->rate_since_ms);

    if (dataset->rate_since_ms == 0 || age_ms < 1000)
        return 0;
    return weight_at(dataset, now_ms) / (RATE_MS / 1000 * (1 - exp(-age_ms / RATE_MS)));
}

struct dataset_rate dataset_rate(const struct dataset *dataset, int64_t now_ms)
{
    const struct tally *tally = &dataset->now;
    int64_t left = tally->ready + tally->delayed + tally->leased;
    struct dataset_rate rate = {.done_per_s = done_per_s(dataset, now_ms)};

    rate.eta_ms = left == 0 ? 0 : -1;
    if (left > 0 && rate.done_per_s > 0.0001)
        rate.eta_ms = (int64_t)((double)left / rate.done_per_s * 1000);
    return rate;
}

static enum status add_view(struct shard *shard, const struct dataset *dataset,
                            struct dataset_call *call)
{
    struct dataset_view *view = &call->views[call->view_count++];

    view->name = arena_copy(call->call.arena, slice_of(dataset->name, dataset->name_size));
    view->tally = dataset->now;
    view->rate = dataset_rate(dataset, shard->batch.now_ms);
    return view->name.data == NULL && dataset->name_size > 0 ? STATUS_TOO_LARGE : STATUS_OK;
}

static enum status list_all(struct shard *shard, struct queue *queue, struct dataset_call *call)
{
    LIST_EACH (link, &queue->dataset_list) {
        enum status status = add_view(shard, CONTAINER_OF(link, struct dataset, link), call);

        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum call_result run(struct shard *shard, struct call *base)
{
    struct dataset_call *call = CONTAINER_OF(base, struct dataset_call, call);
    struct queue *queue = shard_find_queue(shard, call->queue, &base->error);
    struct dataset *one = queue == NULL ? NULL : dataset_find(queue, call->name);
    enum status status = STATUS_TOO_LARGE;

    call->view_count = 0;
    if (queue == NULL)
        return CALL_DONE;
    if (!call->all && one == NULL) {
        error_set(&base->error, STATUS_NOT_FOUND, "queue \"%s\" has no dataset \"%.*s\"",
                  queue->name, (int)call->name.size, (const char *)call->name.data);
        return CALL_DONE;
    }
    call->views =
        ARENA_ARRAY(base->arena, call->all ? queue->datasets.count : 1, struct dataset_view);
    if (call->views != NULL)
        status = call->all ? list_all(shard, queue, call) : add_view(shard, one, call);
    if (status != STATUS_OK)
        error_set(&base->error, status, "too many datasets for one reply");
    return CALL_DONE;
}

const struct verb verb_dataset_list = {"dataset_list", false, false, run};
