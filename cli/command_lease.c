/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_lease.c -- `ackctl lease`: tasks for a script that has no worker library.
 *
 * The leases have no session: they end by themselves unless `ackctl renew` keeps them.
 */
#include <stdio.h>

#include "ackd/v1/task.pb-c.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/units.h"

static void tell_nothing(const struct cli *cli, const Ackd__V1__Situation *situation)
{
    struct text leased, delayed;

    if (situation == NULL)
        return;
    if (situation->paused)
        cli_say(cli, "no task: the queue is paused; see `ackctl queue resume`");
    else if (situation->leased + situation->delayed + situation->ready == 0)
        cli_say(cli, "no task: all are done");
    else
        cli_say(cli, "no task now: %s leased, %s delayed", units_count(&leased, situation->leased),
                units_count(&delayed, situation->delayed));
}

static void print_tasks(struct cli *cli, const Ackd__V1__LeaseResponse *reply)
{
    static const char *const headers[] = {"TASK", "TOKEN", ">FENCE", "UNTIL", "PAYLOAD", NULL};
    struct table table;
    struct text text;

    table_begin(&table, &cli->arena, headers);
    for (size_t i = 0; i < reply->n_tasks; i++) {
        const Ackd__V1__LeasedTask *task = reply->tasks[i];

        table_text(&table, slice_of_string(task->task_id), 0);
        table_text(&table, slice_of_string(task->lease_token), 0);
        table_cell(&table, "%lld", (long long)task->fence);
        table_cell(&table, "%s", units_time(&text, task->deadline_unix_ms));
        table_text(&table, slice_of(task->payload.data, task->payload.len), 60);
    }
    table_print(&table);
}

static enum exit_code run_lease(struct cli *cli)
{
    Ackd__V1__LeaseRequest request = ACKD__V1__LEASE_REQUEST__INIT;
    Ackd__V1__LeaseResponse *reply;
    enum exit_code code;

    request.queue = (char *)cli_queue(cli);
    request.max_tasks = (int32_t)cli_number(cli, "max");
    request.wait_ms = cli_number(cli, "wait");
    request.lease_ms = cli_number(cli, "lease");
    reply = broker_call(cli, "TaskService", "Lease", &request.base,
                        &ackd__v1__lease_response__descriptor, &cli->arena,
                        cli->timeout_ms + request.wait_ms, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    else if (reply->n_tasks > 0)
        print_tasks(cli, reply);
    if (reply->n_tasks == 0)
        tell_nothing(cli, reply->situation);
    return EXIT_OK;
}

const struct command command_lease = {
    .name = "lease",
    .summary = "take tasks, for scripts",
    .description =
        "Prints each task with its lease token, by which `ackctl ack`, `ackctl nack` and `ackctl "
        "renew` know the lease. With `-o json` the reply holds payload and checkpoint as base64. "
        "If there is no task now, nothing is printed to stdout and the exit code is 0; the reason "
        "goes to stderr.\n\n"
        "For a program that works through a queue, `ackctl work` does all of this.",
    .arguments =
        (const struct argument_spec[]){{"QUEUE", ARGUMENT_ONE, ARGUMENT_QUEUE, "the queue's name"},
                                       {NULL}},
    .options =
        (const struct option_spec[]){
            {"max", 'n', OPTION_NUMBER, "N", "1", "at most so many tasks", 1, 10000},
            {"wait", 0, OPTION_DURATION, "TIME", "0", "wait so long for a first task", 0, 60000},
            {"lease", 0, OPTION_DURATION, "TIME", NULL,
             "how long the lease holds (without it: the queue's)", 1000, 43200000},
            {NULL}},
    .examples =
        (const struct example[]){
            {"ackctl lease pages -o json | jq -r '.tasks[0].payload' | base64 -d",
             "one task's payload"},
            {NULL, NULL}},
    .run = run_lease,
};
