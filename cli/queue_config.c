/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_config.c -- a queue's config as options, from one table.
 */
#include "cli/queue_config.h"

#include <string.h>

#include "cli/units.h"

#define DAY_MS INT64_C(86400000)
#define YEAR_MS INT64_C(31536000000)

/* What can be changed later. field, FIELD, option, argument, type, default, min, max, text */
#define CONFIG_NUMBERS(X)                                                                          \
    X(lease_ms, LEASE_MS, "lease", "TIME", OPTION_DURATION, "1m", 1000, DAY_MS / 2,                \
      "lease of a worker without a session")                                                       \
    X(max_failures, MAX_FAILURES, "max-failures", "N", OPTION_NUMBER, "5", 1, 1000,                \
      "failures until a task is dead-lettered")                                                    \
    X(max_losses, MAX_LOSSES, "max-losses", "N", OPTION_NUMBER, "20", 1, 10000,                    \
      "lost leases until a task is dead-lettered: it may kill its worker")                         \
    X(backoff_min_ms, BACKOFF_MIN_MS, "backoff-min", "TIME", OPTION_DURATION, "1s", 0, DAY_MS,     \
      "wait after a task's first failure; doubles with each")                                      \
    X(backoff_max_ms, BACKOFF_MAX_MS, "backoff-max", "TIME", OPTION_DURATION, "10m", 0, DAY_MS,    \
      "longest wait after a failure")                                                              \
    X(dedup_retention_ms, DEDUP_RETENTION_MS, "dedup-retention", "TIME", OPTION_DURATION, "7d", 0, \
      YEAR_MS, "how long a done task's ID is remembered")                                          \
    X(result_retention_ms, RESULT_RETENTION_MS, "result-retention", "TIME", OPTION_DURATION, "0",  \
      0, 10 * YEAR_MS, "how long results are kept; 0: until the queue is deleted")                 \
    X(task_ttl_ms, TASK_TTL_MS, "task-ttl", "TIME", OPTION_DURATION, "0", 0, 10 * YEAR_MS,         \
      "an unleased task older than this is dead-lettered; 0: never")                               \
    X(max_leased, MAX_LEASED, "max-leased", "N", OPTION_NUMBER, "0", 0, 100000000,                 \
      "cap on leases at a time; 0: none")

/* Without defaults in the table's sense: what is not given is not sent. */
#define NUMBER_OPTION(field, FIELD, name, argument, type, fallback, min, max, text)                \
    {name, 0, type, argument, NULL, text " (a new queue: " fallback ")", min, max},
#define LATE_RESULTS_OPTION                                                                        \
    {                                                                                              \
        "late-results", 0, OPTION_CHOICE, "salvage|refuse", NULL,                                  \
            "whether finished work whose lease is lost still counts (a new queue: salvage)"        \
    }

const struct option_spec queue_config_create_options[] = {
    CONFIG_NUMBERS(NUMBER_OPTION) LATE_RESULTS_OPTION,
    {"dedup", 0, OPTION_CHOICE, "on|off", NULL,
     "whether publishing a task ID twice makes one task; can't be changed later (a new queue: on)"},
    {NULL}};

const struct option_spec queue_config_update_options[] = {
    CONFIG_NUMBERS(NUMBER_OPTION) LATE_RESULTS_OPTION, {NULL}};

static bool has_option(const struct cli *cli, const char *name)
{
    for (const struct option_spec *spec = cli->command->options; spec->name != NULL; spec++)
        if (strcmp(spec->name, name) == 0)
            return true;
    return false;
}

int queue_config_read(const struct cli *cli, Ackd__V1__QueueConfig *config)
{
    int given = 0;

#define X(field, FIELD, name, ...)                                                                 \
    if (cli_given(cli, name)) {                                                                    \
        config->has_##field##_case = ACKD__V1__QUEUE_CONFIG__HAS_##FIELD##_##FIELD;                \
        config->field = (__typeof__(config->field))cli_number(cli, name);                          \
        given++;                                                                                   \
    }
    CONFIG_NUMBERS(X)
#undef X
    if (cli_given(cli, "late-results")) {
        config->has_late_results_case = ACKD__V1__QUEUE_CONFIG__HAS_LATE_RESULTS_LATE_RESULTS;
        config->late_results = cli_is(cli, "late-results", "refuse")
                                   ? ACKD__V1__LATE_RESULTS__LATE_RESULTS_REFUSE
                                   : ACKD__V1__LATE_RESULTS__LATE_RESULTS_SALVAGE;
        given++;
    }
    if (has_option(cli, "dedup") && cli_given(cli, "dedup")) {
        config->has_dedup_case = ACKD__V1__QUEUE_CONFIG__HAS_DEDUP_DEDUP;
        config->dedup = cli_is(cli, "dedup", "on");
        given++;
    }
    return given;
}

static void show_number(struct table *table, const char *name, enum option_type type, int64_t value)
{
    struct text text;

    table_cell(table, "--%s", name);
    if (type == OPTION_DURATION && value != 0)
        table_cell(table, "%s", units_duration(&text, value));
    else
        table_cell(table, "%s", units_count(&text, value));
}

static void show_word(struct table *table, const char *name, const char *word)
{
    table_cell(table, "--%s", name);
    table_cell(table, "%s", word);
}

void queue_config_show(const Ackd__V1__QueueConfig *config, struct table *table)
{
    if (config == NULL)
        return;
#define X(field, FIELD, name, argument, type, ...) show_number(table, name, type, config->field);
    CONFIG_NUMBERS(X)
#undef X
    show_word(table, "late-results",
              config->late_results == ACKD__V1__LATE_RESULTS__LATE_RESULTS_REFUSE ? "refuse"
                                                                                  : "salvage");
    show_word(table, "dedup", config->dedup ? "on" : "off");
}
