/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result_format.h -- results as rows of JSONL or CSV.
 *
 * JSONL  {"taskId":..,"dataset":..,"fence":3,"storedAt":"2026-01-31T23:59:59.000Z","result":..}
 * CSV    taskId,dataset,fence,storedAt,result,resultBase64
 */
#ifndef ACKD_CLI_RESULT_FORMAT_H
#define ACKD_CLI_RESULT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ackd/v1/result.pb-c.h"
#include "base/buffer.h"

struct result_format {
    bool is_csv;
    enum { RESULT_AS_TEXT, RESULT_AS_JSON, RESULT_AS_BASE64 } as;
    int64_t not_as_wanted; /* results that had to be written as base64 */
    struct buffer base64;
};

/* The words of `results export`'s options. */
void result_format_init(struct result_format *self, const char *format, const char *as);
void result_format_deinit(struct result_format *self);
/* What stands before the first row. */
void result_format_begin(struct result_format *self, FILE *out);
void result_format_write(struct result_format *self, const Ackd__V1__Result *result, FILE *out);

#endif
