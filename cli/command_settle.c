/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_settle.c -- `ackctl renew|ack|nack`: what a script does with its leases, by token.
 */
#include <stdio.h>
#include <string.h>

#include "ackd/v1/task.pb-c.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/file.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "cli/units.h"

static const struct argument_spec tokens[] = {
    {"TOKEN", ARGUMENT_SOME, ARGUMENT_PLAIN, "lease tokens, as `ackctl lease` printed them"},
    {NULL}};

static enum exit_code run_renew(struct cli *cli)
{
    Ackd__V1__RenewRequest request = ACKD__V1__RENEW_REQUEST__INIT;
    Ackd__V1__RenewItem *items = CLI_ARRAY(cli, cli->argument_count, Ackd__V1__RenewItem);
    Ackd__V1__RenewResponse *reply;
    struct outcomes outcomes;
    enum exit_code code;

    request.items = CLI_ARRAY(cli, cli->argument_count, Ackd__V1__RenewItem *);
    for (size_t i = 0; i < cli->argument_count; i++) {
        ackd__v1__renew_item__init(&items[i]);
        items[i].lease_token = (char *)cli->arguments[i];
        items[i].lease_ms = cli_number(cli, "lease");
        request.items[request.n_items++] = &items[i];
    }
    reply = BROKER_CALL(cli, "TaskService", "Renew", &request, renew_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    outcomes_begin(&outcomes, cli);
    for (size_t i = 0; i < reply->n_outcomes && i < request.n_items; i++)
        outcomes_add(&outcomes, items[i].lease_token, reply->outcomes[i]->error);
    return outcomes_end(&outcomes, "renewed");
}

/* The result of --result or --result-file; data NULL: neither. */
static bool read_result(struct cli *cli, struct slice *ret_result)
{
    const char *text = cli_text(cli, "result");
    const char *path = cli_text(cli, "result-file");

    *ret_result = SLICE_EMPTY;
    if (path != NULL)
        return file_read(cli, path, ret_result);
    if (text != NULL)
        *ret_result = slice_of_string(text);
    return true;
}

static void fill_ack(const struct cli *cli, Ackd__V1__AckItem *item, const char *token,
                     struct slice result)
{
    ackd__v1__ack_item__init(item);
    item->lease_token = (char *)token;
    item->committed = cli_flag(cli, "committed");
    if (result.data == NULL)
        return;
    item->has_result_case = ACKD__V1__ACK_ITEM__HAS_RESULT_RESULT;
    item->result.data = (uint8_t *)result.data;
    item->result.len = result.size;
}

static enum exit_code run_ack(struct cli *cli)
{
    Ackd__V1__AckRequest request = ACKD__V1__ACK_REQUEST__INIT;
    Ackd__V1__AckItem *items = CLI_ARRAY(cli, cli->argument_count, Ackd__V1__AckItem);
    Ackd__V1__AckResponse *reply;
    struct outcomes outcomes;
    struct slice result;
    enum exit_code code;

    if (cli_given(cli, "result") && cli_given(cli, "result-file"))
        return cli_usage_error(cli, "give --result or --result-file, not both");
    if (!read_result(cli, &result))
        return EXIT_REFUSED;
    if (result.data != NULL && cli->argument_count > 1)
        return cli_usage_error(cli, "a result belongs to one task: give one TOKEN");
    request.items = CLI_ARRAY(cli, cli->argument_count, Ackd__V1__AckItem *);
    for (size_t i = 0; i < cli->argument_count; i++) {
        fill_ack(cli, &items[i], cli->arguments[i], result);
        request.items[request.n_items++] = &items[i];
    }
    reply = BROKER_CALL(cli, "TaskService", "Ack", &request, ack_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    outcomes_begin(&outcomes, cli);
    for (size_t i = 0; i < reply->n_outcomes && i < request.n_items; i++)
        outcomes_add(&outcomes, items[i].lease_token, reply->outcomes[i]->error);
    return outcomes_end(&outcomes, "acked");
}

static Ackd__V1__NackReason reason_of(const struct cli *cli)
{
    if (cli_is(cli, "reason", "preempted"))
        return ACKD__V1__NACK_REASON__NACK_REASON_PREEMPTED;
    if (cli_is(cli, "reason", "released"))
        return ACKD__V1__NACK_REASON__NACK_REASON_RELEASED;
    return ACKD__V1__NACK_REASON__NACK_REASON_FAILED;
}

static void fill_nack(const struct cli *cli, Ackd__V1__NackItem *item, const char *token,
                      struct slice checkpoint)
{
    ackd__v1__nack_item__init(item);
    item->lease_token = (char *)token;
    item->reason = reason_of(cli);
    item->permanent = cli_flag(cli, "permanent");
    item->unstarted = cli_flag(cli, "unstarted");
    if (cli_given(cli, "error"))
        item->error = (char *)cli_text(cli, "error");
    if (cli_given(cli, "delay")) {
        item->has_delay_ms_case = ACKD__V1__NACK_ITEM__HAS_DELAY_MS_DELAY_MS;
        item->delay_ms = cli_number(cli, "delay");
    }
    if (checkpoint.data != NULL) {
        item->has_checkpoint_case = ACKD__V1__NACK_ITEM__HAS_CHECKPOINT_CHECKPOINT;
        item->checkpoint.data = (uint8_t *)checkpoint.data;
        item->checkpoint.len = checkpoint.size;
    }
}

static enum exit_code run_nack(struct cli *cli)
{
    Ackd__V1__NackRequest request = ACKD__V1__NACK_REQUEST__INIT;
    Ackd__V1__NackItem *items = CLI_ARRAY(cli, cli->argument_count, Ackd__V1__NackItem);
    struct slice checkpoint = SLICE_EMPTY;
    Ackd__V1__NackResponse *reply;
    struct outcomes outcomes;
    enum exit_code code;

