/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h -- one broker a data directory: the file LOCK, held by flock, naming its holder's pid.
 */
#ifndef ACKD_STORE_LOCK_H
#define ACKD_STORE_LOCK_H

#include "base/status.h"

/* Makes the directory if it is missing (0700) and takes its lock. STATUS_UNAVAILABLE with a
 * sentence that names the holder's pid if another process has it. The lock ends with
 * store_lock_release or with the process. */
enum status store_lock_take(const char *directory, int *ret_lock, struct error *error) MUST_USE;
void store_lock_release(int lock);

#endif
