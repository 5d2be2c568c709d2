/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digits.h -- numbers as text where printf would cost more than the work around it: in every
 * reply's head and in every leased task's ID.
 *
 * Each writes without a NUL and returns where the text goes on.
 */
#ifndef ACKD_BASE_DIGITS_H
#define ACKD_BASE_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define DIGITS_10_MAX 20
#define DIGITS_36_MAX 13
#define DIGITS_16 16

/* Decimal, at most DIGITS_10_MAX characters. */
char *digits_write_10(uint64_t value, char *at);
/* Base 36 in lower case, at most DIGITS_36_MAX characters. */
char *digits_write_36(uint64_t value, char *at);
/* Hexadecimal in lower case, always DIGITS_16 characters. */
char *digits_write_16(uint64_t value, char *at);
/* Reads what digits_write_16 wrote; false for any other text. */
bool digits_read_16(struct slice text, uint64_t *ret_value);

#endif
