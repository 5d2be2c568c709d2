/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_file.c -- one file a task, whole or not there.
 *
 *   commit: write + fsync each temporary file -> rename each to its name -> fsync the directories
 *
 * Object stores mounted as a directory (gcsfuse and its like) know rename, but neither links nor
 * "rename unless it exists"; so a second result for a task replaces the first.
 *
 * File names: a task ID may hold any character and 256 bytes, a file name no slash and 255 bytes.
 * What is not plainly safe is percent-encoded; what is then too long is cut into directories whose
 * names end with "%", which no encoded name does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink_failed.h"

enum {
    NAME_PART_MAX = 200, /* bytes of a file's or directory's name */
    PATH_BYTES = 1024,   /* 256 encoded bytes, the cuts, the NUL */
    TASK_ID_BYTES = 256
};

struct file_sink {
    struct ackd_sink sink; /* first */
    char *directory;
    int directory_fd;       /* -1: not open */
    uint64_t random;        /* tells our temporary files from those of other workers */
    unsigned long next_tmp; /* number of the next one */
};

static enum ackd_status file_open(struct ackd_sink *sink, struct ackd_error *error);
static enum ackd_status file_find_done(struct ackd_sink *sink, const char *queue,
                                       const char *const *task_ids, size_t count, bool *ret_done,
                                       struct ackd_error *error);
static enum ackd_status file_commit(struct ackd_sink *sink, const struct ackd_sink_result *results,
                                    size_t count, struct ackd_error *error);
static void file_free(struct ackd_sink *sink);
static bool path_of(const char *task_id, char *ret_path);
static bool store(struct file_sink *self, const struct ackd_sink_result *result, const char *path);
static bool flush_directory(int fd);
static enum ackd_status io_failed(const struct file_sink *self, const char *what,
                                  struct ackd_error *error);

struct ackd_sink *ackd_sink_file(const char *directory)
{
    struct file_sink *self = calloc(1, sizeof *self);

    if (self == NULL || (self->directory = strdup(directory)) == NULL) {
        free(self);
        return sink_no_memory();
    }
    self->sink = (struct ackd_sink){.size = sizeof self->sink,
                                    .name = "file",
                                    .open = file_open,
                                    .find_done = file_find_done,
                                    .commit = file_commit,
                                    .free = file_free};
    self->directory_fd = -1;
    return &self->sink;
}

static struct file_sink *file_sink_of(struct ackd_sink *sink)
{
    return (struct file_sink *)sink;
}

static void file_free(struct ackd_sink *sink)
{
    struct file_sink *self = file_sink_of(sink);

    if (self->directory_fd >= 0)
        close(self->directory_fd);
    free(self->directory);
    free(self);
}

static enum ackd_status file_open(struct ackd_sink *sink, struct ackd_error *error)
{
    struct file_sink *self = file_sink_of(sink);

    if (getrandom(&self->random, sizeof self->random, 0) != (ssize_t)sizeof self->random)
        return io_failed(self, "no random number for", error);
    if (mkdir(self->directory, 0777) != 0 && errno != EEXIST)
        return io_failed(self, "can't make", error);
    self->directory_fd = open(self->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->directory_fd < 0)
        return io_failed(self, "can't open", error);
    if (faccessat(self->directory_fd, ".", W_OK | X_OK, 0) != 0)
        return io_failed(self, "can't write to", error);
    return ACKD_OK;
}

static enum ackd_status file_find_done(struct ackd_sink *sink, const char *queue,
                                       const char *const *task_ids, size_t count, bool *ret_done,
                                       struct ackd_error *error)
{
    struct file_sink *self = file_sink_of(sink);
    char path[PATH_BYTES];

    for (size_t i = 0; i < count; i++) {
        if (!path_of(task_ids[i], path))
            continue;
        ret_done[i] = faccessat(self->directory_fd, path, F_OK, 0) == 0;
        if (!ret_done[i] && errno != ENOENT && errno != ENOTDIR)
            return io_failed(self, "can't look into", error);
    }
    return ACKD_OK;
}

