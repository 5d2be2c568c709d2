/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender.h -- batches to the broker, until each has its answer.
 *
 * A request without an answer is repeated: every task has an ID of its own, so the broker stores
 * what is missing and calls the rest duplicates. While the broker is away the sender says so once
 * and tries again, at most `retry_for_ms` long. One request is under way at a time, so that tasks
 * keep the order of their rows.
 *
 * Counts: a duplicate of a request sent for the first time was there before this run. One of a
 * request that was repeated may have been stored by this very run: it is `confirmed`.
 */
#ifndef ACKD_CLI_PUBLISH_SENDER_H
#define ACKD_CLI_PUBLISH_SENDER_H

#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/publish/batch.h"

struct sender {
    struct cli *cli;
    struct progress *progress; /* stepped aside for messages */
    const char *dataset;       /* of the batches to come; "" for none */
    int64_t retry_for_ms;
    bool has_dedup; /* without, a request whose outcome is unknown can't be repeated */
    struct arena arena;

    int64_t stored;
    int64_t duplicates;
    int64_t confirmed;
    int64_t refused;
};

void sender_init(struct sender *self, struct cli *cli, struct progress *progress);
void sender_deinit(struct sender *self);
/* Whether the queue is there (made if `create`), before anything is read. */
enum exit_code sender_find_queue(struct sender *self, bool create);
/* Returns when the batch is settled, or can't be. Tasks that the broker refuses are named and
 * counted. */
enum exit_code sender_send(struct sender *self, const struct batch *batch);

#endif
