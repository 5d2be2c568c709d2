/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_path.h -- where in the data directory a shard's store is: DIR/shard-N.
 */
#ifndef ACKD_DAEMON_SHARD_PATH_H
#define ACKD_DAEMON_SHARD_PATH_H

#include <stdbool.h>

#include "daemon/config.h"

struct shard_path {
    char text[4096];
};

struct shard_path shard_path_of(const struct config *config, int shard);
bool shard_path_exists(const struct shard_path *self);

#endif
