/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_admin.c -- `ackctl sessions|backup|check`: the broker itself and who is connected.
 */
#include <stdio.h>

#include "ackd/v1/admin.pb-c.h"
#include "ackd/v1/session.pb-c.h"
#include "base/clock.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/units.h"

/* Backup and check read the whole store: unless told otherwise, they get so long. */
#define WHOLE_STORE_MS INT64_C(3600000)
#define NAME_SHOWN 50 /* characters of a pod's or machine's name */

static void pod_cell(struct table *table, const Ackd__V1__Session *session)
{
    char text[512];

    (void)snprintf(text, sizeof text, "%s%s%s", session->pod_namespace,
                   session->pod_namespace[0] == '\0' ? "" : "/", session->pod);
    table_text(table, slice_of_string(session->pod[0] == '\0' ? "-" : text), NAME_SHOWN);
}

static void print_sessions(struct cli *cli, const Ackd__V1__ListSessionsResponse *reply)
{
    static const char *const headers[] = {"WORKER", "POD",       "NODE",   "QUEUE",   ">LEASED",
                                          ">ACKED", "HEARTBEAT", "OPENED", "SESSION", NULL};
    int64_t now_ms = clock_wall_ms();
    struct table table;
    struct text text;

    table_begin(&table, &cli->arena, headers);
    for (size_t i = 0; i < reply->n_sessions; i++) {
        const Ackd__V1__Session *session = reply->sessions[i];

        table_text(&table, slice_of_string(session->worker), 60);
        pod_cell(&table, session);
        table_text(&table, slice_of_string(session->node[0] == '\0' ? "-" : session->node),
                   NAME_SHOWN);
        table_text(&table, slice_of_string(session->queue), 0);
        table_cell(&table, "%s", units_count(&text, session->leased));
        table_cell(&table, "%s", units_count(&text, session->acked));
        table_cell(&table, "%s", units_ago(&text, session->heartbeat_unix_ms, now_ms));
        table_cell(&table, "%s", units_time(&text, session->opened_unix_ms));
        table_text(&table, slice_of_string(session->session_id), 0);
    }
    table_print(&table);
}

static enum exit_code run_sessions(struct cli *cli)
{
    Ackd__V1__ListSessionsRequest request = ACKD__V1__LIST_SESSIONS_REQUEST__INIT;
    Ackd__V1__ListSessionsResponse *reply;
    enum exit_code code;

    if (cli_queue(cli) != NULL)
        request.queue = (char *)cli_queue(cli);
    reply = BROKER_CALL(cli, "SessionService", "List", &request, list_sessions_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        for (size_t i = 0; i < reply->n_sessions; i++)
            print_json(&reply->sessions[i]->base);
    else if (reply->n_sessions > 0)
        print_sessions(cli, reply);
    else
        cli_say(cli, "no worker has a session open");
    return EXIT_OK;
}

static int64_t whole_store_timeout(const struct cli *cli)
{
    return cli_given(cli, "timeout") ? cli->timeout_ms : WHOLE_STORE_MS;
}

static enum exit_code run_backup(struct cli *cli)
{
    Ackd__V1__BackupRequest request = ACKD__V1__BACKUP_REQUEST__INIT;
    Ackd__V1__BackupResponse *reply;
    struct text text;
    enum exit_code code;

    if (cli_argument(cli, 0) != NULL)
        request.name = (char *)cli_argument(cli, 0);
    reply = broker_call(cli, "AdminService", "Backup", &request.base,
                        &ackd__v1__backup_response__descriptor, &cli->arena,
                        whole_store_timeout(cli), &code);
    if (reply == NULL)
        return code;
    if (cli->is_json) {
        print_json(&reply->base);
        return EXIT_OK;
    }
    puts(reply->path);
    cli_say(cli, "%s copied, to the broker's data directory", units_bytes(&text, reply->bytes));
    return EXIT_OK;
}

static enum exit_code run_check(struct cli *cli)
{
    Ackd__V1__CheckRequest request = ACKD__V1__CHECK_REQUEST__INIT;
    Ackd__V1__CheckResponse *reply;
    struct text records, problems;
    enum exit_code code;

    reply = broker_call(cli, "AdminService", "Check", &request.base,
                        &ackd__v1__check_response__descriptor, &cli->arena,
                        whole_store_timeout(cli), &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    else
        for (size_t i = 0; i < reply->n_problems; i++)
            puts(reply->problems[i]);
    cli_say(cli, "%s records read, %s problems", units_count(&records, reply->records),
            units_count(&problems, reply->problem_count));
    return reply->problem_count > 0 ? EXIT_REFUSED : EXIT_OK;
}

const struct command command_sessions = {
    .name = "sessions",
    .summary = "list the workers and what they hold",
    .arguments = (const struct argument_spec[]){{"QUEUE", ARGUMENT_OPTIONAL, ARGUMENT_QUEUE,
                                                 "only this queue's; without it: all queues'"},
                                                {NULL}},
    .run = run_sessions,
};

const struct command command_backup = {
    .name = "backup",
    .summary = "copy the broker's store while it runs",
    .description =
        "Copies to `backups/NAME` in the broker's data directory and prints the path. The copy "
        "goes at ackd's --backup-rate, and has its name only once it is whole: what is cut off "
        "ends in `.partial`, and the next backup removes it. `ackd --check --data-dir COPY` reads "
        "all of it; to restore is to start ackd with the copy as its data directory. Without "
        "--timeout it may take an hour.",
    .arguments = (const struct argument_spec[]){{"NAME", ARGUMENT_OPTIONAL, ARGUMENT_PLAIN,
                                                 "the copy's name; without it: the time"},
                                                {NULL}},
    .run = run_backup,
};

const struct command command_check = {
    .name = "check",
    .summary = "read every record of the store and report damage",
    .description =
        "Checks each record's checksum, that counters equal a scan, and that indexes agree. The "
        "exit code is 1 if there are problems. Without --timeout it may take an hour.",
    .run = run_check,
};
