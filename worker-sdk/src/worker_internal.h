/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_internal.h -- what a worker is made of, and who touches what.
 *
 *                 +---------------------------- settler --------------------------+
 *                 v (acks ride along when the leaser is about to call)            |
 *   broker --> leaser --> waiting --> handlers --> finished --> committer --> settling --> broker
 *                 |                  (running)        (only with a sink of its own)  ^
 *                 +--> done already: acked without computing ------------------------+
 *   keeper: heartbeats for every session; tells waiting and running tasks to stop
 *   run thread: starts all, watches for drain and its deadlines, ends all
 *
 * Invariants
 *   W1  A task is in one place at a time: a list below, or the hands of the thread that took it
 * from one. The four counts tell how many are where. W2  A result is committed to the sink before
 * its task is acked. W3  A lease that the broker may have given is settled, or its session is
 * closed: a session's heartbeats would keep a forgotten lease for ever. So a session whose books
 * may be wrong is retired: kept while it has tasks here, then closed. W4  No lock is held during a
 * call to the broker, the sink, a handler or `log`; the sink has a lock of its own that keeps its
 * functions apart.
 *
 * Threads: `lock` guards all that says so. Its condition variables each have one kind of waiter.
 * The worker lives until its last thread has gone (`references`), because a handler may outlive
 * the grace.
 */
#ifndef ACKD_SDK_WORKER_INTERNAL_H
#define ACKD_SDK_WORKER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ackd/client.h"
#include "ackd/sink.h"
#include "ackd/worker.h"
#include "backoff.h"
#include "base/list.h"
#include "file_store.h"

enum {
    PROGRESS_TOLD_MAX = 10000, /* tasks of a heartbeat, see progress_max */
    BATCH_ITEMS_MAX = 1000,    /* of one commit, and of one settling call */
    BATCH_BYTES_MAX = 8 << 20, /* of the same, at least one item */
    UNCONFIRMED_BASE = 64,     /* finished tasks kept before leasing stops, see window_open */
    CALL_TIMEOUT_MS = 10000,   /* of calls that settle tasks */
    KEEP_TIMEOUT_MS = 5000,    /* of heartbeats and checkpoints */
    POLL_WAIT_MS = 30000,      /* of a long poll */
    POLL_WAIT_EMPTY_MS = 1000, /* of one that looks whether all is done */
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
};

/* One session with the broker, and how many tasks here live by it. */
struct session {
    struct list link; /* worker->sessions */
    struct ackd_session *info;
    int tasks;            /* lock */
    bool retired;         /* lock; no new leases; closed when `tasks` is 0 */
    bool gone;            /* lock; the broker does not know it any more */
    int64_t beat_at_ms;   /* keeper only */
    struct backoff retry; /* keeper only; while the broker does not answer */
};

/* A lease reply that tasks point into; freed with the last of them. */
struct delivery {
    struct ackd_lease_reply *reply;
    int tasks; /* lock */
};

/* What is to be told to the broker of one lease. */
struct settlement {
    struct list link;  /* worker->settling, or a batch being sent */
    struct task *task; /* NULL: the handler still has the task, `token` is a copy */
    char *token;
    bool is_ack;
    bool committed;               /* ack: the sink has the result */
    enum ackd_nack_reason reason; /* nack: */
    bool unstarted;
    bool permanent;
    int64_t delay_ms; /* -1: not set */
    char *error;      /* owned; NULL: none */
    bool has_checkpoint;
    struct ackd_bytes data; /* ack: the task's result; nack: the checkpoint, owned */
};

struct task {
    struct ackd_task face; /* what the handler sees; first, see task_of */
    struct list link;      /* waiting, running or finished */
    struct ackd_worker *worker;
    struct session *session;
    struct delivery *delivery;
    const char *lease_token;
    struct settlement settlement;

    /* The handler's, until it returns. */
    bool has_result;
    void *result; /* owned */
    size_t result_size;
    enum ackd_verdict verdict;
    bool permanent;
    char *error; /* owned */
    int64_t release_delay_ms;

    _Atomic int stop;          /* enum ackd_stop, but for ACKD_STOP_DRAIN */
    bool given_back;           /* lock; the grace's end came before the handler's */
    bool unsaved;              /* lock; `checkpoint` has not reached the broker */
    bool has_file;             /* a checkpoint lies in the worker's directory */
    _Atomic unsigned progress; /* times it came nearer to its end */
    unsigned telling;          /* lock; of these, how many the heartbeat under way tells */
    unsigned told;             /* lock; and how many the broker knows of */
    void *checkpoint;          /* lock; owned */
    size_t checkpoint_size;
};

