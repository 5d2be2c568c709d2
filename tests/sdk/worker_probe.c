/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_probe.c -- a worker that does what each task's payload tells it to, and says what it does.
 *
 *     worker-probe QUEUE [NAME=VALUE...]
 *
 * NAME is an option of the worker (name, concurrency, prefetch, batch, grace_ms, session_ms,
 * stop_when_empty, create_queue, max_run_ms, start_timeout_ms) or
 * sink=broker|file:DIR|postgres:CONNINFO|own:DIR, and policy=newest. With points=1, or with
 * hold=POINT gate=FILE, it tells where its tasks are, see points.h.
 *
 * Payloads, a word and perhaps a number:
 *   work MS     takes so long; the result is the task's ID
 *   echo MS     takes so long; the result is the payload, of which there may be more
 *   trace       tells the task's traceparent
 *   hold        goes on until told to stop, then saves a checkpoint and releases the task
 *   twice       hold at the first delivery, done at the second
 *   finish      goes on until told to stop, then is done after all
 *   step        the same, and tells progress all the while
 *   mark MS     tells progress once, after so long, and then as finish
 *   deaf        never stops
 *   fail        fails with a message that is not UTF-8
 *   large N     a result of N bytes
 *   zero        a result with a NUL byte in it
 *
 * Standard output, a line an event: begin ID DELIVERY [CHECKPOINT] | stop ID REASON | end ID |
 * batch N | at POINT ID MS | log LEVEL TEXT | stats NAME=VALUE... | run STATUS | drained 0 or 1
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ackd/ackd.h"
#include "points.h"

struct probe {
    struct ackd_worker_options options;
    bool has_points;
    const char *hold;
    const char *gate;
};

static const char *const stop_names[] = {"no", "drain", "cancelled", "done", "lost"};

static void sleep_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

/* Until told to stop. */
static void await_stop(struct ackd_task *task)
{
    while (ackd_task_should_stop(task) == ACKD_STOP_NO)
        sleep_ms(5);
    printf("stop %s %s\n", task->id, stop_names[ackd_task_should_stop(task)]);
}

static enum ackd_verdict obey(struct ackd_task *task, const char *word, long number)
{
    const char *traceparent = ackd_task_traceparent(task);

    if (strcmp(word, "hold") == 0 || (strcmp(word, "twice") == 0 && task->deliveries == 1)) {
        await_stop(task);
        (void)ackd_task_checkpoint(task, "half", 4, NULL);
        return ackd_task_release(task, 0);
    }
    if (strcmp(word, "trace") == 0)
        printf("trace %s\n", traceparent == NULL ? "none" : traceparent);
    if (strcmp(word, "fail") == 0)
        return ackd_task_fail(task, "caf\xe9 is closed");
    while (strcmp(word, "step") == 0 && ackd_task_should_stop(task) == ACKD_STOP_NO) {
        ackd_task_progress(task);
        sleep_ms(5);
    }
    if (strcmp(word, "mark") == 0) {
        sleep_ms(number);
        ackd_task_progress(task);
    }
    if (strcmp(word, "finish") == 0 || strcmp(word, "mark") == 0)
        await_stop(task);
    if (strcmp(word, "work") == 0 || strcmp(word, "echo") == 0)
        sleep_ms(number);
    while (strcmp(word, "deaf") == 0)
        sleep_ms(1000);
    if (strcmp(word, "large") == 0) {
        char *large = calloc(1, (size_t)number + 1);

        ackd_task_set_result(task, large, (size_t)number);
        free(large);
    } else if (strcmp(word, "zero") == 0) {
        ackd_task_set_result(task, "a\0b", 3);
    } else if (strcmp(word, "echo") == 0) {
        ackd_task_set_result(task, task->payload.data, task->payload.size);
    } else {
        ackd_task_set_result(task, task->id, strlen(task->id));
    }
    return ACKD_DONE;
}

static enum ackd_verdict handle(struct ackd_task *task, void *context)
{
    enum ackd_verdict verdict;
    char word[16] = "";
    long number = 0;

    (void)sscanf(task->payload.data, "%15s %ld", word, &number);
    printf("begin %s %d %s\n", task->id, task->deliveries,
           task->checkpoint.data == NULL ? "" : (const char *)task->checkpoint.data);
    points_pass("running", task->id);
    verdict = obey(task, word, number);
    printf("end %s\n", task->id);
    return verdict;
}

static void handle_batch(struct ackd_task **tasks, size_t count, void *context)
{
    printf("batch %zu\n", count);
    for (size_t i = 0; i < count; i++)
        (void)handle(tasks[i], context);
}

static void log_line(void *context, enum ackd_log_level level, const char *message)
{
    printf("log %d %s\n", (int)level, message);
}

