/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h -- `ackd --check`: whether a data directory that no broker uses is sound.
 */
#ifndef ACKD_DAEMON_CHECK_H
#define ACKD_DAEMON_CHECK_H

#include <stdio.h>

#include "daemon/config.h"

/* Reads every record of every shard; prints what is wrong, a line each. An error: it could not be
 * read to the end. */
enum status check_directory(const struct config *config, FILE *out, int64_t *ret_records,
                            int64_t *ret_problems, struct error *error) MUST_USE;

#endif
