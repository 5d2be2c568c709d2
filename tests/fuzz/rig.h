/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig.h -- rpc and service over two shards on mem stores, on one thread, with a clock that stands
 * still unless it is moved: a run depends on what is asked and nothing else.
 *
 *   G1  Each request is answered once, and at the latest when the broker ends.
 *   G2  An answer is well-formed: of the method's type, or an error as Connect has it; and never
 *       an internal error or a broken record.
 *   G3  At the end the stores' check finds no problem, and nothing is counted as in flight.
 */
#ifndef ACKD_TESTS_FUZZ_RIG_H
#define ACKD_TESTS_FUZZ_RIG_H

#include "rpc/rpc.h"
#include "unit/desk.h"

#define RIG_SHARDS 2
#define RIG_NAMES_MAX 26 /* tokens, and sessions, that can be named by a letter */
#define RIG_NAME_BYTES_MAX 64

struct rig {
    struct store *stores[RIG_SHARDS];
    struct service *service;
    struct counters counters;
    struct rpc rpc;
    struct desk desk;
    struct list asks; /* every one, in the order of asking */
    int64_t now_ms;
    char tokens[RIG_NAMES_MAX][RIG_NAME_BYTES_MAX]; /* the first that were given out */
    int token_count;
    char sessions[RIG_NAMES_MAX][RIG_NAME_BYTES_MAX];
    int session_count;
};

struct ask {
    struct rpc_request request;
    struct arena arena;
    struct list link;
    struct rig *rig;
    bool done;
};

struct rig *rig_open(void);
void rig_close(struct rig *self);
/* Asks as the net layer does, runs until everything is idle, and returns the request, which may
 * wait on (a long poll). `content_type` NULL: none. */
struct ask *rig_ask(struct rig *self, const char *verb, struct slice path, const char *content_type,
                    struct slice body);
/* Until everything is idle. */
void rig_run(struct rig *self);
void rig_pass(struct rig *self, int64_t ms);
/* The client of the request that has waited longest goes. */
void rig_cancel_first(struct rig *self);

#endif
