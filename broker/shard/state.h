/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.h -- what a shard has in memory, and the seams between its files. Private to the layer.
 *
 *   load.c     reads the store at start
 *   shard.c    inbox, clock, timers
 *   thread.c gather.c          when batches run
 *   batch.c    one batch: begin, run, commit, roll back or apply, post; batch_store.c: its
 *              reads and writes
 *   held.c     one task in hand: load it, take it through the rules; held_store.c: its rows
 *   attempt.c  what becomes of its deliveries, for people
 *   progress.c when each lease last came nearer to its end
 *   tally.c    counters
 *   blob.c     bytes that may need chunks
 *   index.c    leases, sessions, tombstones: what a commit changes in memory
 *   page.c     rows of a queue, a page at a time
 *   publish.c lease.c wait.c settle.c cancel.c queue.c purge.c session.c dead.c result.c list.c
 *   dataset.c stats.c figures.c   the verbs
 *   expire.c sweep.c           what happens by itself: deadlines, delays, retention, deletion
 *   inspect.c check.c check_row.c   backup and check, on a thread of their own
 *
 * Three kinds of state
 *   durable    in the store, changed by the batch's transaction alone
 *   working    queue and dataset records as this batch leaves them (`now`), with the last commit's
 *              copy (`kept`) to go back to
 *   indexes    leases, sessions, waiters, timers: changed by effects, after the commit
 *
 * Invariants
 *   M1  After a commit, `kept` equals the record in the store; outside a batch `now` == `kept`.
 *   M2  A task has an index entry in `leases` exactly if its active record says LEASED.
 *   M3  READY is: an entry in `returned`, or a row in `task` without one in `active`, at or behind
 *       the cursor. `returned[p]` and `fresh[p]` count them.
 *   M4  Memory grows with what is in flight (leases, sessions, waiters), not with the backlog.
 *
 * Threads: all of it belongs to the shard's thread, but the inbox (guarded by its mutex).
 */
#ifndef ACKD_SHARD_STATE_H
#define ACKD_SHARD_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/errand.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "core/history.h"
#include "core/record.h"
#include "core/task.h"
#include "shard/gather.h"
#include "shard/shard.h"

#define BATCH_CALLS_MAX 2000
#define BATCH_BYTES_MAX (4u << 20)         /* of the calls' arenas; one call may have more */
#define STEP_RECORDS_MAX 1000              /* of long work, a batch */
#define TOMBSTONE_MS INT64_C(600000)       /* a done lease's ack may be repeated this long */
#define TOMBSTONES_MAX (UINT32_C(1) << 18) /* or until three quarters of it were acked */
#define SWEEP_PAUSE_MS INT64_C(600000)     /* between two passes over IDs and results */
#define STOPS_MAX 10000                    /* notices kept for a session */

struct dataset {
    struct map_node node;   /* in queue->datasets, by name */
    struct list link;       /* queue->dataset_list, by number */
    struct list dirty_link; /* queue->dirty_datasets */
    uint32_t number;
    struct tally now;
    struct tally kept;
    bool is_new; /* made in this batch */
    double rate; /* done a second, decaying; see dataset.c */
    int64_t rate_at_ms;
    int64_t rate_since_ms;
    size_t name_size;
    char name[DATASET_NAME_BYTES_MAX + 1];
};

/* The part of a queue that its record holds, but for the name; and what happened to its tasks since
 * the start. */
struct queue_state {
    struct queue_config config;
    struct tally tally;
    struct queue_events events; /* not in the record */
    bool paused;
    bool deleting;
    uint64_t next_seq;
    uint32_t next_dataset;
    uint64_t cursor[PRIORITY_COUNT];
    int64_t fresh[PRIORITY_COUNT];
    int64_t returned[PRIORITY_COUNT];
};

struct queue {
    struct map_node name_node;   /* shard->queues_by_name, unless deleting */
    struct map_node number_node; /* shard->queues_by_number */
    struct list link;            /* shard->queues */
    struct list dirty_link;
    uint32_t number;
    int64_t created_ms;
    uint64_t seal; /* of its lease tokens */
    struct queue_state now;
    struct queue_state kept;
    bool is_new; /* made in this batch */
    bool dirty;
    struct map datasets;
    struct list dataset_list;
    struct list dirty_datasets;
    struct dataset **numbered; /* by number; NULL where there is none */
    uint32_t numbered_count;
    struct list leases;   /* by age_link */
    struct list progress; /* the same leases by progress_link */
    struct list waiters;  /* lease calls, first come first served */
    int64_t waiter_count;
    struct list waiting_link; /* shard->waiting, while there are waiters */
    int64_t session_count;
    bool is_named; /* in queues_by_name */
    size_t name_size;
    char name[QUEUE_NAME_BYTES_MAX + 1];
};

