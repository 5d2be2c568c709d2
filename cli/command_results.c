/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_results.c -- `ackctl results get|export`: what came with the acks.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ackd/v1/queue.pb-c.h"
#include "ackd/v1/result.pb-c.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/file.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/result_format.h"
#include "cli/units.h"

static enum exit_code write_result(struct cli *cli, const Ackd__V1__Result *result)
{
    struct output_file out;
    bool ok;

    if (!output_file_open(&out, cli, cli_text(cli, "out")))
        return EXIT_REFUSED;
    ok = fwrite(result->data.data, 1, result->data.len, out.stream) == result->data.len &&
         output_file_commit(&out);
    output_file_abort(&out);
    return ok ? EXIT_OK : EXIT_REFUSED;
}

static enum exit_code run_get(struct cli *cli)
{
    Ackd__V1__GetResultRequest request = ACKD__V1__GET_RESULT_REQUEST__INIT;
    Ackd__V1__GetResultResponse *reply;
    enum exit_code code;

    request.queue = (char *)cli_queue(cli);
    request.task_id = (char *)cli_argument(cli, 1);
    reply = BROKER_CALL(cli, "ResultService", "Get", &request, get_result_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    else if (reply->result != NULL)
        return write_result(cli, reply->result);
    return EXIT_OK;
}

struct export
{
    struct cli *cli;
    struct output_file out;
    struct result_format format;
    struct progress progress;
    struct arena arena; /* of one page */
    int64_t count;
    int64_t expected; /* 0: not known */
};

/* How many there may be, for the progress bar: tasks that are done. */
static int64_t expected_count(struct cli *cli)
{
    Ackd__V1__GetQueueRequest request = ACKD__V1__GET_QUEUE_REQUEST__INIT;
    ProtobufCMessage *message;
    struct error error;

    request.name = (char *)cli_queue(cli);
    if (cli_text(cli, "dataset") != NULL ||
        broker_try(cli, "QueueService", "Get", &request.base,
                   &ackd__v1__get_queue_response__descriptor, &cli->arena, 0, &message,
                   &error) != STATUS_OK)
        return 0;
    const Ackd__V1__Queue *queue = ((Ackd__V1__GetQueueResponse *)message)->queue;
    return queue == NULL || queue->counts == NULL ? 0 : queue->counts->done;
}

static bool write_page(struct export *self, const Ackd__V1__ListResultsResponse *page)
{
    for (size_t i = 0; i < page->n_results; i++)
        result_format_write(&self->format, page->results[i], self->out.stream);
    self->count += (int64_t)page->n_results;
    progress_update(&self->progress, self->count,
                    self->expected > 0 ? (double)self->count / (double)self->expected : -1);
    return !ferror(self->out.stream);
}

static enum exit_code write_pages(struct export *self)
{
    struct cli *cli = self->cli;
    Ackd__V1__ListResultsRequest request = ACKD__V1__LIST_RESULTS_REQUEST__INIT;
    Ackd__V1__ListResultsResponse *page;
    char token[1024] = "";
    enum exit_code code;

    request.queue = (char *)cli_queue(cli);
    request.page_size = 1000;
    request.page_token = token;
    if (cli_text(cli, "dataset") != NULL)
        request.dataset = (char *)cli_text(cli, "dataset");
    do {
        arena_reset(&self->arena);
        page = broker_call(cli, "ResultService", "List", &request.base,
                           &ackd__v1__list_results_response__descriptor, &self->arena, 0, &code);
        if (page == NULL)
            return code;
        if (!write_page(self, page)) {
            complain("the results can't be written: is the disk full?");
            return EXIT_REFUSED;
        }
        if (interrupt_came())
            return interrupt_exit_code();
        snprintf(token, sizeof token, "%s", page->next_page_token);
    } while (token[0] != '\0');
    return EXIT_OK;
}

static enum exit_code finish(struct export *self, enum exit_code code)
{
    struct text text;

    progress_step_aside(&self->progress);
    if (code == EXIT_OK && !output_file_commit(&self->out))
        code = EXIT_REFUSED;
    output_file_abort(&self->out);
    if (code != EXIT_OK)
        return code;
    cli_say(self->cli, "%s results", units_count(&text, self->count));
    if (self->format.not_as_wanted > 0)
        cli_say(self->cli, "%s of them are not %s and were written as base64",
                units_count(&text, self->format.not_as_wanted),
                cli_is(self->cli, "as", "json") ? "JSON" : "UTF-8 text");
    return EXIT_OK;
}

static enum exit_code run_export(struct cli *cli)
{
    struct export self = {.cli = cli};
    enum exit_code code;

    if (!output_file_open(&self.out, cli, cli_text(cli, "out")))
        return EXIT_REFUSED;
    interrupt_watch();
    arena_init(&self.arena, (size_t)256 << 20);
    result_format_init(&self.format, cli_text(cli, "format"), cli_text(cli, "as"));
    progress_begin(&self.progress, cli, cli_queue(cli), "results");
    if (self.out.path == NULL && isatty(STDOUT_FILENO))
        self.progress.is_quiet = true; /* the rows show how far it is */
    self.expected = expected_count(cli);
    result_format_begin(&self.format, self.out.stream);
    code = finish(&self, write_pages(&self));
    result_format_deinit(&self.format);
    arena_deinit(&self.arena);
    return code;
}

#define ARGUMENT_THE_QUEUE                                                                         \
    {                                                                                              \
        "QUEUE", ARGUMENT_ONE, ARGUMENT_QUEUE, "the queue's name"                                  \
    }
#define OPTION_OUT                                                                                 \
    {                                                                                              \
        "out", 0, OPTION_FILE, "FILE", NULL,                                                       \
            "write to FILE, which is there only once it is whole; without it: to stdout"           \
    }

const struct command command_results_get = {
    .name = "results get",
    .summary = "print one task's result as it is",
    .arguments =
        (const struct argument_spec[]){
            ARGUMENT_THE_QUEUE, {"TASK_ID", ARGUMENT_ONE, ARGUMENT_PLAIN, "the task's ID"}, {NULL}},
    .options = (const struct option_spec[]){OPTION_OUT, {NULL}},
    .run = run_get,
};

const struct command command_results_export = {
    .name = "results export",
    .summary = "write all results of a queue as JSONL or CSV",
    .description =
        "One row a result, by task ID: taskId, dataset, fence, storedAt and result. A result is "
        "written as text; with `--as json` as the JSON value that it is, with `--as base64` always "
        "as base64. One that does not fit is written as base64, in resultBase64.",
    .arguments = (const struct argument_spec[]){ARGUMENT_THE_QUEUE, {NULL}},
    .options =
        (const struct option_spec[]){
            {"dataset", 0, OPTION_TEXT, "NAME", NULL, "only this dataset's"},
            {"format", 'f', OPTION_CHOICE, "jsonl|csv", "jsonl", "how rows are written"},
            {"as", 0, OPTION_CHOICE, "text|json|base64", "text", "how a result is written"},
            OPTION_OUT,
            {NULL}},
    .examples =
        (const struct example[]){
            {"ackctl results export ocr --format csv --out results.csv", "all results as CSV"},
            {"ackctl results export ocr --as json | jq .result.text", "a field of each result"},
            {NULL, NULL}},
    .run = run_export,
};
