/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error.c -- the public face of the status table.
 */
#include "ackd/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error_export.h"
#include "transport.h"

#define X(name, number, code, http, grpc, retryable, sentence)                                     \
    _Static_assert((int)ACKD_##name == (int)STATUS_##name, "ackd/error.h and base/status.h "       \
                                                           "differ");
STATUS_TABLE(X)
#undef X
_Static_assert(ACKD_RATE_LIMITED + 1 == STATUS_COUNT, "ackd/error.h lacks a status");

const char *ackd_version(void)
{
    return ACKD_VERSION;
}

const char *ackd_status_text(enum ackd_status status)
{
    return status_sentence((enum status)status);
}

const char *ackd_status_name(enum ackd_status status)
{
    return status_name((enum status)status);
}

bool ackd_status_is_retryable(enum ackd_status status)
{
    return status_is_retryable((enum status)status);
}

enum ackd_status ackd_error_set(struct ackd_error *error, enum ackd_status status,
                                const char *format, ...)
{
    va_list args;

    if (error == NULL)
        return status;
    memset(error, 0, sizeof *error);
    error->status = status;
    va_start(args, format);
    (void)vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return status;
}

enum ackd_status error_export_field(struct ackd_error *error, const char *field,
                                    const char *message)
{
    ackd_error_set(error, ACKD_INVALID, "%s", message);
    if (error != NULL)
        (void)snprintf(error->field, sizeof error->field, "%s", field);
    return ACKD_INVALID;
}

enum ackd_status error_export(struct ackd_error *error, const struct error *from)
{
    if (error == NULL)
        return (enum ackd_status)from->status;
    memset(error, 0, sizeof *error);
    error->status = (enum ackd_status)from->status;
    if (from->status == STATUS_OK)
        return ACKD_OK;
    error->no_reply = transport_no_reply(from);
    error->limit = from->limit;
    error->value = from->value;
    error->retry_after_ms = from->retry_after_ms;
    (void)snprintf(error->message, sizeof error->message, "%s", from->message);
    if (!error->no_reply)
        (void)snprintf(error->field, sizeof error->field, "%s", from->field);
    return error->status;
}
