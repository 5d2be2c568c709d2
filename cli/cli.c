/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.c -- the options of this run by name, and what ackctl says to the person running it.
 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "cli/broker.h"

#define ARENA_BYTES_MAX ((size_t)4 << 30)

void cli_init(struct cli *self)
{
    memset(self, 0, sizeof *self);
    arena_init(&self->arena, ARENA_BYTES_MAX);
}

void cli_deinit(struct cli *self)
{
    broker_close(self);
    arena_deinit(&self->arena);
}

static const struct option_value *value_of(const struct cli *self, const char *name)
{
    for (size_t i = 0; i < self->value_count; i++)
        if (strcmp(self->values[i].spec->name, name) == 0)
            return &self->values[i];
    ASSERT(!"the command's table has no option of that name");
    return NULL;
}

bool cli_flag(const struct cli *self, const char *name)
{
    const struct option_value *value = value_of(self, name);

    ASSERT(value->spec->type == OPTION_FLAG);
    return value->given;
}

bool cli_given(const struct cli *self, const char *name)
{
    return value_of(self, name)->given;
}

const char *cli_text(const struct cli *self, const char *name)
{
    return value_of(self, name)->text;
}

int64_t cli_number(const struct cli *self, const char *name)
{
    const struct option_value *value = value_of(self, name);

    ASSERT(value->spec->type == OPTION_NUMBER || value->spec->type == OPTION_DURATION);
    return value->number;
}

const char **cli_list(const struct cli *self, const char *name, size_t *ret_count)
{
    const struct option_value *value = value_of(self, name);

    ASSERT(value->spec->type == OPTION_LIST);
    *ret_count = value->count;
    return value->items;
}

bool cli_is(const struct cli *self, const char *name, const char *word)
{
    const char *text = cli_text(self, name);

    return text != NULL && strcmp(text, word) == 0;
}

const char *cli_argument(const struct cli *self, size_t index)
{
    return index < self->argument_count ? self->arguments[index] : NULL;
}

const char *cli_queue(const struct cli *self)
{
    const struct argument_spec *first = self->command == NULL ? NULL : self->command->arguments;

    return first != NULL && strcmp(first->name, "QUEUE") == 0 ? cli_argument(self, 0) : NULL;
}

void *cli_alloc(struct cli *self, size_t size)
{
    void *memory = arena_alloc(&self->arena, size);

    if (memory == NULL) {
        complain("out of memory");
        exit(EXIT_REFUSED);
    }
    return memory;
}

/* What a message quotes comes from files and from the broker: control characters are shown as '?',
 * so that they can't play with the user's terminal. */
static void print_message(const char *before, const char *format, va_list args, const char *after)
    __attribute__((format(printf, 2, 0)));

static void print_message(const char *before, const char *format, va_list args, const char *after)
{
    struct buffer text = BUFFER_EMPTY;

    buffer_append_string(&text, before);
    buffer_append_vprintf(&text, format, args);
    buffer_append_string(&text, after);
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] < 0x20 && text.data[i] != '\n') || text.data[i] == 0x7F)
            text.data[i] = '?';
    fwrite(text.data, 1, text.size, stderr);
    buffer_deinit(&text);
}

void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_message("ackctl: ", format, args, "\n");
    va_end(args);
}

void cli_say(const struct cli *self, const char *format, ...)
{
    va_list args;

    if (self->is_quiet)
        return;
    va_start(args, format);
    print_message("", format, args, "\n");
    va_end(args);
}

enum exit_code cli_usage_error(const struct cli *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_message("ackctl: ", format, args, "\n");
    va_end(args);
    fprintf(stderr, "See `ackctl help%s%s`.\n", self->command == NULL ? "" : " ",
            self->command == NULL ? "" : self->command->name);
    return EXIT_USAGE;
}

static bool answer_is_yes(void)
{
    char answer[16];

    if (fgets(answer, sizeof answer, stdin) == NULL)
        return false;
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

bool cli_confirm(const struct cli *self, enum exit_code *ret_code, const char *format, ...)
{
    char question[512];
    va_list args;

    *ret_code = EXIT_REFUSED;
    if (cli_flag(self, "yes"))
        return true;
    va_start(args, format);
    vsnprintf(question, sizeof question, format, args);
    va_end(args);
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        *ret_code =
            cli_usage_error(self, "%s? There is no terminal to ask on: give --yes", question);
        return false;
    }
    fprintf(stderr, "%s? [y/N] ", question);
    if (answer_is_yes())
        return true;
    complain("nothing was changed");
    return false;
}