struct session {
    struct map_node node; /* shard->sessions */
    struct heap_node deadline;
    struct list leases;
    uint64_t id;
    uint32_t queue;
    int64_t session_ms;
    int64_t opened_ms;
    int64_t heartbeat_ms;
    int64_t lease_count;
    int64_t acked;
    bool ended;  /* closed or lost: its leases are going back */
    bool ending; /* the batch under way has its EFFECT_SESSION_END */
    struct stop_notice *stops;
    size_t stop_count;
    size_t stop_capacity;
    struct worker_names names; /* their bytes follow the struct */
};

struct lease {
    struct map_node node;      /* shard->leases, by place */
    struct heap_node deadline; /* in shard->lease_deadlines, unless a session keeps it */
    struct list link;          /* session->leases */
    struct session *session;
    struct place place;
    uint32_t fence;
    bool is_graced; /* found at start: `deadline` may be later than its record says */
    int64_t leased_ms;
    int64_t progress_ms;       /* when it last came nearer to its end, see progress.c */
    struct list age_link;      /* queue->leases, oldest first */
    struct list progress_link; /* queue->progress, the longest without first */
};

/* What a commit will change in the indexes. Objects are made when the effect is noted, so that
 * applying it can't fail. */
enum effect_kind {
    EFFECT_LEASE_BEGIN,
    EFFECT_LEASE_MOVE,
    EFFECT_LEASE_PROGRESS,
    EFFECT_LEASE_END,
    EFFECT_LEASE_FORGET, /* if it is still there: its task can't be read, or says otherwise */
    EFFECT_STOP,
    EFFECT_TOMBSTONE,
    EFFECT_SESSION_BEGIN,
    EFFECT_SESSION_CLOSE, /* its leases go back from the next batch on */
    EFFECT_SESSION_END,
    EFFECT_QUEUE_DELETING,
    EFFECT_QUEUE_GONE,
};
struct effect {
    enum effect_kind kind;
    bool acked;
    enum stop_reason reason;
    uint32_t fence;
    struct place place;
    int64_t at_ms;
    uint64_t session_id;
    struct lease *lease;     /* LEASE_BEGIN: owned until applied */
    struct session *session; /* SESSION_BEGIN: owned until applied */
    struct queue *queue;     /* LEASE_BEGIN, QUEUE_DELETING, QUEUE_GONE */
};

struct tombstone {
    struct place place;
    int64_t until_ms;
};

struct batch {
    int calls;               /* taken from the inbox */
    size_t bytes;            /* of their arenas */
    size_t answered;         /* calls */
    int64_t gather_ns;       /* waited for calls */
    int64_t commit_ns;       /* spent in commits */
    int64_t begun_ns;        /* the transaction that is open */
    int64_t commands_before; /* it began */

    struct store_txn *txn; /* NULL: no batch under way */
    bool writable;
    bool alone;         /* the second try, one call at a time */
    enum status failed; /* the store refused in the middle: the batch must be taken back */
    int64_t now_ms;
    struct list dirty_queues;
    uint64_t serial;     /* of the transaction that is open */
    struct list ran;     /* its calls */
    struct list done;    /* calls to answer: their transaction is committed, or they are refused */
    struct list again;   /* calls with more to do */
    struct list served;  /* waiters that got tasks: back to their queues if the commit fails */
    struct list dropped; /* waiters that end without a task, whatever becomes of the batch */
    struct effect *effects;
    size_t effect_count;
    size_t effect_capacity;
    struct meta_record meta_kept;
    int64_t due_next_kept_ms;
    uint32_t tombstones_swept; /* from the ring's front, by this batch */
    bool meta_dirty;
};

struct shard {
    struct shard_options options;
    struct store *store;

