/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points.h -- where a task of a test worker is: points of its life that the worker announces by a
 * line `at POINT ID MS` (of CLOCK_MONOTONIC), and where it may be held until a test has done its
 * worst.
 *
 *   starting    before the worker runs; signals end the process
 *   leased      with the worker, before anything is done with it
 *   running     with the handler
 *   committing  computed; the sink is about to be told
 *   committed   the sink has it; the broker has not heard of that
 *
 * The thread that passes the point is held, and no other: heartbeats go on, drains begin.
 */
#ifndef ACKD_TESTS_SDK_POINTS_H
#define ACKD_TESTS_SDK_POINTS_H

#include "ackd/sink.h"

/* Points are announced. Whoever passes `hold` waits until there is a file `gate`; NULL: nobody. */
void points_begin(const char *hold, const char *gate);
void points_pass(const char *point, const char *task_id);
/* The sink, which it takes over, with its points. */
struct ackd_sink *points_around(struct ackd_sink *sink);

#endif
