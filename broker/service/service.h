/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h -- what each RPC does, whatever face it came through.
 *
 * A handler validates the request, makes calls to the shards concerned, and builds the reply. It
 * knows protobuf messages and rules' limits; it does not know HTTP, JSON or sockets.
 *
 * Life of a call: the face (rpc) fills in a `struct service_call` and hands it to the handler of
 * its method. `done` is called exactly once for it, always on the thread that drains `mailbox`
 * (which is the thread that called the handler), perhaps before the handler returns. Then either
 * `error.status` is STATUS_OK and `response` is set, or it is not and `error` says why.
 *
 * Memory: request and response live in `arena`, which the call may use until `done`. The face keeps
 * arena and call alive until then, also when its client has gone: service_cancel asks for an early
 * end, it does not replace `done`.
 */
#ifndef ACKD_SERVICE_SERVICE_H
#define ACKD_SERVICE_SERVICE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/status.h"
#include "core/grant.h"
#include "core/limits.h"
#include "shard/mailbox.h"

/* service, RPC, handler (service_##handler), request message, response message; which of the
 * caller's rights it takes (enum right, RIGHT_READ_WORK), and what it reaches (enum reach). */
#define SERVICE_METHODS(X)                                                                         \
    X(QueueService, Create, queue_create, create_queue_request, create_queue_response, ADMIN,      \
      NAME)                                                                                        \
    X(QueueService, Get, queue_get, get_queue_request, get_queue_response, ANY, NAME)              \
    X(QueueService, List, queue_list, list_queues_request, list_queues_response, ANY, LISTED)      \
    X(QueueService, Update, queue_update, update_queue_request, update_queue_response, ADMIN,      \
      NAME)                                                                                        \
    X(QueueService, Delete, queue_delete, delete_queue_request, delete_queue_response, ADMIN,      \
      NAME)                                                                                        \
    X(QueueService, Pause, queue_pause, pause_queue_request, pause_queue_response, ADMIN, NAME)    \
    X(QueueService, Resume, queue_resume, resume_queue_request, resume_queue_response, ADMIN,      \
      NAME)                                                                                        \
    X(QueueService, Purge, queue_purge, purge_queue_request, purge_queue_response, ADMIN, NAME)    \
    X(TaskService, Publish, publish, publish_request, publish_response, PUBLISH, QUEUE)            \
    X(TaskService, Lease, lease, lease_request, lease_response, WORK, QUEUE)                       \
    X(TaskService, Renew, renew, renew_request, renew_response, WORK, HELD)                        \
    X(TaskService, Ack, ack, ack_request, ack_response, WORK, HELD)                                \
    X(TaskService, Nack, nack, nack_request, nack_response, WORK, HELD)                            \
    X(TaskService, SaveCheckpoint, save_checkpoint, save_checkpoint_request,                       \
      save_checkpoint_response, WORK, HELD)                                                        \
    X(TaskService, Get, task_get, get_task_request, get_task_response, READ, QUEUE)                \
    X(TaskService, List, task_list, list_tasks_request, list_tasks_response, READ, QUEUE)          \
    X(TaskService, Cancel, task_cancel, cancel_tasks_request, cancel_tasks_response, ADMIN, QUEUE) \
    X(SessionService, Open, session_open, open_session_request, open_session_response, WORK,       \
      QUEUE)                                                                                       \
    X(SessionService, Heartbeat, session_heartbeat, heartbeat_request, heartbeat_response, WORK,   \
      HELD)                                                                                        \
    X(SessionService, Close, session_close, close_session_request, close_session_response, WORK,   \
      HELD)                                                                                        \
    X(SessionService, List, session_list, list_sessions_request, list_sessions_response, READ,     \
      LISTED)                                                                                      \
    X(DeadLetterService, List, dead_list, list_dead_request, list_dead_response, READ, QUEUE)      \
    X(DeadLetterService, Redrive, dead_redrive, redrive_request, redrive_response, ADMIN, QUEUE)   \
    X(DeadLetterService, Delete, dead_delete, delete_dead_request, delete_dead_response, ADMIN,    \
      QUEUE)                                                                                       \
    X(ResultService, Get, result_get, get_result_request, get_result_response, READ, QUEUE)        \
    X(ResultService, List, result_list, list_results_request, list_results_response, READ_WORK,    \
      QUEUE)                                                                                       \
    X(DatasetService, List, dataset_list, list_datasets_request, list_datasets_response, READ,     \
      QUEUE)                                                                                       \
    X(DatasetService, Get, dataset_get, get_dataset_request, get_dataset_response, READ, QUEUE)    \
    X(AdminService, Stats, stats, stats_request, stats_response, READ, BROKER)                     \
    X(AdminService, Backup, backup, backup_request, backup_response, ADMIN, BROKER)                \
    X(AdminService, Check, check, check_request, check_response, ADMIN, BROKER)                    \
    X(AdminService, Whoami, whoami, whoami_request, whoami_response, ANY, NOTHING)                 \
    X(TokenService, Create, token_create, create_token_request, create_token_response, ADMIN,      \
      BROKER)                                                                                      \
    X(TokenService, List, token_list, list_tokens_request, list_tokens_response, ADMIN, BROKER)    \
    X(TokenService, Rotate, token_rotate, rotate_token_request, rotate_token_response, ADMIN,      \
      BROKER)                                                                                      \
    X(TokenService, Revoke, token_revoke, revoke_token_request, revoke_token_response, ADMIN,      \
      BROKER)

