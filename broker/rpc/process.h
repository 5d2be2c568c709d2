/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h -- what this process takes from its machine.
 */
#ifndef ACKD_RPC_PROCESS_H
#define ACKD_RPC_PROCESS_H

#include <stdint.h>

struct process_usage {
    int64_t resident_bytes; /* 0: the machine does not tell */
    double cpu_s;           /* user and system */
    int64_t descriptors;    /* open */
    int64_t descriptors_max;
};

struct process_usage process_usage(void);

#endif