    pthread_mutex_t mutex; /* guards the next nine */
    pthread_cond_t wake;
    struct list inbox;
    size_t inbox_count;
    size_t wake_count;             /* so many calls in the inbox wake the thread */
    struct list cancels;           /* by cancel_link */
    struct inspection *inspection; /* asked for (inspect.c) */
    bool stopping;
    bool stopped; /* the thread takes nothing any more */
    atomic_bool draining;
    pthread_t thread;
    bool has_thread;
    struct gather gather; /* of the thread */
    /* More calls for the batch under way, if it is open and they come in time. NULL without a
     * thread: a batch has what is there when it begins. */
    bool (*take_more)(struct shard *self, struct list *calls);
    atomic_bool inspecting;
    struct errand inspector; /* started by who has taken `inspecting` */

    struct meta_record meta;
    struct map queues_by_name;
    struct map queues_by_number;
    struct list queues;
    struct list waiting; /* queues that have waiters */
    int64_t queue_count;
    struct map leases;
    struct list leases_spare;
    size_t leases_spare_count;
    struct heap lease_deadlines;
    struct map sessions;
    struct heap session_deadlines;
    struct heap wait_deadlines;
    struct tombstone *tombstones; /* a ring */
    uint32_t tombstone_first;
    uint32_t tombstone_count;
    uint32_t tombstone_capacity;
    int64_t graced_count; /* leases with is_graced */

    int64_t awake_ms;        /* when the thread last began a batch */
    int64_t chores_after_ms; /* what is due by itself is not tried before: it did not fit */
    int64_t serve_again_ms;  /* waiters were not served for want of room: when they are next */
    int64_t checkpoint_ms;   /* when the store's log is brought into its tables */
    int64_t due_next_ms;     /* no entry of `due` is earlier */
    int64_t sweep_next_ms;   /* retention of IDs and results */
    struct key sweep_from;
    bool sweep_results; /* the pass is at the results; else at the IDs */
    int64_t ttl_next_ms;
    bool has_ttl;           /* some queue has a task_ttl_ms */
    int64_t deleting_count; /* queues whose records are being removed */
    int64_t usage_checked_ms;
    uint64_t unchecked_bytes; /* of calls since then */
    uint64_t check_bytes;     /* after so many it is looked at again */
    bool nearly_full;
    bool failed;
    uint64_t random;

    struct batch batch;
    int64_t commits;
    int64_t commands;
    struct shard_histograms histograms; /* of what was committed */
    uint64_t runs;                      /* calls run, tries included */
};

/* ---- shard.c ---- */
/* Copies into a call's arena; false if it has no room. */
static inline bool copy_slice(struct arena *arena, struct slice from, struct slice *ret)
{
    *ret = arena_copy(arena, from);
    return ret->data != NULL || from.size == 0;
}
uint64_t shard_random(struct shard *self);
/* The queue of that name, unless it is being deleted; fills in the call's error. */
struct queue *shard_find_queue(struct shard *self, struct slice name, struct error *error);
/* The same for work in steps: another queue made under that name meanwhile is not meant. */
struct queue *shard_find_queue_again(struct shard *self, struct slice name, struct call *call);
struct queue *shard_queue_of_number(struct shard *self, uint32_t number);
static inline bool scope_covers_queue(const struct scope *scope, const struct queue *queue)
{
    return scope == NULL || scope_covers(scope, slice_of(queue->name, queue->name_size));
}
/* New objects, in the indexes at once; queue_free also takes a half-built one out again. */
struct queue *queue_new(struct shard *shard, struct slice name, uint32_t number,
                        int64_t created_ms);
void queue_free(struct shard *shard, struct queue *queue);
void queue_unname(struct shard *shard, struct queue *queue);
struct dataset *dataset_new(struct queue *queue, struct slice name, uint32_t number);
void dataset_free(struct queue *queue, struct dataset *dataset);
/* NULL if there is none of that name. */
struct dataset *dataset_find(const struct queue *queue, struct slice name);
struct dataset *dataset_of_number(const struct queue *queue, uint32_t number);

/* Fuller, the store takes no tasks any more, so that it can still take acks. */
static inline uint64_t publish_limit_bytes(const struct store_usage *usage)
{
    return usage->max_bytes / 100 * 85;
}
bool shard_has_room(const struct shard *self);
/* What verb_stats answers. STATUS_INTERNAL: the store's usage can't be read. */
enum status shard_read_stats(struct shard *self, struct shard_stats *ret) MUST_USE;
/* With the mutex held: what waits in the inbox, as far as the batch has room. */
void shard_take(struct shard *self, struct list *calls);

