/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric_tables.h -- which metrics shards, queues and datasets have.
 */
#ifndef ACKD_RPC_METRIC_TABLES_H
#define ACKD_RPC_METRIC_TABLES_H

#include "auth/trust.h"
#include "rpc/metric_text.h"
#include "service/figures.h"

/* Every shard's, queue's and dataset's families. What has no series of its own is summed under
 * queue="_other" and dataset="_other", names that no queue can have. */
void metric_tables_put(struct buffer *out, const struct figures *figures);
/* Nothing where no issuer is believed. */
void metric_issuers_put(struct buffer *out, struct trust *trust);

#endif
