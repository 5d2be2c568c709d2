/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim.c -- the calls that ackd, LMDB and libuv make, wrapped: count and perhaps fail, log, do.
 *
 * LMDB writes one page by pwrite and several by lseek and writev; the meta page goes through a
 * second descriptor that was opened O_DSYNC, so that its write is a sync of itself. Calls that the
 * C library makes within itself (dprintf) can't be seen here; ackd writes only LOCK in that way,
 * whose content nothing depends on.
 */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { DESCRIPTORS_MAX = 4096, PATH_BYTES_MAX = 4096 };

/* What a descriptor stands for; number 0: nothing in the data directory. */
struct file {
    _Atomic uint32_t number;
    _Atomic bool is_stable; /* O_DSYNC: each write is a sync of itself */
};

static struct file files[DESCRIPTORS_MAX];
static _Atomic uint32_t last_number;
static char directory[PATH_BYTES_MAX];
static size_t directory_size;
static long sync_us;
static const volatile int64_t *clock_ahead_s; /* NULL: the machine's own time */
static _Atomic bool is_ready;

/* glibc's own, for which no lookup is needed: a lookup may itself allocate. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static void map_clock(void)
{
    const char *path = getenv("ACKD_SHIM_CLOCK");
    int file = path == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

    if (path == NULL)
        return;
    clock_ahead_s =
        (void *)syscall(SYS_mmap, NULL, sizeof *clock_ahead_s, PROT_READ, MAP_SHARED, file, 0);
    if (file < 0 || clock_ahead_s == MAP_FAILED)
        abort();
    (void)syscall(SYS_close, file);
}

__attribute__((constructor)) static void setup(void)
{
    const char *path = getenv("ACKD_SHIM_DIR");
    const char *slow = getenv("ACKD_SHIM_SYNC_US");

    /* Not the programs that start ackd. */
    if (path == NULL || strcmp(program_invocation_short_name, "ackd") != 0)
        return;
    directory_size = strlen(path);
    if (directory_size >= sizeof directory)
        abort();
    memcpy(directory, path, directory_size + 1);
    sync_us = slow == NULL ? 0 : atol(slow);
    map_clock();
    fault_setup();
    failpoint_setup();
    recorder_setup();
    atomic_store(&is_ready, true);
}

static bool is_inside(const char *path)
{
    return atomic_load(&is_ready) && strncmp(path, directory, directory_size) == 0 &&
           (path[directory_size] == '\0' || path[directory_size] == '/');
}

static struct file *file_of(int fd)
{
    static struct file none;

    return fd >= 0 && fd < DESCRIPTORS_MAX ? &files[fd] : &none;
}

static bool is_known(int fd)
{
    return atomic_load(&file_of(fd)->number) != 0;
}

/* Whether the call is to fail; then errno is set. */
static bool strikes(enum fault_call call)
{
    int failure = atomic_load(&is_ready) ? fault_next(call) : 0;

    if (failure == 0)
        return false;
    errno = failure == SHORT_WRITE ? EIO : failure;
    return true;
}

/* Files and names */

static int open_file(const char *path, int flags, mode_t mode)
{
    bool inside = is_inside(path);
    bool is_new = inside && (flags & O_CREAT) != 0 && syscall(SYS_access, path, F_OK) != 0;
    int fd;

    if (inside && strikes(FAULT_OPEN))
        return -1;
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd < 0 || fd >= DESCRIPTORS_MAX)
        return fd;
    atomic_store(&files[fd].is_stable, (flags & O_DSYNC) != 0);
    atomic_store(&files[fd].number, inside ? atomic_fetch_add(&last_number, 1) + 1 : 0);
    if (inside)
        recorder_log_path(RECORD_OPEN, files[fd].number, is_new, path, strlen(path));
    return fd;
}

#define OPEN(name)                                                                                 \
    EXPORT int name(const char *path, int flags, ...)                                              \
    {                                                                                              \
        mode_t mode = 0;                                                                           \
                                                                                                   \
        if ((flags & O_CREAT) != 0) {                                                              \
            va_list list;                                                                          \
                                                                                                   \
            va_start(list, flags);                                                                 \
            mode = va_arg(list, mode_t);                                                           \
            va_end(list);                                                                          \
        }                                                                                          \
        return open_file(path, flags, mode);                                                       \
    }
OPEN(open)
OPEN(open64)

