/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_config.c -- defaults and ranges of a queue's rules.
 */
#include "core/queue_config.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
    int64_t min;
    int64_t max;
} fields[] = {
#define X(name, min, max, fallback)                                                                \
    {"config." #name, offsetof(struct queue_config, name), min, max},
    QUEUE_CONFIG_TABLE(X)
#undef X
};

struct queue_config queue_config_default(void)
{
    return (struct queue_config)
    {
#define X(name, min, max, fallback) .name = fallback,
        QUEUE_CONFIG_TABLE(X)
#undef X
    };
}

enum status queue_config_check(const struct queue_config *self, struct error *error)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int64_t value;

        memcpy(&value, (const char *)self + fields[i].offset, sizeof value);
        if (value < fields[i].min || value > fields[i].max)
            return error_limit(error, STATUS_INVALID, fields[i].name,
                               value < fields[i].min ? fields[i].min : fields[i].max, value,
                               "%s is %" PRId64 "; it must be %" PRId64 " to %" PRId64,
                               fields[i].name, value, fields[i].min, fields[i].max);
    }
    if (self->backoff_min_ms > self->backoff_max_ms)
        return error_limit(error, STATUS_INVALID, "config.backoff_min_ms", self->backoff_max_ms,
                           self->backoff_min_ms,
                           "backoff_min_ms is %" PRId64 ", more than backoff_max_ms %" PRId64,
                           self->backoff_min_ms, self->backoff_max_ms);
    return STATUS_OK;
}

bool queue_config_equal(const struct queue_config *a, const struct queue_config *b)
{
    return memcmp(a, b, sizeof *a) == 0; /* int64 fields only: no padding */
}
