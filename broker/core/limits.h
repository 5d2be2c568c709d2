/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.h -- how much is too much: the table of every limit on what callers may send.
 *
 * The daemon makes its flags from the same table, so that an operator may lower or raise each one
 * within the given range.
 */
#ifndef ACKD_CORE_LIMITS_H
#define ACKD_CORE_LIMITS_H

#include <stdint.h>

#define LIMITS_TABLE(X)                                                                            \
    /* name, flag, unit, min, max, default, text */                                                \
    X(payload_bytes_max, "max-payload", "bytes", 1, 16777216, 1048576, "a task's payload")         \
    X(result_bytes_max, "max-result", "bytes", 1, 16777216, 1048576, "a result")                   \
    X(checkpoint_bytes_max, "max-checkpoint", "bytes", 1, 16777216, 1048576, "a checkpoint")       \
    X(batch_items_max, "max-batch-items", "items", 1, 100000, 10000, "the items of one request")   \
    X(batch_bytes_max, "max-batch-bytes", "bytes", 65536, 134217728, 33554432,                     \
      "the body of one request")                                                                   \
    X(attributes_max, "max-attributes", "entries", 0, 1024, 64, "a task's attributes")             \
    X(queues_max, "max-queues", "queues", 1, 1000000, 100000, "the queues of a broker")            \
    X(datasets_max, "max-datasets", "datasets", 1, 1000000, 10000, "the datasets of a queue")      \
    X(sessions_max, "max-sessions", "sessions", 1, 10000000, 100000, "the open sessions")          \
    X(waiters_max, "max-waiters", "waiters", 1, 10000000, 100000, "the waiting long polls")

struct limits {
#define X(name, flag, unit, min, max, fallback, text) int64_t name;
    LIMITS_TABLE(X)
#undef X
};

/* Fixed by the formats; not for operators. */
#define TASK_ID_BYTES_MAX 256
#define QUEUE_NAME_BYTES_MAX 128
#define DATASET_NAME_BYTES_MAX 256
#define WORKER_NAME_BYTES_MAX 256
#define PLACE_NAME_BYTES_MAX 253 /* of a machine or pod: a DNS name */
#define NAMESPACE_BYTES_MAX 63   /* a DNS label */
#define ATTRIBUTE_KEY_BYTES_MAX 128
#define ATTRIBUTE_VALUE_BYTES_MAX 1024
#define ERROR_TEXT_BYTES_MAX 4096
#define PRIORITY_MAX 9
#define PRIORITY_COUNT 10
#define LEASE_MS_MIN INT64_C(1000)
#define LEASE_MS_MAX INT64_C(43200000) /* 12 h */
#define WAIT_MS_MAX INT64_C(60000)
#define DELAY_MS_MAX INT64_C(31536000000) /* 1 y */
#define SESSION_MS_MIN INT64_C(1000)
#define SESSION_MS_MAX INT64_C(3600000)
#define SESSION_MS_DEFAULT INT64_C(15000)
#define PAGE_SIZE_MAX 1000
#define PAGE_SIZE_DEFAULT 100
#define LEASE_REPLY_BYTES_DEFAULT INT64_C(16777216)
#define LEASE_REPLY_BYTES_MAX INT64_C(33554432)

struct limits limits_default(void);

#endif
