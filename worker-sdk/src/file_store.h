/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_store.h -- a directory with one file a task, each whole or not there: results of the file
 * sink, checkpoints.
 */
#ifndef ACKD_SDK_FILE_STORE_H
#define ACKD_SDK_FILE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ackd/sink.h"

struct file_store {
    const char *name; /* for messages: "the file sink" */
    char *directory;
    int directory_fd;      /* -1: not open */
    uint64_t random;       /* tells our temporary files from those of other workers */
    atomic_ulong next_tmp; /* number of the next one */
};

/* Copies the directory's name; false: no memory. Opens nothing. */
bool file_store_init(struct file_store *self, const char *name, const char *directory);
void file_store_deinit(struct file_store *self);
/* Opens the directory, and makes it if it is missing. The functions below need it open; they may be
 * used by several threads. */
enum ackd_status file_store_open(struct file_store *self, struct ackd_error *error);

enum ackd_status file_store_find(struct file_store *self, const char *task_id, bool *ret_found,
                                 struct ackd_error *error);
/* Replaces the task's file. It is on stable storage after file_store_flush. */
enum ackd_status file_store_write(struct file_store *self, const char *task_id,
                                  struct ackd_bytes bytes, struct ackd_error *error);
enum ackd_status file_store_flush(struct file_store *self, struct ackd_error *error);
/* The file's bytes with a NUL byte behind, freed by free(); `data` is NULL if there is no file. */
enum ackd_status file_store_read(struct file_store *self, const char *task_id,
                                 struct ackd_bytes *ret_bytes, struct ackd_error *error);
/* No file is fine. */
enum ackd_status file_store_remove(struct file_store *self, const char *task_id,
                                   struct ackd_error *error);

#endif
