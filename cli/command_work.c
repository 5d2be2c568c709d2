/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_work.c -- `ackctl work QUEUE -- CMD ARGS`: any program as a worker.
 *
 * libackd's worker leases, keeps the leases and acks; its handler here runs the program once a
 * task. How the program ends is the verdict:
 *
 *   0                       done; stdout is the result
 *   75 (EX_TEMPFAIL)        released, with its checkpoint
 *   anything, once stopped  released, with its checkpoint (the machine goes away)
 *   anything else           failed, with the end of stderr as the error
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "ackd/worker.h"
#include "base/clock.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/units.h"
#include "cli/work/child.h"
#include "cli/work/environment.h"
#include "cli/work/scratch.h"

#define CHECKPOINT_EVERY_MS 2000

struct work {
    struct cli *cli;
    char directory[4096]; /* of scratch files */
    int64_t stop_ms;      /* from SIGTERM to SIGKILL, where the worker itself does not end */
    int64_t release_delay_ms;
    bool by_file;
};

/* One task with its program; owned by the handler's thread. */
struct run {
    struct work *work;
    struct ackd_task *task;
    struct scratch scratch;
    struct buffer checkpoint;
    int64_t looked_ms;  /* at the checkpoint file */
    int64_t stopped_ms; /* when the program was told to stop; 0: not yet */
};

static int64_t now_ms(void)
{
    struct clock clock = clock_real();

    return clock_now_ms(&clock);
}

/* What the program wrote since the last look is stored with the broker, so that it survives this
 * machine. */
static void save_checkpoint(struct run *self)
{
    struct ackd_error error;

    if (!scratch_read_checkpoint(&self->scratch, &self->checkpoint))
        return;
    if (ackd_task_checkpoint(self->task, self->checkpoint.data, self->checkpoint.size, &error) !=
            ACKD_OK &&
        error.status != ACKD_LEASE_LOST)
        complain("%s: the checkpoint is not stored: %s", self->task->id, error.message);
}

/* A lost lease is no reason to stop: if this program ends first, its result counts. */
static enum child_wish wish(void *context)
{
    struct run *self = context;
    enum ackd_stop stop = ackd_task_should_stop(self->task);
    int64_t now = now_ms();

    if (now - self->looked_ms >= CHECKPOINT_EVERY_MS) {
        self->looked_ms = now;
        save_checkpoint(self);
    }
    if (stop == ACKD_STOP_NO || stop == ACKD_STOP_LOST)
        return CHILD_MAY_RUN;
    if (self->stopped_ms == 0)
        self->stopped_ms = now;
    if (stop == ACKD_STOP_DRAIN ? ackd_task_time_left_ms(self->task) == 0
                                : now - self->stopped_ms > self->work->stop_ms)
        return CHILD_MUST_END;
    return CHILD_SHOULD_STOP;
}

/* stderr is bytes, an error is text. */
static void make_text(struct buffer *text)
{
    bool is_utf8 = utf8_is_valid(buffer_view(text));

    for (size_t i = 0; i < text->size; i++)
        if (text->data[i] == '\0' || (text->data[i] >= 0x80 && !is_utf8))
            text->data[i] = '?';
}

/* The end of stderr may begin in the middle of a character. */
static void drop_half_character(struct buffer *text)
{
    size_t count = 0;

    while (count < text->size && count < 4 && (text->data[count] & 0xC0) == 0x80)
        count++;
    buffer_consume(text, count);
}

/* How it ended comes first, so that the error's last line is the program's own. */
static enum ackd_verdict fail(struct ackd_task *task, struct child_outcome *outcome)
{
    drop_half_character(&outcome->errors);
    make_text(&outcome->errors);
    if (outcome->is_too_large)
        return ackd_task_fail(task, "stdout is larger than any result may be");
    if (WIFSIGNALED(outcome->status))
        return ackd_task_fail(task, "%s\nkilled by signal %d (%s)", buffer_string(&outcome->errors),
                              WTERMSIG(outcome->status), strsignal(WTERMSIG(outcome->status)));
    return ackd_task_fail(task, "exit code %d\n%s", WEXITSTATUS(outcome->status),
                          buffer_string(&outcome->errors));
}

static enum ackd_verdict judge(struct run *self, struct child_outcome *outcome)
{
    struct ackd_task *task = self->task;
    bool has_exited = WIFEXITED(outcome->status);

    if (outcome->failure != 0)
        return ackd_task_fail(task, "the program can't be run: %s", strerror(outcome->failure));
    if (has_exited && WEXITSTATUS(outcome->status) == 0 && !outcome->is_too_large) {
        if (ackd_task_set_result(task, outcome->output.data, outcome->output.size) == ACKD_OK)
            return ACKD_DONE;
        return ackd_task_fail(task, "no memory for the result");
    }
    if ((outcome->was_stopped && !outcome->is_too_large) ||
        (has_exited && WEXITSTATUS(outcome->status) == EX_TEMPFAIL)) {
        save_checkpoint(self);
        return ackd_task_release(task, self->work->release_delay_ms);
    }
    return fail(task, outcome);
}

