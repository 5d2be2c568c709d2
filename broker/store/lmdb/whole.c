/* SPDX-License-Identifier: Apache-2.0 */
/*
 * whole.c -- whether data.mdb holds all the pages that its meta page counts.
 *
 * A file that was cut short would kill the broker by SIGBUS, sooner or later. Yet it may rightly
 * end before the last page: LMDB does not write a page that one transaction both took and gave
 * back. Then every page past the end is on the free list; so a short file is whole if, and only
 * if, the free list holds them all.
 *
 * The free list itself may have been cut off, and reading it then raises SIGBUS: for that moment
 * a handler of ours turns the signal into the answer. The handler is the process's; other threads
 * must not read maps that are cut off meanwhile.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>

#include "store/lmdb/lmdb_store.h"

static int count_past_end(MDB_env *env, uint64_t file_pages, uint64_t *ret_pages);
static int count_guarded(MDB_cursor *cursor, uint64_t from, uint64_t *ret_pages);

int lmdb_check_whole(struct lmdb_store *self)
{
    mdb_filehandle_t file;
    MDB_envinfo info;
    struct stat status;
    uint64_t file_pages;
    uint64_t free_pages;
    int rc = mdb_env_get_fd(self->env, &file);

    if (rc == 0)
        rc = mdb_env_info(self->env, &info);
    if (rc == 0 && fstat(file, &status) != 0)
        rc = errno;
    if (rc != 0)
        return rc;
    file_pages = (uint64_t)status.st_size / self->page_bytes;
    if (file_pages > info.me_last_pgno)
        return 0;
    rc = count_past_end(self->env, file_pages, &free_pages);
    if (rc == 0 && free_pages < info.me_last_pgno + 1 - file_pages)
        rc = MDB_CORRUPTED;
    return rc;
}

static int count_past_end(MDB_env *env, uint64_t file_pages, uint64_t *ret_pages)
{
    MDB_cursor *cursor;
    MDB_txn *txn;
    int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return rc;
    rc = mdb_cursor_open(txn, LMDB_FREE_DBI, &cursor);
    if (rc == 0) {
        rc = count_guarded(cursor, file_pages, ret_pages);
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return rc;
}

static _Thread_local sigjmp_buf past_end;

static void jump_out(int signal_number)
{
    siglongjmp(past_end, signal_number);
}

static int count_guarded(MDB_cursor *cursor, uint64_t from, uint64_t *ret_pages)
{
    struct sigaction guard = {.sa_handler = jump_out};
    struct sigaction before;
    uint64_t records;
    volatile int rc = MDB_CORRUPTED;

    (void)sigaction(SIGBUS, &guard, &before);
    if (sigsetjmp(past_end, 1) == 0)
        rc = lmdb_count_free(cursor, from, ret_pages, &records);
    (void)sigaction(SIGBUS, &before, NULL);
    return rc;
}
