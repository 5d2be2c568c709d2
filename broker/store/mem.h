/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.h -- the store of tests and of the simulator: ordered maps in memory, with faults on order.
 *
 * A commit is "durable" in the sense that store_mem_crash keeps it. Writes go to the maps at once
 * with an undo log beside them; abort, crash and a failed commit undo it.
 */
#ifndef ACKD_STORE_MEM_H
#define ACKD_STORE_MEM_H

#include "store/store.h"

enum store_mem_fault {
    STORE_MEM_FAULT_NONE,
    STORE_MEM_FAULT_WRITE_FULL,     /* the k-th write answers STATUS_STORE_FULL */
    STORE_MEM_FAULT_COMMIT_FULL,    /* the k-th commit answers STATUS_STORE_FULL, nothing stored */
    STORE_MEM_FAULT_COMMIT_LOST,    /* the k-th commit answers STATUS_INTERNAL, nothing stored */
    STORE_MEM_FAULT_COMMIT_UNKNOWN, /* the k-th commit answers STATUS_INTERNAL, and all stored */
    STORE_MEM_FAULT_ANY_LOST /* the k-th read, write or commit: STATUS_INTERNAL, nothing stored */
};

enum status store_mem_open(struct store **ret_store) MUST_USE;
/* Arms one fault: the k-th (1 = the next) call of its kind from now. */
void store_mem_fault(struct store *self, enum store_mem_fault fault, uint64_t k);
/* Whether a fault that was armed has not struck yet. */
bool store_mem_is_armed(struct store *self);
/* Whether it is unusable since a call answered STATUS_INTERNAL (S7). */
bool store_mem_has_failed(struct store *self);
/* What SIGKILL and a restart do: an open transaction is gone, the commits remain, faults are
 * cleared. */
void store_mem_crash(struct store *self);
/* Limits live bytes (keys and values); 0: none. Past it writes answer STATUS_STORE_FULL. */
void store_mem_set_max(struct store *self, uint64_t bytes);

#endif
