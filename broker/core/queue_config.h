/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_config.h -- the rules a queue's tasks live by, in one table.
 *
 * The table gives the struct, the defaults, the check of ranges, the record on disk and the
 * exchange with the wire's QueueConfig. Order and types are part of the disk format: append only.
 */
#ifndef ACKD_CORE_QUEUE_CONFIG_H
#define ACKD_CORE_QUEUE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum late_results { LATE_RESULTS_SALVAGE = 1, LATE_RESULTS_REFUSE = 2 };

#define QUEUE_CONFIG_TABLE(X)                                                                      \
    /* name, min, max, default */                                                                  \
    X(lease_ms, 1000, 43200000, 60000)                                                             \
    X(max_failures, 1, 1000, 5)                                                                    \
    X(max_losses, 1, 10000, 20)                                                                    \
    X(backoff_min_ms, 0, 86400000, 1000)                                                           \
    X(backoff_max_ms, 0, 86400000, 600000)                                                         \
    X(dedup, 0, 1, 1)                                                                              \
    X(dedup_retention_ms, 0, INT64_C(31536000000), 604800000)                                      \
    X(result_retention_ms, 0, INT64_C(315360000000), 0)                                            \
    X(task_ttl_ms, 0, INT64_C(315360000000), 0)                                                    \
    X(max_leased, 0, 100000000, 0)                                                                 \
    X(late_results, LATE_RESULTS_SALVAGE, LATE_RESULTS_REFUSE, LATE_RESULTS_SALVAGE)

struct queue_config {
#define X(name, min, max, fallback) int64_t name;
    QUEUE_CONFIG_TABLE(X)
#undef X
};

struct queue_config queue_config_default(void);
/* Every field within its range, and backoff_min_ms <= backoff_max_ms; else STATUS_INVALID with
 * field "config.NAME". */
enum status queue_config_check(const struct queue_config *self, struct error *error) MUST_USE;
bool queue_config_equal(const struct queue_config *a, const struct queue_config *b);

#endif
