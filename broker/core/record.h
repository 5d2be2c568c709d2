/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h -- what the values in the store look like.
 *
 * Every value begins with a head: crc32c(4) version(1) type(1). The CRC covers the record's key
 * and all bytes behind the CRC, so that a record in the wrong place is found out too. Numbers are
 * little-endian and of fixed width; a record that is rewritten keeps its size where it can (an
 * update in place keeps LMDB's pages full).
 *
 * Reading checks everything and trusts nothing: STATUS_CORRUPT if the CRC, the version or a length
 * is wrong. Slices in a record that was read point into the value: they hold as long as it does.
 *
 * Writing is in two steps, since the store gives the memory: ask for the size, reserve, write.
 *
 * Bodies: a task's attributes and payload are one run of bytes, the body. Bodies, results and
 * checkpoints of more than RECORD_INLINE_MAX bytes are kept in chunks of CHUNK_BYTES (table
 * `chunk`), because values of several pages fragment LMDB's free space.
 */
#ifndef ACKD_CORE_RECORD_H
#define ACKD_CORE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"
#include "core/key.h"
#include "core/limits.h"
#include "core/queue_config.h"
#include "core/task.h"

#define RECORD_INLINE_MAX 3600 /* bytes of body, result or checkpoint beside the record's head */
#define CHUNK_BYTES 4000

/* The type byte; also says which of the functions below made it. */
enum record_type {
    RECORD_TASK = 1,
    RECORD_ACTIVE,
    RECORD_ID,
    RECORD_RESULT,
    RECORD_CHECKPOINT,
    RECORD_DEAD,
    RECORD_CHUNK,
    RECORD_QUEUE,
    RECORD_DATASET,
    RECORD_SESSION,
    RECORD_META,
};

/* task: as published, never rewritten. */
struct task_record {
    int64_t published_ms;
    uint32_t dataset;
    uint32_t attributes_size; /* bytes of the body that are attributes */
    uint32_t body_size;       /* attributes and payload */
    struct slice id;          /* empty: made from the place */
    struct slice body;        /* all of it, or empty if in chunks */
};
size_t task_record_size(const struct task_record *self);
void task_record_write(const struct task_record *self, struct slice key, uint8_t *value);
enum status task_record_read(struct slice key, struct slice value,
                             struct task_record *ret) MUST_USE;

static inline bool is_inline(size_t size)
{
    return size <= RECORD_INLINE_MAX;
}

/* active: a task that was ever touched. */
struct active_record {
    struct task task;
    uint32_t dataset;
    bool has_id;          /* the task's row has an ID of its own */
    bool has_chunks;      /* its body lies in chunks: the row must be read before it is removed */
    struct slice history; /* core/history.h; empty: none */
    struct slice error;   /* what the last failure said */
};
size_t active_record_size(const struct active_record *self);
void active_record_write(const struct active_record *self, struct slice key, uint8_t *value);
enum status active_record_read(struct slice key, struct slice value,
                               struct active_record *ret) MUST_USE;

/* id: where the task of that ID is, or when it was done. Always the same size. */
struct id_record {
    bool done;
    uint8_t priority;
    uint64_t seq;
    int64_t done_ms;
    uint32_t fence; /* done: by which lease */
};
#define ID_RECORD_SIZE 28
void id_record_write(const struct id_record *self, struct slice key, uint8_t *value);
enum status id_record_read(struct slice key, struct slice value, struct id_record *ret) MUST_USE;

/* result and checkpoint: bytes with their origin. */
struct blob_record {
    enum record_type type; /* RECORD_RESULT or RECORD_CHECKPOINT */
    int64_t stored_ms;
    uint32_t dataset;
    uint32_t fence;
    uint8_t priority; /* of the place, where its chunks are */
    uint64_t seq;
    uint32_t size;
    struct slice data; /* empty if in chunks */
};
size_t blob_record_size(const struct blob_record *self);
void blob_record_write(const struct blob_record *self, struct slice key, uint8_t *value);
enum status blob_record_read(struct slice key, struct slice value, enum record_type type,
                             struct blob_record *ret) MUST_USE;

/* chunk: a piece of a body, result or checkpoint. */
size_t chunk_record_size(struct slice data);
void chunk_record_write(struct slice data, struct slice key, uint8_t *value);
enum status chunk_record_read(struct slice key, struct slice value, struct slice *ret) MUST_USE;

/* dead: the index of dead letters; the task itself stays in task and active. */
struct dead_record {
    enum dead_reason reason;
    int64_t dead_ms;
    uint32_t dataset;
};
#define DEAD_RECORD_SIZE 19
void dead_record_write(const struct dead_record *self, struct slice key, uint8_t *value);
enum status dead_record_read(struct slice key, struct slice value,
                             struct dead_record *ret) MUST_USE;

/* How a queue or a dataset stands. Rows are counts of tasks or events; append only. */
#define TALLY_TABLE(X)                                                                             \
    X(ready)                                                                                       \
    X(delayed)                                                                                     \
    X(leased)                                                                                      \
    X(done)                                                                                        \
    X(dead)                                                                                        \
    X(published)                                                                                   \
    X(purged)                                                                                      \
    X(deliveries)                                                                                  \
    X(failures)                                                                                    \
    X(preemptions)                                                                                 \
    X(losses)                                                                                      \
    X(salvaged)                                                                                    \
    X(useful_ms)                                                                                   \
    X(wasted_ms)                                                                                   \
    X(first_published_ms)                                                                          \
    X(last_published_ms)                                                                           \
    X(first_done_ms)                                                                               \
    X(last_done_ms)

struct tally {
#define X(name) int64_t name;
    TALLY_TABLE(X)
#undef X
};

/* Each row by itself: sign 1 adds, -1 takes away. */
static inline void tally_add(struct tally *self, const struct tally *other, int64_t sign)
{
#define X(name) self->name += sign * other->name;
    TALLY_TABLE(X)
#undef X
}

/* queue: config, state and counters. Rewritten by each commit that touches the queue. */
struct queue_record {
    struct queue_config config;
    struct tally tally;
    int64_t created_ms;
    bool paused;
    bool deleting;
    uint64_t next_seq;
    uint32_t next_dataset;
    uint64_t cursor[PRIORITY_COUNT];  /* the first seq that was never touched */
    int64_t fresh[PRIORITY_COUNT];    /* READY, at or behind the cursor */
    int64_t returned[PRIORITY_COUNT]; /* READY again */
    struct slice name;
};
size_t queue_record_size(const struct queue_record *self);
void queue_record_write(const struct queue_record *self, struct slice key, uint8_t *value);
enum status queue_record_read(struct slice key, struct slice value,
                              struct queue_record *ret) MUST_USE;

struct dataset_record {
    struct tally tally;
    struct slice name;
};
size_t dataset_record_size(const struct dataset_record *self);
void dataset_record_write(const struct dataset_record *self, struct slice key, uint8_t *value);
enum status dataset_record_read(struct slice key, struct slice value,
                                struct dataset_record *ret) MUST_USE;

/* Who a worker is and where it runs, for people; rows are append only. */
#define WORKER_NAMES(X)                                                                            \
    /* name, bytes at most */                                                                      \
    X(worker, WORKER_NAME_BYTES_MAX)                                                               \
    X(node, PLACE_NAME_BYTES_MAX)                                                                  \
    X(pod, PLACE_NAME_BYTES_MAX)                                                                   \
    X(pod_namespace, NAMESPACE_BYTES_MAX)

struct worker_names {
#define X(name, bytes_max) struct slice name;
    WORKER_NAMES(X)
#undef X
};

struct session_record {
    uint32_t queue;
    int64_t session_ms;
    int64_t opened_ms;
    struct worker_names names;
};
size_t session_record_size(const struct session_record *self);
void session_record_write(const struct session_record *self, struct slice key, uint8_t *value);
enum status session_record_read(struct slice key, struct slice value,
                                struct session_record *ret) MUST_USE;

/* meta: one record a store, under the key "shard". */
#define META_KEY "shard"
#define STORE_FORMAT 4
/* The oldest that is still read: its records are read by this format's rules. */
#define STORE_FORMAT_OLDEST 2
struct meta_record {
    uint32_t format;
    uint32_t shard;
    uint32_t next_queue;
    uint64_t next_session;
};
#define META_RECORD_SIZE 26
void meta_record_write(const struct meta_record *self, struct slice key, uint8_t *value);
enum status meta_record_read(struct slice key, struct slice value,
                             struct meta_record *ret) MUST_USE;

/* Attributes within a body: key size(2) value size(2) key value, repeated. */
struct attribute {
    struct slice key;
    struct slice value;
};
static inline size_t attribute_size(const struct attribute *self)
{
    return 4 + self->key.size + self->value.size;
}
/* Writes one and returns where the next begins. */
uint8_t *attribute_write(const struct attribute *self, uint8_t *at);
/* Takes the first off *body; false at the end, or if it is broken. */
bool attribute_read(struct slice *body, struct attribute *ret);

#endif
