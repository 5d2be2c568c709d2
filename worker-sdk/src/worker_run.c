/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_run.c -- ackd_worker_run: starts the threads, watches over them, ends them.
 *
 *   starting --reached--> running --drain--> draining --all settled--------> leaving (ACKD_OK)
 *      |                     ^ signal, ackd_worker_drain, empty, failure,      ^
 *      |                     | max_run_until, preemption                       |
 *      +--- drain: OK; not reached in time ---------> (nothing started)        |
 *                                    grace over (TIMEOUT), asked again (CANCELED)
 *
 * Draining, by the clock from its begin:
 *   0              the long poll is cut, everything unstarted is given back; handlers see it
 *   hand_back_at   what handlers have not finished is given back with its checkpoint
 *   grace_ms       leave, whatever is open
 *
 * Leaving closes the sessions, so that what is open goes back at once and not when they expire.
 *
 * The run thread sleeps in poll on an eventfd that the others write to when something may have
 * changed its mind.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backoff.h"
#include "preemption.h"
#include "worker_internal.h"
#include "worker_signals.h"

enum {
    RESERVE_SHARE = 6,        /* of the grace, kept for committing, giving back and leaving ... */
    RESERVE_MS_MAX = 2000,    /* ... at most */
    THREADS_END_MS = 250,     /* what threads get to end in, when left at once */
    THREADS_END_OK_MS = 5000, /* the same when all is settled: they have nothing to do */
    CLOSE_TIMEOUT_MS = 500,   /* of closing the sessions at the end */
    CLOCK_LOOK_MS = 60000,    /* the wall clock may be set: look again after this time */
    ONE_SIGNAL_MS = 500       /* signals so close together are one, see drain_requests */
};

struct run {
    struct ackd_worker *worker;
    int signal_fd;                 /* -1: signals are not ours */
    int64_t signals_heard_from_ms; /* earlier ones belong to the last */
    int64_t leave_at_ms;           /* draining: so that run returns within the grace */
    bool handed_back;
    pthread_t *threads;
    int thread_count;
};

static enum ackd_status run_start(struct run *run, struct ackd_error *error);
static enum ackd_status start_threads(struct run *run, struct ackd_error *error);
static bool run_watch(struct run *run, struct ackd_error *error);
static void run_leave(struct run *run, bool settled);
static void run_sleep(struct run *run, int64_t until_ms);
static int drain_requests(struct run *run);

enum ackd_status ackd_worker_run(struct ackd_worker *self, struct ackd_error *error)
{
    struct run run = {.worker = self, .signal_fd = -1};
    struct ackd_error own;
    enum ackd_status status;
    bool settled = true;

    if (error == NULL)
        error = &own;
    ackd_error_set(error, ACKD_OK, "%s", "");
    if (atomic_exchange(&self->has_run, true))
        return ackd_error_set(error, ACKD_WRONG_STATE, "a worker runs only once");
    if (self->options.handle_signals && !signals_begin(&run.signal_fd))
        return ackd_error_set(error, ACKD_WRONG_STATE,
                              "another worker of this process handles the signals");

    status = run_start(&run, error);
    self->drained = status == ACKD_OK && drain_requests(&run) > 0;
    if (status == ACKD_OK && !self->drained)
        status = start_threads(&run, error);
    if (status == ACKD_OK && run.thread_count > 0)
        settled = run_watch(&run, error);
    run_leave(&run, settled);
    if (run.signal_fd >= 0)
        signals_end();
    free(run.threads);
    return error->status;
}

/*
 * How often anybody has asked for a drain. One wish often arrives as two signals: a terminal's
 * Ctrl-C goes to the whole process group, and a parent passes its own on as well.
 */
static int drain_requests(struct run *run)
{
    int64_t now_ms = worker_now_ms();

    if (run->signal_fd >= 0 && signals_take() > 0 && now_ms >= run->signals_heard_from_ms) {
        run->signals_heard_from_ms = now_ms + ONE_SIGNAL_MS;
        atomic_fetch_add(&run->worker->drain_requests, 1);
    }
    return atomic_load(&run->worker->drain_requests);
}

