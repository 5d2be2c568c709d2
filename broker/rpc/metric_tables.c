/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric_tables.c -- which metrics shards, queues and datasets have: a row each.
 *
 * Of the counters those of tasks and lease time are kept with the queue, over restarts; the rest
 * counts from the broker's start, as Prometheus expects.
 */
#include "rpc/metric_tables.h"

#define OTHER "_other"

/* Rows of QUEUE_METRICS, for its X. */
#define RETURN_ROW(name, text)                                                                     \
    X(back_##name, "ackd_queue_redeliveries_total", "cause=\"" text "\"", "counter",               \
      "Tasks that wait to be delivered again, by cause, since the start",                          \
      queue->events.returned[RETURN_##name])
#define DEAD_ROW(name, text)                                                                       \
    X(dead_##name, "ackd_queue_dead_letters_total", "reason=\"" text "\"", "counter",              \
      "Tasks that became dead letters, by reason, since the start",                                \
      queue->events.dead[DEAD_##name])

#define QUEUE_METRICS(X)                                                                           \
    /* id, metric, labels, type, text, value */                                                    \
    X(ready, "ackd_queue_tasks", "state=\"ready\"", "gauge", "Tasks by state", queue->tally.ready) \
    X(delayed, "ackd_queue_tasks", "state=\"delayed\"", "gauge", "", queue->tally.delayed)         \
    X(leased, "ackd_queue_tasks", "state=\"leased\"", "gauge", "", queue->tally.leased)            \
    X(dead, "ackd_queue_tasks", "state=\"dead\"", "gauge", "", queue->tally.dead)                  \
    X(oldest_ready, "ackd_queue_oldest_ready_age_seconds", "", "gauge",                            \
      "Time since the publish of the oldest task that is ready; 0: none is",                       \
      queue->oldest_ready_age_ms < 0 ? METRIC_NONE : seconds(queue->oldest_ready_age_ms))          \
    X(oldest_lease, "ackd_queue_oldest_lease_age_seconds", "", "gauge",                            \
      "Time since the oldest live lease was given; 0: there is none",                              \
      seconds(queue->oldest_lease_age_ms))                                                         \
    X(oldest_progress, "ackd_queue_oldest_progress_age_seconds", "", "gauge",                      \
      "Time since the live lease that is the longest without progress told any; 0: there is none", \
      seconds(queue->oldest_progress_age_ms))                                                      \
    X(published, "ackd_queue_published_total", "", "counter", "Tasks stored by publish",           \
      queue->tally.published)                                                                      \
    X(done, "ackd_queue_done_total", "", "counter", "Tasks acked", queue->tally.done)              \
    X(purged, "ackd_queue_purged_total", "", "counter", "Tasks removed by purge or deletion",      \
      queue->tally.purged)                                                                         \
    X(deliveries, "ackd_queue_deliveries_total", "", "counter", "Leases given",                    \
      queue->tally.deliveries)                                                                     \
    X(failures, "ackd_queue_failures_total", "", "counter", "Nacks with reason failed",            \
      queue->tally.failures)                                                                       \
    X(preemptions, "ackd_queue_preemptions_total", "", "counter", "Tasks given back by a drain",   \
      queue->tally.preemptions)                                                                    \
    X(losses, "ackd_queue_losses_total", "", "counter", "Leases that expired",                     \
      queue->tally.losses)                                                                         \
    X(salvaged, "ackd_queue_salvaged_total", "", "counter", "Tasks closed by a late result",       \
      queue->tally.salvaged)                                                                       \
    RETURN_CAUSES(RETURN_ROW)                                                                      \
    DEAD_ROW(FAILURES, "failures")                                                                 \
    DEAD_ROW(LOSSES, "losses")                                                                     \
    DEAD_ROW(EXPIRED, "expired")                                                                   \
    DEAD_ROW(CANCELLED, "cancelled")                                                               \
    DEAD_ROW(CORRUPT, "corrupt")                                                                   \
    X(useful, "ackd_queue_lease_seconds_total", "use=\"useful\"", "counter",                       \
      "Lease time that ended in an ack, and that did not", seconds(queue->tally.useful_ms))        \
    X(wasted, "ackd_queue_lease_seconds_total", "use=\"wasted\"", "counter", "",                   \
      seconds(queue->tally.wasted_ms))                                                             \
    X(waiters, "ackd_queue_waiters", "", "gauge", "Long polls waiting now", queue->waiters)        \
    X(sessions, "ackd_queue_sessions", "", "gauge", "Worker sessions open now", queue->sessions)   \
    X(paused, "ackd_queue_paused", "", "gauge", "1 while the queue hands out no tasks",            \
      queue->paused)

#define DATASET_METRICS(X)                                                                         \
    /* id, metric, labels, type, text, value */                                                    \
    X(ready, "ackd_dataset_tasks", "state=\"ready\"", "gauge", "Tasks of the dataset by state",    \
      dataset->tally.ready)                                                                        \
    X(delayed, "ackd_dataset_tasks", "state=\"delayed\"", "gauge", "", dataset->tally.delayed)     \
    X(leased, "ackd_dataset_tasks", "state=\"leased\"", "gauge", "", dataset->tally.leased)        \
    X(dead, "ackd_dataset_tasks", "state=\"dead\"", "gauge", "", dataset->tally.dead)              \
    X(published, "ackd_dataset_published_total", "", "counter",                                    \
      "Tasks stored by publish for the dataset", dataset->tally.published)                         \
    X(done, "ackd_dataset_done_total", "", "counter", "Tasks of the dataset acked",                \
      dataset->tally.done)                                                                         \
    X(progress, "ackd_dataset_done_ratio", "", "gauge",                                            \
      "Share of the dataset's tasks that are done, from 0 to 1", done_ratio(&dataset->tally))      \
    X(eta, "ackd_dataset_eta_seconds", "", "gauge",                                                \
      "Until all of the dataset is done at the rate of the last minute; missing if unknown",       \
      dataset->rate.eta_ms < 0 ? METRIC_NONE : seconds(dataset->rate.eta_ms))                      \
    X(useful, "ackd_dataset_lease_seconds_total", "use=\"useful\"", "counter",                     \
      "Lease time of the dataset that ended in an ack, and that did not",                          \
      seconds(dataset->tally.useful_ms))                                                           \
    X(wasted, "ackd_dataset_lease_seconds_total", "use=\"wasted\"", "counter", "",                 \
      seconds(dataset->tally.wasted_ms))

#define SHARD_METRICS(X)                                                                           \
    /* id, metric, type, text, value */                                                            \
    X(commits, "ackd_shard_commits_total", "counter", "Transactions committed", shard->commits)    \
    X(checkpoints, "ackd_shard_log_checkpoints_total", "counter",                                  \
      "Times that LMDB committed all that the log had", shard->checkpoints)                        \
    X(commands, "ackd_shard_commands_total", "counter", "Commands carried out", shard->commands)   \
    X(used_bytes, "ackd_shard_used_bytes", "gauge", "Live bytes in the store",                     \
      shard->usage.used_bytes)                                                                     \
    X(file_bytes, "ackd_shard_file_bytes", "gauge", "The store's size on disk",                    \
      shard->usage.file_bytes)                                                                     \
    X(map_bytes, "ackd_shard_map_bytes", "gauge",                                                  \
      "The most the store may grow to: its map, or what the disk has room for",                    \
      shard->usage.max_bytes)                                                                      \
    X(limit_bytes, "ackd_shard_publish_limit_bytes", "gauge",                                      \
      "Publish is refused once so many bytes are live", shard->publish_limit_bytes)                \
    X(free_pages, "ackd_shard_free_pages", "gauge", "Pages of the store's file to be used again",  \
      shard->usage.free_pages)                                                                     \
    X(page_bytes, "ackd_shard_page_bytes", "gauge", "Size of such a page",                         \
      shard->usage.page_bytes)                                                                     \
    X(leases, "ackd_shard_leases", "gauge", "Tasks leased now", shard->leases)                     \
    X(waiters, "ackd_shard_waiters", "gauge", "Long polls waiting now", shard->waiters)            \
    X(sessions, "ackd_shard_sessions", "gauge", "Worker sessions open now", shard->sessions)

#define SHARD_HISTOGRAMS(X)                                                                        \
    /* field, metric, scale, unit, text */                                                         \
    X(batch_ns, "ackd_shard_batch_seconds", scale_ns, 1e-9,                                        \
      "From the begin of a batch of commands until it was durable")                                \
    X(commit_ns, "ackd_shard_commit_seconds", scale_ns, 1e-9,                                      \
      "Of that, the store's commit: writing and fsync")                                            \
    X(flush_ns, "ackd_shard_log_flush_seconds", scale_ns, 1e-9,                                    \
      "Of that, the disk's flush of what went to the log; checkpoints flush within LMDB")          \
    X(checkpoint_ns, "ackd_shard_log_checkpoint_seconds", scale_ns, 1e-9,                          \
      "Of checkpoints between two batches, which wait for them")                                   \
    X(batch_commands, "ackd_shard_batch_commands", scale_commands, 1,                              \
      "Commands that shared a commit; 0: only what was due by itself")

static double seconds(int64_t time_ms)
{
    return (double)time_ms / 1000;
}

/* Of what was published and not purged. */
static double done_ratio(const struct tally *tally)
{
    int64_t all = tally->ready + tally->delayed + tally->leased + tally->done + tally->dead;

    return all == 0 ? METRIC_NONE : (double)tally->done / (double)all;
}

#define X(id, metric, labels, type, text, value)                                                   \
    static double read_queue_##id(const void *object)                                              \
    {                                                                                              \
        const struct queue_figures *queue = object;                                                \
                                                                                                   \
        return (double)(value);                                                                    \
    }
QUEUE_METRICS(X)
#undef X
#define X(id, metric, labels, type, text, value)                                                   \
    static double read_dataset_##id(const void *object)                                            \
    {                                                                                              \
        const struct dataset_figures *dataset = object;                                            \
                                                                                                   \
        return (double)(value);                                                                    \
    }
DATASET_METRICS(X)
#undef X
#define X(id, metric, type, text, value)                                                           \
    static double read_shard_##id(const void *object)                                              \
    {                                                                                              \
        const struct shard_stats *shard = object;                                                  \
                                                                                                   \
        return (double)(value);                                                                    \
    }
SHARD_METRICS(X)
#undef X
#define X(field, metric, scale, unit, text)                                                        \
    static const struct histogram *read_shard_##field(const void *object)                          \
    {                                                                                              \
        return &((const struct shard_stats *)object)->histograms.field;                            \
    }
SHARD_HISTOGRAMS(X)
#undef X

static const struct metric_row queue_rows[] = {
#define X(id, metric, labels, type, text, value) {metric, labels, type, text, read_queue_##id},
    QUEUE_METRICS(X)
#undef X
};
static const struct metric_row dataset_rows[] = {
#define X(id, metric, labels, type, text, value) {metric, labels, type, text, read_dataset_##id},
    DATASET_METRICS(X)
#undef X
};
static const struct metric_row shard_rows[] = {
#define X(id, metric, type, text, value) {metric, "", type, text, read_shard_##id},
    SHARD_METRICS(X)
#undef X
};
static const struct metric_histogram_row shard_histograms[] = {
#define X(field, metric, scale, unit, text) {metric, text, &scale, unit, read_shard_##field},
    SHARD_HISTOGRAMS(X)
#undef X
};

static const void *shard_at(const void *context, size_t at)
{
    return &((const struct figures *)context)->shards[at];
}

static void put_shard(struct buffer *out, const void *object)
{
    buffer_append_printf(out, "shard=\"%d\"", ((const struct shard_stats *)object)->shard);
}

/* Those with series of their own, then the others as one. */
static const void *queue_at(const void *context, size_t at)
{
    const struct figures *figures = context;

    return at < figures->queue_count ? &figures->queues[at] : &figures->others;
}

static void put_queue_name(struct buffer *out, struct slice name)
{
    metric_text_label(out, "queue", name.size > 0 ? name : slice_of_string(OTHER));
}

static void put_queue(struct buffer *out, const void *object)
{
    put_queue_name(out, ((const struct queue_figures *)object)->name);
}

static const void *dataset_at(const void *context, size_t at)
{
    return &((const struct dataset_figures *)context)[at];
}

/* A dataset may be called anything, or nothing; only that of no queue is the rest. */
static void put_dataset(struct buffer *out, const void *object)
{
    const struct dataset_figures *dataset = object;

    put_queue_name(out, dataset->queue);
    buffer_append_string(out, ",");
    metric_text_label(out, "dataset",
                      dataset->queue.size > 0 ? dataset->name : slice_of_string(OTHER));
}

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

void metric_tables_put(struct buffer *out, const struct figures *figures)
{
    const struct metric_objects shards = {figures->shard_count, shard_at, put_shard, figures};
    const struct metric_objects queues = {figures->queue_count + (figures->other_count > 0),
                                          queue_at, put_queue, figures};
    const struct metric_objects datasets = {figures->dataset_count, dataset_at, put_dataset,
                                            figures->datasets};

    metric_text_rows(out, shard_rows, COUNT(shard_rows), &shards);
    metric_text_histograms(out, shard_histograms, COUNT(shard_histograms), &shards);
    metric_text_single(out, "ackd_queues", "gauge",
                       "Queues, whether with series of their own or not",
                       (double)(figures->queue_count + figures->other_count));
    metric_text_rows(out, queue_rows, COUNT(queue_rows), &queues);
    metric_text_single(out, "ackd_datasets", "gauge",
                       "Datasets, whether with series of their own or not",
                       (double)figures->dataset_total);
    metric_text_rows(out, dataset_rows, COUNT(dataset_rows), &datasets);
}