static enum ackd_verdict run_program(struct run *self, struct arena *arena)
{
    struct ackd_task *task = self->task;
    struct work *work = self->work;
    struct slice payload = slice_of(task->payload.data, task->payload.size);
    struct child_options options = {.argv = work->cli->arguments + 1,
                                    .input = work->by_file ? SLICE_EMPTY : payload,
                                    .wish = wish,
                                    .context = self};
    struct child_outcome outcome;
    enum ackd_verdict verdict;

    options.environment = environment_make(arena, task, work->cli->url, self->scratch.checkpoint,
                                           work->by_file ? self->scratch.payload : NULL);
    if (options.environment == NULL)
        return ackd_task_release(task, work->release_delay_ms);
    child_run(&options, &outcome);
    verdict = judge(self, &outcome);
    child_outcome_deinit(&outcome);
    return verdict;
}

/* The worker's handler. */
static enum ackd_verdict handle(struct ackd_task *task, void *context)
{
    struct work *work = context;
    struct run self = {.work = work, .task = task, .looked_ms = now_ms()};
    struct slice payload = slice_of(task->payload.data, task->payload.size);
    enum ackd_verdict verdict;
    struct arena arena;

    if (!scratch_open(&self.scratch, work->directory,
                      slice_of(task->checkpoint.data, task->checkpoint.size)) ||
        (work->by_file && !scratch_write_payload(&self.scratch, payload))) {
        complain("%s can't be written: %s", work->directory, strerror(errno));
        scratch_close(&self.scratch);
        return ackd_task_release(task, work->release_delay_ms);
    }
    arena_init(&arena, (size_t)64 << 20);
    verdict = run_program(&self, &arena);
    arena_deinit(&arena);
    buffer_deinit(&self.checkpoint);
    scratch_close(&self.scratch);
    return verdict;
}

static void log_message(void *context, enum ackd_log_level level, const char *message)
{
    struct work *work = context;

    if (level >= ACKD_LOG_WARN)
        complain("%s", message);
    else if (level == ACKD_LOG_INFO && work->cli->is_verbose)
        cli_say(work->cli, "%s", message);
}

static void say_counts(const struct cli *cli, struct ackd_worker *worker)
{
    struct ackd_worker_stats stats = {.size = sizeof stats};
    struct text acked, failed, released;

    ackd_worker_stats(worker, &stats);
    cli_say(cli, "%s acked, %s failed, %s given back", units_count(&acked, stats.acked),
            units_count(&failed, stats.failed),
            units_count(&released, stats.released + stats.unstarted));
}

static enum exit_code report(const struct cli *cli, enum ackd_status status,
                             const struct ackd_error *error)
{
    switch (status) {
    case ACKD_OK:
        return EXIT_OK;
    case ACKD_QUEUE_NOT_FOUND:
        complain("%s\nMake it with `ackctl queue create %s`, or give --create.", error->message,
                 cli_queue(cli));
        return EXIT_REFUSED;
    case ACKD_UNAVAILABLE:
        if (strstr(error->message, "not reached") == NULL) { /* it says itself what to do */
            complain("%s", error->message);
            return EXIT_NOT_REACHED;
        }
        complain("broker not reached at %s: is ackd running? Start it with `ackd --data-dir DIR`, "
                 "or name another with --url or ACKD_URL",
                 cli->url);
        return EXIT_NOT_REACHED;
    case ACKD_TIMEOUT:
        complain("the grace ended before everything was settled: what is open goes back by itself "
                 "when the session expires");
        return EXIT_REFUSED;
    case ACKD_CANCELED:
        return EXIT_INTERRUPTED;
    default:
        complain("%s", error->message);
        return EXIT_REFUSED;
    }
}

static enum exit_code work(struct work *self)
{
    const struct cli *cli = self->cli;
    struct ackd_worker_options options;
    struct ackd_worker *worker;
    struct ackd_error error;
    enum ackd_status status;
    bool drained;

    ackd_worker_options_init(&options);
    options.url = cli->url;
    options.queue = cli_queue(cli);
    options.name = cli_text(cli, "name");
    options.handler = handle;
    options.context = self;
    options.concurrency = (int)cli_number(cli, "concurrency");
    options.grace_ms = cli_number(cli, "grace");
    options.session_ms = cli_number(cli, "session");
    options.start_timeout_ms = cli_number(cli, "start-timeout");
    options.stop_when_empty = cli_flag(cli, "until-empty");
    options.create_queue = cli_flag(cli, "create");
    options.handle_signals = true;
    options.log = log_message;
    status = ackd_worker_new(&options, &worker, &error);
    if (status != ACKD_OK)
        return report(cli, status, &error);
    status = ackd_worker_run(worker, &error);
    drained = ackd_worker_drained(worker);
    say_counts(cli, worker);
    ackd_worker_free(worker);
    return drained ? (enum exit_code)cli_number(cli, "drained-exit-code")
                   : report(cli, status, &error);
}