/* ---- figures.c ---- */
/* Both in queue_figures' words. The first reads a few rows of the batch under way. */
int64_t figures_oldest_ready_age_ms(struct shard *shard, struct queue *queue);
int64_t figures_oldest_lease_age_ms(const struct shard *shard, const struct queue *queue);

/* ---- load.c ---- */
enum status shard_load(struct shard *self, struct error *error);

/* ---- inspect.c ---- */
/* What was asked for begins, after a checkpoint, or is refused. The shard's thread. */
void inspect_start(struct shard *self, struct inspection *inspection);

/* ---- batch.c ---- */
/* Runs `calls` as one batch and answers them. */
void batch_run(struct shard *shard, struct list *calls);
/* Brings the store's log into its tables, between two batches. STATUS_STORE_FULL: no room now. */
enum status batch_checkpoint(struct shard *shard);

/* ---- batch_store.c ---- */
/* Before the first change of a queue's or dataset's `now` in a batch. */
void batch_touch_queue(struct shard *shard, struct queue *queue);
void batch_touch_dataset(struct shard *shard, struct queue *queue, struct dataset *dataset);
void batch_touch_meta(struct shard *shard);
/* The records of all that was touched, before the commit. */
void batch_write_counters(struct shard *shard);
/* Notes an effect; NULL (and the batch failed) if there is no memory. */
struct effect *batch_effect(struct shard *shard, enum effect_kind kind);
/* For every status of the store that a verb does not expect: remembers that the batch must be taken
 * back, and gives the status on. */
enum status batch_fail(struct shard *shard, enum status status);
/* The store's reads and writes in the batch's transaction; any trouble but STATUS_NOT_FOUND fails
 * the batch. */
enum status batch_get(struct shard *shard, enum store_table table, struct slice key,
                      struct slice *ret_value);
enum status batch_scan(struct shard *shard, enum store_table table, struct slice from,
                       struct slice to, struct store_row *ret_rows, size_t rows_max,
                       size_t *ret_count);
enum status batch_reserve(struct shard *shard, enum store_table table, struct slice key,
                          size_t size, uint8_t **ret_value);
enum status batch_put_mark(struct shard *shard, enum store_table table, struct slice key);
enum status batch_remove(struct shard *shard, enum store_table table, struct slice key);
/* When there is something to do that nobody asked for. */
int64_t batch_chores_next_ms(const struct shard *shard);

/* ---- held.c ---- */
/* One task in the hands of a batch. */
struct held {
    struct queue *queue;
    struct place place;
    struct task task;
    uint32_t dataset;
    bool has_active;
    bool has_id;     /* as in active_record */
    bool has_chunks; /* as in active_record */
    struct history history;
    size_t error_size;
    char error[ERROR_TEXT_BYTES_MAX];
};
/* STATUS_TASK_NOT_FOUND; STATUS_CORRUPT; or the store's. */
enum status held_load(struct shard *shard, struct queue *queue, struct place place,
                      struct held *ret_held);
/* A fresh task, from its row; queue and place are the caller's. */
void held_set_row(struct held *held, const struct task_record *record);
/* One command through the rules, with all that follows in store, counts and indexes. `error` (may
 * be NULL) replaces the stored text of the last failure. STATUS_LEASE_LOST, STATUS_WRONG_STATE,
 * STATUS_CORRUPT: refused, nothing changed. */
enum status held_step(struct shard *shard, struct held *held, const struct task_command *command,
                      const struct slice *error, struct task_effects *ret_effects);
/* Takes the task out of the store altogether: purge, and deleting a dead letter. */
enum status held_erase(struct shard *shard, struct held *held);
/* Sets a task aside whose bytes can't be trusted: its rows stay as they are, but an active row that
 * says DEAD keeps everyone away from it. Of *held only queue, place, the state (DELAYED: with
 * at_ms) and has_active are looked at. Where the dataset can't be known, only the queue's counts
 * move. */
enum status held_quarantine(struct shard *shard, struct held *held);
/* The task that was published under this ID. STATUS_TASK_NOT_FOUND; for a done one STATUS_OK with
 * *ret_done_ms set. */
enum status held_find(struct shard *shard, struct queue *queue, struct slice id,
                      struct place *ret_place, int64_t *ret_done_ms);
