/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome.h -- what became of the items of a batch: refused ones are named, the others counted.
 */
#ifndef ACKD_CLI_OUTCOME_H
#define ACKD_CLI_OUTCOME_H

#include "ackd/v1/common.pb-c.h"
#include "base/status.h"
#include "cli/cli.h"

struct outcomes {
    const struct cli *cli;
    int64_t done;
    int64_t refused;
};

void outcomes_begin(struct outcomes *self, const struct cli *cli);
/* `error` NULL: done. */
void outcomes_add(struct outcomes *self, const char *item, const Ackd__V1__ErrorDetail *error);
/* Says how many were `done_word`; EXIT_REFUSED if any was refused. */
enum exit_code outcomes_end(const struct outcomes *self, const char *done_word);

/* An item's error as the calls' errors are. */
struct error outcome_error(const Ackd__V1__ErrorDetail *detail);

#endif
