/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_reader.h -- takes members out of a config's JSON, and says where one breaks its rule.
 *
 * Each function returns false, or NULL, once it has filled in the error: what file, where in it
 * ("issuers[0].subjects[2].grants"), what must be there.
 */
#ifndef ACKD_AUTH_CONFIG_READER_H
#define ACKD_AUTH_CONFIG_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct config_reader {
    const char *file;
    struct error *error;
};

/* An object in the file. */
struct config_place {
    const json_t *json;
    char path[80]; /* "issuers[0]"; "" is the file's own */
};

struct config_place config_item(const struct config_place *parent, const char *array,
                                const json_t *json, size_t index);
/* False always. The sentence is about the member; "": the object itself. */
bool config_refuse(struct config_reader *self, const struct config_place *place, const char *member,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* It is an object with no other members than these. */
bool config_members(struct config_reader *self, const struct config_place *place,
                    const char *const *known);
/* A text of 1 to `size_max` bytes. */
bool config_text(struct config_reader *self, const struct config_place *place, const char *member,
                 size_t size_max, const char **ret_text);
/* The same where it may be missing: NULL. */
bool config_text_or_none(struct config_reader *self, const struct config_place *place,
                         const char *member, size_t size_max, const char **ret_text);
bool config_number(struct config_reader *self, const struct config_place *place, const char *member,
                   int64_t min, int64_t max, int64_t fallback, int64_t *ret_number);
const json_t *config_array(struct config_reader *self, const struct config_place *place,
                           const char *member, size_t count_min, size_t count_max);

#endif
