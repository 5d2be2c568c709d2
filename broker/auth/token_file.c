/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_file.c -- tokens.json: read whole, written aside, flushed and renamed.
 */
#include "auth/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth/secret_file.h"
#include "base/file.h"

#define FILE_BYTES_MAX ((size_t)64 << 20)
#define FILE_VERSION 1
#define HEX_BYTES (2 * SECRET_HASH_BYTES + 1)

static struct token *token_of_json(const json_t *json);

/* ---- reading ---- */

static enum status refuse_file(const char *path, struct error *error)
{
    return error_set(error, STATUS_CORRUPT,
                     "%s is no token file of this version; restore it, or remove it and make the "
                     "tokens anew",
                     path);
}

static enum status read_tokens(const char *path, const json_t *array, struct list *tokens,
                               size_t *ret_count, struct error *error)
{
    size_t index;
    json_t *item;

    json_array_foreach(array, index, item)
    {
        struct token *token = token_of_json(item);

        if (token == NULL)
            return refuse_file(path, error);
        list_append(tokens, &token->link);
        (*ret_count)++;
    }
    return STATUS_OK;
}

enum status token_file_read(const char *path, struct list *tokens, size_t *ret_count,
                            struct error *error)
{
    struct buffer data = BUFFER_EMPTY;
    enum status status;
    json_t *root;

    *ret_count = 0;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return STATUS_NOT_FOUND;
    status = secret_file_read(path, "the token file", FILE_BYTES_MAX, &data, error);
    if (status != STATUS_OK)
        return status;
    root = json_loadb((const char *)data.data, data.size, JSON_REJECT_DUPLICATES, NULL);
    buffer_deinit(&data);
    if (json_integer_value(json_object_get(root, "version")) != FILE_VERSION ||
        !json_is_array(json_object_get(root, "tokens")))
        status = refuse_file(path, error);
    else
        status = read_tokens(path, json_object_get(root, "tokens"), tokens, ret_count, error);
    json_decref(root);
    return status;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hash(const char *text, struct secret_hash *ret)
{
    if (text == NULL || strlen(text) != HEX_BYTES - 1)
        return false;
    for (size_t i = 0; i < SECRET_HASH_BYTES; i++) {
        int high = digit_of(text[2 * i]);
        int low = digit_of(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        ret->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* One that is missing is not TIME_NEVER: a token would live for ever. */
static bool read_time(const json_t *json, const char *name, int64_t *ret_ms)
{
    const json_t *value = json_object_get(json, name);

    *ret_ms = json_integer_value(value);
    return json_is_integer(value);
}

static bool read_secrets(const json_t *array, struct token *token)
{
    size_t count = json_array_size(array);

    if (count < 1 || count > TOKEN_SECRETS)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);

        if (!read_hash(json_string_value(json_object_get(item, "sha256")),
                       &token->secrets[i].hash) ||
            !read_time(item, "until_unix_ms", &token->secrets[i].until_ms))
            return false;
    }
    token->secret_count = count;
    return true;
}

static bool read_grants(const json_t *array, struct grant grants[GRANTS_MAX], size_t *ret_count)
{
    size_t count = json_array_size(array);

    if (!json_is_array(array) || count > GRANTS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));

        if (text == NULL || !grant_read(slice_of_string(text), &grants[i]))
            return false;
    }
    *ret_count = count;
    return true;
}

static bool read_times(const json_t *json, struct token *token)
{
    int64_t last_used_ms;
    int64_t expires_ms;

    if (!read_time(json, "created_unix_ms", &token->created_ms) ||
        !read_time(json, "expires_unix_ms", &expires_ms) ||
        !read_time(json, "last_used_unix_ms", &last_used_ms))
        return false;
    token_expire(token, expires_ms);
    token->last_used_ms = last_used_ms;
    return true;
}

static struct token *token_of_json(const json_t *json)
{
    const char *id = json_string_value(json_object_get(json, "id"));
    const char *name = json_string_value(json_object_get(json, "name"));
    struct grant grants[GRANTS_MAX];
    size_t grant_count;
    struct secret_key key;
    struct token *token;

