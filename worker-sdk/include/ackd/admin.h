/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ackd/admin.h -- the broker's calls for operators: what there is (lists of queues, tasks,
 * sessions, results, datasets), what was given up (dead letters), the broker itself (stats, backup,
 * check), and who may call it (tokens). They are made with the client of ackd/client.h.
 *
 * Common to all calls here: all that ackd/client.h says of its own (threads, blocking, arguments,
 * replies, the statuses of every call). Those that name a queue add ACKD_QUEUE_NOT_FOUND.
 *
 * Pages. A list comes in pages of `page_size` (1 .. 1,000; 0: 100). `page_token` is NULL for the
 * first page, then the `next_page_token` of the page before; a token that is none is ACKD_INVALID.
 * A page may be shorter than asked for, or empty: only a `next_page_token` of "" ends the list.
 * Between two pages the broker goes on, so that a list is no snapshot.
 *
 *     struct ackd_task_list_request request;
 *     struct ackd_task_list *page = NULL;
 *
 *     ackd_task_list_request_init(&request);
 *     request.queue = "pages";
 *     do {
 *         struct ackd_task_list *next;
 *
 *         request.page_token = page == NULL ? NULL : page->next_page_token;
 *         status = ackd_client_list_tasks(client, &request, &next, &error);
 *         ackd_task_list_free(page);
 *         page = next;
 *         for (size_t i = 0; page != NULL && i < page->task_count; i++)
 *             show(&page->tasks[i]);
 *     } while (page != NULL && page->next_page_token[0] != '\0');
 *     ackd_task_list_free(page);
 */
#ifndef ACKD_ADMIN_H
#define ACKD_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ackd/client.h"
#include "ackd/error.h"
#include "ackd/sink.h"

/*
 * Queues, tasks and sessions
 */

struct ackd_queue_list {
    struct ackd_queue *queues; /* by name */
    size_t queue_count;
    const char *next_page_token;
};

struct ackd_task_list_request {
    size_t size;                /* sizeof(struct ackd_task_list_request) */
    const char *queue;          /* required */
    enum ackd_task_state state; /* 0: every state but DONE, whose tasks are gone */
    const char *dataset;        /* NULL: all */
    int64_t page_size;
    const char *page_token;
    bool with_payload; /* payloads and attributes too */
    /* Only LEASED tasks that have told no progress for so long, see ackd_task_progress. 0: all */
    int64_t min_stalled_ms;
};

static inline void ackd_task_list_request_init(struct ackd_task_list_request *request)
{
    memset(request, 0, sizeof *request);
    request->size = sizeof *request;
}

struct ackd_task_list {
    struct ackd_task_view *tasks; /* in service order: priority, then the order of publishing */
    size_t task_count;
    const char *next_page_token;
};

struct ackd_cancel_reply {
    struct ackd_outcome *outcomes; /* in the order of the request */
    size_t outcome_count;
};

struct ackd_session_view {
    const char *id;
    const char *queue;
    const char *worker; /* who it is, for people */
    int64_t opened_unix_ms;
    int64_t heartbeat_unix_ms; /* its last heartbeat */
    int64_t session_ms;        /* it expires so long after that */
    int64_t leased;            /* tasks it holds now */
    int64_t acked;             /* tasks it has acked since the broker started */
    const char *node;          /* the machine it runs on; "" if not told, as the next two */
    const char *pod;
    const char *pod_namespace;
};

struct ackd_session_list {
    struct ackd_session_view *sessions;
    size_t session_count;
};

/*
 * Dead letters
 */

struct ackd_dead_list_request {
    size_t size;         /* sizeof(struct ackd_dead_list_request) */
    const char *queue;   /* required */
    const char *dataset; /* NULL: all */
    int64_t page_size;
    const char *page_token;
    bool with_payload; /* payloads and attributes too */
};

static inline void ackd_dead_list_request_init(struct ackd_dead_list_request *request)
{
    memset(request, 0, sizeof *request);
    request->size = sizeof *request;
}

struct ackd_dead_letter {
    struct ackd_task_view task; /* as it was when it was given up */
    enum ackd_dead_reason reason;
    const char *error; /* what its last failure said; "" if nothing */
    int64_t dead_unix_ms;
};

struct ackd_dead_list {
    struct ackd_dead_letter *letters; /* in service order */
    size_t letter_count;
    const char *next_page_token;
};

