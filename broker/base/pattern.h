/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.h -- names by pattern: `*` stands for any characters, none too; all else for itself.
 */
#ifndef ACKD_BASE_PATTERN_H
#define ACKD_BASE_PATTERN_H

#include "base/slice.h"

bool pattern_matches(const char *pattern, struct slice name);

#endif