static enum exit_code run(struct cli *cli)
{
    struct work *self = cli_alloc(cli, sizeof *self);
    const char *program = cli_argument(cli, 1);
    enum exit_code code;
    int directory_fd;

    if (!child_program_exists(program))
        return cli_usage_error(cli, "there is no program \"%s\" that can be run", program);
    *self = (struct work){.cli = cli,
                          .stop_ms = cli_number(cli, "grace"),
                          .release_delay_ms = cli_number(cli, "release-delay"),
                          .by_file = cli_flag(cli, "payload-file")};
    directory_fd = scratch_directory_make(self->directory);
    if (directory_fd < 0) {
        complain("%s can't be made: %s", self->directory, strerror(errno));
        return EXIT_REFUSED;
    }
    signal(SIGCHLD, SIG_DFL); /* who started ackctl may have ignored it */
    code = work(self);
    scratch_directory_remove(self->directory, directory_fd);
    return code;
}

const struct command command_work = {
    .name = "work",
    .summary = "work off a queue with any program",
    .description =
        "Runs CMD once a task, with the payload on its stdin. Exit code 0 acks the task, and what "
        "it wrote to stdout is the result. Exit code 75 (EX_TEMPFAIL) gives the task back without "
        "counting a failure. Any other end counts as a failure, with the last 4 KiB of stderr as "
        "the error; the queue tries again after a backoff, --max-failures times in all.\n\n"
        "The program finds in its environment: `ACKD_TASK_ID`, `ACKD_QUEUE`, `ACKD_DATASET`, "
        "`ACKD_ATTEMPT` (1 at the first delivery), `ACKD_FAILURES`, `ACKD_FENCE`, `ACKD_PRIORITY`, "
        "`ACKD_URL`, `TRACEPARENT` of the task's trace if it has one, `ACKD_ATTR_NAME` for each "
        "attribute (its name in capitals, other characters "
        "as _), `ACKD_CHECKPOINT_FILE`, and with `--payload-file` `ACKD_PAYLOAD_FILE`.\n\n"
        "`ACKD_CHECKPOINT_FILE` is a path. If an earlier delivery saved progress, the file is "
        "there and holds it. What the program writes to it is saved within seconds and when it is "
        "stopped: write another file and rename it, so that it is never read half-written.\n\n"
        "On SIGTERM (an evicted pod) or Ctrl-C ackctl takes no more tasks, gives back those not "
        "begun, and passes SIGTERM on to the programs. One that ends with 0 within --grace is "
        "acked; the others' tasks go back with their checkpoint, without counting a failure.",
    .arguments =
        (const struct argument_spec[]){
            {"QUEUE", ARGUMENT_ONE, ARGUMENT_QUEUE, "the queue's name"},
            {"CMD", ARGUMENT_COMMAND, ARGUMENT_PLAIN, "the program and its arguments"},
            {NULL}},
    .options =
        (const struct option_spec[]){
            {"concurrency", 'j', OPTION_NUMBER, "N", "1", "so many tasks at a time", 1, 1000},
            {"payload-file", 0, OPTION_FLAG, NULL, NULL,
             "the payload is in the file $ACKD_PAYLOAD_FILE, and stdin is empty"},
            {"until-empty", 0, OPTION_FLAG, NULL, NULL, "end when all tasks are done or dead"},
            {"grace", 0, OPTION_DURATION, "TIME", "12s",
             "from SIGTERM until the programs are killed and the tasks given back", 1000, 43200000},
            {"session", 0, OPTION_DURATION, "TIME", "15s",
             "the broker takes this worker for dead after so long a silence", 1000, 3600000},
            {"start-timeout", 0, OPTION_DURATION, "TIME", "1m",
             "how long to wait at the start for a broker that is not there", 1, 86400000},
            {"drained-exit-code", 0, OPTION_NUMBER, "N", "0",
             "exit code after SIGTERM, Ctrl-C or a machine's end; a Kubernetes Job takes 0 for "
             "\"the work is done\"",
             0, 125},
            {"release-delay", 0, OPTION_DURATION, "TIME", "1s",
             "after exit code 75 the task is not served again before", 0, 31536000000},
            {"name", 0, OPTION_TEXT, "NAME", NULL,
             "who this is, in `ackctl sessions` (without it: host and process ID)"},
            {"create", 0, OPTION_FLAG, NULL, NULL, "make the queue if it is missing"},
            {NULL}},
    .examples =
        (const struct example[]){
            {"ackctl work pages -- tr a-z A-Z", "each payload in capitals is its result"},
            {"ackctl work ocr -j 4 --until-empty -- sh -c 'tesseract \"$(cat)\" -'",
             "four at a time, payloads are paths"},
            {NULL, NULL}},
    .run = run,
};
