/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.h -- the real broker, from rpc down to the mem store, as a process that dies.
 *
 * Requests come in as bytes and wait in the shard's inbox until a batch takes them. A batch may be
 * the broker's last: the store is told to fail at some call, and from then on nothing reaches the
 * disk, and (unless the broker lives long enough to report the failure) no reply leaves. After a
 * while it is started again on what the disk holds.
 *
 * Every reply leaves at the moment when it is posted: a reply before its commit is seen.
 */
#ifndef ACKD_TESTS_SIM_BROKER_H
#define ACKD_TESTS_SIM_BROKER_H

#include "chance.h"
#include "checker.h"
#include "network.h"
#include "rpc/rpc.h"
#include "service/internal.h"
#include "store/mem.h"

#define BROKER_GRACE_MS 10000

/* Whether a visit's call was there when the batch began, came while it was open, or not in time. */
enum presence { VISIT_IN_TIME, VISIT_JOINED, VISIT_LATE };

/* A request inside the broker. */
struct visit {
    struct list link; /* broker->visits, as they came: the order in which they run */
    struct rpc_request request;
    struct arena arena; /* the request's */
    struct arena own;   /* of what the checker reads */
    struct sim *sim;
    struct exchange *exchange; /* NULL: the checker asks */
    const struct list *call;   /* in the shard's inbox, at first */
    enum presence presence;    /* in the batch under way */
    enum method_number method;
    const ProtobufCMessage *asked;
    const ProtobufCMessage *reply; /* STATUS_OK */
    enum status status;
    bool answered;
    bool in_time; /* the answer left while the broker lived */
    bool hung_up;
    struct progress_seen seen[WORLDS_MAX]; /* the checker's */
};

struct broker {
    struct store *store;
    struct service *service; /* NULL: it is down */
    struct rpc rpc;
    struct counters counters;
    struct mailbox mailbox;
    struct limits limits;
    struct list visits;
    struct list kept_back; /* calls: company.h */
    struct event batch;
    struct event boot;
    bool hurries; /* the batch is planned for what waits, not for what will be due */
    bool draining;
    bool mute;  /* it died without a word: no answer leaves after the store has failed */
    bool dying; /* what it says now is nobody's business */
};

void broker_init(struct sim *sim);
void broker_deinit(struct sim *sim);
/* A new process on the same disk. */
void broker_start(struct sim *sim);
/* SIGKILL, now. */
void broker_kill(struct sim *sim, const char *why);
/* SIGTERM, and a start a little later. */
void broker_restart(struct sim *sim);

void broker_receive(struct sim *sim, struct exchange *exchange);
void broker_hang_up(struct sim *sim, struct exchange *exchange);
/* The checker asks. */
void broker_ask(struct sim *sim, enum method_number method, const ProtobufCMessage *request);
/* Batches without trouble until nothing is left to do. */
void broker_settle(struct sim *sim);
struct shard *broker_shard(struct broker *self);

#endif
