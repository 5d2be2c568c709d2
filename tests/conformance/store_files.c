/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_files.c -- a store's files, in memory and back.
 */
#include "store_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb.h"
#include "store/lmdb/wal.h"

enum { NUMBER_AT = 16, SIZE_AT = 24 }; /* in a record's head */

static void read_file(struct fixture *self, const char *name, struct buffer *ret)
{
    char path[PATH_MAX];
    struct stat found;
    int file;

    fixture_path(self, name, path);
    file = open(path, O_RDONLY);
    assert_true(file >= 0);
    assert_int_equal(fstat(file, &found), 0);
    *ret = BUFFER_EMPTY;
    assert_non_null(buffer_reserve(ret, (size_t)found.st_size + 1));
    assert_int_equal(read(file, ret->data, (size_t)found.st_size), found.st_size);
    ret->size = (size_t)found.st_size;
    (void)close(file);
}

static void write_file(struct fixture *self, const char *name, const struct buffer *content)
{
    char path[PATH_MAX];
    int file;

    fixture_path(self, name, path);
    file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, content->data, content->size), content->size);
    (void)close(file);
}

void store_files_take(struct fixture *self, struct store_files *ret)
{
    read_file(self, "db/data.mdb", &ret->data);
    read_file(self, "db/wal", &ret->wal);
}

void store_files_place(struct fixture *self, const struct store_files *files)
{
    store_close(self->store);
    self->store = NULL;
    remove_tree(self->path);
    assert_int_equal(mkdir(self->path, 0700), 0);
    write_file(self, "db/data.mdb", &files->data);
    write_file(self, "db/wal", &files->wal);
}

void store_files_deinit(struct store_files *self)
{
    buffer_deinit(&self->data);
    buffer_deinit(&self->wal);
}

void place_and_open(struct fixture *self, const struct store_files *files)
{
    store_files_place(self, files);
    assert_int_equal(self->engine->open(self), STATUS_OK);
}

void expect_refused(struct fixture *self, const char *words)
{
    struct error error = ERROR_NONE;
    struct store *store;

    assert_int_equal(store_lmdb_open(self->path, self->map_bytes, &store, &error), STATUS_CORRUPT);
    assert_int_equal(error.status, STATUS_CORRUPT);
    if (strstr(error.message, words) == NULL || strstr(error.message, self->path) == NULL)
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", error.message, words, self->path);
}

void place_and_expect_refused(struct fixture *self, const struct store_files *files)
{
    store_files_place(self, files);
    expect_refused(self, "wal");
}

struct log_record log_record_at(const struct store_files *files, size_t block)
{
    struct log_record record = {.bytes = files->wal.data + block * WAL_BLOCK_BYTES};
    uint32_t size;

    assert_true((block + 1) * WAL_BLOCK_BYTES <= files->wal.size);
    memcpy(&record.number, record.bytes + NUMBER_AT, sizeof record.number);
    memcpy(&size, record.bytes + SIZE_AT, sizeof size);
    record.size = size;
    assert_in_range(record.size, WAL_HEAD_BYTES + 1, files->wal.size - block * WAL_BLOCK_BYTES);
    return record;
}

size_t log_record_end(const struct store_files *files, size_t block)
{
    return block + (log_record_at(files, block).size + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES;
}