/* Which dead letters: of those named, or of all, the ones that match every filter. */
struct ackd_dead_selection {
    size_t size;                  /* sizeof(struct ackd_dead_selection) */
    const char *const *task_ids;  /* those that are no dead letters are passed over */
    size_t task_id_count;         /* at most 10,000. 0: none is named, see `all` */
    bool all;                     /* must be set to select without IDs: a guard */
    enum ackd_dead_reason reason; /* 0: any */
    const char *error;            /* the whole text. NULL: any */
    const char *dataset;          /* NULL: any */
};

static inline void ackd_dead_selection_init(struct ackd_dead_selection *selection)
{
    memset(selection, 0, sizeof *selection);
    selection->size = sizeof *selection;
}

/*
 * Results and datasets
 */

struct ackd_result_list_request {
    size_t size;         /* sizeof(struct ackd_result_list_request) */
    const char *queue;   /* required */
    const char *dataset; /* NULL: all */
    int64_t page_size;
    const char *page_token;
    const char *const *task_ids; /* only these, and no paging: which are done already? */
    size_t task_id_count;        /* at most 10,000. 0: every result */
    bool ids_only;               /* leave `data` empty */
};

static inline void ackd_result_list_request_init(struct ackd_result_list_request *request)
{
    memset(request, 0, sizeof *request);
    request->size = sizeof *request;
}

struct ackd_result_list {
    struct ackd_result *results; /* by task ID, in byte order; of `task_ids`: those that exist */
    size_t result_count;
    const char *next_page_token;
};

/* How far a dataset is, and what it cost. */
struct ackd_dataset {
    const char *name; /* "": the tasks published without one */
    /* Tasks now. All done is: ready + delayed + leased == 0. */
    int64_t ready;
    int64_t delayed;
    int64_t leased;
    int64_t dead;
    /* Events since its first publish. */
    int64_t published;
    int64_t done;
    int64_t purged;
    int64_t deliveries;
    int64_t failures;
    int64_t preemptions;
    int64_t losses;
    int64_t salvaged;
    int64_t useful_lease_ms; /* lease time that ended in an ack */
    int64_t wasted_lease_ms; /* lease time that was lost or spent again */
    /* 0: none yet. */
    int64_t first_published_unix_ms;
    int64_t last_published_unix_ms;
    int64_t first_done_unix_ms;
    int64_t last_done_unix_ms;
    double done_per_s; /* over the last minute or so; 0 after a restart until some are done */
    int64_t eta_ms;    /* until all is done at that rate; -1: can't be told */
};

struct ackd_dataset_list {
    struct ackd_dataset *datasets; /* in the order of their first publish */
    size_t dataset_count;
};

/*
 * The broker itself
 */

struct ackd_shard_stats {
    int shard;         /* its number, from 0 */
    const char *store; /* "lmdb" or "mem" */
    /* Since the start. commands / commits is the mean batch. */
    int64_t commits;
    int64_t commands;
    int64_t used_bytes; /* live pages */
    int64_t file_bytes; /* on disk now; never shrinks */
    int64_t map_bytes;  /* the most it may grow to */
    /* Now. */
    int64_t queues;
    int64_t sessions;
    int64_t leases;
    int64_t waiters; /* long polls */
};

struct ackd_stats {
    const char *version; /* of the broker, such as "0.1.0" */
    int64_t started_unix_ms;
    int64_t now_unix_ms; /* the broker's clock */
    int64_t connections; /* open now */
    int64_t requests;    /* answered since the start */
    int64_t refused;     /* of these, answered with an error */
    struct ackd_shard_stats *shards;
    size_t shard_count;
};

struct ackd_backup {
    const char *path; /* below the broker's data directory */
    int64_t bytes;    /* on disk */
};

struct ackd_check {
    int64_t records;    /* how many were read */
    int64_t problems;   /* 0: all is well */
    const char **texts; /* the first 100 problems, a sentence each */
    size_t text_count;
};

/*
 * Who calls, and who may
 */

enum ackd_caller_kind {
    ACKD_CALLER_ANYBODY = 0,    /* the broker has no authentication: everybody may do everything */
    ACKD_CALLER_TOKEN = 1,      /* of the broker's own */
    ACKD_CALLER_JWT = 2,        /* signed by an issuer that the broker believes */
    ACKD_CALLER_CERTIFICATE = 3 /* a client certificate */
};

