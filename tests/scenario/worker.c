/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c -- the small scenario's inference job: `worker URL QUEUE NAME`. A task takes a moment,
 * and its result is its payload backwards. Prints a line of JSON for each, as the ocr example does.
 */
#include <ackd/ackd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORK_MS = 150, SESSION_MS = 2000 };

static enum ackd_verdict turn_round(struct ackd_task *task, void *context)
{
    poll(NULL, 0, WORK_MS);

    const char *payload = task->payload.data;
    const size_t size = task->payload.size;
    char *result = malloc(size + 1);
    if (!result)
        return ackd_task_fail(task, "out of memory");
    for (size_t i = 0; i < size; i++)
        result[i] = payload[size - 1 - i];
    const enum ackd_status status = ackd_task_set_result(task, result, size);
    free(result);
    if (status != ACKD_OK)
        return ackd_task_fail(task, "%s", ackd_status_text(status));

    printf("{\"task_id\": \"%s\", \"fence\": %lld}\n", task->id, (long long)task->fence);
    return ACKD_DONE;
}

static void log_line(void *context, enum ackd_log_level level, const char *message)
{
    fprintf(stderr, "%d %s\n", (int)level, message);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);

    struct ackd_worker_options options;
    ackd_worker_options_init(&options);
    options.url = argv[1];
    options.queue = argv[2];
    options.name = argv[3];
    options.handler = turn_round;
    options.session_ms = SESSION_MS;
    options.prefetch = 2;
    options.stop_when_empty = true;
    options.handle_signals = true;
    options.log = log_line;

    struct ackd_error error;
    struct ackd_worker *worker = NULL;
    enum ackd_status status = ackd_worker_new(&options, &worker, &error);
    if (status == ACKD_OK)
        status = ackd_worker_run(worker, &error);
    if (status != ACKD_OK)
        fprintf(stderr, "worker: %s\n", error.message);
    ackd_worker_free(worker);
    return status == ACKD_OK ? 0 : 1;
}
