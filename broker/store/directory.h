/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory.h -- directories as a store needs them: made private, refused on a network, synced.
 */
#ifndef ACKD_STORE_DIRECTORY_H
#define ACKD_STORE_DIRECTORY_H

#include "base/status.h"

/* Makes the directory (0700) unless it is there; its parent must be. STATUS_INVALID if it can't
 * be made or is something else. */
enum status directory_make(const char *path, struct error *error) MUST_USE;
/* STATUS_INVALID if the directory is on a network or FUSE file system, where neither a flush nor a
 * memory map keeps its promise. */
enum status directory_check_local(const char *path, struct error *error) MUST_USE;
/* Makes the names in the directory, and its own name in its parent, durable. 0 or an errno. */
int directory_sync(const char *path) MUST_USE;

#endif