static inline struct task *task_of(const struct ackd_task *face)
{
    return (struct task *)(uintptr_t)face;
}

enum leaser_state { LEASER_IDLE, LEASER_BUSY, LEASER_ENDED };

struct ackd_worker {
    struct ackd_worker_options options; /* texts owned; `sink` owned; never changes */
    atomic_int references;
    struct file_store *checkpoints; /* NULL: with the broker */
    int wake_fd; /* eventfd: wakes the run thread; a drain request is DRAIN_UNIT */

    struct ackd_client *leasing;  /* long polls; interrupted when draining begins */
    struct ackd_client *settling; /* acks and nacks; interrupted when leaving */
    struct ackd_client *keeping;  /* heartbeats, sessions, checkpoints; the same */

    struct preemption *preemption; /* NULL: the cloud is not asked */

    size_t progress_max; /* keeper only; tasks a heartbeat tells of: the rest waits for the next */

    atomic_int drain_requests;
    atomic_bool preempted; /* the cloud has told that the machine goes */
    atomic_bool has_run;
    atomic_bool draining;            /* set under lock */
    atomic_bool leaving;             /* set under lock: threads end as soon as they can */
    _Atomic int64_t hand_back_at_ms; /* monotonic; INT64_MAX while not draining */

    pthread_mutex_t sink_lock; /* taken without `lock` */
    pthread_mutex_t lock;
    pthread_cond_t work;   /* handlers: something waits, or draining */
    pthread_cond_t lease;  /* leaser: the window opened, or draining */
    pthread_cond_t commit; /* committer: something finished */
    pthread_cond_t settle; /* settler: something to settle */
    pthread_cond_t keep;   /* keeper: a session to close, or leaving */

    /* lock: */
    struct list waiting;
    struct list running; /* in no order, see worker_progress.c */
    struct list finished;
    struct list settling_list;
    struct list
        ended; /* acked tasks whose checkpoint files are to be removed; see settle_answered */
    struct list sessions;
    struct session *session; /* for new leases; NULL: to be opened */
    enum leaser_state leaser_state;
    int threads_alive;
    int64_t idle;        /* tasks that handler threads wait for, a batch each */
    int64_t open_count;  /* finished, committing, or being settled */
    size_t open_bytes;   /* their results */
    double tasks_per_ms; /* one handler thread's speed; 0: not known yet */
    int64_t task_ms;     /* what a handler call is expected to take, rather more than less */
    bool broker_away;    /* logged already */
    bool sink_away;      /* the same */
    bool queue_empty;    /* stop_when_empty: nothing is left to do */
    bool drained;        /* the drain began for another reason than that or a failure */
    struct ackd_worker_stats stats;
    enum ackd_status failure; /* why draining began by itself; ACKD_OK: not for a failure */
    struct ackd_error failure_error;
};

/* worker.c */
int64_t worker_now_ms(void);
void worker_unref(struct ackd_worker *self);
/* Wakes the run thread to look around; any thread, async-signal-safe. */
void worker_wake(struct ackd_worker *self);
void worker_log(struct ackd_worker *self, enum ackd_log_level level, const char *format, ...)
    ACKD_PRINTF(3, 4);
/* Something broke for good: the worker drains and run returns the error. Takes `lock`. */
void worker_fail(struct ackd_worker *self, const struct ackd_error *error);
/* Whether what the broker refuses now it may do later: it is busy, or this worker's token is to be
 * replaced. Finished work is kept until then. */
bool worker_may_pass(enum ackd_status status);
/* Notes, and logs at a change, whether broker or sink answer. Takes `lock`. */
void worker_note_broker(struct ackd_worker *self, const struct ackd_error *error_or_null);
void worker_note_sink(struct ackd_worker *self, const struct ackd_error *error_or_null);
/* Waits on `condition` until signalled or `deadline_ms` (monotonic; INT64_MAX: none). */
void worker_wait(struct ackd_worker *self, pthread_cond_t *condition, int64_t deadline_ms);
/* Waits `delay_ms`, less if draining (or leaving, for those that work on while draining) begins.
 * Takes `lock`. */
void worker_pause(struct ackd_worker *self, pthread_cond_t *condition, int64_t delay_ms,
                  const atomic_bool *until);

