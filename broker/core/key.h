/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key.h -- the keys of every table. Big-endian, so that byte order is service order.
 *
 *   place      queue(4) 9-priority(1) seq(8)          task, active, returned, checkpoint, dead
 *   due        due_ms(8) place(13)                    due
 *   chunk      place(13) kind(1) index(4)             chunk
 *   name       queue(4) task ID bytes                 id, result
 *   dataset    queue(4) dataset(4)                    dataset
 *   queue      queue(4)                               queue
 *   session    session(8)                             session
 *
 * A task's place never changes. Within a queue and priority, seq is the order of publishing.
 */
#ifndef ACKD_CORE_KEY_H
#define ACKD_CORE_KEY_H

#include <stdint.h>

#include "base/assert.h"
#include "base/slice.h"
#include "core/limits.h"

struct place {
    uint32_t queue;   /* number of the queue; its top 6 bits name the shard */
    uint8_t priority; /* 0 .. 9 */
    uint64_t seq;     /* from 1, per queue */
};

#define KEY_BYTES_MAX 300
#define PLACE_BYTES 13

struct key {
    size_t size;
    uint8_t data[KEY_BYTES_MAX];
};

enum chunk_kind { CHUNK_BODY = 'b', CHUNK_RESULT = 'r', CHUNK_CHECKPOINT = 'c' };

static inline void place_put(uint8_t *at, struct place place)
{
    ASSERT(place.priority <= PRIORITY_MAX);
    be32_put(at, place.queue);
    at[4] = (uint8_t)(PRIORITY_MAX - place.priority); /* 9 is served first, so it sorts first */
    be64_put(at + 5, place.seq);
}

static inline struct key key_of_place(struct place place)
{
    struct key key;

    key.size = PLACE_BYTES;
    place_put(key.data, place);
    return key;
}

struct key key_of_due(int64_t due_ms, struct place place);
struct key key_of_chunk(struct place place, enum chunk_kind kind, uint32_t index);
struct key key_of_name(uint32_t queue, struct slice task_id);
struct key key_of_dataset(uint32_t queue, uint32_t dataset);
struct key key_of_queue(uint32_t queue);
struct key key_of_session(uint64_t session);
/* The first key after all that begin with this queue (the whole table's end for the last). */
struct key key_after_queue(uint32_t queue);
/* The first key of a priority of a queue, from `seq` on. */
struct key key_of_seq(uint32_t queue, int priority, uint64_t seq);
/* The least key greater than every key with this one as prefix: `key` with its last byte that is
 * not 0xff raised. */
struct key key_after_prefix(struct slice prefix);
/* The least key greater than this one. */
struct key key_after(struct slice key);

static inline struct slice key_slice(const struct key *self)
{
    return slice_of(self->data, self->size);
}

/* False if the bytes are not of that form. */
bool key_read_place(struct slice key, struct place *ret_place);
bool key_read_due(struct slice key, int64_t *ret_due_ms, struct place *ret_place);
/* Of queue, dataset, name keys: the queue's number. */
bool key_read_queue(struct slice key, uint32_t *ret_queue);
bool key_read_session(struct slice key, uint64_t *ret_session);

static inline bool place_equal(struct place a, struct place b)
{
    return a.seq == b.seq && a.queue == b.queue && a.priority == b.priority;
}

#endif
