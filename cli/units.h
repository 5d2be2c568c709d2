/* SPDX-License-Identifier: Apache-2.0 */
/*
 * units.h -- numbers as people write and read them: durations, counts, bytes, times.
 *
 * The formatters write into the caller's `struct text` and return its string, so that several may
 * stand in one printf.
 */
#ifndef ACKD_CLI_UNITS_H
#define ACKD_CLI_UNITS_H

#include <stdbool.h>
#include <stdint.h>

struct text {
    char data[64];
};

/* "250ms", "10s", "1.5h", "7d", "1y", "0" to milliseconds; false for anything else. */
bool units_parse_duration(const char *text, int64_t *ret_ms);
/* A whole number, with a sign perhaps; false for anything else. */
bool units_parse_number(const char *text, int64_t *ret_number);

/* 12345678 as "12,345,678". */
const char *units_count(struct text *self, int64_t count);
/* 1536 as "1.5 KiB". */
const char *units_bytes(struct text *self, int64_t bytes);
/* 93784000 ms as "1 d 2 h"; below a minute "3.2 s"; below a second "250 ms". */
const char *units_duration(struct text *self, int64_t ms);
/* 3210.4 as "3,210/s", 0.04 as "2.4/min". */
const char *units_rate(struct text *self, double per_s);
/* Local time as "2026-01-31 23:59:59"; "-" for 0, which is never. */
const char *units_time(struct text *self, int64_t unix_ms);
/* The same as UTC in RFC 3339 with milliseconds, for exports. */
const char *units_time_utc(struct text *self, int64_t unix_ms);
/* How long before `now_unix_ms`: "3.2 s ago"; "-" for 0. */
const char *units_ago(struct text *self, int64_t unix_ms, int64_t now_unix_ms);

#endif
