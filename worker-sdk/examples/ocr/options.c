/* SPDX-License-Identifier: Apache-2.0 */
/* options.c -- reads argv by the table below; see options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct option_row {
    const char *name;
    const char *metavar; /* NULL: a flag */
    const char *help;
    size_t offset;    /* of the field in struct options: int64_t where there is a max, else text */
    int64_t min, max; /* max 0: a text */
};

#define FIELD(name) offsetof(struct options, name)
static const struct option_row ROWS[] = {
    {"url", "URL", "the broker (default: ACKD_URL, else http://127.0.0.1:7333)", FIELD(url), 0, 0},
    {"sink", "SINK",
     "where results go: broker (default), file:DIRECTORY, or postgres:CONNINFO, as in "
     "'postgres:host=db dbname=pages'",
     FIELD(sink), 0, 0},
    {"concurrency", "N", "pages read at the same time (default 1)", FIELD(concurrency), 1,
     OPTIONS_CONCURRENCY_MAX},
    {"language", "LANG", "Tesseract's model (default eng)", FIELD(language), 0, 0},
    {"name", "NAME", "who this is, for people (default: host name and process ID)", FIELD(name), 0,
     0},
    {"grace-ms", "MS", "from SIGTERM to the end at the latest (default 12000)", FIELD(grace_ms),
     1000, 43200000},
    {"session-ms", "MS",
     "the broker takes this worker for dead after so long without a heartbeat (default 15000)",
     FIELD(session_ms), 1000, 3600000},
    {"drained-exit-code", "N",
     "exit code after a drain (default 0); a Kubernetes Job takes 0 for 'the work is done'",
     FIELD(drained_exit_code), 0, 125},
    {"until-empty", NULL, "exit 0 when every task of the queue is done or dead", FIELD(until_empty),
     0, 1},
};
enum { ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]) };

static void print_help(void)
{
    printf(
        "usage: ocr [options] QUEUE\n"
        "Reads the page images that are tasks of QUEUE; a result is {\"text\", \"confidence\"}.\n"
        "\n");
    for (size_t i = 0; i < ROW_COUNT; i++)
        printf("  --%s %s\n      %s\n", ROWS[i].name, ROWS[i].metavar ? ROWS[i].metavar : "",
               ROWS[i].help);
}

static _Noreturn void complain(void)
{
    fputs("'ocr --help' lists what there is\n", stderr);
    exit(EXIT_USAGE);
}

static int64_t parse_number(const struct option_row *row, const char *text)
{
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && value >= row->min && value <= row->max)
        return value;
    fprintf(stderr, "ocr: --%s takes a number from %" PRId64 " to %" PRId64 ", not '%s'; ",
            row->name, row->min, row->max, text);
    complain();
}

static void set_field(struct options *self, const struct option_row *row, const char *text)
{
    char *field = (char *)self + row->offset;
    if (row->max == 0)
        *(const char **)(void *)field = text;
    else
        *(int64_t *)(void *)field = row->metavar ? parse_number(row, text) : 1;
}

void options_parse(struct options *self, int argc, char **argv)
{
    *self = (struct options){.sink = "broker", .language = "eng", .concurrency = 1};

    struct option table[ROW_COUNT + 2] = {{"help", no_argument, NULL, 'h'}};
    for (int i = 0; i < ROW_COUNT; i++)
        table[i + 1] = (struct option){ROWS[i].name,
                                       ROWS[i].metavar ? required_argument : no_argument, NULL, 0};

    int found, index = 0;
    while ((found = getopt_long(argc, argv, "h", table, &index)) != -1) {
        if (found == '?')
            complain();
        if (found == 'h') {
            print_help();
            exit(EXIT_SUCCESS);
        }
        set_field(self, &ROWS[index - 1], optarg);
    }
    if (optind != argc - 1) {
        fputs("ocr: name one queue; ", stderr);
        complain();
    }
    self->queue = argv[optind];
}
