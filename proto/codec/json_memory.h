/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_memory.h -- how much jansson may take for one text.
 */
#ifndef ACKD_CODEC_JSON_MEMORY_H
#define ACKD_CODEC_JSON_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* From here to json_memory_end this thread's jansson gets at most so many bytes, if
 * codec_bound_json_memory was called in this process; else both do nothing of effect. */
void json_memory_begin(size_t bytes_max);
void json_memory_end(void);
/* Whether something was refused since the last json_memory_begin. jansson does not always say. */
bool json_memory_exhausted(void);

#endif
