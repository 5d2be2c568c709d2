/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_file.c -- results as files: write and flush each of a batch, rename it to its task's name,
 * then flush the directory once. Done is what has a file, once the directory has been flushed: the
 * worker that renamed it may have been killed before it could.
 */
#include <stdlib.h>

#include "file_store.h"
#include "sink_failed.h"

struct file_sink {
    struct ackd_sink sink; /* first */
    struct file_store store;
};

static void file_free(struct ackd_sink *sink)
{
    struct file_sink *self = (struct file_sink *)sink;

    file_store_deinit(&self->store);
    free(self);
}

static enum ackd_status file_open(struct ackd_sink *sink, struct ackd_error *error)
{
    return file_store_open(&((struct file_sink *)sink)->store, error);
}

static enum ackd_status file_find_done(struct ackd_sink *sink, const char *queue,
                                       const char *const *task_ids, size_t count, bool *ret_done,
                                       struct ackd_error *error)
{
    struct file_sink *self = (struct file_sink *)sink;
    enum ackd_status status = ACKD_OK;
    bool any = false;

    for (size_t i = 0; i < count && status == ACKD_OK; i++) {
        status = file_store_find(&self->store, task_ids[i], &ret_done[i], error);
        any |= ret_done[i];
    }
    return any && status == ACKD_OK ? file_store_flush(&self->store, error) : status;
}

static enum ackd_status file_commit(struct ackd_sink *sink, const struct ackd_sink_result *results,
                                    size_t count, struct ackd_error *error)
{
    struct file_sink *self = (struct file_sink *)sink;
    enum ackd_status status = ACKD_OK;

    for (size_t i = 0; i < count && status == ACKD_OK; i++)
        status = file_store_write(&self->store, results[i].task_id, results[i].result, error);
    return status == ACKD_OK ? file_store_flush(&self->store, error) : status;
}

struct ackd_sink *ackd_sink_file(const char *directory)
{
    struct file_sink *self = calloc(1, sizeof *self);

    if (self == NULL || !file_store_init(&self->store, "the file sink", directory)) {
        free(self);
        return sink_no_memory();
    }
    self->sink = (struct ackd_sink){.size = sizeof self->sink,
                                    .name = "file",
                                    .open = file_open,
                                    .find_done = file_find_done,
                                    .commit = file_commit,
                                    .free = file_free};
    return &self->sink;
}
