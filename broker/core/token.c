/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c -- lease tokens and made IDs as text.
 *
 * Token bytes: place(13) fence(4) seal(4) and 3 of a crc32c = 24, which is 32 characters and leaves
 * no bit over: a token has one text.
 */
#include "core/token.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/digits.h"
#include "core/limits.h"

#define SEALED_BYTES (PLACE_BYTES + 4 + 4)
#define CRC_BYTES 3
#define TOKEN_RAW_BYTES (SEALED_BYTES + CRC_BYTES)
#define CRC_SEED UINT32_C(0x61636b64) /* "ackd" */

size_t token_write(const struct lease_token *self, char ret_text[TOKEN_BYTES_MAX])
{
    struct key place = key_of_place(self->place);
    uint8_t raw[SEALED_BYTES + 4];

    memcpy(raw, place.data, PLACE_BYTES);
    be32_put(raw + PLACE_BYTES, self->fence);
    be32_put(raw + PLACE_BYTES + 4, (uint32_t)self->seal);
    be32_put(raw + SEALED_BYTES, crc32c(CRC_SEED, raw, SEALED_BYTES));
    return base64url_encode(slice_of(raw, TOKEN_RAW_BYTES), ret_text);
}

bool token_read(struct slice text, struct lease_token *ret_token)
{
    uint8_t raw[TOKEN_BYTES_MAX];
    uint8_t crc[4];
    size_t size;

    if (text.size >= TOKEN_BYTES_MAX || !base64_decode(text, raw, &size) || size != TOKEN_RAW_BYTES)
        return false;
    be32_put(crc, crc32c(CRC_SEED, raw, SEALED_BYTES));
    if (memcmp(crc, raw + SEALED_BYTES, CRC_BYTES) != 0)
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

size_t made_id_write(struct place place, int64_t created_ms, char ret_text[MADE_ID_BYTES_MAX])
{
    struct made_id_stem stem = made_id_stem(created_ms);

    return made_id_write_on(&stem, place, ret_text);
}

struct made_id_stem made_id_stem(int64_t created_ms)
{
    struct made_id_stem stem;
    char *at = stem.text;

    *at++ = '@';
    at = digits_write_36((uint64_t)created_ms, at);
    *at++ = '.';
    stem.size = (size_t)(at - stem.text);
    return stem;
}
_Static_assert(sizeof((struct made_id_stem){0}.text) >= 1 + DIGITS_36_MAX + 1, "it fits");

size_t made_id_write_on(const struct made_id_stem *stem, struct place place,
                        char ret_text[MADE_ID_BYTES_MAX])
{
    char *at = ret_text + stem->size;

    memcpy(ret_text, stem->text, sizeof stem->text); /* more than it has, at one stroke */
    *at++ = (char)('0' + place.priority);
    *at++ = '.';
    at = digits_write_10(place.seq, at);
    *at = '\0';
    return (size_t)(at - ret_text);
}
_Static_assert(MADE_ID_BYTES_MAX > 1 + DIGITS_36_MAX + 1 + 2 + DIGITS_10_MAX, "it fits");

bool made_id_read(struct slice id, uint32_t queue, int64_t created_ms, struct place *ret_place)
{
    char text[MADE_ID_BYTES_MAX];
    char again[MADE_ID_BYTES_MAX];
    const char *dot;
    int priority;
    uint64_t seq;

    if (!made_id_is(id) || id.size >= sizeof text)
        return false;
    memcpy(text, id.data, id.size);
    text[id.size] = '\0';
    dot = strchr(text, '.');
    if (dot == NULL || sscanf(dot, ".%d.%" SCNu64, &priority, &seq) != 2 || priority < 0 ||
        priority > PRIORITY_MAX)
        return false;
    *ret_place = (struct place){queue, (uint8_t)priority, seq};
    /* One place, one text: this also compares the creation time, and nothing that scanf forgives
     * is another name of the task. */
    return slice_equal(id, slice_of(again, made_id_write(*ret_place, created_ms, again)));
}
