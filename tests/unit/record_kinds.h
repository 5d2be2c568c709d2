/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_kinds.h -- every type of record, for the tests that treat them alike.
 *
 * A kind writes a random record, reads one into an image (its numbers and bytes one after the
 * other, without pointers, so that images can be compared), and writes one that it has read.
 */
#ifndef ACKD_TESTS_UNIT_RECORD_KINDS_H
#define ACKD_TESTS_UNIT_RECORD_KINDS_H

#include "core/record.h"

#define RECORD_BYTES_MAX 8192

struct image {
    size_t size;
    uint8_t data[RECORD_BYTES_MAX];
};

struct record_kind {
    const char *name;
    /* Writes a random record into `value` and its image; returns its size. */
    size_t (*write)(struct slice key, uint8_t *value, struct image *image);
    enum status (*read)(struct slice key, struct slice value, struct image *image);
    /* Reads a record, which must be one, and writes what was read; returns its size. */
    size_t (*copy)(struct slice key, struct slice value, uint8_t *ret_value);
};

extern const struct record_kind record_kinds[];
extern const size_t record_kind_count;

/* Random numbers, the same in each run. */
uint64_t record_draw(void);
struct slice record_draw_bytes(size_t size_max);

#endif
