/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key.c -- writing and reading the keys of key.h.
 */
#include "core/key.h"

#include "base/assert.h"
#include "core/limits.h"

struct key key_of_seq(uint32_t queue, int priority, uint64_t seq)
{
    return key_of_place((struct place){queue, (uint8_t)priority, seq});
}

struct key key_of_due(int64_t due_ms, struct place place)
{
    struct key key;

    ASSERT(due_ms >= 0);
    key.size = 8 + PLACE_BYTES;
    be64_put(key.data, (uint64_t)due_ms);
    place_put(key.data + 8, place);
    return key;
}

struct key key_of_chunk(struct place place, enum chunk_kind kind, uint32_t index)
{
    struct key key;

    key.size = PLACE_BYTES + 5;
    place_put(key.data, place);
    key.data[PLACE_BYTES] = (uint8_t)kind;
    be32_put(key.data + PLACE_BYTES + 1, index);
    return key;
}

struct key key_of_name(uint32_t queue, struct slice task_id)
{
    struct key key;

    ASSERT(task_id.size <= TASK_ID_BYTES_MAX);
    key.size = 4 + task_id.size;
    be32_put(key.data, queue);
    if (task_id.size > 0)
        memcpy(key.data + 4, task_id.data, task_id.size);
    return key;
}

struct key key_of_dataset(uint32_t queue, uint32_t dataset)
{
    struct key key;

    key.size = 8;
    be32_put(key.data, queue);
    be32_put(key.data + 4, dataset);
    return key;
}

struct key key_of_queue(uint32_t queue)
{
    struct key key;

    key.size = 4;
    be32_put(key.data, queue);
    return key;
}

struct key key_of_session(uint64_t session)
{
    struct key key;

    key.size = 8;
    be64_put(key.data, session);
    return key;
}

struct key key_after_queue(uint32_t queue)
{
    struct key key = key_of_queue(queue);

    return key_after_prefix(key_slice(&key));
}

struct key key_after_prefix(struct slice prefix)
{
    struct key key;

    ASSERT(prefix.size <= KEY_BYTES_MAX);
    memcpy(key.data, prefix.data, prefix.size);
    key.size = prefix.size;
    while (key.size > 0 && key.data[key.size - 1] == 0xff)
        key.size--;
    if (key.size > 0)
        key.data[key.size - 1]++;
    return key; /* empty: to the table's end */
}

struct key key_after(struct slice at)
{
    struct key key;

    ASSERT(at.size < KEY_BYTES_MAX);
    memcpy(key.data, at.data, at.size);
    key.data[at.size] = 0;
    key.size = at.size + 1;
    return key;
}

static bool get_place(const uint8_t *at, struct place *ret_place)
{
    if (at[4] > PRIORITY_MAX)
        return false;
    ret_place->queue = be32_get(at);
    ret_place->priority = (uint8_t)(PRIORITY_MAX - at[4]);
    ret_place->seq = be64_get(at + 5);
    return true;
}

bool key_read_place(struct slice key, struct place *ret_place)
{
    return key.size == PLACE_BYTES && get_place(key.data, ret_place);
}

bool key_read_due(struct slice key, int64_t *ret_due_ms, struct place *ret_place)
{
    if (key.size != 8 + PLACE_BYTES)
        return false;
    *ret_due_ms = (int64_t)be64_get(key.data);
    return *ret_due_ms >= 0 && get_place(key.data + 8, ret_place);
}

bool key_read_queue(struct slice key, uint32_t *ret_queue)
{
    if (key.size < 4)
        return false;
    *ret_queue = be32_get(key.data);
    return true;
}

bool key_read_session(struct slice key, uint64_t *ret_session)
{
    if (key.size != 8)
        return false;
    *ret_session = be64_get(key.data);
    return true;
}
