/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe.h -- the phrases of the command table, as help, man pages and completion share them.
 */
#ifndef ACKD_CLI_DESCRIBE_H
#define ACKD_CLI_DESCRIBE_H

#include "base/buffer.h"
#include "cli/command.h"

/* "QUEUE [FILE...]". */
void describe_arguments(const struct command *command, struct buffer *out);
/* "-o, --output table|json". */
void describe_option(const struct option_spec *spec, struct buffer *out);
/* The option's text with its default, its variable and whether it may be repeated. */
void describe_option_text(const struct option_spec *spec, struct buffer *out);
/* Gives each paragraph of a description; `is_literal`: to be printed as it stands. */
void describe_paragraphs(const char *description,
                         void (*each)(void *context, struct slice paragraph, bool is_literal),
                         void *context);

#endif
