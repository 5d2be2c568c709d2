/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal.c -- the log's file: made, written and read. What a record says is not its business.
 */
#include "store/lmdb/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"

#define FILE_MAGIC "ackdwal1"
#define RECORD_MAGIC UINT32_C(0x4c415761) /* "aWAL" */

struct file_head {
    char magic[8];
    uint32_t crc;
    uint32_t zero;
    uint64_t id;
};

struct record_head {
    uint32_t magic;
    uint32_t crc;
    uint64_t id;
    uint64_t seq;
    uint32_t size; /* of the whole record */
    uint32_t zero;
};
_Static_assert(sizeof(struct record_head) == WAL_HEAD_BYTES, "no gaps");

static const uint8_t zeros[64 << 10];

static size_t whole_blocks(size_t size)
{
    return (size + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
}

/* MDB_NOTFOUND: the file ends before. */
static int read_all(int file, uint8_t *data, size_t size, uint64_t at)
{
    while (size > 0) {
        ssize_t came = pread(file, data, size, (off_t)at);

        if (came == 0)
            return MDB_NOTFOUND;
        if (came < 0 && errno != EINTR)
            return errno;
        if (came > 0) {
            data += came;
            size -= (size_t)came;
            at += (uint64_t)came;
        }
    }
    return 0;
}

/* With zeros, durably. */
static int make_longer(int file, uint64_t from, uint64_t to)
{
    int rc = 0;

    if (from >= to)
        return 0;
    while (rc == 0 && from < to) {
        size_t size = to - from < sizeof zeros ? to - from : sizeof zeros;

        rc = file_write(file, zeros, size, from);
        from += size;
    }
    return rc == 0 && fsync(file) != 0 ? errno : rc;
}

static uint32_t crc_of_file_head(const struct file_head *head)
{
    return crc32c(0, &head->zero, sizeof *head - offsetof(struct file_head, zero));
}

static int write_file(const char *path, uint64_t id)
{
    struct file_head head = {.magic = FILE_MAGIC, .id = id};
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc;

    if (file < 0)
        return errno;
    head.crc = crc_of_file_head(&head);
    rc = file_write(file, &head, sizeof head, 0);
    if (rc == 0)
        rc = make_longer(file, sizeof head, WAL_BLOCK_BYTES);
    (void)close(file);
    return rc;
}

/* 0 or ENAMETOOLONG. */
static int path_in(const char *directory, char ret_path[PATH_MAX])
{
    return snprintf(ret_path, PATH_MAX, "%s/wal", directory) < PATH_MAX ? 0 : ENAMETOOLONG;
}

int wal_create(const char *directory, uint64_t id)
{
    char path[PATH_MAX];
    char beside[PATH_MAX + 4];
    int rc = path_in(directory, path);

    if (rc != 0)
        return rc;
    (void)snprintf(beside, sizeof beside, "%s.new", path);
    rc = write_file(beside, id);
    if (rc == 0 && rename(beside, path) != 0)
        rc = errno;
    if (rc != 0)
        (void)unlink(beside);
    return rc == 0 ? file_sync_names(directory) : rc;
}

bool wal_exists(const char *directory)
{
    char path[PATH_MAX];

    return path_in(directory, path) == 0 && access(path, F_OK) == 0;
}

static int check_file_head(int file, uint64_t id)
{
    struct file_head head;
    int rc = read_all(file, (uint8_t *)&head, sizeof head, 0);

    if (rc == MDB_NOTFOUND)
        return MDB_CORRUPTED;
    if (rc == 0 && (memcmp(head.magic, FILE_MAGIC, sizeof head.magic) != 0 ||
                    head.crc != crc_of_file_head(&head) || head.id != id))
        return MDB_CORRUPTED;
    return rc;
}

int wal_open(struct wal *self, const char *directory, uint64_t id)
{
    char path[PATH_MAX];
    struct stat found;
    int rc = path_in(directory, path);

    if (rc != 0)
        return rc;
    self->file = open(path, O_RDWR | O_CLOEXEC);
    if (self->file < 0)
        return errno;
    self->id = id;
    rc = check_file_head(self->file, id);
    if (rc == 0 && fstat(self->file, &found) != 0)
        rc = errno;
    if (rc == 0)
        self->bytes = (uint64_t)found.st_size;
    wal_restart(self);
    return rc;
}

void wal_close(struct wal *self)
{
    if (self->file >= 0)
        (void)close(self->file);
    self->file = -1;
}

bool wal_has_room(const struct wal *self, size_t size)
{
    return self->at + whole_blocks(size) <= self->bytes_max;
}

static uint32_t crc_of_record(const uint8_t *record, size_t size)
{
    size_t from = offsetof(struct record_head, id);

    return crc32c(0, record + from, size - from);
}

/* Nothing before `at` is touched: a record that has no room never was. */
static int write_record(struct wal *self, const uint8_t *record, size_t size)
{
    int rc = make_longer(self->file, self->bytes, self->bytes_max);

    if (rc == 0 && self->bytes < self->bytes_max)
        self->bytes = self->bytes_max;
    return rc == 0 ? file_write(self->file, record, size, self->at) : rc;
}

static int flush(struct wal *self)
{
    int64_t begun_ns = clock_monotonic_ns();
    int rc = fdatasync(self->file) == 0 ? 0 : errno;

    self->flush_ns = clock_monotonic_ns() - begun_ns;
    return rc == ENOSPC || rc == EDQUOT ? EIO : rc; /* it may have reached the disk */
}

int wal_append(struct wal *self, uint8_t *record, size_t size)
{
    struct record_head head = {
        .magic = RECORD_MAGIC,
        .id = self->id,
        .seq = self->seq + 1,
        .size = (uint32_t)size,
    };
    size_t whole = whole_blocks(size);
    int rc;

    ASSERT(wal_has_room(self, size));
    memcpy(record, &head, sizeof head);
    memset(record + size, 0, whole - size);
    head.crc = crc_of_record(record, size);
    memcpy(record, &head, sizeof head);
    rc = write_record(self, record, whole);
    if (rc == 0)
        rc = flush(self);
    if (rc != 0)
        return rc;
    self->seq++;
    self->at += whole;
    return 0;
}

void wal_restart(struct wal *self)
{
    self->at = WAL_BLOCK_BYTES;
}

bool wal_is_empty(const struct wal *self)
{
    return self->at <= WAL_BLOCK_BYTES;
}

/* The record that begins at `at`, whole and of this log, in `ret`. MDB_NOTFOUND: there is none. */
static int read_record(const struct wal *self, uint64_t at, struct buffer *ret,
                       struct record_head *ret_head)
{
    struct record_head *head = ret_head;
    int rc = read_all(self->file, (uint8_t *)head, sizeof *head, at);

    if (rc != 0)
        return rc;
    if (head->magic != RECORD_MAGIC || head->id != self->id || head->size < sizeof *head ||
        head->size > WAL_BYTES_MAX)
        return MDB_NOTFOUND;
    ret->size = 0;
    if (buffer_reserve(ret, head->size) == NULL)
        return ENOMEM;
    rc = read_all(self->file, ret->data, head->size, at);
    return rc == 0 && head->crc != crc_of_record(ret->data, head->size) ? MDB_NOTFOUND : rc;
}

/* MDB_CORRUPTED: a record later than `seq` begins at `at` or behind it (L2). */
static int look_for_later(const struct wal *self, uint64_t at, uint64_t seq, struct buffer *scratch)
{
    struct record_head head;
    struct stat found;
    int rc = fstat(self->file, &found) == 0 ? 0 : errno;

    for (; rc == 0 && at < (uint64_t)found.st_size; at += WAL_BLOCK_BYTES) {
        rc = read_record(self, at, scratch, &head);
        if (rc == 0 && head.seq > seq)
            return MDB_CORRUPTED;
        if (rc == MDB_NOTFOUND)
            rc = 0;
    }
    return rc;
}

int wal_read(struct wal *self, uint64_t seq, int (*visit)(void *context, struct slice operations),
             void *context)
{
    struct buffer record = BUFFER_EMPTY;
    struct record_head head;
    uint64_t at = WAL_BLOCK_BYTES;
    int rc;

    while ((rc = read_record(self, at, &record, &head)) == 0 && head.seq == seq + 1) {
        rc = visit(context, slice_of(record.data + sizeof head, head.size - sizeof head));
        if (rc != 0)
            break;
        seq = head.seq;
        at += whole_blocks(head.size);
    }
    if (rc == 0 || rc == MDB_NOTFOUND)
        rc = look_for_later(self, at, seq, &record);
    buffer_deinit(&record);
    if (rc == 0) {
        self->seq = seq;
        self->at = at;
    }
    return rc;
}
