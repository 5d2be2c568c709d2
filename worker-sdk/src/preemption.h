/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preemption.h -- asks the cloud whether it is about to take this machine away.
 *
 * Each cloud has a metadata server that only its own machines reach, and tells there before the
 * SIGTERM comes: Google Cloud about when it pushes the power button, Azure 30 s and more ahead, AWS
 * two minutes.
 */
#ifndef ACKD_SDK_PREEMPTION_H
#define ACKD_SDK_PREEMPTION_H

#include <stdatomic.h>
#include <stdbool.h>

struct preemption;

/* Whether there is a cloud of that name: "gce", "aws" or "azure". */
bool preemption_knows(const char *cloud);
/* `base_url` NULL: where the cloud's own machines find it. NULL: no memory, or no such cloud. */
struct preemption *preemption_new(const char *cloud, const char *base_url);
void preemption_free(struct preemption *self);
/*
 * Waits until the machine is about to go (true), or for some seconds. `*ret_reached` is whether the
 * metadata server answered. One thread at a time.
 */
bool preemption_wait(struct preemption *self, const atomic_bool *interrupted, bool *ret_reached);
/* Makes preemption_wait look at `interrupted`; any thread. */
void preemption_wake(struct preemption *self);

#endif
