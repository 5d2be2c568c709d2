/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_history.c -- see task_history.h.
 */
#include "cli/task_history.h"

#include <stdio.h>

#include "base/clock.h"
#include "cli/output.h"
#include "cli/units.h"

#define NAME_SHOWN 40  /* characters of a worker's or machine's name */
#define ERROR_SHOWN 60 /* of what it said */

static const char *const end_names[] = {"goes on", "acked",   "failed",    "preempted", "released",
                                        "lost",    "expired", "cancelled", "outlived",  "redriven"};
static const char *const reason_names[] = {"",        "failures",  "losses",
                                           "expired", "cancelled", "corrupt"};

static const char *name_of(const char *const *names, size_t count, int number)
{
    return number >= 0 && (size_t)number < count ? names[number] : "?";
}

static void end_cell(struct table *table, const Ackd__V1__Attempt *attempt)
{
    const char *end = name_of(end_names, sizeof end_names / sizeof end_names[0], (int)attempt->end);
    const char *reason = name_of(reason_names, sizeof reason_names / sizeof reason_names[0],
                                 (int)attempt->dead_reason);

    table_cell(table, "%s%s%s%s", end, attempt->unstarted ? ", unstarted" : "",
               reason[0] == '\0' ? "" : ", dead: ", reason);
}

static void row(struct table *table, const Ackd__V1__Attempt *attempt, int64_t now_ms)
{
    int64_t ended_ms = attempt->ended_unix_ms != 0 ? attempt->ended_unix_ms : now_ms;
    bool timed = attempt->leased_unix_ms != 0;
    struct text text;

    if (attempt->fence == 0)
        table_cell(table, "-");
    else
        table_cell(table, "%lld", (long long)attempt->fence);
    table_cell(table, "%s", units_time(&text, timed ? attempt->leased_unix_ms : ended_ms));
    table_cell(table, "%s",
               timed ? units_duration(&text, ended_ms - attempt->leased_unix_ms) : "-");
    end_cell(table, attempt);
    table_text(table, slice_of_string(attempt->pod[0] == '\0' ? attempt->worker : attempt->pod),
               NAME_SHOWN);
    table_text(table, slice_of_string(attempt->node), NAME_SHOWN);
    table_text(table, slice_of_string(attempt->error), ERROR_SHOWN);
}

void task_history_print(struct cli *cli, const Ackd__V1__Task *task)
{
    static const char *const headers[] = {">FENCE", "BEGAN", ">HELD", "END",
                                          "WORKER", "NODE",  "ERROR", NULL};
    int64_t now_ms = clock_wall_ms();
    struct table table;
    struct text text;

    if (task->n_attempts == 0)
        return;
    table_begin(&table, &cli->arena, headers);
    for (size_t i = 0; i < task->n_attempts; i++)
        row(&table, task->attempts[i], now_ms);
    puts("");
    if (task->attempts_left_out > 0)
        printf("%s older deliveries are not kept\n", units_count(&text, task->attempts_left_out));
    table_print(&table);
}