/* worker_lease.c */
void *worker_lease_thread(void *context);
/* Whether the leaser, being idle, will call now and take along what is to be settled. `lock`. */
bool worker_leaser_will_call(const struct ackd_worker *self);

/* worker_handle.c */
void *worker_handle_thread(void *context);
/* How many tasks to hold unbegun. `lock`. */
int64_t worker_prefetch(const struct ackd_worker *self);

/* worker_commit.c */
void *worker_commit_thread(void *context);

/* worker_settle.c */
void *worker_settle_thread(void *context);
/* Put something into the settling list; `lock` is held, the task is in no list. */
void settle_ack(struct ackd_worker *self, struct task *task, bool committed);
void settle_nack(struct ackd_worker *self, struct task *task, enum ackd_nack_reason reason,
                 bool unstarted);
/* The task's result will never be taken: it fails with the reason. */
void settle_refused(struct ackd_worker *self, struct task *task, const char *message);
/* Gives a running task back while its handler goes on. `lock`. */
void settle_give_back(struct ackd_worker *self, struct task *task);
/* Moves at most a batch to `batch` and says how many; `lock`. */
size_t settle_take(struct ackd_worker *self, struct list *batch);
/* Puts a batch back in front; `lock`. */
void settle_put_back(struct ackd_worker *self, struct list *batch);
/* Fills a request with the batch's acks and nacks; false: no memory. The request's arrays are the
 * caller's to free, by settle_request_deinit. */
bool settle_request(struct list *batch, size_t count, struct ackd_lease_request *request);
void settle_request_deinit(struct ackd_lease_request *request);
/* Acts on the broker's answer to the batch and empties it. Takes `lock`. */
void settle_answered(struct ackd_worker *self, struct list *batch,
                     const struct ackd_lease_reply *reply);
/* Forgets what was not settled; only when all threads have gone. */
void settle_drop_all(struct ackd_worker *self);

/* worker_machine.c */
/* Fills in what the options leave open and the environment says. Texts are the environment's. */
enum ackd_status machine_options(struct ackd_worker_options *options, struct ackd_error *error);
/* Makes what asks the cloud, if that is wanted. */
enum ackd_status machine_open(struct ackd_worker *self, struct ackd_error *error);
void *machine_watch_thread(void *context);
/* Until max_run_until wants the drain to begin; INT64_MAX: never, <= 0: it does. */
int64_t machine_drain_in_ms(const struct ackd_worker *self);
/* Until no task is leased or begun any more, as it could not be done before that drain; INT64_MAX:
 * never. `lock`. */
int64_t machine_lease_left_ms(const struct ackd_worker *self);
/* A handler call took so long. `lock`. */
void machine_learn(struct ackd_worker *self, int64_t spent_ms);

/* worker_progress.c */
/* The lease tokens, as copies, of running tasks of the session that came nearer to their end since
 * that was last told; NULL: none, or no memory. Takes `lock`. */
char **progress_take(struct ackd_worker *self, const struct session *session, size_t *ret_count);
/* The heartbeat with them was answered. `lock`. */
void progress_told(struct ackd_worker *self, const struct session *session);
void progress_free(char **tokens, size_t count);

/* worker_keep.c */
void *worker_keep_thread(void *context);
/* Opens a session for new leases if there is none. Blocks; not under `lock`. */
enum ackd_status worker_open_session(struct ackd_worker *self, struct ackd_client *client,
                                     struct ackd_error *error);
/* No new leases by this session; it is closed when its last task is settled. `lock`. */
void session_retire(struct ackd_worker *self, struct session *session);
/* The broker does not know it any more: its tasks are lost. `lock`. */
void session_gone(struct ackd_worker *self, struct session *session);
/* Closes all sessions at the broker within `timeout_ms`; only when the keeper has ended. */
void worker_close_sessions(struct ackd_worker *self, int64_t timeout_ms);
void worker_free_sessions(struct ackd_worker *self);

/* worker_task.c */
/* A task for `leased`, which is part of `delivery`; counts itself in both. NULL: no memory. `lock`.
 */
struct task *task_new(struct ackd_worker *self, const struct ackd_leased_task *leased,
                      struct session *session, struct delivery *delivery);
/* Frees it with what it holds of delivery and session. `lock`. */
void task_free(struct task *task);
void delivery_unref(struct delivery *delivery);
/* Before its handler begins: the checkpoint from the worker's directory, if it has one. */
void task_load_checkpoint(struct task *task);

#endif
