/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_store.c -- see file_store.h.
 *
 *   write: temporary file + fsync -> rename to its name -> flush: fsync of the directory
 *
 * Object stores mounted as a directory (gcsfuse and its like) know rename, but neither links nor
 * "rename unless it exists"; so a second file for a task replaces the first.
 *
 * File names: a task ID may hold any character and 256 bytes, a file name no slash and 255 bytes.
 * What is not plainly safe is percent-encoded; what is then too long is cut into directories whose
 * names end with "%", which no encoded name does.
 */
#include "file_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_PART_MAX = 200, /* bytes of a file's or directory's name */
    PATH_BYTES = 1024,   /* 256 encoded bytes, the cuts, the NUL */
    TASK_ID_BYTES = 256
};

static bool path_of(const char *task_id, char *ret_path);
static bool write_file(struct file_store *self, struct ackd_bytes bytes, const char *path);
static bool read_file(int fd, struct ackd_bytes *ret_bytes);
static bool flush_directories(struct file_store *self, char *path);
static bool flush_directory(int fd);
static enum ackd_status no_name(const struct file_store *self, struct ackd_error *error);
static enum ackd_status failed(const struct file_store *self, const char *what,
                               struct ackd_error *error);

bool file_store_init(struct file_store *self, const char *name, const char *directory)
{
    self->name = name;
    self->directory = strdup(directory);
    self->directory_fd = -1;
    atomic_init(&self->next_tmp, 0);
    return self->directory != NULL;
}

void file_store_deinit(struct file_store *self)
{
    if (self->directory_fd >= 0)
        close(self->directory_fd);
    free(self->directory);
}

enum ackd_status file_store_open(struct file_store *self, struct ackd_error *error)
{
    if (self->directory_fd >= 0)
        return ACKD_OK;
    if (getrandom(&self->random, sizeof self->random, 0) != (ssize_t)sizeof self->random)
        return failed(self, "gets no random number for", error);
    if (mkdir(self->directory, 0777) != 0 && errno != EEXIST)
        return failed(self, "can't make", error);
    self->directory_fd = open(self->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->directory_fd < 0)
        return failed(self, "can't open", error);
    if (faccessat(self->directory_fd, ".", W_OK | X_OK, 0) != 0)
        return failed(self, "can't write to", error);
    return ACKD_OK;
}

enum ackd_status file_store_find(struct file_store *self, const char *task_id, bool *ret_found,
                                 struct ackd_error *error)
{
    char path[PATH_BYTES];

    *ret_found = false;
    if (!path_of(task_id, path))
        return no_name(self, error);
    *ret_found = faccessat(self->directory_fd, path, F_OK, 0) == 0;
    if (!*ret_found && errno != ENOENT && errno != ENOTDIR)
        return failed(self, "can't look into", error);
    if (*ret_found && !flush_directories(self, path))
        return failed(self, "can't flush", error);
    return ACKD_OK;
}

enum ackd_status file_store_write(struct file_store *self, const char *task_id,
                                  struct ackd_bytes bytes, struct ackd_error *error)
{
    char path[PATH_BYTES];

    if (!path_of(task_id, path))
        return no_name(self, error);
    return write_file(self, bytes, path) ? ACKD_OK : failed(self, "can't write to", error);
}

enum ackd_status file_store_flush(struct file_store *self, struct ackd_error *error)
{
    return flush_directory(self->directory_fd) ? ACKD_OK : failed(self, "can't flush", error);
}

enum ackd_status file_store_read(struct file_store *self, const char *task_id,
                                 struct ackd_bytes *ret_bytes, struct ackd_error *error)
{
    char path[PATH_BYTES];
    bool ok;
    int fd;

    *ret_bytes = (struct ackd_bytes){NULL, 0};
    if (!path_of(task_id, path))
        return no_name(self, error);
    fd = openat(self->directory_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ACKD_OK : failed(self, "can't read", error);
    ok = read_file(fd, ret_bytes);
    close(fd);
    return ok ? ACKD_OK : failed(self, "can't read", error);
}

enum ackd_status file_store_remove(struct file_store *self, const char *task_id,
                                   struct ackd_error *error)
{
    char path[PATH_BYTES];

    if (!path_of(task_id, path))
        return no_name(self, error);
    if (unlinkat(self->directory_fd, path, 0) != 0 && errno != ENOENT && errno != ENOTDIR)
        return failed(self, "can't remove from", error);
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
static bool make_directories(struct file_store *self, char *path)
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
static bool flush_directories(struct file_store *self, char *path)
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

/* The whole file under its name; errno tells why not. */
static bool write_file(struct file_store *self, struct ackd_bytes bytes, const char *path)
{
    char final[PATH_BYTES];
    char tmp[64];
    bool ok;
    int fd;

    (void)snprintf(final, sizeof final, "%s", path);
    (void)snprintf(tmp, sizeof tmp, ".ackd-%016llx-%lu", (unsigned long long)self->random,
                   atomic_fetch_add(&self->next_tmp, 1));
    if (!make_directories(self, final))
        return false;
    fd = openat(self->directory_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    ok = write_all(fd, bytes);
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

static bool read_file(int fd, struct ackd_bytes *ret_bytes)
{
    struct stat about;
    size_t size = 0;
    char *data;

    if (fstat(fd, &about) != 0 || (data = malloc((size_t)about.st_size + 1)) == NULL)
        return false;
    while (size < (size_t)about.st_size) {
        ssize_t got = read(fd, data + size, (size_t)about.st_size - size);

        if (got == 0)
            break;
        if (got < 0 && errno != EINTR) {
            free(data);
            return false;
        }
        size += got > 0 ? (size_t)got : 0;
    }
    data[size] = '\0';
    *ret_bytes = (struct ackd_bytes){data, size};
    return true;
}

static enum ackd_status no_name(const struct file_store *self, struct ackd_error *error)
{
    return ackd_error_set(error, ACKD_INVALID, "%s: the task ID makes no file name", self->name);
}

/* From errno: full or away for now, or broken. */
static enum ackd_status failed(const struct file_store *self, const char *what,
                               struct ackd_error *error)
{
    static const int passing[] = {EAGAIN, EBUSY,  EDQUOT,   EINTR,  EIO,       EMFILE,   ENFILE,
                                  ENOMEM, ENOSPC, ENOTCONN, ESTALE, ETIMEDOUT, EHOSTDOWN};
    int number = errno;
    enum ackd_status status = ACKD_INTERNAL;

    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        if (number == passing[i])
            status = ACKD_UNAVAILABLE;
    return ackd_error_set(error, status, "%s %s \"%.180s\": %s", self->name, what, self->directory,
                          strerror(number));
}
