/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret_file.c -- files that hold what nobody else may read.
 */
#include "auth/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/secret.h"

/* A byte more than the file has, or may have: a full room is too small. It never grows, for what
 * was a secret would stay in the memory that it leaves. */
static size_t room_for(int fd, size_t size_max)
{
    struct stat found;

    if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode) || (uint64_t)found.st_size > size_max)
        return size_max + 1;
    return (size_t)found.st_size + 1;
}

static enum status read_all(int fd, const char *path, const char *what, size_t size_max,
                            struct buffer *ret_data, struct error *error)
{
    size_t room = room_for(fd, size_max);
    uint8_t *at = buffer_reserve(ret_data, room);
    ssize_t size = 0;

    if (at == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "no memory for %s", path);
    do {
        size = read(fd, at + ret_data->size, room - ret_data->size);
        ret_data->size += size > 0 ? (size_t)size : 0;
    } while (size > 0 || (size < 0 && errno == EINTR));
    if (size == 0 && ret_data->size < room)
        return STATUS_OK;
    secret_wipe(ret_data->data, ret_data->capacity);
    buffer_deinit(ret_data);
    if (size < 0)
        return error_set(error, STATUS_INVALID, "%s %s can't be read: %s", what, path,
                         strerror(errno));
    if (room <= size_max)
        return error_set(error, STATUS_INVALID, "%s %s grew while it was read", what, path);
    return error_set(error, STATUS_INVALID, "%s %s is larger than %zu bytes", what, path, size_max);
}

static enum status check_mode(int fd, const char *path, const char *what, struct error *error)
{
    struct stat found;

    if (fstat(fd, &found) != 0)
        return error_set(error, STATUS_INVALID, "%s %s: %s", what, path, strerror(errno));
    if ((found.st_mode & S_IROTH) != 0)
        return error_set(error, STATUS_INVALID,
                         "%s %s can be read by every user: chmod o-r it (in Kubernetes set the "
                         "volume's defaultMode to 0440)",
                         what, path);
    return STATUS_OK;
}

static enum status read_file(const char *path, const char *what, bool is_secret, size_t size_max,
                             struct buffer *ret_data, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum status status = STATUS_OK;

    if (fd < 0)
        return error_set(error, STATUS_INVALID, "%s %s can't be opened: %s", what, path,
                         strerror(errno));
    if (is_secret)
        status = check_mode(fd, path, what, error);
    if (status == STATUS_OK)
        status = read_all(fd, path, what, size_max, ret_data, error);
    (void)close(fd);
    return status;
}

enum status secret_file_read(const char *path, const char *what, size_t size_max,
                             struct buffer *ret_data, struct error *error)
{
    return read_file(path, what, true, size_max, ret_data, error);
}

enum status plain_file_read(const char *path, const char *what, size_t size_max,
                            struct buffer *ret_data, struct error *error)
{
    return read_file(path, what, false, size_max, ret_data, error);
}