static enum ackd_status file_commit(struct ackd_sink *sink, const struct ackd_sink_result *results,
                                    size_t count, struct ackd_error *error)
{
    struct file_sink *self = file_sink_of(sink);
    char path[PATH_BYTES];

    for (size_t i = 0; i < count; i++) {
        if (!path_of(results[i].task_id, path))
            return ackd_error_set(error, ACKD_INVALID, "the task ID makes no file name");
        if (!store(self, &results[i], path))
            return io_failed(self, "can't write to", error);
    }
    if (!flush_directory(self->directory_fd))
        return io_failed(self, "can't flush", error);
    return ACKD_OK;
}

static bool is_plain(unsigned char byte, bool is_first)
{
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
        (byte >= '0' && byte <= '9'))
        return true;
    return byte != '\0' && strchr("-_=+,@.", byte) != NULL && !(byte == '.' && is_first);
}

/* The path of a task's file below the sink's directory. False: no such ID is possible. */
static bool path_of(const char *task_id, char *ret_path)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t id_size = strlen(task_id);
    size_t part = 0; /* bytes since the last cut */
    char *out = ret_path;

    if (id_size == 0 || id_size > TASK_ID_BYTES)
        return false;
    for (size_t i = 0; i < id_size; i++) {
        unsigned char byte = (unsigned char)task_id[i];
        bool plain = is_plain(byte, part == 0);
        size_t size = plain ? 1 : 3;

        if (part + size > NAME_PART_MAX) {
            *out++ = '%';
            *out++ = '/';
            part = 0;
            plain = is_plain(byte, true);
            size = plain ? 1 : 3;
        }
        part += size;
        if (plain) {
            *out++ = (char)byte;
            continue;
        }
        *out++ = '%';
        *out++ = hex[byte >> 4];
        *out++ = hex[byte & 15];
    }
    *out = '\0';
    return true;
}

static bool write_all(int fd, struct ackd_bytes bytes)
{
    const char *at = bytes.data;
    size_t left = bytes.size;

    while (left > 0) {
        ssize_t written = write(fd, at, left);

        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            at += written;
            left -= (size_t)written;
        }
    }
    return fsync(fd) == 0;
}

/* Makes the directories of a long name, and flushes each into the one above. */
static bool make_directories(struct file_sink *self, char *path)
{
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        bool made;

        *slash = '\0';
        made = mkdirat(self->directory_fd, path, 0777) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return true;
}

/* Flushes the directories that a long name goes through. */
static bool flush_directories(struct file_sink *self, char *path)
{
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        bool flushed;
        int fd;

        *slash = '\0';
        fd = openat(self->directory_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *slash = '/';
        if (fd < 0)
            return false;
        flushed = flush_directory(fd);
        close(fd);
        if (!flushed)
            return false;
    }
    return true;
}

/* The whole result under its name; errno tells why not. */
static bool store(struct file_sink *self, const struct ackd_sink_result *result, const char *path)
{
    char final[PATH_BYTES];
    char tmp[64];
    bool ok;
    int fd;

    (void)snprintf(final, sizeof final, "%s", path);
    (void)snprintf(tmp, sizeof tmp, ".ackd-%016llx-%lu", (unsigned long long)self->random,
                   self->next_tmp++);
    if (!make_directories(self, final))
        return false;
    fd = openat(self->directory_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    ok = write_all(fd, result->result);
    ok = close(fd) == 0 && ok;
    ok = ok && renameat(self->directory_fd, tmp, self->directory_fd, final) == 0;
    ok = ok && flush_directories(self, final);
    if (!ok) {
        int saved_errno = errno;

        (void)unlinkat(self->directory_fd, tmp, 0);
        errno = saved_errno;
    }
    return ok;
}

/* Some mounted object stores can't flush a directory, and need not. */
static bool flush_directory(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP || errno == ENOSYS;
}

/* From errno: full or away for now, or broken. */
static enum ackd_status io_failed(const struct file_sink *self, const char *what,
                                  struct ackd_error *error)
{
    static const int passing[] = {EAGAIN, EBUSY,  EDQUOT,   EINTR,  EIO,       EMFILE,   ENFILE,
                                  ENOMEM, ENOSPC, ENOTCONN, ESTALE, ETIMEDOUT, EHOSTDOWN};
    int number = errno;
    enum ackd_status status = ACKD_INTERNAL;

    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        if (number == passing[i])
            status = ACKD_UNAVAILABLE;
    return ackd_error_set(error, status, "the file sink %s \"%.180s\": %s", what, self->directory,
                          strerror(number));
}
