/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder.c -- the log, one record after the other in the order of the calls.
 *
 * A write is logged before it is made and a sync after it has returned: so at any point of the log
 * the syncs before it hold, and no byte that may have reached the disk is missing.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

enum { PIECES_MAX = 1100 }; /* IOV_MAX and the head */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

void recorder_setup(void)
{
    const char *path = getenv("ACKD_SHIM_RECORD");

    if (path == NULL)
        return;
    log_fd =
        (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        abort();
    recorder_log(RECORD_START, 0, 0, NULL, 0);
}

bool recorder_is_on(void)
{
    return log_fd >= 0;
}

void recorder_log(enum record_kind kind, uint32_t file, uint64_t offset, const struct iovec *data,
                  int data_count)
{
    struct record head = {.kind = kind, .file = file, .offset = offset};
    struct iovec pieces[PIECES_MAX] = {{.iov_base = &head, .iov_len = sizeof head}};
    ssize_t written;

    if (log_fd < 0)
        return;
    if (data_count >= PIECES_MAX)
        abort();
    for (int i = 0; i < data_count; i++) {
        head.size += data[i].iov_len;
        pieces[i + 1] = data[i];
    }
    pthread_mutex_lock(&mutex);
    written = syscall(SYS_writev, log_fd, pieces, data_count + 1);
    pthread_mutex_unlock(&mutex);
    if (written != (ssize_t)(sizeof head + head.size))
        abort();
}

void recorder_log_path(enum record_kind kind, uint32_t file, uint64_t offset, const char *path,
                       size_t size)
{
    const struct iovec data = {.iov_base = (void *)(uintptr_t)path, .iov_len = size};

    recorder_log(kind, file, offset, &data, 1);
}
