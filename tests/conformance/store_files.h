/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_files.h -- the files of an LMDB store, taken while it is open and put back changed, for
 * tests that damage them.
 *
 * What is taken is what SIGKILL would leave at that moment.
 */
#ifndef ACKD_TESTS_CONFORMANCE_STORE_FILES_H
#define ACKD_TESTS_CONFORMANCE_STORE_FILES_H

#include "base/buffer.h"
#include "store_fixture.h"

struct store_files {
    struct buffer data; /* data.mdb */
    struct buffer wal;
};

void store_files_take(struct fixture *self, struct store_files *ret);
/* Closes the store if it is open; then its directory has these two files alone. A buffer of size 0
 * is a file of no bytes. */
void store_files_place(struct fixture *self, const struct store_files *files);
void store_files_deinit(struct store_files *self);
/* Places them, and opens the store on them; or it is refused, with words about the log. */
void place_and_open(struct fixture *self, const struct store_files *files);
void place_and_expect_refused(struct fixture *self, const struct store_files *files);
/* Opening the fixture's store is refused with these words and its path. */
void expect_refused(struct fixture *self, const char *words);

/* A record of the log (wal.h). */
struct log_record {
    uint8_t *bytes; /* in the buffer */
    size_t size;
    uint64_t number;
};

/* The record that begins in a block; what lies there must be one. */
struct log_record log_record_at(const struct store_files *files, size_t block);
/* The block behind it. */
size_t log_record_end(const struct store_files *files, size_t block);

#endif
