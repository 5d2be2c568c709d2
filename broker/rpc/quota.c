/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota.c -- what each caller has being served, and how much it asks.
 */
#include "rpc/quota.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/bucket.h"
#include "base/clock.h"
#include "base/ledger.h"
#include "base/log.h"
#include "base/ration.h"

#define CALLERS_KEPT 4096 /* of those without a request, whose buckets may not be full yet */
#define IN_HAND_DEBT_MS 1000
#define BUSY_WAIT_MS 1000

struct quota {
    struct ledger_entry entry; /* its users are its requests */
    int64_t waiters;
    struct bucket requests;
    struct bucket bytes;
};

struct quotas {
    struct quota_bounds bounds;
    struct counters *counters;
    pthread_mutex_t mutex;
    struct ledger ledger;     /* mutex, like all that is in it */
    struct ration complaints; /* mutex */
};

static enum status refuse(struct quotas *self, struct quota *quota, enum limited limited,
                          struct error *error);

struct quotas *quotas_new(const struct quota_bounds *bounds, struct counters *counters)
{
    struct quotas *self = calloc(1, sizeof *self);

    if (self == NULL)
        return NULL;
    self->bounds = *bounds;
    self->counters = counters;
    pthread_mutex_init(&self->mutex, NULL);
    ledger_init(&self->ledger, sizeof(struct quota), CALLERS_KEPT);
    return self;
}

void quotas_free(struct quotas *self)
{
    if (self == NULL)
        return;
    ledger_deinit(&self->ledger);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static int64_t wait_for(struct bucket *bucket, int64_t per_s, int64_t amount, int64_t debt_ms,
                        int64_t now_ms)
{
    if (per_s == 0)
        return 0;
    bucket_fill(bucket, per_s, now_ms);
    return bucket_wait_ms(bucket, per_s, amount, debt_ms);
}

/* LIMITED_COUNT: nothing speaks against one more. */
static enum limited find_bound(struct quotas *self, struct quota *quota, bool in_hand,
                               int64_t now_ms, int64_t *ret_wait_ms)
{
    const struct quota_bounds *bounds = &self->bounds;

    *ret_wait_ms = BUSY_WAIT_MS;
    if (bounds->requests_per_caller > 0 && !in_hand &&
        quota->entry.users > bounds->requests_per_caller)
        return LIMITED_requests_per_caller;
    *ret_wait_ms = wait_for(&quota->requests, bounds->requests_per_second, 1,
                            in_hand ? IN_HAND_DEBT_MS : 0, now_ms);
    if (*ret_wait_ms > 0)
        return LIMITED_requests_per_second;
    if (!in_hand)
        *ret_wait_ms = wait_for(&quota->bytes, bounds->bytes_per_second, 0, 0, now_ms);
    return *ret_wait_ms > 0 ? LIMITED_bytes_per_second : LIMITED_COUNT;
}

enum status quota_begin(struct quotas *self, struct slice caller, bool in_hand, int64_t now_ms,
                        struct quota **ret_quota, int64_t *ret_wait_ms, struct error *error)
{
    enum status status = STATUS_OK;
    enum limited limited;
    struct quota *quota;

    *ret_quota = NULL;
    pthread_mutex_lock(&self->mutex);
    quota = (struct quota *)(void *)ledger_take(&self->ledger, caller);
    if (quota == NULL) {
        pthread_mutex_unlock(&self->mutex);
        return error_set(error, STATUS_UNAVAILABLE, "there is no memory for another caller");
    }
    limited = find_bound(self, quota, in_hand, now_ms, ret_wait_ms);
    if (limited != LIMITED_COUNT) {
        status = refuse(self, quota, limited, error);
        ledger_give_back(&self->ledger, &quota->entry);
    } else {
        if (self->bounds.requests_per_second > 0)
            bucket_take(&quota->requests, self->bounds.requests_per_second, 1);
        *ret_quota = quota;
    }
    pthread_mutex_unlock(&self->mutex);
    return status;
}

enum status quota_wait(struct quotas *self, struct quota *quota, struct error *error)
{
    int64_t waiters_max = self->bounds.waiters_per_caller;
    enum status status = STATUS_OK;

    pthread_mutex_lock(&self->mutex);
    if (waiters_max > 0 && quota->waiters >= waiters_max)
        status = refuse(self, quota, LIMITED_waiters_per_caller, error);
    else
        quota->waiters++;
    pthread_mutex_unlock(&self->mutex);
    return status;
}

void quota_charge(struct quotas *self, struct quota *quota, size_t bytes, int64_t now_ms)
{
    if (self->bounds.bytes_per_second == 0)
        return;
    pthread_mutex_lock(&self->mutex);
    bucket_fill(&quota->bytes, self->bounds.bytes_per_second, now_ms);
    bucket_take(&quota->bytes, self->bounds.bytes_per_second, (int64_t)bytes);
    pthread_mutex_unlock(&self->mutex);
}

void quota_end(struct quotas *self, struct quota *quota, bool waited)
{
    pthread_mutex_lock(&self->mutex);
    quota->waiters -= waited;
    ledger_give_back(&self->ledger, &quota->entry);
    pthread_mutex_unlock(&self->mutex);
}

/* Tells whom, and of the log's readers who it was. */
static enum status refuse(struct quotas *self, struct quota *quota, enum limited limited,
                          struct error *error)
{
    static const struct {
        const char *verb;
        const char *things;
        size_t bound;
    } rows[LIMITED_COUNT] = {
#define X(name, verb, things)                                                                      \
    [LIMITED_##name] = {verb, things, offsetof(struct quota_bounds, name)},
        QUOTA_TABLE(X)
#undef X
    };
    int64_t bound =
        *(const int64_t *)(const void *)((const char *)&self->bounds + rows[limited].bound);

    counter_add(&self->counters->limited[limited], 1);
    if (ration_take(&self->complaints, clock_monotonic_ms())) {
        LOG_WARN("caller_limited", LOG_STRING("caller", (const char *)quota->entry.name.data),
                 LOG_STRING("limit", limited_name(limited)), LOG_INT("bound", bound),
                 LOG_INT("unlogged_before", self->complaints.left_out));
        self->complaints.left_out = 0;
    }
    return error_limit(error, STATUS_RATE_LIMITED, "", bound, 0, "one caller may %s %" PRId64 " %s",
                       rows[limited].verb, bound, rows[limited].things);
}
