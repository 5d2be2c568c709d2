/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h -- the seams between the service's files. Private to the layer.
 *
 *   service.c     opening, routing, the way of a call to a shard and back
 *   directory.c   which shard a queue lives on
 *   fan.c         one question to every shard, one answer
 *   validate.c    the rules of what callers may send
 *   wire.c        shards' structs as protobuf messages; attempts.c: a task's history
 *   queue.c publish.c lease.c settle.c task.c session.c dead_letter.c result.c dataset.c admin.c
 *   backup.c token.c      the handlers
 *   backup_sweep.c        copies that did not become backups
 *   figures.c     what monitoring wants to know, of all shards
 */
#ifndef ACKD_SERVICE_INTERNAL_H
#define ACKD_SERVICE_INTERNAL_H

#include <stdatomic.h>

#include "ackd/v1/admin.pb-c.h"
#include "ackd/v1/dataset.pb-c.h"
#include "ackd/v1/dead_letter.pb-c.h"
#include "ackd/v1/queue.pb-c.h"
#include "ackd/v1/result.pb-c.h"
#include "ackd/v1/session.pb-c.h"
#include "ackd/v1/task.pb-c.h"
#include "base/errand.h"
#include "service/service.h"
#include "shard/shard.h"

/* Ackd__V1__Task is PB(Task). */
#define PB(name) Ackd__V1__##name
/* A zero message of that type in the arena, or NULL. */
#define PB_NEW(arena, Name, name) ((PB(Name) *)wire_new((arena), &ackd__v1__##name##__descriptor))
/* So many of them in one piece, as the array of pointers that a repeated field is. */
#define PB_ARRAY(arena, count, Name, name)                                                         \
    ((PB(Name) **)wire_new_array((arena), (count), &ackd__v1__##name##__descriptor))

#define REPLY_BYTES_MAX (64u << 20) /* of lists; a page ends early before it */

struct directory;

struct service {
    struct service_options options;
    struct shard *shards[SHARDS_MAX];
    int shard_count;
    struct directory *directory;
    atomic_bool ready;
    atomic_bool failed;
    atomic_bool is_backing_up; /* a backup's, or the sweeper's */
    struct sweep {
        struct errand errand;
        struct mailbox *mailbox; /* this and the next: of who has `is_backing_up` */
        struct letter *swept;    /* NULL: nobody waits */
    } sweep;
    int64_t started_ms;
};

/* ---- service.c ---- */
typedef ProtobufCMessage *reply_builder(struct service_call *call, struct call *base);
/* Sends one call to a shard; `build` makes the reply from what comes back well. A NULL from it is
 * call->error, or else a reply that has no room in the arena. */
void send_call(struct service_call *call, struct shard *shard, struct call *base,
               const struct verb *verb, reply_builder *build);
/* The same, to the shard that has the queue; refuses a name that can't be one. */
void send_to_queue(struct service_call *call, const char *queue, struct call *base,
                   const struct verb *verb, reply_builder *build);
void reply(struct service_call *call, ProtobufCMessage *response);
/* Ends the call with call->error. */
void refuse(struct service_call *call);
void refuse_memory(struct service_call *call);
/* The shard of a queue; NULL and call->error if the name is not known. */
struct shard *shard_of_queue(struct service_call *call, const char *queue);
/* Lets the reply grow by so much. */
void allow_reply(struct service_call *call, size_t bytes);

/* ---- directory.c ---- */
struct directory *directory_new(void);
void directory_free(struct directory *self);
/* -1: not there. */
int directory_find(struct directory *self, struct slice name);
/* The queue's shard, or else the one that has the fewest; -1 if there is no memory. */
int directory_place(struct directory *self, struct slice name, int shard_count);
bool directory_put(struct directory *self, struct slice name, int shard);
/* What directory_place has counted so far for this name. */
uint64_t directory_generation(struct directory *self, struct slice name);
/* Forgets the name, unless it was placed again meanwhile. */
void directory_remove(struct directory *self, struct slice name, uint64_t generation);

/* ---- fan.c ---- */
/* One call a shard, each with an arena of its own (shards run at the same time). */
struct fan {
    struct service_call *call;
    struct call **calls;
    int count;
    int left;
    struct arena *arenas;
    ProtobufCMessage *(*build)(struct service_call *call, struct fan *fan);
};
/* `size` is that of the verb's struct, whose first member is its struct call; `prepare` fills in
 * the rest (may be NULL). With a NULL verb `start` sends the call. */
void fan_out(struct service_call *call, size_t size, const struct verb *verb,
             void (*prepare)(struct fan *fan, struct call *base, int shard),
             void (*start)(struct shard *shard, struct call *base),
             ProtobufCMessage *(*build)(struct service_call *call, struct fan *fan));

/* ---- backup_sweep.c ---- */
#define PARTIAL ".partial" /* at the end of the name of a copy that is no backup yet */
bool ends_in_partial(const char *name);
/* Removes them on a thread; the caller has `is_backing_up`. `swept` is posted at the end; NULL:
 * nobody waits. False: there is no thread, and the next start removes them. */
bool backup_sweep_start(struct service *self, struct mailbox *mailbox, struct letter *swept);
/* Waits for the thread; no other is started. */
void backup_sweep_stop(struct service *self);

/* ---- validate.c ---- */
bool queue_name_is_valid(const char *name);
/* Where in a request an item's field is, for a refusal: "tasks[3].payload". */
struct field_path {
    char text[64];
};
struct field_path field_of(const char *list, size_t index, const char *field);
enum status check_queue_name(const char *name, const char *field, struct error *error);
enum status check_dataset_name(const char *name, struct error *error);
/* An ID that a caller may look up (the broker's own too). */
enum status check_task_id(const char *id, const char *field, struct error *error);
enum status check_range(int64_t value, int64_t min, int64_t max, const char *field,
                        const char *unit, struct error *error);
enum status check_count(size_t count, size_t min, const struct limits *limits, const char *field,
                        struct error *error);
/* 0 becomes PAGE_SIZE_DEFAULT. */
enum status check_page_size(int32_t *page_size, struct error *error);
enum status read_page_token(struct service_call *call, const char *token, struct slice *ret_key);
char *write_page_token(struct arena *arena, struct slice key);
enum status read_session_id(const char *text, uint64_t *ret_id, struct error *error);
enum status read_lease_token(const char *text, const char *field, struct lease_token *ret_token,
                             struct error *error);

/* ---- wire.c ---- */
void *wire_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor);
void **wire_new_array(struct arena *arena, size_t count,
                      const ProtobufCMessageDescriptor *descriptor);
ProtobufCBinaryData wire_bytes(struct slice data);
/* A copy; the empty text needs none. */
char *wire_string(struct arena *arena, struct slice text);
/* A task's attributes as the map field of a message, whose entries are of `entry_type`:
 * `ret_entries` is the address of the field. */
bool wire_attributes(struct arena *arena, struct slice attributes,
                     const ProtobufCMessageDescriptor *entry_type, void *ret_entries,
                     size_t *ret_count);
PB(ErrorDetail) *wire_error(struct arena *arena, const struct error *error);
PB(ErrorDetail) *wire_status(struct arena *arena, enum status status);
/* What became of an item: no error for STATUS_OK, else `error`, or (NULL) the status's sentence.
 * False: no room. An outcome without its error would say that all went well. */
bool wire_outcome_error(struct arena *arena, enum status status, const struct error *error,
                        PB(ErrorDetail) **ret_error);
PB(Counts) *wire_counts(struct arena *arena, const struct tally *tally);
PB(Situation) *wire_situation(struct arena *arena, const struct situation *situation);
PB(Queue) *wire_queue(struct arena *arena, const struct queue_view *view);
PB(Task) *wire_task(struct arena *arena, const struct task_view *view, int64_t created_ms);
/* Its history, and last the delivery that goes on; false: no room. */
bool wire_attempts(struct arena *arena, const struct task_view *view, PB(Task) *task);
/* The ID that the task was published with, or (empty) the one made on its queue's stem. */
char *wire_task_id(struct arena *arena, struct slice id, struct place place,
                   const struct made_id_stem *stem);
char *wire_token(struct arena *arena, const struct lease_token *token);
char *wire_session_id(struct arena *arena, uint64_t session);
/* NULL: no room. */
char **wire_grants(struct arena *arena, const struct principal *principal, size_t *ret_count);

/* ---- settle.c: shared with lease.c ---- */
/* The items of a request as the shard wants them. NULL: no memory. */
struct ack_item **read_acks(struct service_call *call, PB(AckItem) **items, size_t count,
                            const char *name, struct error **ret_errors);
struct nack_item **read_nacks(struct service_call *call, PB(NackItem) **items, size_t count,
                              const char *name, struct error **ret_errors);
PB(AckOutcome) **wire_ack_outcomes(struct arena *arena, struct ack_item **items, size_t count,
                                   struct error **errors);
PB(Outcome) **wire_nack_outcomes(struct arena *arena, struct nack_item **items, size_t count,
                                 struct error **errors);

#endif
