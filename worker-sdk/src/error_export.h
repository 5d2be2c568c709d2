/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error_export.h -- errors on their way out of the library.
 */
#ifndef ACKD_SDK_ERROR_EXPORT_H
#define ACKD_SDK_ERROR_EXPORT_H

#include "ackd/error.h"
#include "base/status.h"

/* Copies to *error (may be NULL) and returns the status. */
enum ackd_status error_export(struct ackd_error *error, const struct error *from);
/* An argument breaks its rule: ACKD_INVALID with its name. `error` may be NULL. */
enum ackd_status error_export_field(struct ackd_error *error, const char *field,
                                    const char *message);

#endif
