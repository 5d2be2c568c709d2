/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal.h -- the write-ahead log: commits that are on the disk before LMDB has them.
 *
 * A file `wal` beside data.mdb, from its first record on as long as it ever gets, so that a flush
 * of it writes the blocks that changed and nothing of the file system's:
 *
 *   block 0     magic(8) crc32c(4) of what follows(4 zeros) id(8)
 *   then        records, each beginning a block of its own:
 *               magic(4) crc32c(4) of all that follows, id(8) seq(8) size(4) zeros(4), operations
 *               (changes.h), zeros to the block's end
 *
 * Records lie one behind the other from block 1 on, with sequence numbers that rise by one. When
 * LMDB has them all (a checkpoint, which takes a number, too) the next is written to block 1 again,
 * over those that nobody needs any more.
 *
 * Invariants
 *   L1  A block that holds a part of a record that LMDB lacks is not written again.
 *   L2  A record is not begun before those before it are flushed. So where one can't be read, and
 *       there is a later one, it was damaged; where there is none, it was torn, and nobody has been
 *       told that it took place.
 *   L3  A record is of this log if it has its id, and LMDB lacks it if its number is higher than
 *       the one that LMDB has (the mark, mark.c). No two commits that took place have one number.
 *
 * Functions that return int: 0, an errno, or MDB_CORRUPTED.
 */
#ifndef ACKD_STORE_LMDB_WAL_H
#define ACKD_STORE_LMDB_WAL_H

#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

enum {
    WAL_BLOCK_BYTES = 4096,
    WAL_HEAD_BYTES = 32, /* of a record */
    WAL_BYTES_MIN = 17 * WAL_BLOCK_BYTES,
    WAL_BYTES_MAX = 1025 * WAL_BLOCK_BYTES
};

struct wal {
    int file; /* -1: not open */
    uint64_t id;
    uint64_t seq;       /* of the last record */
    uint64_t bytes_max; /* of the file, for records to come; set before it is opened */
    uint64_t bytes;     /* of the file: one block, or all */
    uint64_t at;        /* where the next record goes */
    int64_t flush_ns;   /* how long the last flush took */
};

/* Makes the file, of one block, and its name durable. An older one is replaced. */
int wal_create(const char *directory, uint64_t id) MUST_USE;
bool wal_exists(const char *directory);
/* MDB_CORRUPTED: the file is another store's, or no log; ENOENT: there is none. */
int wal_open(struct wal *self, const char *directory, uint64_t id) MUST_USE;
/* Also of one that was never opened. */
void wal_close(struct wal *self);

/* Whether there is room for a record with so many bytes, its head included. */
bool wal_has_room(const struct wal *self, size_t size);
/* Writes the record and flushes it. It has WAL_HEAD_BYTES to be filled in, then its operations, and
 * memory to the end of its last block. ENOSPC, EDQUOT: there is no room, and no record; another
 * error: nobody knows whether the record is there. */
int wal_append(struct wal *self, uint8_t *record, size_t size) MUST_USE;
/* LMDB has all: begins at the first block. */
void wal_restart(struct wal *self);
/* Whether it has no record since then. */
bool wal_is_empty(const struct wal *self);

/* Gives the records that LMDB lacks, those after `seq`, to `visit`, until that returns another than
 * 0; then the log goes on behind them. MDB_CORRUPTED: one of them is damaged, or missing. After an
 * error the log is as before. */
int wal_read(struct wal *self, uint64_t seq, int (*visit)(void *context, struct slice operations),
             void *context) MUST_USE;

#endif
