/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h -- what the two files of the check share: the snapshot, what was counted, the findings.
 *
 *   check.c      walks the tables; counts, and compares with the counters
 *   check_row.c  looks at one row and what belongs to it
 */
#ifndef ACKD_SHARD_CHECK_H
#define ACKD_SHARD_CHECK_H

#include "shard/state.h"

/* What the rows of a queue are judged by. */
struct checked_queue {
    bool known; /* false: before the first look */
    bool going; /* it is being deleted, or there is none: its rows need not agree */
    bool dedup;
    uint32_t number;
    uint64_t cursor[PRIORITY_COUNT];
};

struct checker {
    struct store_txn *txn;
    struct inspect_call *call;
    struct map counts;
    enum status failed;      /* the store refused a read: the snapshot can't be read any further */
    int64_t look_at;         /* how many records are read before the next look at growth */
    uint64_t file_bytes_max; /* a larger file: too much growth; 0: before the first look */
    struct checked_queue queue; /* the last one looked at: rows come queue by queue */
};

typedef void row_checker(struct checker *self, const struct store_row *row);

row_checker check_task, check_active, check_returned, check_due, check_dead, check_id, check_result,
    check_checkpoint, check_chunk, check_session;

/* Whether there is such a record. */
bool checker_get(struct checker *self, enum store_table table, struct slice key,
                 struct slice *ret_value);
const struct checked_queue *checker_queue(struct checker *self, uint32_t number);
void checker_count(struct checker *self, struct place place, uint32_t dataset,
                   enum task_state state, bool fresh);
/* Of results: chunks found, and less those that a result has. */
void checker_count_result_chunks(struct checker *self, uint32_t queue, int64_t more);
void checker_problem(struct checker *self, enum store_table table, struct slice key,
                     const char *sentence);

#endif
