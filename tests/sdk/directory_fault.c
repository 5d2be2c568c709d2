/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory_fault.c -- preloaded into a worker: while the file $DIRECTORY_FAULT is there, no
 * directory can be flushed, as on a disk that has errors.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((visibility("default"))) int fsync(int fd)
{
    static int (*next)(int fd);
    const char *fault = getenv("DIRECTORY_FAULT");
    struct stat about;

    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "fsync");
    if (fstat(fd, &about) == 0 && S_ISDIR(about.st_mode) && fault != NULL &&
        access(fault, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return next(fd);
}
