/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb.h -- the store on LMDB: one environment in one directory, default flags, and a log before it
 * (lmdb/wal.h). A commit is on the disk when it returns.
 */
#ifndef ACKD_STORE_LMDB_H
#define ACKD_STORE_LMDB_H

#include "store/store.h"

#define STORE_LMDB_MAP_DEFAULT (64ull << 30) /* bytes of address space, not of disk */

/* Opens or makes the environment in `directory` (made if missing, mode 0700; files 0600). Refuses
 * network file systems. The caller holds the data directory's lock (store/lock.h). */
enum status store_lmdb_open(const char *directory, uint64_t map_bytes, struct store **ret_store,
                            struct error *error) MUST_USE;

#endif
