/* SPDX-License-Identifier: Apache-2.0 */
/*
 * box.h -- a whole broker in one thread, in which the same requests cost the same instructions.
 *
 *   a client's socket --> connection --> rpc --> service --> shard --> LMDB
 *     (a pair's end)          all of it run by box_turn, one after another
 *
 * Nothing is left out but the threads, and nothing but them is replaced: the time of the rules is
 * the box's own, sockets are pairs instead of TCP's. What the kernel and the disk do is no
 * instruction of the broker's.
 *
 * Whatever fails ends the program with a sentence.
 */
#ifndef ACKD_TESTS_GUARD_BOX_H
#define ACKD_TESTS_GUARD_BOX_H

#include "net/loop.h"
#include "service/service.h"

struct box {
    struct service *service;
    struct counters counters;
    struct rpc rpc;
    struct net_options net;
    struct loop loop;
    int64_t now_ms; /* the rules' time: a millisecond a turn */
    bool is_counted;
};

/* A broker with an empty store in this directory. */
struct box *box_new(const char *directory);
/* Every request has been answered. */
void box_free(struct box *self);
/* The client's end of a new connection; the caller closes it. */
int box_connect(struct box *self);
/* One turn: reads what clients have sent, runs what came of it, commits, replies. */
void box_turn(struct box *self);

/* Says what is wrong, and ends the program. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
