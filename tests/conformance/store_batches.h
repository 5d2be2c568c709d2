/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_batches.h -- a writer whose every commit can be told whole or missing, and children to
 * run it in, for tests that kill or break what they write with.
 *
 * Batch n, all or nothing: 20 tasks marked n, the tasks of batch n - 5 removed, and n in META.
 */
#ifndef ACKD_TESTS_CONFORMANCE_STORE_BATCHES_H
#define ACKD_TESTS_CONFORMANCE_STORE_BATCHES_H

#include <sys/types.h>

#include "store_fixture.h"

/* What failed, for children, whose cmocka asserts nobody would see. */
enum status write_batch(struct store *store, uint32_t n);
/* From `first` to `last`; each must go well. */
void write_batches(struct fixture *self, uint32_t first, uint32_t last);
/* A record that is more than a log takes at once, in a commit of its own. */
void put_large(struct store *store, const char *key);
/* The last batch (0: none), after checking that the store holds it and the four before it whole. */
uint32_t check_batches(struct store *store);

/* Forks; the child runs `body` with the writing end of a pipe, whose reading end is *ret_report;
 * what `body` returns is the child's exit code. The child dies with the test. */
pid_t start_child(struct fixture *self, int (*body)(struct fixture *, int report), int *ret_report);
/* How it ended, as of waitpid. */
int wait_for_child(pid_t child);
/* The exit code of a child that says nothing. */
int run_child(struct fixture *self, int (*body)(struct fixture *, int report));

/* Around a child's time with the store. */
void close_store(struct fixture *self);
void reopen_store(struct fixture *self);

#endif
