/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocr.c -- batch inference as a worker of ackd: reads page images with Tesseract's LSTM model.
 *
 *   ocr [options] QUEUE
 *
 * One image (PNG, JPEG, TIFF...) is the payload of one task. Its result is a JSON object:
 *
 *   {"text": "what the page says", "confidence": 0.95}
 *
 * The engines are loaded once, one a handler thread, and used for every page. All that concerns
 * Spot machines is libackd's: on SIGTERM the pages not begun go back, the one being read is
 * finished and committed (a page takes well under a second), then the process exits 0.
 *
 * On stdout a line of JSON for each page read, so that somebody can count the work done: with the
 * task ID, the fence of its lease and the milliseconds it took. What happens else goes to stderr.
 */
#include <ackd/ackd.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "reader.h"

/* As many engines as handler threads, so a thread that wants one finds one idle. */
struct engines {
    pthread_mutex_t mutex;
    struct reader *idle[OPTIONS_CONCURRENCY_MAX]; /* guarded by `mutex`, and so is their number */
    int64_t idle_count;
};

/*
 * Engines
 */

static bool engines_load(struct engines *self, int64_t count, const char *language)
{
    pthread_mutex_init(&self->mutex, NULL);
    for (self->idle_count = 0; self->idle_count < count; self->idle_count++) {
        self->idle[self->idle_count] = reader_new(language);
        if (!self->idle[self->idle_count])
            return false;
    }
    return true;
}

static void engines_free(struct engines *self)
{
    while (self->idle_count > 0)
        reader_free(self->idle[--self->idle_count]);
    pthread_mutex_destroy(&self->mutex);
}

static struct reader *engines_take(struct engines *self)
{
    pthread_mutex_lock(&self->mutex);
    struct reader *reader = self->idle[--self->idle_count];
    pthread_mutex_unlock(&self->mutex);
    return reader;
}

static void engines_give_back(struct engines *self, struct reader *reader)
{
    pthread_mutex_lock(&self->mutex);
    self->idle[self->idle_count++] = reader;
    pthread_mutex_unlock(&self->mutex);
}

/*
 * The handler
 */

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum ackd_verdict set_result(struct ackd_task *task, const struct reading *reading)
{
    json_t *result = json_pack("{s:s, s:f}", "text", reading->text, "confidence",
                               reading->confidence_percent / 100.0);
    char *json = json_dumps(result, JSON_COMPACT | JSON_REAL_PRECISION(4));
    json_decref(result);
    if (!json)
        return ackd_task_fail(task, "the text can't be written as JSON");

    const enum ackd_status status = ackd_task_set_result(task, json, strlen(json));
    free(json);
    return status == ACKD_OK ? ACKD_DONE : ackd_task_fail(task, "%s", ackd_status_text(status));
}

static void report(const struct ackd_task *task, int64_t ms)
{
    json_t *line = json_pack("{s:s, s:I, s:I}", "task_id", task->id, "fence",
                             (json_int_t)task->fence, "ms", (json_int_t)ms);
    char *json = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    if (json)
        puts(json);
    free(json);
}

static enum ackd_verdict read_page(struct ackd_task *task, void *context)
{
    struct engines *engines = context;
    const int64_t start_ms = monotonic_ms();
    struct reading reading;

    struct reader *reader = engines_take(engines);
    const char *trouble = reader_read(reader, task->payload.data, task->payload.size, &reading);
    engines_give_back(engines, reader);
    if (trouble)
        return ackd_task_fail_for_good(task, "%s", trouble); /* no other try would read it */

    const enum ackd_verdict verdict = set_result(task, &reading);
    reading_deinit(&reading);
    if (verdict == ACKD_DONE)
        report(task, monotonic_ms() - start_ms);
    return verdict;
}

/*
 * The program
 */

static void log_line(void *context, enum ackd_log_level level, const char *message)
{
    static const char *const NAMES[] = {"debug", "info", "warning", "error"};
    if (level >= ACKD_LOG_INFO)
        fprintf(stderr, "ocr[%d]: %s: %s\n", (int)getpid(), NAMES[level], message);
}

static struct ackd_sink *sink_named(const char *name)
{
    if (strcmp(name, "broker") == 0)
        return ackd_sink_broker();
    if (strncmp(name, "file:", 5) == 0)
        return ackd_sink_file(name + 5);
    if (strncmp(name, "postgres:", 9) == 0)
        return ackd_sink_postgres(name + 9, NULL);
    fprintf(stderr,
            "ocr: there is no sink '%s'; it is broker, file:DIRECTORY or "
            "postgres:CONNINFO\n",
            name);
    exit(EXIT_USAGE);
}

static int work(const struct options *options, struct engines *engines)
{
    struct ackd_worker_options settings;
    ackd_worker_options_init(&settings);
    settings.url = options->url;
    settings.queue = options->queue;
    settings.name = options->name;
    settings.handler = read_page;
    settings.context = engines;
    settings.concurrency = (int)options->concurrency;
    settings.sink = sink_named(options->sink);
    settings.grace_ms = options->grace_ms;
    settings.session_ms = options->session_ms;
    settings.stop_when_empty = options->until_empty != 0;
    settings.handle_signals = true;
    settings.log = log_line;

    struct ackd_worker *worker;
    struct ackd_error error;
    if (ackd_worker_new(&settings, &worker, &error) != ACKD_OK) {
        fprintf(stderr, "ocr: %s\n", error.message);
        return EXIT_USAGE;
    }
    const enum ackd_status status = ackd_worker_run(worker, &error);
    if (status == ACKD_OK) {
        const bool drained = ackd_worker_drained(worker);
        ackd_worker_free(worker);
        return drained ? (int)options->drained_exit_code : EXIT_SUCCESS;
    }
    fprintf(stderr, "ocr: %s\n", error.message);
    fflush(stdout);
    _exit(EXIT_FAILURE); /* a thread may still be reading: its engine must not be freed under it */
}

/*
 * Tesseract spreads each page over all cores by OpenMP, which for pages of this size costs ten
 * times what it gains. The limit must be in the environment before libgomp is loaded, which is
 * before main; so a program started without it starts itself again with it.
 */
static void limit_openmp(char **argv)
{
    if (getenv("OMP_THREAD_LIMIT"))
        return;
    setenv("OMP_THREAD_LIMIT", "1", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    limit_openmp(argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct options options;
    options_parse(&options, argc, argv);

    static struct engines engines;
    int exit_code = EXIT_FAILURE;
    if (engines_load(&engines, options.concurrency, options.language))
        exit_code = work(&options, &engines);
    else
        fprintf(stderr,
                "ocr: Tesseract's model '%s' can't be loaded; on Debian and Ubuntu it comes with "
                "the package tesseract-ocr-%s\n",
                options.language, options.language);
    engines_free(&engines);
    return exit_code;
}
