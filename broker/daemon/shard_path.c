/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shard_path.c -- where in the data directory a shard's store is.
 */
#include "daemon/shard_path.h"

#include <stdio.h>
#include <sys/stat.h>

struct shard_path shard_path_of(const struct config *config, int shard)
{
    struct shard_path path;

    snprintf(path.text, sizeof path.text, "%s/shard-%d", config->data_dir, shard);
    return path;
}

bool shard_path_exists(const struct shard_path *self)
{
    struct stat found;

    return stat(self->text, &found) == 0;
}