/* What a task's row says, with its body copied into the arena if asked for. */
enum status held_read_row(struct shard *shard, struct place place, struct task_record *ret,
                          struct arena *arena, bool with_body);
/* ---- held_store.c ---- */
/* Out of the index of the state it is in; into that of the state it has come to. */
enum status held_leave_state(struct shard *shard, struct held *held);
enum status held_enter_state(struct shard *shard, struct held *held);
enum status held_write_active(struct shard *shard, struct held *held);
/* What the end of a task needs to know of its row: read before anything is changed. */
struct held_end {
    uint32_t body_size;
    size_t id_size;
    uint8_t id[TASK_ID_BYTES_MAX];
};
enum status held_read_end(struct shard *shard, struct held *held, struct held_end *ret);
/* DONE: the row goes, the ID stays, and the active row says for a while by which lease. */
enum status held_finish(struct shard *shard, struct held *held, const struct held_end *end,
                        bool had_checkpoint);

/* ---- attempt.c ---- */
/* A step from `before` to `after`: into the history, if it is something there. */
void attempt_note(struct shard *shard, struct held *held, const struct task *before,
                  const struct task *after, const struct task_command *command,
                  const struct slice *error);
/* The history, and who holds the task. STATUS_TOO_LARGE: the arena has no room for it. */
enum status attempt_show(struct shard *shard, const struct held *held, struct arena *arena,
                         struct task_view *view);

/* ---- progress.c ---- */
void progress_note(struct shard *shard, struct lease *lease);
/* A heartbeat of the session says so; what is no lease of it is passed over. */
void progress_hear(struct shard *shard, const struct session *session,
                   const struct lease_token *token);
/* LEASED: when it last told any; else since when it is leased. */
int64_t progress_ms(struct shard *shard, struct place place, const struct task *task);
/* How long the lease that is the longest without has told none; 0: there are no leases. */
int64_t progress_oldest_age_ms(const struct shard *shard, const struct queue *queue);

/* ---- tally.c ---- */
/* Where a count lies in a tally. */
int64_t *tally_of(struct tally *tally, enum task_state state);
void tally_move(struct shard *shard, struct queue *queue, uint32_t dataset, enum task_state from,
                enum task_state to);
/* What a step from `before` did, in the counts of its queue and dataset. */
void tally_count_step(struct shard *shard, struct held *held, const struct task *before,
                      const struct task_effects *effects);

/* ---- blob.c ---- */
enum status chunks_write(struct shard *shard, struct place place, enum chunk_kind kind,
                         struct slice data);
enum status chunks_copy(struct shard *shard, struct place place, enum chunk_kind kind, size_t size,
                        struct arena *arena, struct slice *ret_data);
enum status chunks_remove(struct shard *shard, struct place place, enum chunk_kind kind,
                          size_t size);
enum status checkpoint_write(struct shard *shard, struct held *held, struct slice data);
enum status checkpoint_copy(struct shard *shard, struct place place, struct arena *arena,
                            struct slice *ret_data);
enum status body_copy(struct shard *shard, struct place place, const struct task_record *record,
                      struct arena *arena, struct slice *ret_body);
/* A result or checkpoint under `key`: writes it with its chunks, removes both, copies the bytes. */
enum status blob_put(struct shard *shard, enum store_table table, struct key key,
                     enum chunk_kind kind, struct blob_record *record, struct slice data);
enum status blob_remove(struct shard *shard, enum store_table table, struct key key,
                        enum chunk_kind kind, enum record_type type);
enum status blob_copy(struct shard *shard, struct key key, enum chunk_kind kind,
                      const struct blob_record *record, struct arena *arena,
                      struct slice *ret_data);

/* ---- page.c ---- */
struct page {
    enum store_table table;
    bool open_only;    /* of STORE_ACTIVE: runs of done tasks are passed over */
    struct slice from; /* a `next` of the page before; empty: the first */
    size_t size;       /* entries wanted */
    size_t count;      /* entries so far; `add` raises it */
    struct arena *arena;
    /* Looks at one row, and adds an entry if it is wanted. STATUS_TOO_LARGE: the arena is full. */
    enum status (*add)(struct page *self, const struct store_row *row);
    struct shard *shard;
    struct queue *queue;
    struct call *call;
    struct slice next; /* out; empty: no more */
};
enum status page_fill(struct page *page);