    if (cli_flag(cli, "permanent") && !cli_is(cli, "reason", "failed"))
        return cli_usage_error(cli, "--permanent goes with --reason failed only");
    if (cli_given(cli, "checkpoint-file") &&
        !file_read(cli, cli_text(cli, "checkpoint-file"), &checkpoint))
        return EXIT_REFUSED;
    request.items = CLI_ARRAY(cli, cli->argument_count, Ackd__V1__NackItem *);
    for (size_t i = 0; i < cli->argument_count; i++) {
        fill_nack(cli, &items[i], cli->arguments[i], checkpoint);
        request.items[request.n_items++] = &items[i];
    }
    reply = BROKER_CALL(cli, "TaskService", "Nack", &request, nack_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    outcomes_begin(&outcomes, cli);
    for (size_t i = 0; i < reply->n_outcomes && i < request.n_items; i++)
        outcomes_add(&outcomes, items[i].lease_token, reply->outcomes[i]->error);
    return outcomes_end(&outcomes, "given back");
}

const struct command command_renew = {
    .name = "renew",
    .summary = "keep leases longer",
    .arguments = tokens,
    .options = (const struct option_spec[]){{"lease", 0, OPTION_DURATION, "TIME", NULL,
                                             "from now (without it: the queue's)", 1000, 43200000},
                                            {NULL}},
    .run = run_renew,
};

const struct command command_ack = {
    .name = "ack",
    .summary = "close leased tasks as done",
    .description = "Repeating an ack with the same token succeeds.",
    .arguments = tokens,
    .options =
        (const struct option_spec[]){
            {"result", 0, OPTION_TEXT, "TEXT", NULL, "stored under the task's ID with the ack"},
            {"result-file", 0, OPTION_FILE, "FILE", NULL, "the same from a file; - is stdin"},
            {"committed", 0, OPTION_FLAG, NULL, NULL,
             "the result is stored elsewhere: the ack counts even if the lease is lost"},
            {NULL}},
    .run = run_ack,
};

const struct command command_nack = {
    .name = "nack",
    .summary = "give leased tasks back",
    .arguments = tokens,
    .options =
        (const struct option_spec[]){
            {"reason", 0, OPTION_CHOICE, "failed|preempted|released", "failed",
             "failed counts as a failure and backs off; the others are ready again at once"},
            {"error", 0, OPTION_TEXT, "TEXT", NULL, "what went wrong, for `ackctl dead list`"},
            {"delay", 0, OPTION_DURATION, "TIME", NULL, "instead of the queue's backoff", 0,
             31536000000},
            {"checkpoint-file", 0, OPTION_FILE, "FILE", NULL,
             "progress for the next delivery; - is stdin"},
            {"permanent", 0, OPTION_FLAG, NULL, NULL, "dead-letter the task now"},
            {"unstarted", 0, OPTION_FLAG, NULL, NULL,
             "work never began: the lease time counts as neither useful nor wasted"},
            {NULL}},
    .run = run_nack,
};