EXPORT int close(int fd)
{
    atomic_store(&file_of(fd)->number, 0);
    return (int)syscall(SYS_close, fd);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    int rc;

    if (!is_inside(path))
        return (int)syscall(SYS_mkdir, path, mode);
    if (strikes(FAULT_MKDIR))
        return -1;
    rc = (int)syscall(SYS_mkdir, path, mode);
    if (rc == 0)
        recorder_log_path(RECORD_MKDIR, 0, 0, path, strlen(path));
    return rc;
}

EXPORT int rename(const char *from, const char *to)
{
    char both[2 * PATH_BYTES_MAX];
    int size;

    if (!is_inside(from))
        return (int)syscall(SYS_rename, from, to);
    if (strikes(FAULT_RENAME))
        return -1;
    size = snprintf(both, sizeof both, "%s%c%s", from, '\0', to);
    if (size < 0 || size >= (int)sizeof both)
        abort();
    recorder_log_path(RECORD_RENAME, 0, 0, both, (size_t)size);
    return (int)syscall(SYS_rename, from, to);
}

EXPORT int unlink(const char *path)
{
    int rc = (int)syscall(SYS_unlink, path);

    if (rc == 0 && is_inside(path))
        recorder_log_path(RECORD_UNLINK, 0, 0, path, strlen(path));
    return rc;
}

/* Contents */

/* False: the call fails, errno is set. A short write has only its first half left. */
static bool admits(enum fault_call call, size_t *size)
{
    int failure = fault_next(call);

    if (failure == SHORT_WRITE)
        *size = (*size + 1) / 2;
    else if (failure != 0)
        errno = failure;
    return failure <= 0;
}

static void record_stable(int fd)
{
    if (atomic_load(&files[fd].is_stable))
        recorder_log(RECORD_STABLE, files[fd].number, 0, NULL, 0);
}

static void pass_if(bool applies, enum failpoint point)
{
    if (applies)
        failpoint_pass(point);
}

static void pass_write(int fd, const void *data, size_t size, off_t offset)
{
    if (!failpoint_strikes(FAILPOINT_MID_WRITE))
        return;
    (void)syscall(SYS_pwrite64, fd, data, size / 2, offset);
    failpoint_kill();
}

static ssize_t write_at(int fd, const void *data, size_t size, off_t offset)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data};
    bool is_meta = is_known(fd) && atomic_load(&files[fd].is_stable);
    ssize_t written;

    if (!is_known(fd))
        return syscall(SYS_pwrite64, fd, data, size, offset);
    if (!admits(is_meta ? FAULT_META : FAULT_PWRITE, &size))
        return -1;
    piece.iov_len = size;
    pass_if(is_meta, FAILPOINT_BEFORE_META);
    pass_write(fd, data, size, offset);
    recorder_log(RECORD_WRITE, files[fd].number, (uint64_t)offset, &piece, 1);
    written = syscall(SYS_pwrite64, fd, data, size, offset);
    record_stable(fd);
    pass_if(is_meta, FAILPOINT_AFTER_META);
    return written;
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_at(fd, data, size, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return write_at(fd, data, size, offset);
}

static ssize_t read_at(int fd, void *data, size_t size, off_t offset)
{
    if (is_known(fd) && !admits(FAULT_PREAD, &size))
        return -1;
    return syscall(SYS_pread64, fd, data, size, offset);
}

EXPORT ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    return read_at(fd, data, size, offset);
}

EXPORT ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
    return read_at(fd, data, size, offset);
}

static bool is_client(int fd, struct sockaddr_in *peer)
{
    socklen_t peer_size = sizeof *peer;

    return getpeername(fd, (struct sockaddr *)peer, &peer_size) == 0 && peer->sin_family == AF_INET;
}

/* What goes out to a client. `sign` -1: it was said to go out, and did not. */
static void record_send(int fd, size_t size, int sign)
{
    struct sockaddr_in peer;

    if (!recorder_is_on() || size == 0 || !is_client(fd, &peer))
        return;
    recorder_log(RECORD_SEND, ntohs(peer.sin_port), (uint64_t)((int64_t)size * sign), NULL, 0);
}

static size_t size_of(const struct iovec *data, int count)
{
    size_t size = 0;

    for (int i = 0; i < count; i++)
        size += data[i].iov_len;
    return size;
}