/* ---- view.c ---- */
enum status view_fill(struct shard *shard, struct held *held, bool with_body, struct arena *arena,
                      struct task_view *ret);
/* Whether a task's dataset is the one asked for. */
bool dataset_matches(const struct queue *queue, uint32_t number, bool any, struct slice name);

/* ---- result.c ---- */
enum status result_write(struct shard *shard, struct held *held, struct slice id, struct slice data,
                         uint32_t fence);
enum status result_remove(struct shard *shard, uint32_t queue, struct slice id);
bool result_exists(struct shard *shard, struct queue *queue, struct slice id);

/* ---- settle.c ---- */
/* `only`: of this queue (NULL: of any that `scope` covers). */
void settle_acks(struct shard *shard, struct queue *only, const struct scope *scope,
                 struct ack_item **items, size_t count);
void settle_nacks(struct shard *shard, struct queue *only, const struct scope *scope,
                  struct nack_item **items, size_t count);

/* ---- lease.c ---- */
/* STATUS_UNAVAILABLE: no memory for the reply, and nothing was changed; else the batch's. */
enum status lease_take(struct shard *shard, struct queue *queue, struct lease_call *call);
struct situation lease_situation(struct shard *shard, struct queue *queue);

/* ---- wait.c ---- */
/* CALL_WAIT, or CALL_DONE with the call's error. */
enum call_result wait_park(struct shard *shard, struct queue *queue, struct lease_call *call);
void wait_drop(struct shard *shard, struct lease_call *call, enum status status);
/* Gives tasks to the waiters of one queue, or of every queue. */
void wait_serve_queue(struct shard *shard, struct queue *queue);
void wait_serve(struct shard *shard);
void wait_settle(struct shard *shard);
void wait_put_back(struct shard *shard);
/* Makes those that the batch parked calls of it again, in their places. */
void wait_unpark_new(struct shard *shard);
void wait_expire(struct shard *shard);
void wait_drain(struct shard *shard);
void wait_drop_queue(struct shard *shard, struct queue *queue);

/* ---- index.c ---- */
struct session *session_find(struct shard *shard, uint64_t id);
void index_apply(struct shard *shard, struct effect *effect);
void index_forget(struct shard *shard, struct effect *effect);
bool index_reserve(struct shard *shard);
enum status index_add_lease(struct shard *shard, struct place place, const struct task *task,
                            int64_t deadline_ms);
/* The oldest `count` of them: their rows are gone. */
void index_drop_tombstones(struct shard *shard, uint32_t count);
enum status index_add_tombstone(struct shard *shard, struct place place, int64_t until_ms);
/* When a lease without session really ends: not before the grace that the start gave it. */
int64_t index_deadline_ms(struct shard *shard, struct place place, const struct task *recorded);
/* After leases were added in another order than they were given. False: no memory. */
bool index_sort_ages(struct shard *shard);
struct lease *lease_find(struct shard *shard, struct place place);
struct lease *lease_new(struct shard *shard, struct place place, const struct task *task);
void lease_free(struct shard *shard, struct lease *lease);
/* Notes EFFECT_LEASE_FORGET. */
void index_forget_lease(struct shard *shard, const struct lease *lease);
struct session *session_new(uint64_t id, const struct session_record *record);
void session_free(struct session *session);
void index_free(struct shard *shard);

/* ---- session.c ---- */
/* Before anything expires: the heartbeats among the calls count. */
void session_keep_alive(struct shard *shard, const struct list *calls);
/* Takes back up to `max` leases of an ended session; removes the session after the last. */
enum status session_return_leases(struct shard *shard, struct session *session,
                                  enum task_command_kind kind, size_t max, int64_t *ret_returned,
                                  bool *ret_more);

/* ---- expire.c, sweep.c ---- */
void expire_run(struct shard *shard);
/* A lease whose task could not be taken back: `why`. Sets the task aside if it can't be read. */
void expire_odd_lease(struct shard *shard, struct queue *queue, const struct lease *lease,
                      enum status why);
int64_t expire_next_ms(const struct shard *shard);
void sweep_run(struct shard *shard);
int64_t sweep_next_ms(const struct shard *shard);

/* ---- dataset.c ---- */
struct dataset_rate dataset_rate(const struct dataset *dataset, int64_t now_ms);
void dataset_note_done(struct dataset *dataset, int64_t done, int64_t now_ms);

#endif
