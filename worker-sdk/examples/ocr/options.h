/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h -- the command line of ocr: one table gives the options, their limits and --help.
 */
#ifndef OCR_OPTIONS_H
#define OCR_OPTIONS_H

#include <stdint.h>

enum { EXIT_USAGE = 2, OPTIONS_CONCURRENCY_MAX = 256 };

/* NULL and 0 leave the choice to libackd. The texts are argv's. */
struct options {
    const char *queue;
    const char *url;
    const char *sink;
    const char *language;
    const char *name;
    int64_t concurrency;
    int64_t grace_ms;
    int64_t session_ms;
    int64_t drained_exit_code;
    int64_t until_empty; /* 0 or 1 */
};

/* Fills in the defaults and what argv says. Ends the process for --help and for what it can't
 * understand. */
void options_parse(struct options *self, int argc, char **argv);

#endif