static void send_half(int fd, const struct iovec *data, int count)
{
    size_t left = size_of(data, count) / 2;

    for (int i = 0; i < count && left > 0; i++) {
        size_t size = data[i].iov_len < left ? data[i].iov_len : left;

        (void)syscall(SYS_write, fd, data[i].iov_base, size);
        left -= size;
    }
}

static void pass_send(int fd, const struct iovec *data, int count)
{
    struct sockaddr_in peer;

    if (!failpoint_is_armed() || !is_client(fd, &peer))
        return;
    failpoint_pass(FAILPOINT_BEFORE_REPLY);
    if (!failpoint_strikes(FAILPOINT_MID_REPLY))
        return;
    send_half(fd, data, count);
    failpoint_kill();
}

static ssize_t send_pieces(int fd, const struct iovec *data, int count)
{
    size_t size = size_of(data, count);
    ssize_t written;
    int error;

    pass_send(fd, data, count);
    record_send(fd, size, 1);
    written = syscall(SYS_writev, fd, data, count);
    error = errno;
    record_send(fd, size - (size_t)(written < 0 ? 0 : written), -1);
    errno = error;
    return written;
}

EXPORT ssize_t writev(int fd, const struct iovec *data, int count)
{
    size_t pieces = (size_t)count;

    if (!is_known(fd))
        return send_pieces(fd, data, count);
    if (!admits(FAULT_WRITEV, &pieces))
        return -1;
    recorder_log(RECORD_WRITE, files[fd].number, (uint64_t)lseek(fd, 0, SEEK_CUR), data,
                 (int)pieces);
    return syscall(SYS_writev, fd, data, (int)pieces);
}

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
    const struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};

    return writev(fd, &piece, 1);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    pass_send(fd, message->msg_iov, (int)message->msg_iovlen);
    record_send(fd, size_of(message->msg_iov, (int)message->msg_iovlen), 1);
    return syscall(SYS_sendmsg, fd, message, flags);
}

static int set_size(int fd, off_t size)
{
    if (!is_known(fd))
        return (int)syscall(SYS_ftruncate, fd, size);
    if (strikes(FAULT_FTRUNCATE))
        return -1;
    recorder_log(RECORD_SIZE, files[fd].number, (uint64_t)size, NULL, 0);
    return (int)syscall(SYS_ftruncate, fd, size);
}

EXPORT int ftruncate(int fd, off_t size)
{
    return set_size(fd, size);
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    return set_size(fd, size);
}

/* Syncs */

static int sync_file(int fd, enum fault_call call, long number)
{
    const struct timespec pause = {.tv_sec = sync_us / 1000000,
                                   .tv_nsec = sync_us % 1000000 * 1000};
    int rc;

    if (!is_known(fd))
        return (int)syscall(number, fd);
    if (strikes(call))
        return -1;
    pass_if(call == FAULT_FDATASYNC, FAILPOINT_BEFORE_FLUSH);
    rc = (int)syscall(number, fd);
    if (sync_us > 0)
        (void)nanosleep(&pause, NULL);
    pass_if(call == FAULT_FDATASYNC, FAILPOINT_AFTER_FLUSH);
    if (rc == 0)
        recorder_log(RECORD_SYNC, files[fd].number, 0, NULL, 0);
    return rc;
}

EXPORT int fdatasync(int fd)
{
    return sync_file(fd, FAULT_FDATASYNC, SYS_fdatasync);
}

EXPORT int fsync(int fd)
{
    return sync_file(fd, FAULT_FSYNC, SYS_fsync);
}

/* Memory and connections */

static void *map(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (strikes(FAULT_MMAP))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

EXPORT void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return map(address, size, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
    return map(address, size, protection, flags, fd, offset);
}

EXPORT void *malloc(size_t size)
{
    return strikes(FAULT_MALLOC) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return strikes(FAULT_MALLOC) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *memory, size_t size)
{
    return strikes(FAULT_MALLOC) ? NULL : __libc_realloc(memory, size);
}

/* The header declares the address as a transparent union. */
EXPORT int accept4(int fd, __SOCKADDR_ARG address, socklen_t *size, int flags)
{
    if (strikes(FAULT_ACCEPT))
        return -1;
    return (int)syscall(SYS_accept4, fd, address.__sockaddr__, size, flags);
}

/* Time */

EXPORT int clock_gettime(clockid_t id, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, id, now);

    if (id == CLOCK_REALTIME && clock_ahead_s != NULL)
        now->tv_sec += *clock_ahead_s;
    return rc;
}
