/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_config.c -- the file of --auth-config.
 */
#include "auth/auth_config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/config_reader.h"
#include "auth/json_text.h"
#include "auth/secret_file.h"
#include "base/pattern.h"

#define TEXT_BYTES_MAX 2048

static bool read_root(struct config_reader *reader, struct auth_config *config);

enum status auth_config_load(const char *path, struct auth_config **ret_config, struct error *error)
{
    struct buffer text = BUFFER_EMPTY;
    enum status status =
        plain_file_read(path, "the authentication config", AUTH_CONFIG_BYTES_MAX, &text, error);

    if (status == STATUS_OK)
        status = auth_config_read(buffer_view(&text), path, ret_config, error);
    buffer_deinit(&text);
    return status;
}

enum status auth_config_read(struct slice text, const char *path, struct auth_config **ret_config,
                             struct error *error)
{
    struct auth_config *self = calloc(1, sizeof *self);
    struct config_reader reader = {path, error};
    char reason[120];

    if (self == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "no memory for %.160s", path);
    self->root = json_text_read(text, reason, sizeof reason);
    if (self->root == NULL)
        error_set(error, STATUS_INVALID, "%.160s can't be read: %s", path, reason);
    else if (read_root(&reader, self)) {
        *ret_config = self;
        return STATUS_OK;
    }
    auth_config_free(self);
    return error->status;
}

static void free_mappings(struct mappings *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->items[i].grants);
    free(self->items);
}

void auth_config_free(struct auth_config *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->issuer_count; i++)
        free_mappings(&self->issuers[i].subjects);
    free_mappings(&self->certificates);
    json_decref(self->root);
    free(self);
}

const struct issuer *auth_config_issuer(const struct auth_config *self, const char *name)
{
    for (size_t i = 0; i < self->issuer_count; i++)
        if (strcmp(self->issuers[i].name, name) == 0)
            return &self->issuers[i];
    return NULL;
}

size_t mappings_grants(const struct mappings *self, struct slice name, struct grant *ret_grants)
{
    size_t count = 0;

    for (size_t i = 0; i < self->count; i++) {
        const struct mapping *mapping = &self->items[i];

        if (!pattern_matches(mapping->pattern, name))
            continue;
        if (ret_grants != NULL)
            memcpy(ret_grants + count, mapping->grants,
                   mapping->grant_count * sizeof *mapping->grants);
        count += mapping->grant_count;
    }
    return count;
}

/* ---- mappings ---- */

static bool read_grants(struct config_reader *reader, const struct config_place *place,
                        struct mapping *mapping)
{
    const json_t *array = config_array(reader, place, "grants", 1, GRANTS_MAX);
    size_t count = json_array_size(array);

    if (array == NULL)
        return false;
    mapping->grants = calloc(count, sizeof *mapping->grants);
    if (mapping->grants == NULL)
        return config_refuse(reader, place, "grants", "there is no memory for it");
    for (; mapping->grant_count < count; mapping->grant_count++) {
        const char *text = json_string_value(json_array_get(array, mapping->grant_count));

        if (text == NULL ||
            !grant_read(slice_of_string(text), &mapping->grants[mapping->grant_count]))
            return config_refuse(reader, place, "grants",
                                 "[%zu] is no grant, such as \"work,read:ocr-*\"",
                                 mapping->grant_count);
    }
    return true;
}

/* Objects of a pattern, called `name`, and its grants. */
static bool read_mappings(struct config_reader *reader, const struct config_place *place,
                          const char *array_name, const char *name, size_t count_min,
                          struct mappings *ret_mappings)
{
    const char *const known[] = {name, "grants", NULL};
    const json_t *array = config_array(reader, place, array_name, count_min, MAPPINGS_MAX);
    size_t count = json_array_size(array);

    if (array == NULL)
        return false;
    ret_mappings->items = calloc(count + 1, sizeof *ret_mappings->items);
    if (ret_mappings->items == NULL)
        return config_refuse(reader, place, array_name, "there is no memory for it");
    while (ret_mappings->count < count) {
        struct mapping *mapping = &ret_mappings->items[ret_mappings->count];
        struct config_place item = config_item(
            place, array_name, json_array_get(array, ret_mappings->count), ret_mappings->count);

        ret_mappings->count++;
        if (!config_members(reader, &item, known) ||
            !config_text(reader, &item, name, TEXT_BYTES_MAX, &mapping->pattern) ||
            !read_grants(reader, &item, mapping))
            return false;
    }
    return true;
}

/* ---- issuers ---- */