/* A worker asks its results which tasks are done already. */
#define RIGHT_READ_WORK (RIGHT_READ | RIGHT_WORK)

enum reach {
    REACH_QUEUE,  /* the queue that the request's `queue` names */
    REACH_NAME,   /* ... its `name` */
    REACH_HELD,   /* the queues of its lease tokens or session: the shard looks */
    REACH_LISTED, /* a `queue` if one is named, else all that the caller may see */
    REACH_BROKER, /* the whole broker: takes the right on `*` */
    REACH_NOTHING /* whoever is known may call it */
};

struct auth;
struct principal;
struct service;
struct store;

struct service_call {
    /* Set by the face before the handler is called. */
    struct arena *arena;
    const ProtobufCMessage *request; /* of the method's type, in `arena` */
    struct mailbox *mailbox;         /* of the calling thread */
    struct slice traceparent;        /* of the caller, well-formed; empty: none */
    const struct scope *scope;       /* queues that it may touch; NULL: all. Until `done` */
    const struct principal *caller;  /* NULL: authentication is off. Until `done` */
    int64_t deadline_ms; /* by the service's clock; 0: none. A long poll ends before it. */
    void (*done)(struct service_call *self);
    void *owner; /* the face's own */

    /* Set when `done` is called. */
    ProtobufCMessage *response;
    struct error error;

    /* The service's own. */
    struct service *service;
    void *pending; /* what service_cancel would cancel */
    void *context; /* the handler's */
};

/* Numbers that only the faces know. */
struct face_stats {
    int64_t connections;            /* open now */
    int64_t requests;               /* answered since the start */
    int64_t refused;                /* of these */
    int64_t refusals[STATUS_COUNT]; /* of the refused, by status */
};

struct service_options {
    struct clock clock;
    struct limits limits;
    struct store **stores;      /* one a shard, opened; the service closes them */
    int shard_count;            /* 1 .. 64 */
    const char *data_dir;       /* where backups go; NULL: no backups */
    int64_t backup_bytes_per_s; /* a shard's copy, at most; 0: no bound */
    int64_t restart_grace_ms;   /* least life of leases and sessions found at start */
    bool stepped;               /* no threads: whoever opened the service calls service_step */
    /* Called once, on a shard's thread, when storage failed: nothing may be served any more. */
    void (*on_failure)(void *context);
    void *context;
    /* For AdminService.Stats; may be NULL. */
    void (*face_stats)(void *context, struct face_stats *ret);
    const char *version;
    struct auth *auth; /* for TokenService; NULL: authentication is off */
};

/* Reads the stores, starts the shards' threads. On an error nothing is left running. The stores are
 * the service's from here on: on an error, too, it has closed them. */
enum status service_open(const struct service_options *options, struct service **ret_service,
                         struct error *error) MUST_USE;
/* Of a stepped service, on the thread that calls its handlers: runs a batch of each shard that has
 * something to do. False: none had. */
bool service_step(struct service *self);
/* True from service_open until service_drain or a failure. */
bool service_is_ready(const struct service *self);
/* Begins the end, any thread: waiting long polls are answered (empty), new ones don't wait.
 * Everything else is still served. */
void service_drain(struct service *self);
/* Finishes what was sent and stops the threads. Every call's letter has been posted by then: drain
 * the mailboxes after it. NULL is nothing. */
void service_stop(struct service *self);
/* Closes the stores, once no letter is left to be opened. (A stepped service has been stepped to its
 * end before, and needs no service_stop.) NULL is nothing. */
void service_close(struct service *self);
/* The client has gone: a waiting lease ends without taking a task. Only before `done`. */
void service_cancel(struct service_call *call);
const struct limits *service_limits(const struct service *self);
int64_t service_now_ms(const struct service *self);

#define X(group, rpc, handler, request, response, rights, reach)                                   \
    void service_##handler(struct service *self, struct service_call *call);
SERVICE_METHODS(X)
#undef X

#endif
