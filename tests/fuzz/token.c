/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c -- lease tokens and made IDs: texts from anywhere, and tokens of any lease.
 *
 * Input: which way (1 byte), then a text, or the fields of a token (place, fence, seal).
 *
 *   F1  One token, one text: what can be read is written as the very same text.
 *   F2  Whatever place, fence and seal: written and read, they are the same.
 *   F3  The same of made IDs, which besides are read for their own queue alone.
 */
#include "core/token.h"

#include "core/limits.h"
#include "fuzz.h"

#define QUEUE 7
#define CREATED_MS INT64_C(1700000000000)

static bool token_equal(const struct lease_token *a, const struct lease_token *b)
{
    return place_equal(a->place, b->place) && a->fence == b->fence && a->seal == b->seal;
}

static void check_token_text(struct slice text) /* F1 */
{
    struct lease_token token;
    char again[TOKEN_BYTES_MAX];

    if (!token_read(text, &token))
        return;
    CHECK(token.place.priority <= PRIORITY_MAX);
    CHECK(slice_equal(text, slice_of(again, token_write(&token, again))));
}

static void check_id_text(struct slice text) /* F3 */
{
    struct place place;
    char again[MADE_ID_BYTES_MAX];

    if (!made_id_read(text, QUEUE, CREATED_MS, &place))
        return;
    CHECK(made_id_is(text) && place.queue == QUEUE && place.priority <= PRIORITY_MAX);
    CHECK(slice_equal(text, slice_of(again, made_id_write(place, CREATED_MS, again))));
    CHECK(!made_id_read(text, QUEUE, CREATED_MS + 1, &place));
}

static uint64_t take_number(struct slice *input, int bytes)
{
    uint64_t number = 0;

    for (int i = 0; i < bytes; i++)
        number = number << 8 | take_u8(input);
    return number;
}

static void check_fields(struct slice input)
{
    struct place place = {
        .queue = (uint32_t)take_number(&input, 4),
        .priority = (uint8_t)(take_u8(&input) % PRIORITY_COUNT),
        .seq = take_number(&input, 8),
    };
    struct lease_token token = {place, (uint32_t)take_number(&input, 4), take_number(&input, 4)};
    struct lease_token token_again;
    struct place place_again;
    char text[TOKEN_BYTES_MAX];

    CHECK(token_read(slice_of(text, token_write(&token, text)), &token_again));
    CHECK(token_equal(&token, &token_again)); /* F2 */
    CHECK(made_id_read(slice_of(text, made_id_write(place, CREATED_MS, text)), place.queue,
                       CREATED_MS, &place_again));
    CHECK(place_equal(place, place_again)); /* F3 */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);

    if (take_u8(&input) % 2 == 0) {
        check_fields(input);
    } else {
        uint8_t *copy = exact_copy(input);

        check_token_text(slice_of(copy, input.size));
        check_id_text(slice_of(copy, input.size));
        free(copy);
    }
    return 0;
}
