/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script.h -- what is asked of a rig, a line each:
 *
 *   TaskService/Lease {"queue":"q"}      a call in JSON
 *   =TaskService/Lease {"queue":"q"}     the same message in protobuf
 *   GET /metrics                         a page
 *   +5000                                time passes, in ms
 *   -                                    the client that has waited longest goes
 *
 * In a message `$a` is the first lease token that was given out, `$b` the second; `%a` and so on
 * are sessions. Any other line is a call of a method that is not there.
 */
#ifndef ACKD_TESTS_FUZZ_SCRIPT_H
#define ACKD_TESTS_FUZZ_SCRIPT_H

#include "rig.h"

#define SCRIPT_LINES_MAX 60

void script_run(struct rig *rig, struct slice script);

#endif
