/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_config.h -- a queue's config as options of `queue create` and `queue update`.
 */
#ifndef ACKD_CLI_QUEUE_CONFIG_H
#define ACKD_CLI_QUEUE_CONFIG_H

#include "ackd/v1/queue.pb-c.h"
#include "cli/cli.h"
#include "cli/output.h"

extern const struct option_spec queue_config_create_options[];
/* The same without those that can't change. */
extern const struct option_spec queue_config_update_options[];

/* Sets the fields whose options were given; returns how many. */
int queue_config_read(const struct cli *cli, Ackd__V1__QueueConfig *config);
/* A row for each field: the option's name and its value. */
void queue_config_show(const Ackd__V1__QueueConfig *config, struct table *table);

#endif