static enum ackd_status open_sink(struct ackd_worker *self, struct ackd_error *error)
{
    struct ackd_sink *sink = self->options.sink;

    error->status = ACKD_OK;
    if (self->checkpoints != NULL)
        error->status = file_store_open(self->checkpoints, error);
    if (error->status == ACKD_OK && sink->open != NULL)
        error->status = sink->open(sink, error);
    return error->status;
}

static enum ackd_status open_queue(struct ackd_worker *self, struct ackd_error *error)
{
    enum ackd_status status = ACKD_OK;

    if (self->options.create_queue)
        status =
            ackd_client_create_queue(self->keeping, self->options.queue, NULL, NULL, NULL, error);
    if (status == ACKD_QUEUE_EXISTS) /* with a config of its own: as good */
        status = ACKD_OK;
    return status == ACKD_OK ? worker_open_session(self, self->keeping, error) : status;
}

/* Reaches the sink and the broker, trying for start_timeout_ms. */
static enum ackd_status run_start(struct run *run, struct ackd_error *error)
{
    struct ackd_worker *self = run->worker;
    struct backoff backoff = {0};
    int64_t end_ms = self->options.start_timeout_ms < 0
                         ? INT64_MAX
                         : worker_now_ms() + self->options.start_timeout_ms;
    bool sink_open = false;

    while (drain_requests(run) == 0) {
        int64_t again_ms =
            worker_now_ms() + backoff_next_ms(&backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
        enum ackd_status status = ACKD_OK;

        if (!sink_open) {
            status = open_sink(self, error);
            sink_open = status == ACKD_OK;
            if (ackd_status_is_retryable(status))
                worker_note_sink(self, error);
        }
        if (status == ACKD_OK) {
            status = open_queue(self, error);
            if (status == ACKD_OK)
                return ackd_error_set(error, ACKD_OK, "%s", "");
            if (ackd_status_is_retryable(status))
                worker_note_broker(self, error);
        }
        if (!ackd_status_is_retryable(status) || worker_now_ms() >= end_ms)
            return status;
        again_ms += error->retry_after_ms;
        again_ms = again_ms < end_ms ? again_ms : end_ms;
        while (worker_now_ms() < again_ms && drain_requests(run) == 0)
            run_sleep(run, again_ms);
    }
    return ackd_error_set(error, ACKD_OK, "%s", "");
}

struct thread_start {
    struct ackd_worker *worker;
    void *(*body)(void *context);
};

static void *thread_main(void *context)
{
    struct thread_start start = *(struct thread_start *)context;
    struct ackd_worker *self = start.worker;

    free(context);
    start.body(self);
    pthread_mutex_lock(&self->lock);
    self->threads_alive--;
    pthread_mutex_unlock(&self->lock);
    worker_wake(self);
    worker_unref(self);
    return NULL;
}

static bool start_thread(struct run *run, void *(*body)(void *context))
{
    struct ackd_worker *self = run->worker;
    struct thread_start *start = malloc(sizeof *start);

    if (start == NULL)
        return false;
    *start = (struct thread_start){self, body};
    atomic_fetch_add(&self->references, 1);
    pthread_mutex_lock(&self->lock);
    self->threads_alive++;
    pthread_mutex_unlock(&self->lock);
    if (pthread_create(&run->threads[run->thread_count], NULL, thread_main, start) == 0) {
        run->thread_count++;
        return true;
    }
    pthread_mutex_lock(&self->lock);
    self->threads_alive--;
    pthread_mutex_unlock(&self->lock);
    worker_unref(self);
    free(start);
    return false;
}

/* All threads, with every signal blocked, so that signals go where the program wants them. */
static enum ackd_status start_threads(struct run *run, struct ackd_error *error)
{
    struct ackd_worker *self = run->worker;
    sigset_t all;
    sigset_t before;
    bool ok;

