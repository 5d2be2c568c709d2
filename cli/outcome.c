/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome.c -- what became of the items of a batch.
 */
#include "cli/outcome.h"

#include "base/buffer.h"
#include "cli/broker.h"
#include "cli/units.h"

void outcomes_begin(struct outcomes *self, const struct cli *cli)
{
    *self = (struct outcomes){.cli = cli};
}

struct error outcome_error(const Ackd__V1__ErrorDetail *detail)
{
    struct error error = ERROR_NONE;
    enum status status;

    if (!status_from_number((int)detail->status, &status))
        status = STATUS_INTERNAL;
    (void)error_limit(&error, status, detail->field, detail->limit, detail->value, "%s",
                      detail->message);
    return error;
}

void outcomes_add(struct outcomes *self, const char *item, const Ackd__V1__ErrorDetail *error)
{
    struct buffer text = BUFFER_EMPTY;
    struct error told;

    if (error == NULL) {
        self->done++;
        return;
    }
    self->refused++;
    told = outcome_error(error);
    broker_describe(&told, &text);
    complain("%s: %s", item, buffer_string(&text));
    buffer_deinit(&text);
}

enum exit_code outcomes_end(const struct outcomes *self, const char *done_word)
{
    struct text done, refused;

    if (self->refused > 0)
        cli_say(self->cli, "%s %s, %s refused", units_count(&done, self->done), done_word,
                units_count(&refused, self->refused));
    else
        cli_say(self->cli, "%s %s", units_count(&done, self->done), done_word);
    return self->refused > 0 ? EXIT_REFUSED : EXIT_OK;
}
