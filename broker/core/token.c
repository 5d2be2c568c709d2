/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c -- lease tokens and made IDs as text.
 *
 * Token bytes: place(13) fence(4) seal(4) crc32c(4) = 25, which is 34 characters.
 */
#include "core/token.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "core/limits.h"

#define TOKEN_RAW_BYTES (PLACE_BYTES + 4 + 4 + 4)
#define CRC_SEED UINT32_C(0x61636b64) /* "ackd" */

size_t token_write(const struct lease_token *self, char ret_text[TOKEN_BYTES_MAX])
{
    struct key place = key_of_place(self->place);
    uint8_t raw[TOKEN_RAW_BYTES];

    memcpy(raw, place.data, PLACE_BYTES);
    be32_put(raw + PLACE_BYTES, self->fence);
    be32_put(raw + PLACE_BYTES + 4, (uint32_t)self->seal);
    be32_put(raw + PLACE_BYTES + 8, crc32c(CRC_SEED, raw, PLACE_BYTES + 8));
    return base64url_encode(slice_of(raw, sizeof raw), ret_text);
}

bool token_read(struct slice text, struct lease_token *ret_token)
{
    uint8_t raw[TOKEN_BYTES_MAX];
    size_t size;

    if (text.size >= TOKEN_BYTES_MAX || !base64_decode(text, raw, &size) || size != TOKEN_RAW_BYTES)
        return false;
    if (be32_get(raw + PLACE_BYTES + 8) != crc32c(CRC_SEED, raw, PLACE_BYTES + 8))
        return false;
    ret_token->fence = be32_get(raw + PLACE_BYTES);
    ret_token->seal = be32_get(raw + PLACE_BYTES + 4);
    return key_read_place(slice_of(raw, PLACE_BYTES), &ret_token->place);
}

uint64_t token_seal(uint32_t queue, int64_t created_ms)
{
    uint8_t bytes[12];

    be32_put(bytes, queue);
    be64_put(bytes + 4, (uint64_t)created_ms);
    return crc32c(CRC_SEED, bytes, sizeof bytes);
}

static void base36_write(uint64_t value, char ret_text[16])
{
    char reversed[16];
    size_t size = 0;

    do {
        reversed[size++] = "0123456789abcdefghijklmnopqrstuvwxyz"[value % 36];
        value /= 36;
    } while (value > 0);
    for (size_t i = 0; i < size; i++)
        ret_text[i] = reversed[size - 1 - i];
    ret_text[size] = '\0';
}

size_t made_id_write(struct place place, int64_t created_ms, char ret_text[MADE_ID_BYTES_MAX])
{
    char created[16];
    int size;

    base36_write((uint64_t)created_ms, created);
    size = snprintf(ret_text, MADE_ID_BYTES_MAX, "@%s.%d.%" PRIu64, created, (int)place.priority,
                    place.seq);
    ASSERT(size > 0 && size < MADE_ID_BYTES_MAX);
    return (size_t)size;
}

bool made_id_read(struct slice id, uint32_t queue, int64_t created_ms, struct place *ret_place)
{
    char text[MADE_ID_BYTES_MAX];
    char created[16];
    char expected[20];
    int prefix_size;
    int priority;
    uint64_t seq;
    char again[MADE_ID_BYTES_MAX];

    if (!made_id_is(id) || id.size >= sizeof text)
        return false;
    memcpy(text, id.data, id.size);
    text[id.size] = '\0';

    base36_write((uint64_t)created_ms, created);
    prefix_size = snprintf(expected, sizeof expected, "@%s.", created);
    if (strncmp(text, expected, (size_t)prefix_size) != 0 ||
        sscanf(text + prefix_size, "%d.%" SCNu64, &priority, &seq) != 2 || priority < 0 ||
        priority > PRIORITY_MAX)
        return false;
    *ret_place = (struct place){queue, (uint8_t)priority, seq};
    /* One place, one text: nothing that scanf forgives may be another name of it. */
    made_id_write(*ret_place, created_ms, again);
    return strcmp(again, text) == 0;
}
