/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter.h -- time and the broker's use of its machine, over one stretch or several with pauses
 * between them in which the next is prepared.
 */
#ifndef ACKD_CLI_BENCH_METER_H
#define ACKD_CLI_BENCH_METER_H

#include "cli/bench/figures.h"
#include "cli/bench/histogram.h"
#include "cli/bench/target.h"

/* Zeroed it has measured nothing. */
struct meter {
    struct target_sample before; /* of the stretch under way */
    double client_before_s;

    int64_t took_ns;
    double broker_cpu_s;
    double client_cpu_s;
    int64_t commits;
    int64_t disk_bytes;        /* by which the store has grown */
    struct target_sample last; /* at the end of the last stretch */
};

enum exit_code meter_start(struct meter *self, struct target *target);
enum exit_code meter_stop(struct meter *self, struct target *target);
/* Of so many tasks in the time measured, a second; 0 if there was none. */
double meter_rate(const struct meter *self, int64_t tasks);
/* What was measured while so many tasks went through. */
void meter_report(const struct meter *self, int64_t tasks, struct figures *figures);
void meter_report_latencies(const struct histogram *latencies, struct figures *figures);

#endif
