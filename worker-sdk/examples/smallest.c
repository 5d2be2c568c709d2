/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smallest.c -- a whole worker: counts the words of each task's payload. Ctrl-C drains.
 *     cc smallest.c $(pkg-config --cflags --libs ackd) -o smallest && ./smallest words
 */
#include <ackd/ackd.h>
#include <ctype.h>
#include <stdio.h>

static enum ackd_verdict count_words(struct ackd_task *task, void *context)
{
    const char *text = task->payload.data; /* a NUL byte follows it */
    char result[32];
    int words = 0;

    for (size_t i = 0; i < task->payload.size; i++)
        words +=
            !isspace((unsigned char)text[i]) && (i == 0 || isspace((unsigned char)text[i - 1]));
    ackd_task_set_result(task, result, (size_t)snprintf(result, sizeof result, "%d", words));
    return ACKD_DONE;
}

int main(int argc, char **argv)
{
    struct ackd_worker_options options = {.size = sizeof options, .handle_signals = true};
    struct ackd_worker *worker;
    struct ackd_error error;

    options.queue = argc > 1 ? argv[1] : "words";
    options.handler = count_words;
    if (ackd_worker_new(&options, &worker, &error) == ACKD_OK)
        ackd_worker_run(worker, &error);
    if (error.status != ACKD_OK)
        fprintf(stderr, "smallest: %s\n", error.message);
    ackd_worker_free(worker);
    return error.status == ACKD_OK ? 0 : 1;
}