static bool read_algorithms(struct config_reader *reader, const struct config_place *place,
                            unsigned *ret_bits)
{
    const json_t *array;
    const json_t *item;
    size_t index;

    *ret_bits = 1u << ALGORITHM_RS256 | 1u << ALGORITHM_ES256;
    if (json_object_get(place->json, "algorithms") == NULL)
        return true;
    array = config_array(reader, place, "algorithms", 1, ALGORITHM_COUNT);
    if (array == NULL)
        return false;
    *ret_bits = 0;
    json_array_foreach(array, index, item)
    {
        enum algorithm algorithm;

        if (!json_is_string(item) || !algorithm_of(json_string_value(item), &algorithm))
            return config_refuse(reader, place, "algorithms",
                                 "[%zu] must be one of " ALGORITHM_NAMES, index);
        *ret_bits |= 1u << algorithm;
    }
    return true;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* What follows the host, if the URL begins with it. */
static bool is_host(const char *url, const char *host)
{
    char after = starts_with(url, host) ? url[strlen(host)] : 'x';

    return after == ':' || after == '/' || after == '\0';
}

static bool is_url(const char *url)
{
    for (const char *at = url; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || *at == '@' || *at == '\\')
            return false;
    if (starts_with(url, "https://"))
        return url[strlen("https://")] != '\0';
    return is_host(url, "http://127.0.0.1") || is_host(url, "http://[::1]") ||
           is_host(url, "http://localhost");
}

static bool read_keys(struct config_reader *reader, const struct config_place *place,
                      struct issuer *issuer)
{
    bool has_file = json_object_get(place->json, "jwks_file") != NULL;
    bool has_url = json_object_get(place->json, "jwks_url") != NULL;

    if (has_file == has_url)
        return config_refuse(reader, place, has_file ? "jwks_url" : "jwks_file",
                             "there must be either jwks_file or jwks_url");
    if (has_file)
        return config_text(reader, place, "jwks_file", TEXT_BYTES_MAX, &issuer->jwks_file);
    if (!config_text(reader, place, "jwks_url", TEXT_BYTES_MAX, &issuer->jwks_url) ||
        !config_text_or_none(reader, place, "ca_file", TEXT_BYTES_MAX, &issuer->ca_file) ||
        !config_text_or_none(reader, place, "token_file", TEXT_BYTES_MAX, &issuer->token_file))
        return false;
    if (!is_url(issuer->jwks_url))
        return config_refuse(reader, place, "jwks_url",
                             "it must be an https:// URL without a user, or http:// on 127.0.0.1, "
                             "[::1] or localhost");
    return true;
}

static bool read_issuer(struct config_reader *reader, const struct config_place *place,
                        struct issuer *issuer)
{
    static const char *const of_file[] = {"issuer",   "audience",   "jwks_file",    "jwks_url",
                                          "subjects", "algorithms", "clock_skew_s", NULL};
    static const char *const of_url[] = {
        "issuer",       "audience", "jwks_file",  "jwks_url",  "subjects", "algorithms",
        "clock_skew_s", "ca_file",  "token_file", "refresh_s", NULL};
    int64_t skew_s;
    int64_t refresh_s;

    if (!config_members(reader, place,
                        json_object_get(place->json, "jwks_url") == NULL ? of_file : of_url) ||
        !config_text(reader, place, "issuer", ISSUER_BYTES_MAX, &issuer->name) ||
        !config_text(reader, place, "audience", TEXT_BYTES_MAX, &issuer->audience) ||
        !read_keys(reader, place, issuer) || !read_algorithms(reader, place, &issuer->algorithms) ||
        !config_number(reader, place, "clock_skew_s", 0, CLOCK_SKEW_S_MAX, CLOCK_SKEW_S_DEFAULT,
                       &skew_s) ||
        !config_number(reader, place, "refresh_s", 1, JWKS_REFRESH_S_MAX, JWKS_REFRESH_S_DEFAULT,
                       &refresh_s))
        return false;
    issuer->clock_skew_ms = skew_s * 1000;
    issuer->refresh_ms = refresh_s * 1000;
    return read_mappings(reader, place, "subjects", "subject", 1, &issuer->subjects);
}

static bool read_issuers(struct config_reader *reader, const struct config_place *root,
                         struct auth_config *config)
{
    const json_t *array = config_array(reader, root, "issuers", 1, ISSUERS_MAX);

    if (array == NULL)
        return false;
    while (config->issuer_count < json_array_size(array)) {
        size_t index = config->issuer_count;
        struct issuer *issuer = &config->issuers[index];
        struct config_place place =
            config_item(root, "issuers", json_array_get(array, index), index);

        config->issuer_count++;
        if (!read_issuer(reader, &place, issuer))
            return false;
        if (auth_config_issuer(config, issuer->name) != issuer)
            return config_refuse(reader, &place, "issuer", "there is one of that name already");
    }
    return true;
}

static bool read_root(struct config_reader *reader, struct auth_config *config)
{
    static const char *const known[] = {"issuers", "certificates", NULL};
    struct config_place root = {config->root, ""};

    if (!config_members(reader, &root, known))
        return false;
    if (json_object_size(config->root) == 0)
        return config_refuse(reader, &root, "", "it names neither issuers nor certificates");
    if (json_object_get(config->root, "issuers") != NULL && !read_issuers(reader, &root, config))
        return false;
    return json_object_get(config->root, "certificates") == NULL ||
           read_mappings(reader, &root, "certificates", "san", 1, &config->certificates);
}