/* A sink of the program's own: a line a result in a file, and no look-up. */
static enum ackd_status own_commit(struct ackd_sink *sink, const struct ackd_sink_result *results,
                                   size_t count, struct ackd_error *error)
{
    FILE *file = fopen(sink->context, "a");

    if (file == NULL)
        return ackd_error_set(error, ACKD_WRONG_STATE, "the own sink is broken");
    for (size_t i = 0; i < count; i++)
        fprintf(file, "%s\n", results[i].task_id);
    return fclose(file) == 0 ? ACKD_OK : ACKD_UNAVAILABLE;
}

static struct ackd_sink *make_sink(const char *text, enum ackd_sink_policy policy)
{
    static struct ackd_sink own = {.size = sizeof own, .name = "own", .commit = own_commit};
    struct ackd_sink_postgres_options options;

    if (strncmp(text, "file:", 5) == 0)
        return ackd_sink_file(text + 5);
    if (strncmp(text, "own:", 4) == 0) {
        own.context = (void *)(text + 4);
        return &own;
    }
    if (strncmp(text, "postgres:", 9) != 0)
        return ackd_sink_broker();
    ackd_sink_postgres_options_init(&options);
    options.policy = policy;
    return ackd_sink_postgres(text + 9, &options);
}

static void apply(struct probe *probe, const char *name, const char *value)
{
    struct ackd_worker_options *options = &probe->options;
    long number = strtol(value, NULL, 10);
    struct timespec now;

    if (strcmp(name, "concurrency") == 0)
        options->concurrency = (int)number;
    else if (strcmp(name, "prefetch") == 0)
        options->prefetch = (int)number;
    else if (strcmp(name, "grace_ms") == 0)
        options->grace_ms = number;
    else if (strcmp(name, "session_ms") == 0)
        options->session_ms = number;
    else if (strcmp(name, "start_timeout_ms") == 0)
        options->start_timeout_ms = number;
    else if (strcmp(name, "stop_when_empty") == 0)
        options->stop_when_empty = number != 0;
    else if (strcmp(name, "checkpoint_directory") == 0)
        options->checkpoint_directory = value;
    else if (strcmp(name, "create_queue") == 0)
        options->create_queue = number != 0;
    else if (strcmp(name, "sink") == 0)
        options->sink =
            make_sink(value, options->sink == NULL ? ACKD_SINK_FIRST : ACKD_SINK_NEWEST);
    else if (strcmp(name, "policy") == 0) /* before sink= */
        options->sink = ackd_sink_broker();
    else if (strcmp(name, "points") == 0)
        probe->has_points = number != 0;
    else if (strcmp(name, "hold") == 0)
        probe->hold = value;
    else if (strcmp(name, "gate") == 0)
        probe->gate = value;
    else if (strcmp(name, "name") == 0)
        options->name = value;
    else if (strcmp(name, "batch") == 0) {
        options->handler = NULL;
        options->batch_handler = handle_batch;
        options->batch_max = (int)number;
    } else if (strcmp(name, "max_run_ms") == 0) {
        clock_gettime(CLOCK_REALTIME, &now);
        options->max_run_until_unix_ms =
            (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + number;
    }
}

static void begin_points(struct probe *probe)
{
    struct ackd_worker_options *options = &probe->options;

    if (!probe->has_points && probe->hold == NULL)
        return;
    points_begin(probe->hold, probe->gate);
    options->sink = points_around(options->sink != NULL ? options->sink : ackd_sink_broker());
}

int main(int argc, char **argv)
{
    struct probe probe = {.hold = NULL};
    struct ackd_worker_stats stats = {.size = sizeof stats};
    struct ackd_worker *worker;
    struct ackd_error error;
    enum ackd_status status;

    setvbuf(stdout, NULL, _IOLBF, 0);
    ackd_worker_options_init(&probe.options);
    probe.options.queue = argv[1];
    probe.options.handler = handle;
    probe.options.handle_signals = true;
    probe.options.log = log_line;
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        *value = '\0';
        apply(&probe, argv[i], value + 1);
    }
    begin_points(&probe);
    status = ackd_worker_new(&probe.options, &worker, &error);
    points_pass("starting", "-");
    if (status == ACKD_OK) {
        status = ackd_worker_run(worker, &error);
        ackd_worker_stats(worker, &stats);
    }
#define STAT(name) printf(" " #name "=%lld", (long long)stats.name)
    printf("stats");
    STAT(leased), STAT(skipped), STAT(computed), STAT(failed), STAT(released), STAT(acked);
    STAT(salvaged), STAT(lost), STAT(unstarted), STAT(waiting), STAT(running), STAT(unconfirmed);
    printf("\nrun %s %s\n", ackd_status_name(status), error.message);
    if (worker != NULL)
        printf("drained %d\n", ackd_worker_drained(worker));
    fflush(stdout);
    ackd_worker_free(worker);
    if (stats.running > 0)
        _exit(status == ACKD_OK ? 0 : 1); /* a handler that never returns */
    return status == ACKD_OK ? 0 : 1;
}
