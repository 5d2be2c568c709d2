/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.c -- counts calls, and makes one of them fail, or all from one on.
 *
 * The counts lie in a file that is mapped, so that they are there however the process ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

static const char *const call_names[FAULT_CALL_COUNT] = {
#define X(name, text) [FAULT_##name] = text,
    FAULT_CALLS(X)
#undef X
};

static const struct {
    const char *name;
    int value;
} failures[] = {
    {"EIO", EIO},
    {"ENOSPC", ENOSPC},
    {"EINTR", EINTR},
    {"EMFILE", EMFILE},
    {"ENOMEM", ENOMEM},
    {"EACCES", EACCES},
    {"ECONNABORTED", ECONNABORTED},
    {"SHORT", SHORT_WRITE},
};

static _Atomic uint64_t own_counts[FAULT_CALL_COUNT];
static _Atomic uint64_t *counts = own_counts;

static struct {
    bool armed;
    bool goes_on; /* every call from the k-th on */
    enum fault_call call;
    uint64_t k; /* 1: the first */
    int failure;
} fault;

/* "meta:3+:EIO". */
static void read_fault(const char *text)
{
    size_t size = strcspn(text, ":");
    char *rest = NULL;

    fault.call = FAULT_CALL_COUNT;
    for (enum fault_call call = 0; call < FAULT_CALL_COUNT; call++) {
        if (strlen(call_names[call]) == size && strncmp(call_names[call], text, size) == 0)
            fault.call = call;
    }
    if (fault.call == FAULT_CALL_COUNT || text[size] != ':')
        abort();
    fault.k = strtoull(text + size + 1, &rest, 10);
    fault.goes_on = *rest == '+';
    rest += fault.goes_on;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        if (*rest == ':' && strcmp(rest + 1, failures[i].name) == 0)
            fault.failure = failures[i].value;
    }
    if (fault.k == 0 || fault.failure == 0)
        abort();
    fault.armed = true;
}

void fault_setup(void)
{
    const char *path = getenv("ACKD_SHIM_COUNTS");
    const char *text = getenv("ACKD_SHIM_FAULT");
    size_t size = sizeof own_counts;

    if (path != NULL) {
        int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        void *map = MAP_FAILED;

        if (file >= 0 && syscall(SYS_ftruncate, file, size) == 0)
            map =
                (void *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (map == MAP_FAILED)
            abort();
        counts = map;
        (void)syscall(SYS_close, file);
    }
    if (text != NULL)
        read_fault(text);
}

int fault_next(enum fault_call call)
{
    uint64_t number = atomic_fetch_add(&counts[call], 1) + 1;

    if (!fault.armed || fault.call != call)
        return 0;
    if (number != fault.k && !(fault.goes_on && number > fault.k))
        return 0;
    return fault.failure;
}
