/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect.c -- backup and check: long reads over a snapshot, on a thread of their own, so that the
 * shard goes on serving. One at a time, since a snapshot keeps every page that is freed meanwhile;
 * and given up when the shard drains, whose end they would put off. The shard's thread makes a
 * checkpoint before: what was confirmed when they were asked for is in the snapshot.
 */
#include "base/errand.h"
#include "shard/state.h"

struct inspection {
    struct shard *shard;
    struct inspect_call *call;
    enum status (*run)(struct store *store, struct inspect_call *call);
};

static enum status run_backup(struct store *store, struct inspect_call *call)
{
    enum status status = store_backup(store, &call->copy);

    if (status == STATUS_STORE_FULL)
        error_set(
            &call->call.error, status,
            "the copy to %s was given up: there is no room for it, or too little for what the "
            "store grows by meanwhile",
            call->copy.directory);
    else if (status != STATUS_OK)
        error_set(&call->call.error, status, "the copy to %s failed", call->copy.directory);
    return status;
}

static void *inspector_main(void *argument)
{
    struct inspection *self = argument;
    struct shard *shard = self->shard;
    struct call *call = &self->call->call;
    enum status status = self->run(shard->store, self->call);

    if (status != STATUS_OK && atomic_load(&shard->draining))
        error_set(&call->error, STATUS_UNAVAILABLE, "the broker is stopping");
    else if (status != STATUS_OK && call->error.status == STATUS_OK)
        error_set(&call->error, status, NULL);
    atomic_store(&shard->inspecting, false);
    mailbox_post(call->mailbox, &call->letter);
    return NULL;
}

static void refuse(struct call *call, const char *sentence)
{
    error_set(&call->error, STATUS_UNAVAILABLE, "%s", sentence);
    mailbox_post(call->mailbox, &call->letter);
}

static void ask(struct shard *self, struct inspect_call *call,
                enum status (*run)(struct store *, struct inspect_call *))
{
    struct inspection *inspection = ARENA_NEW(call->call.arena, struct inspection);
    bool stopped;

    if (atomic_load(&self->draining)) {
        refuse(&call->call, "the broker is stopping");
        return;
    }
    if (inspection == NULL || atomic_exchange(&self->inspecting, true)) {
        refuse(&call->call, "a backup or check is under way already; try again when it is done");
        return;
    }
    *inspection = (struct inspection){self, call, run};
    call->copy.stop = &self->draining;
    pthread_mutex_lock(&self->mutex);
    stopped = self->stopped;
    if (!stopped) {
        self->inspection = inspection;
        pthread_cond_signal(&self->wake);
    }
    pthread_mutex_unlock(&self->mutex);
    if (stopped) {
        atomic_store(&self->inspecting, false);
        refuse(&call->call, "the broker is stopping");
    }
}

static const char *start(struct shard *self, struct inspection *inspection)
{
    if (atomic_load(&self->draining))
        return "the broker is stopping";
    if (batch_checkpoint(self) != STATUS_OK)
        return "the store can't take in its log now; try again when it has room";
    store_expect_backup(self->store, &inspection->call->copy, inspection->run == run_backup);
    if (errand_start(&self->inspector, inspector_main, inspection))
        return NULL;
    store_expect_backup(self->store, &inspection->call->copy, false);
    return "no thread can be started for it";
}

void inspect_start(struct shard *self, struct inspection *inspection)
{
    const char *refusal = start(self, inspection);

    if (refusal == NULL)
        return;
    atomic_store(&self->inspecting, false);
    refuse(&inspection->call->call, refusal);
}

void shard_backup(struct shard *self, struct inspect_call *call)
{
    if (call->copy.directory == NULL) { /* no memory for its name */
        error_set(&call->call.error, STATUS_TOO_LARGE, NULL);
        mailbox_post(call->call.mailbox, &call->call.letter);
        return;
    }
    ask(self, call, run_backup);
}

void shard_check(struct shard *self, struct inspect_call *call)
{
    ask(self, call, check_run);
}
