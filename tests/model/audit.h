/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h -- whether a shard and its store are at one: the store's check finds no problem, memory
 * is what a start would read (M1, M2 of shard/state.h), nobody sleeps past something due.
 *
 * Fails as cmocka's asserts do. No batch may be under way.
 */
#ifndef ACKD_TESTS_MODEL_AUDIT_H
#define ACKD_TESTS_MODEL_AUDIT_H

#include "shard/state.h"

void audit_shard(struct shard *shard, struct store *store);
/* What the store's check says, printed; 0: no problem. */
int64_t audit_problems(struct store *store);

/* Looks at one row; raises *count if it counts. */
typedef void audit_visitor(struct shard *shard, const struct store_row *row, size_t *count);
/* Every row of a table; returns how many counted. */
size_t audit_each_row(struct shard *shard, struct store *store, enum store_table table,
                      audit_visitor *visit);

#endif
