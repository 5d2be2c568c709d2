/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator.h -- a person at the broker: cancels, purges, pauses, changes rules, redrives what is
 * dead, looks. In the calm only redrives, and lets paused queues go on.
 */
#ifndef ACKD_TESTS_SIM_OPERATOR_H
#define ACKD_TESTS_SIM_OPERATOR_H

#include "actor.h"

struct operator
{
    struct actor actor;
};

void operator_init(struct sim *sim);

#endif
