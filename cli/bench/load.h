/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h -- the load generator: many links, one thread, one epoll set.
 *
 *     load_open(&load, &address, 4);
 *     load.replied = ...;                    what to do with a reply: mostly, send again
 *     load.context = ...;
 *     for each link: load_send(&load, link, request, 0);
 *     load_run(&load);                       until nothing is under way any more
 *
 * A scenario ends by sending no more; or by load_stop, where a long poll would keep it. What goes
 * wrong ends the run at once and is told: load_run is then not EXIT_OK.
 */
#ifndef ACKD_CLI_BENCH_LOAD_H
#define ACKD_CLI_BENCH_LOAD_H

#include "cli/bench/link.h"
#include "cli/exit.h"

struct load;

struct load {
    /* The scenario's. A reply that is not 200 ends the run and is never passed on. */
    void (*replied)(struct load *self, struct link *link, const struct link_reply *reply);
    void (*ticked)(struct load *self); /* at the time set by load_wake */
    void *context;

    struct link *links;
    size_t count;
    int64_t now_ns; /* when the events at hand came; monotonic */

    int epoll;
    int timer;
    size_t in_flight; /* requests under way */
    bool waits;       /* the timer is set */
    bool stopped;
    enum exit_code code; /* EXIT_OK until something goes wrong */
    uint8_t *shared;     /* LINK_READ_BYTES */
};

int64_t monotonic_ns(void);
/* Of this process so far, user and system. */
double own_cpu_s(void);

/* Zeroed it may be given to load_close. Connects `count` links; tells what fails. */
enum exit_code load_open(struct load *self, const struct address *address, size_t count);
void load_close(struct load *self);

/* Sends a request, which stays as it is until its reply has come. */
void load_send(struct load *self, struct link *link, struct slice request, int tag);
/* The same, but it goes out with the next load_send or load_flush of this link. */
void load_queue(struct load *self, struct link *link, struct slice request, int tag);
void load_flush(struct load *self, struct link *link);
/* Calls `ticked` once, at `at_ns`. */
void load_wake(struct load *self, int64_t at_ns);
/* Lets load_run return, although requests are under way. */
void load_stop(struct load *self);
/* The same, for a reason that has been told. */
void load_fail(struct load *self, enum exit_code code);
/* Until nothing is under way and no wake is set; load_stop; a failure; or Ctrl-C. */
enum exit_code load_run(struct load *self);

#endif