    run->threads = calloc((size_t)self->options.concurrency + 5, sizeof(pthread_t));
    if (run->threads == NULL)
        return ackd_error_set(error, ACKD_INTERNAL, "no memory for the worker's threads");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ok = start_thread(run, worker_keep_thread) && start_thread(run, worker_settle_thread);
    if (ok && self->options.sink->commit != NULL)
        ok = start_thread(run, worker_commit_thread);
    for (int i = 0; ok && i < self->options.concurrency; i++)
        ok = start_thread(run, worker_handle_thread);
    ok = ok && start_thread(run, worker_lease_thread);
    if (ok && self->preemption != NULL)
        ok = start_thread(run, machine_watch_thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!ok)
        return ackd_error_set(error, ACKD_INTERNAL, "no more threads for the worker");
    return ACKD_OK;
}

/* `lock`. Gives back what no handler has begun. */
static void give_back_waiting(struct ackd_worker *self)
{
    struct list *link;

    while ((link = list_take_first(&self->waiting)) != NULL) {
        self->stats.waiting--;
        settle_nack(self, CONTAINER_OF(link, struct task, link), ACKD_NACK_PREEMPTED, true);
    }
    pthread_cond_signal(&self->settle);
}

/* `lock`. Whether the machine's end is so near that nothing more is to be done before it. */
static bool machine_has_ended(const struct ackd_worker *self)
{
    return machine_lease_left_ms(self) <= 0 &&
           (self->stats.running == 0 || machine_drain_in_ms(self) <= 0);
}

/* Whether there is a reason to drain by now. */
static bool drain_wanted(struct run *run)
{
    struct ackd_worker *self = run->worker;
    bool asked = drain_requests(run) > 0 || atomic_load(&self->preempted);
    bool wanted;

    pthread_mutex_lock(&self->lock);
    wanted = self->queue_empty || self->failure != ACKD_OK;
    if (!wanted && !asked && machine_lease_left_ms(self) <= 0 && !list_is_empty(&self->waiting))
        give_back_waiting(self); /* none of them would be done before the machine's end */
    self->drained = !wanted && (asked || machine_has_ended(self));
    wanted = wanted || self->drained;
    pthread_mutex_unlock(&self->lock);
    return wanted;
}

/* Sleeps until a reason to drain may have come up. */
static void sleep_until_drain(struct run *run)
{
    struct ackd_worker *self = run->worker;
    int64_t left_ms;

    pthread_mutex_lock(&self->lock);
    left_ms = machine_lease_left_ms(self);
    pthread_mutex_unlock(&self->lock);
    if (left_ms <= 0)
        left_ms = machine_drain_in_ms(self);
    run_sleep(run, worker_now_ms() + (left_ms < CLOCK_LOOK_MS ? left_ms : CLOCK_LOOK_MS));
}

static void drain_begin(struct run *run)
{
    struct ackd_worker *self = run->worker;
    int64_t grace_ms = self->options.grace_ms;
    int64_t reserve_ms =
        grace_ms / RESERVE_SHARE < RESERVE_MS_MAX ? grace_ms / RESERVE_SHARE : RESERVE_MS_MAX;
    int64_t end_ms = worker_now_ms() + grace_ms;
    bool empty;

    run->leave_at_ms = end_ms - reserve_ms / 2;
    pthread_mutex_lock(&self->lock);
    empty = self->queue_empty;
    atomic_store(&self->hand_back_at_ms, end_ms - reserve_ms);
    atomic_store(&self->draining, true);
    give_back_waiting(self);
    pthread_cond_broadcast(&self->work);
    pthread_cond_signal(&self->lease);
    pthread_mutex_unlock(&self->lock);
    ackd_client_interrupt(self->leasing);
    worker_log(self, ACKD_LOG_INFO, empty ? "the queue is done" : "draining, at most %lld ms",
               (long long)grace_ms);
}

/* The handlers' time is over: their tasks go back, with what they have saved. */
static void hand_back(struct run *run)
{
    struct ackd_worker *self = run->worker;

    run->handed_back = true;
    pthread_mutex_lock(&self->lock);
    LIST_EACH (link, &self->running) {
        struct task *task = CONTAINER_OF(link, struct task, link);

        if (task->stop == ACKD_STOP_NO)
            settle_give_back(self, task);
    }
    pthread_mutex_unlock(&self->lock);
}

static bool is_settled(struct ackd_worker *self)
{
    bool settled;

    pthread_mutex_lock(&self->lock);
    settled = self->stats.waiting + self->stats.running + self->open_count == 0 &&
              self->leaser_state == LEASER_ENDED;
    pthread_mutex_unlock(&self->lock);
    return settled;
}

/* Until the worker may leave, with what run returns in *error. False: not all is settled. */
static bool run_watch(struct run *run, struct ackd_error *error)
{
    struct ackd_worker *self = run->worker;
    bool settled;

    while (!drain_wanted(run))
        sleep_until_drain(run);
    drain_begin(run);
    while (!(settled = is_settled(self))) {
        int64_t now_ms = worker_now_ms();
        int64_t hand_back_ms = atomic_load(&self->hand_back_at_ms);

        if (drain_requests(run) > 1) {
            ackd_error_set(error, ACKD_CANCELED, "drain was asked for again: left at once");
            break;
        }
        if (now_ms >= run->leave_at_ms) {
            ackd_error_set(error, ACKD_TIMEOUT,
                           "the grace of %lld ms ended before all tasks were settled",
                           (long long)self->options.grace_ms);
            break;
        }
        if (now_ms >= hand_back_ms && !run->handed_back)
            hand_back(run);
        run_sleep(run, run->handed_back ? run->leave_at_ms : hand_back_ms);
    }
    pthread_mutex_lock(&self->lock);
    if (self->failure != ACKD_OK)
        *error = self->failure_error;
    pthread_mutex_unlock(&self->lock);
    return settled;
}

/* Waits for the threads to end; false: some have not by `until_ms`. */
static bool await_threads(struct run *run, int64_t until_ms)
{
    struct ackd_worker *self = run->worker;
    bool ended = false;

    while (!ended) {
        pthread_mutex_lock(&self->lock);
        ended = self->threads_alive == 0;
        pthread_mutex_unlock(&self->lock);
        if (ended || worker_now_ms() >= until_ms)
            break;
        run_sleep(run, until_ms);
    }
    return ended;
}

static void run_leave(struct run *run, bool settled)
{
    struct ackd_worker *self = run->worker;
    bool ended;

    pthread_mutex_lock(&self->lock);
    atomic_store(&self->draining, true);
    atomic_store(&self->leaving, true);
    pthread_cond_broadcast(&self->work);
    pthread_cond_signal(&self->lease);
    pthread_cond_signal(&self->commit);
    pthread_cond_signal(&self->settle);
    pthread_cond_signal(&self->keep);
    pthread_mutex_unlock(&self->lock);
    ackd_client_interrupt(self->leasing);
    ackd_client_interrupt(self->settling);
    ackd_client_interrupt(self->keeping);
    if (self->preemption != NULL)
        preemption_wake(self->preemption);

    ended = await_threads(run, worker_now_ms() + (settled ? THREADS_END_OK_MS : THREADS_END_MS));
    for (int i = 0; i < run->thread_count; i++) {
        if (ended)
            pthread_join(run->threads[i], NULL);
        else
            pthread_detach(run->threads[i]);
    }
    worker_close_sessions(self, CLOSE_TIMEOUT_MS);
}

/* Until something may have changed, or `until_ms`. */
static void run_sleep(struct run *run, int64_t until_ms)
{
    struct pollfd fds[] = {{.fd = run->worker->wake_fd, .events = POLLIN},
                           {.fd = run->signal_fd, .events = POLLIN}}; /* -1 is left out */
    int64_t left_ms = until_ms - worker_now_ms();
    uint64_t ignored;

    if (left_ms <= 0)
        return;
    (void)poll(fds, 2, left_ms > CLOCK_LOOK_MS ? CLOCK_LOOK_MS : (int)left_ms);
    if (read(run->worker->wake_fd, &ignored, sizeof ignored) < 0)
        return; /* the other one, or the time */
}
