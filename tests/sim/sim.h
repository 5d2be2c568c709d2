/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.h -- one simulation: a broker, its network, its clients, and whoever watches them. All of it
 * runs on one thread in virtual time, and one seed decides everything.
 *
 *   storm    publishers publish, workers of every temper work, an operator meddles, and things go
 *            wrong as the weather has it
 *   calm     nothing goes wrong any more, all workers are honest: everything must end
 *   end      each task is done, with the result that was acked; nothing else is left
 *
 *   sim.c        the storm, the calm, the end          machine.c   the broker's clocks
 *   schedule.c   virtual time                          weather.c   what may go wrong
 *   network.c    messages between actors and broker    broker.c    the real broker, which dies
 *   company.c    calls that join a batch under way
 *   checker.c    worlds that may be; judge_*.c: what each call's answer must be
 *   publisher.c worker.c operator.c   the actors       coverage.c  transitions seen in core
 *   story.c      what happened, for people             main.c      many seeds, many processes
 */
#ifndef ACKD_TESTS_SIM_SIM_H
#define ACKD_TESTS_SIM_SIM_H

#include "broker.h"
#include "chance.h"
#include "checker.h"
#include "figures.h"
#include "machine.h"
#include "network.h"
#include "operator.h"
#include "publisher.h"
#include "schedule.h"
#include "story.h"
#include "weather.h"
#include "worker.h"

enum { SIM_PUBLISHERS = 2, SIM_WORKERS = 6 };

struct sim {
    struct chance chance;
    struct schedule schedule;
    struct machine machine;
    struct weather weather;
    struct broker broker;
    struct checker checker;
    struct publisher publishers[SIM_PUBLISHERS];
    struct worker workers[SIM_WORKERS];
    struct operator operator;
    struct event gust;
    bool calm;
    int64_t set_back_ms; /* the wall clock, all times together */
    unsigned next_bytes; /* the number of the next payload, checkpoint or result */
    struct arena memory; /* dropped at the end */
    struct figures *figures;
};

/* Runs one seed. Ends the process if a promise is broken. */
void sim_run(uint64_t seed, enum story_voice voice, struct figures *figures);

#endif
