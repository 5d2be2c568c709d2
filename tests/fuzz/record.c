/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c -- the records of the store: any bytes as any type of record.
 *
 * Input: the type (1 byte), whether it is sealed here (1 byte), then the value's bytes behind the
 * checksum (sealed) or all of them. Two types more are runs of attributes, and keys.
 *
 *   F1  A value whose checksum is wrong, told bit by bit, is never read.
 *   F2  What can be read is read as the same when it is written again.
 *   F3  A value that is no record is STATUS_CORRUPT and nothing else.
 */
#include "core/record.h"

#include "core/key.h"
#include "fuzz.h"
#include "unit/record_kinds.h"

/* Images hold as much. */
#define VALUE_BYTES_MAX (RECORD_BYTES_MAX / 2)
#define CRC_BYTES 4

/* CRC32C without a table, of the key and of what follows the checksum. */
static uint32_t crc_bit_by_bit(uint32_t crc, struct slice bytes)
{
    crc = ~crc;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (UINT32_C(0x82f63b78) & -(crc & 1));
    }
    return ~crc;
}

static bool is_sealed(struct slice key, struct slice value)
{
    uint32_t crc;

    if (value.size < CRC_BYTES)
        return false;
    memcpy(&crc, value.data, sizeof crc);
    return crc == crc_bit_by_bit(crc_bit_by_bit(0, key),
                                 slice_of(value.data + CRC_BYTES, value.size - CRC_BYTES));
}

static void check_value(const struct record_kind *kind, struct slice key, struct slice value)
{
    static uint8_t again[VALUE_BYTES_MAX + RECORD_BYTES_MAX];
    struct image image = {.size = 0};
    struct image image_again = {.size = 0};
    enum status status = kind->read(key, value, &image);
    size_t size;

    if (status != STATUS_OK) {
        CHECK(status == STATUS_CORRUPT); /* F3 */
        return;
    }
    CHECK(is_sealed(key, value)); /* F1 */
    size = kind->copy(key, value, again);
    CHECK(kind->read(key, slice_of(again, size), &image_again) == STATUS_OK); /* F2 */
    CHECK(slice_equal(slice_of(image.data, image.size),
                      slice_of(image_again.data, image_again.size)));
}

static void check_sealed(const struct record_kind *kind, struct slice key, struct slice behind)
{
    size_t size = CRC_BYTES + behind.size;
    uint8_t *value = malloc(size);
    uint32_t crc = crc_bit_by_bit(crc_bit_by_bit(0, key), behind);

    CHECK(value != NULL);
    memcpy(value, &crc, sizeof crc);
    if (behind.size > 0)
        memcpy(value + CRC_BYTES, behind.data, behind.size);
    check_value(kind, key, slice_of(value, size));
    free(value);
}

static void check_attributes(struct slice body)
{
    static uint8_t again[VALUE_BYTES_MAX];
    struct attribute attribute;
    const uint8_t *begin = body.data;
    uint8_t *end = again;

    while (attribute_read(&body, &attribute)) {
        CHECK(attribute_size(&attribute) <= (size_t)(body.data - begin));
        end = attribute_write(&attribute, end);
    }
    CHECK(end - again == body.data - begin); /* F2 */
    CHECK(end == again || memcmp(again, begin, (size_t)(end - again)) == 0);
}

static void check_keys(struct slice bytes)
{
    struct place place;
    struct key key;
    int64_t due_ms;
    uint64_t session;

    if (key_read_place(bytes, &place)) {
        key = key_of_place(place);
        CHECK(slice_equal(bytes, key_slice(&key)));
    }
    if (key_read_due(bytes, &due_ms, &place)) {
        key = key_of_due(due_ms, place);
        CHECK(slice_equal(bytes, key_slice(&key)));
    }
    if (key_read_session(bytes, &session)) {
        key = key_of_session(session);
        CHECK(slice_equal(bytes, key_slice(&key)));
    }
    if (bytes.size <= KEY_BYTES_MAX - 1) {
        key = key_after(bytes);
        CHECK(slice_compare(bytes, key_slice(&key)) < 0);
        key = key_after_prefix(bytes);
        CHECK(key.size == 0 || slice_compare(bytes, key_slice(&key)) < 0);
    }
}

static void check_bytes(size_t type, bool seals, struct slice bytes)
{
    struct key key = key_of_place((struct place){1, 2, 3});

    if (type == record_kind_count)
        check_attributes(bytes);
    else if (type > record_kind_count)
        check_keys(bytes);
    else if (seals)
        check_sealed(&record_kinds[type], key_slice(&key), bytes);
    else
        check_value(&record_kinds[type], key_slice(&key), bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    size_t type = take_u8(&input) % (record_kind_count + 2);
    bool seals = take_u8(&input) % 2 != 0;
    uint8_t *copy;

    if (input.size > VALUE_BYTES_MAX - CRC_BYTES)
        return 0;
    copy = exact_copy(input);
    check_bytes(type, seals, slice_of(copy, input.size));
    free(copy);
    return 0;
}
