/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim.h -- what stands between ackd and the kernel in the crash and fault tests (LD_PRELOAD).
 *
 *   shim.c      the wrapped calls: files of the data directory are known by their descriptor
 *   recorder.c  a log of every change to them, every sync, and every byte sent to a client
 *   fault.c     makes the k-th call of a kind fail
 *   failpoint.c kills the process at the k-th passing of a named point
 *
 * Told by the environment:
 *   ACKD_SHIM_DIR      the data directory; nothing outside of it is recorded
 *   ACKD_SHIM_RECORD   the log to append to; unset: no recording
 *   ACKD_SHIM_FAULT    "meta:3:EIO", the third; "meta:3+:EIO", from the third on; unset: none
 *   ACKD_SHIM_KILL     "before-meta:3", at the third; see FAILPOINTS; unset: never
 *   ACKD_SHIM_COUNTS   a file that gets the number of calls of each kind, as they are made
 *   ACKD_SHIM_CLOCK    a file with 8 bytes: by how many seconds the wall clock is ahead, any time
 *   ACKD_SHIM_SYNC_US  how long an fdatasync takes at least, so that calls meet in one commit
 */
#ifndef ACKD_TESTS_CRASH_SHIM_H
#define ACKD_TESTS_CRASH_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Kinds of calls that can be made to fail, by the names that ACKD_SHIM_FAULT uses. All but malloc,
 * mmap and accept mean calls on files of the data directory. */
#define FAULT_CALLS(X)                                                                             \
    X(PWRITE, "pwrite")                                                                            \
    X(META, "meta") /* a pwrite through a descriptor opened O_DSYNC */                             \
    X(WRITEV, "writev")                                                                            \
    X(PREAD, "pread")                                                                              \
    X(FDATASYNC, "fdatasync")                                                                      \
    X(FSYNC, "fsync")                                                                              \
    X(FTRUNCATE, "ftruncate")                                                                      \
    X(OPEN, "open")                                                                                \
    X(MKDIR, "mkdir")                                                                              \
    X(RENAME, "rename")                                                                            \
    X(MMAP, "mmap")                                                                                \
    X(MALLOC, "malloc")                                                                            \
    X(ACCEPT, "accept")

enum fault_call {
#define X(name, text) FAULT_##name,
    FAULT_CALLS(X)
#undef X
        FAULT_CALL_COUNT
};

/* Counts the call. 0: let it through; SHORT_WRITE: do half of it; else the errno to fail with. */
enum { SHORT_WRITE = -1 };
int fault_next(enum fault_call call);
void fault_setup(void);

/* Where a process can be made to die, by the names that ACKD_SHIM_KILL uses. */
#define FAILPOINTS(X)                                                                              \
    X(MID_WRITE, "mid-write")       /* a pwrite to a file of the data directory: half is done */   \
    X(BEFORE_FLUSH, "before-flush") /* fdatasync of a file of the data directory */                \
    X(AFTER_FLUSH, "after-flush")                                                                  \
    X(BEFORE_META, "before-meta") /* the write that makes a commit visible */                      \
    X(AFTER_META, "after-meta")                                                                    \
    X(BEFORE_REPLY, "before-reply") /* a write to a client */                                      \
    X(MID_REPLY, "mid-reply")       /* the client gets the first half of one */

enum failpoint {
#define X(name, text) FAILPOINT_##name,
    FAILPOINTS(X)
#undef X
        FAILPOINT_COUNT
};

void failpoint_setup(void);
bool failpoint_is_armed(void);
void failpoint_pass(enum failpoint point);
/* Counts the passing. True: the caller is to do its half and then to call failpoint_kill. */
bool failpoint_strikes(enum failpoint point);
_Noreturn void failpoint_kill(void);

/* Kinds of records in the log; each is a `struct record` and `size` bytes. */
enum record_kind {
    RECORD_START = 1,  /* a process begins; what it did not close before is closed */
    RECORD_OPEN = 2,   /* file: a new number; offset: 1 if made by this call; data: path */
    RECORD_WRITE = 3,  /* file, offset, data; logged before it happens */
    RECORD_STABLE = 4, /* file: its last write was through O_DSYNC and has returned */
    RECORD_SYNC = 5,   /* file: fsync or fdatasync has returned, well */
    RECORD_SIZE = 6,   /* file, offset: ftruncate to so many bytes */
    RECORD_MKDIR = 7,  /* data: path */
    RECORD_RENAME = 8, /* data: from NUL to */
    RECORD_UNLINK = 9, /* data: path */
    RECORD_SEND = 10,  /* file: the client's port; offset: how many bytes go out to it now */
};

struct record {
    uint32_t kind;
    uint32_t file;
    uint64_t offset;
    uint64_t size;
};

void recorder_setup(void);
bool recorder_is_on(void);
void recorder_log(enum record_kind kind, uint32_t file, uint64_t offset, const struct iovec *data,
                  int data_count);
void recorder_log_path(enum record_kind kind, uint32_t file, uint64_t offset, const char *path,
                       size_t size);

#endif
