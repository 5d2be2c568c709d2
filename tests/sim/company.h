/* SPDX-License-Identifier: Apache-2.0 */
/*
 * company.h -- calls that come while a batch is open (shard/gather.h): the last of the inbox are
 * kept back when the batch begins, and handed over a few at a time when it asks for more.
 *
 * A batch that writes takes them all. One that only reads does not ask, and one that finds no room
 * runs what it has one by one: then they are late, and wait for the next.
 */
#ifndef ACKD_TESTS_SIM_COMPANY_H
#define ACKD_TESTS_SIM_COMPANY_H

#include <stdbool.h>

struct sim;

/* Before a batch; of a hundred batches, so many are open. */
void company_begin(struct sim *sim, int open_percent);
/* After it. */
void company_end(struct sim *sim);
bool company_was_late(const struct sim *sim);

#endif