/* A grant is a text: rights, a colon, and a pattern of queue names in which * stands for any
 * characters: "publish:ocr-*", "read,work:ocr-pages", "admin:*". */
struct ackd_caller {
    enum ackd_caller_kind kind; /* what this client shows */
    const char *name;           /* as in the broker's log; "" for anybody */
    const char **grants;
    size_t grant_count;
    int64_t expires_unix_ms; /* when what it shows ends; 0: never, or it is not known */
    const char *version;     /* of the broker */
    int64_t now_unix_ms;     /* the broker's clock */
};

struct ackd_token {
    const char *id;   /* the second part of its text; no secret */
    const char *name; /* who it is for */
    const char **grants;
    size_t grant_count;
    int64_t created_unix_ms;
    int64_t expires_unix_ms;        /* 0: never */
    int64_t last_used_unix_ms;      /* 0: never */
    int64_t previous_until_unix_ms; /* the secret before is taken until then; 0: there is none */
    bool from_file;                 /* of ackd's --admin-token-file: it is changed there */
};

struct ackd_issued_token {
    struct ackd_token token;
    const char *secret; /* the whole text that its holder sends; told here and nowhere else */
};

struct ackd_token_list {
    struct ackd_token *tokens; /* by their names */
    size_t token_count;
};

#ifdef __cplusplus
extern "C" {
#endif

/* A page of all queues, by name. Since 0.1, as all calls here. */
ACKD_API enum ackd_status ackd_client_list_queues(struct ackd_client *client, int64_t page_size,
                                                  const char *page_token,
                                                  struct ackd_queue_list **ret_list,
                                                  struct ackd_error *error);
ACKD_API void ackd_queue_list_free(struct ackd_queue_list *list);

/* A page of a queue's tasks. */
ACKD_API enum ackd_status ackd_client_list_tasks(struct ackd_client *client,
                                                 const struct ackd_task_list_request *request,
                                                 struct ackd_task_list **ret_list,
                                                 struct ackd_error *error);
ACKD_API void ackd_task_list_free(struct ackd_task_list *list);

/*
 * Moves 1 .. 10,000 tasks that are not done to the dead letters. A worker that holds one is told to
 * stop at its next heartbeat. Outcomes: ACKD_TASK_NOT_FOUND; ACKD_WRONG_STATE: it is done, or dead
 * already.
 */
ACKD_API enum ackd_status ackd_client_cancel_tasks(struct ackd_client *client, const char *queue,
                                                   const char *const *task_ids, size_t count,
                                                   struct ackd_cancel_reply **ret_reply,
                                                   struct ackd_error *error);
ACKD_API void ackd_cancel_reply_free(struct ackd_cancel_reply *reply);

/* The open sessions, at most 10,000; `queue` NULL: of all queues. */
ACKD_API enum ackd_status ackd_client_list_sessions(struct ackd_client *client, const char *queue,
                                                    struct ackd_session_list **ret_list,
                                                    struct ackd_error *error);
ACKD_API void ackd_session_list_free(struct ackd_session_list *list);

/* A page of a queue's dead letters. */
ACKD_API enum ackd_status ackd_client_list_dead(struct ackd_client *client,
                                                const struct ackd_dead_list_request *request,
                                                struct ackd_dead_list **ret_list,
                                                struct ackd_error *error);
ACKD_API void ackd_dead_list_free(struct ackd_dead_list *list);

/* Makes dead letters ready again, with failures and losses at 0; fences go on growing.
 * `ret_redriven` (how many) may be NULL. ACKD_INVALID: neither IDs nor `all`. */
ACKD_API enum ackd_status ackd_client_redrive_dead(struct ackd_client *client, const char *queue,
                                                   const struct ackd_dead_selection *selection,
                                                   int64_t *ret_redriven, struct ackd_error *error);

/* Deletes dead letters for good; their IDs may be published again. `ret_deleted` (how many) may be
 * NULL. ACKD_INVALID: neither IDs nor `all`. */
ACKD_API enum ackd_status ackd_client_delete_dead(struct ackd_client *client, const char *queue,
                                                  const struct ackd_dead_selection *selection,
                                                  int64_t *ret_deleted, struct ackd_error *error);

/* A page of a queue's results, or those of the IDs that the request names. */
ACKD_API enum ackd_status ackd_client_list_results(struct ackd_client *client,
                                                   const struct ackd_result_list_request *request,
                                                   struct ackd_result_list **ret_list,
                                                   struct ackd_error *error);
ACKD_API void ackd_result_list_free(struct ackd_result_list *list);

/* One dataset; `dataset` NULL: the tasks published without one. ACKD_NOT_FOUND. */
ACKD_API enum ackd_status ackd_client_get_dataset(struct ackd_client *client, const char *queue,
                                                  const char *dataset,
                                                  struct ackd_dataset **ret_dataset,
                                                  struct ackd_error *error);
ACKD_API void ackd_dataset_free(struct ackd_dataset *dataset);

/* All datasets of a queue. */
ACKD_API enum ackd_status ackd_client_list_datasets(struct ackd_client *client, const char *queue,
                                                    struct ackd_dataset_list **ret_list,
                                                    struct ackd_error *error);
ACKD_API void ackd_dataset_list_free(struct ackd_dataset_list *list);

/* How the broker stands. */
ACKD_API enum ackd_status ackd_client_get_stats(struct ackd_client *client,
                                                struct ackd_stats **ret_stats,
                                                struct ackd_error *error);
ACKD_API void ackd_stats_free(struct ackd_stats *stats);

/*
 * Copies the store, while it runs, to `<data dir>/backups/<name>`; `name` NULL: the time. It reads
 * the whole store: blocks at most `timeout_ms` (0: an hour) instead of the client's, and goes on in
 * the broker when that has passed.
 *   ACKD_INVALID        a backup of that name is there, or the name is not one.
 *   ACKD_UNIMPLEMENTED  this broker keeps its tasks in memory only.
 */
ACKD_API enum ackd_status ackd_client_backup(struct ackd_client *client, const char *name,
                                             int64_t timeout_ms, struct ackd_backup **ret_backup,
                                             struct ackd_error *error);
ACKD_API void ackd_backup_free(struct ackd_backup *backup);

/*
 * Reads every record: checksums, counters that equal a scan, indexes that agree both ways. Blocks
 * as ackd_client_backup does. ACKD_OK says that it was read: look at `problems`.
 */
ACKD_API enum ackd_status ackd_client_check(struct ackd_client *client, int64_t timeout_ms,
                                            struct ackd_check **ret_check,
                                            struct ackd_error *error);
ACKD_API void ackd_check_free(struct ackd_check *check);

/* Who this client is to the broker, and what it may do. Takes no right. */
ACKD_API enum ackd_status ackd_client_whoami(struct ackd_client *client,
                                             struct ackd_caller **ret_caller,
                                             struct ackd_error *error);
ACKD_API void ackd_caller_free(struct ackd_caller *caller);

/*
 * Makes a token that is named after its holder (1 .. 128 bytes) and has 1 .. 64 grants. It ends
 * `expires_in_ms` from now (1,000 .. 10 years); 0: never. This and the calls about tokens below
 * take the right `admin` on `*`, and add
 *   ACKD_WRONG_STATE    the broker has no authentication, or the token is of its file.
 *   ACKD_NOT_FOUND      no token has that ID.
 *   ACKD_LIMIT_REACHED  there are 10,000.
 */
ACKD_API enum ackd_status ackd_client_create_token(struct ackd_client *client, const char *name,
                                                   const char *const *grants, size_t count,
                                                   int64_t expires_in_ms,
                                                   struct ackd_issued_token **ret_issued,
                                                   struct ackd_error *error);

/* Gives a token a new secret. The one before is taken for `overlap_ms` yet (0 .. 1 year; -1: an
 * hour), so that its users can change over. */
ACKD_API enum ackd_status ackd_client_rotate_token(struct ackd_client *client, const char *token_id,
                                                   int64_t overlap_ms,
                                                   struct ackd_issued_token **ret_issued,
                                                   struct ackd_error *error);
/* Wipes the secret; the calls wiped their reply. What TLS and libcurl had of it stays. */
ACKD_API void ackd_issued_token_free(struct ackd_issued_token *issued);

/* Ends a token and all its secrets, at once. */
ACKD_API enum ackd_status ackd_client_revoke_token(struct ackd_client *client, const char *token_id,
                                                   struct ackd_error *error);

/* All tokens, none with its secret. */
ACKD_API enum ackd_status ackd_client_list_tokens(struct ackd_client *client,
                                                  struct ackd_token_list **ret_list,
                                                  struct ackd_error *error);
ACKD_API void ackd_token_list_free(struct ackd_token_list *list);

#ifdef __cplusplus
}
#endif
#endif
