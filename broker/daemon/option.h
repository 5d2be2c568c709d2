/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option.h -- the rows of the config table as data, and the units their values are written in.
 */
#ifndef ACKD_DAEMON_OPTION_H
#define ACKD_DAEMON_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/config.h"

enum option_kind {
    OPTION_TEXT,
    OPTION_COUNT,
    OPTION_SIZE,
    OPTION_DURATION,
    OPTION_CHOICE,
    OPTION_SWITCH,
    OPTION_LIST,
    OPTION_LIMIT /* SIZE or COUNT, as its unit says */
};
enum option_group {
    OPTION_STORAGE,
    OPTION_NETWORK,
    OPTION_SECURITY,
    OPTION_PROCESS,
    OPTION_LIMITS
};

struct option {
    enum option_group group;
    enum option_kind kind;
    const char *flag;   /* without the dashes */
    const char *values; /* the choices, or what --help calls the value */
    int64_t min;
    int64_t max;
    const char *fallback; /* as one would write it */
    const char *text;
    size_t offset; /* in struct config */
};

/* Every option, in the order of --help. */
size_t option_count(void);
const struct option *option_at(size_t index);
const struct option *option_find(const char *flag, size_t length);

/* Reads a value into its place in *config. The text is kept by pointer. */
enum status option_set(const struct option *self, struct config *config, const char *text,
                       struct error *error) MUST_USE;
/* "ACKD_DATA_DIR". */
void option_environment_name(const struct option *self, char *ret_name, size_t size);
/* "64 MiB", "10 s", "5": a number in the option's unit. */
void option_format(const struct option *self, int64_t value, char *ret_text, size_t size);

#endif
