/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unthreaded.h -- shards without threads, for whoever needs each run to be the same as the last.
 *
 * Linked into a program, it takes the place of broker/shard/thread.c: a shard that was "started"
 * runs when unthreaded_step is called, on the caller's thread.
 */
#ifndef ACKD_TESTS_FUZZ_UNTHREADED_H
#define ACKD_TESTS_FUZZ_UNTHREADED_H

#include <stdbool.h>

/* One batch of each shard that has something to do; false: none has. */
bool unthreaded_step(void);

#endif