    if (id == NULL || strlen(id) != SECRET_KEY_BYTES || name == NULL ||
        strlen(name) > TOKEN_NAME_BYTES_MAX ||
        !read_grants(json_object_get(json, "grants"), grants, &grant_count))
        return NULL;
    memcpy(key.text, id, sizeof key.text);
    token = token_new(&key, name, grants, grant_count);
    if (token == NULL || !read_secrets(json_object_get(json, "secrets"), token) ||
        !read_times(json, token)) {
        token_free(token);
        return NULL;
    }
    return token;
}

/* ---- writing ---- */

/* Appends; or frees the array and leaves NULL: a file that lacks something is not written. */
static void put(json_t **array, json_t *item)
{
    if (json_array_append_new(*array, item) == 0)
        return;
    json_decref(*array);
    *array = NULL;
}

static json_t *secrets_json(const struct token *token)
{
    json_t *array = json_array();

    for (size_t i = 0; i < token->secret_count; i++) {
        char hex[HEX_BYTES];

        for (size_t k = 0; k < SECRET_HASH_BYTES; k++)
            snprintf(hex + 2 * k, 3, "%02x", token->secrets[i].hash.bytes[k]);
        put(&array, json_pack("{ss sI}", "sha256", hex, "until_unix_ms",
                              (json_int_t)token->secrets[i].until_ms));
    }
    return array;
}

static json_t *token_json(const struct token *token)
{
    json_t *grants = json_array();

    for (size_t i = 0; i < token->principal->grant_count; i++) {
        char text[GRANT_TEXT_BYTES_MAX];

        grant_write(&token->principal->grants[i], text);
        put(&grants, json_string(text));
    }
    return json_pack("{ss ss so sI sI sI so}", "id", token->key.text, "name", token->name, "grants",
                     grants, "created_unix_ms", (json_int_t)token->created_ms, "expires_unix_ms",
                     (json_int_t)token->expires_ms, "last_used_unix_ms",
                     (json_int_t)token->last_used_ms, "secrets", secrets_json(token));
}

static json_t *tokens_json(const struct list *tokens, const struct token *added,
                           const struct token *removed)
{
    json_t *array = json_array();

    LIST_EACH (link, tokens) {
        const struct token *token = CONTAINER_OF(link, struct token, link);

        if (!token->from_file && token != removed)
            put(&array, token_json(token));
    }
    if (added != NULL)
        put(&array, token_json(added));
    return json_pack("{si so}", "version", FILE_VERSION, "tokens", array);
}

static int write_synced(const char *path, struct slice text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int failure;

    if (fd < 0)
        return errno;
    failure = file_write(fd, text.data, text.size, 0);
    if (failure == 0 && fsync(fd) != 0)
        failure = errno;
    if (close(fd) != 0 && failure == 0)
        failure = errno;
    return failure;
}

/* The name itself must last too. */
static int sync_parent(const char *path)
{
    char copy[PATH_MAX];

    snprintf(copy, sizeof copy, "%s", path); /* dirname writes into it */
    return file_sync_names(dirname(copy));
}

static int replace(const char *path, struct slice text)
{
    char beside[PATH_MAX];
    int failure;

    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
        return ENAMETOOLONG;
    failure = write_synced(beside, text);
    if (failure == 0 && rename(beside, path) != 0)
        failure = errno;
    return failure != 0 ? failure : sync_parent(path);
}

static int append_text(const char *text, size_t size, void *context)
{
    struct buffer *buffer = context;

    buffer_append(buffer, slice_of(text, size));
    return buffer->failed ? -1 : 0;
}

/* The buffer and not jansson says whether all is there: json_dumps leaves out a member's name for
 * which it has no memory. */
static bool dump(const json_t *root, struct buffer *ret_text)
{
    return root != NULL && json_dump_callback(root, append_text, ret_text, JSON_INDENT(1)) == 0 &&
           !ret_text->failed;
}

enum status token_file_write(const char *path, const struct list *tokens, const struct token *added,
                             const struct token *removed, struct error *error)
{
    json_t *root = tokens_json(tokens, added, removed);
    struct buffer text = BUFFER_EMPTY;
    int failure = dump(root, &text) ? replace(path, buffer_view(&text)) : ENOMEM;

    json_decref(root);
    buffer_deinit(&text);
    if (failure == 0)
        return STATUS_OK;
    return error_set(error, failure == ENOSPC ? STATUS_STORE_FULL : STATUS_INTERNAL,
                     "%s can't be written: %s", path, strerror(failure));
}
