/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.c -- who calls?
 */
#include "auth/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/http_get.h"
#include "auth/secret_file.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#define ADMIN_FILE_BYTES_MAX ((size_t)4096)
#define CREDENTIAL_BYTES_MAX ((size_t)16 << 10)
#define FLUSH_MS 60000   /* between two writes of when tokens were last used */
#define SCHEME "Bearer " /* RFC 6750; the scheme's case does not matter */

struct auth {
    struct auth_options options;
    char tokens_path[4096];
    bool is_on;
    struct token_book tokens;
    struct trust *trust; /* or NULL */

    /* The refreshing thread's. */
    struct file_stamp admin_read;  /* the file that the operator's tokens are from */
    struct file_stamp admin_tried; /* the last one that was read or refused */
    int64_t flushed_ms;
};

static enum status open_tokens(struct auth *self, struct error *error);
static enum status open_trust(struct auth *self, struct error *error);
static enum status read_admin_file(struct auth *self, struct error *error);

enum status auth_open(const struct auth_options *options, struct auth **ret_auth,
                      struct error *error)
{
    struct auth *self = calloc(1, sizeof *self);
    enum status status;

    if (self == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "no memory for the tokens");
    self->options = *options;
    self->flushed_ms = clock_monotonic_ms();
    status = open_tokens(self, error);
    if (status == STATUS_OK && options->admin_token_file != NULL)
        status = read_admin_file(self, error);
    if (status == STATUS_OK && options->auth_config_file != NULL)
        status = open_trust(self, error);
    if (status != STATUS_OK) {
        auth_close(self);
        return status;
    }
    *ret_auth = self;
    return STATUS_OK;
}

void auth_close(struct auth *self)
{
    if (self == NULL)
        return;
    trust_close(self->trust);
    token_book_flush(&self->tokens);
    token_book_close(&self->tokens);
    free(self);
}

/* A file that can't be read, or is half written, changes nothing: what was there goes on. It is
 * tried again every time, since a right that is given or taken leaves the stamp as it is. */
static void refresh_admin_file(struct auth *self, bool forced)
{
    struct file_stamp found = file_stamp_of(self->options.admin_token_file);
    struct error error = ERROR_NONE;

    if (!forced && file_stamp_equal(&found, &self->admin_read))
        return;
    if (read_admin_file(self, &error) == STATUS_OK) {
        LOG_INFO("admin_token_reloaded", LOG_STRING("file", self->options.admin_token_file));
        return;
    }
    if (forced || !file_stamp_equal(&found, &self->admin_tried))
        LOG_ERROR("admin_token_kept", LOG_STRING("reason", error.message));
    self->admin_tried = found;
}

void auth_refresh(struct auth *self, bool forced)
{
    if (self->options.admin_token_file != NULL)
        refresh_admin_file(self, forced);
    if (self->trust != NULL)
        trust_refresh(self->trust, forced);
    if (clock_monotonic_ms() - self->flushed_ms < FLUSH_MS)
        return;
    self->flushed_ms = clock_monotonic_ms();
    token_book_flush(&self->tokens);
}

bool auth_is_on(const struct auth *self)
{
    return self != NULL && self->is_on;
}

struct token_book *auth_tokens(struct auth *self)
{
    return &self->tokens;
}

struct trust *auth_trust(struct auth *self)
{
    return self->trust;
}

static enum status open_tokens(struct auth *self, struct error *error)
{
    const char *path = NULL;
    bool found;
    enum status status;

    if (self->options.data_dir != NULL) {
        snprintf(self->tokens_path, sizeof self->tokens_path, "%s/tokens.json",
                 self->options.data_dir);
        path = self->tokens_path;
    }
    status = token_book_open(&self->tokens, path, &found, error);
    self->is_on =
        found || self->options.admin_token_file != NULL || self->options.auth_config_file != NULL;
    return status;
}

static enum status open_trust(struct auth *self, struct error *error)
{
    if (!http_get_setup())
        return error_set(error, STATUS_UNAVAILABLE, "libcurl can't be set up");
    return trust_open(self->options.auth_config_file, &self->trust, error);
}

static enum status read_admin_file(struct auth *self, struct error *error)
{
    const char *path = self->options.admin_token_file;
    struct file_stamp found = file_stamp_of(path); /* before it is read: a later change is seen */
    struct buffer text = BUFFER_EMPTY;
    enum status status;

    status = secret_file_read(path, "the admin token file", ADMIN_FILE_BYTES_MAX, &text, error);
    if (status != STATUS_OK)
        return status;
    status = token_book_set_file(&self->tokens, buffer_view(&text), error);
    secret_wipe(text.data, text.capacity);
    buffer_deinit(&text);
    if (status == STATUS_OK)
        self->admin_read = self->admin_tried = found;
    return status;
}

/* ---- asking ---- */

static bool take_bearer(struct slice *text)
{
    size_t size = strlen(SCHEME);

    if (text->size <= size || strncasecmp((const char *)text->data, SCHEME, size) != 0)
        return false;
    *text = slice_of(text->data + size, text->size - size);
    while (text->size > 0 && text->data[0] == ' ')
        *text = slice_of(text->data + 1, text->size - 1);
    return text->size > 0 && text->size <= CREDENTIAL_BYTES_MAX;
}

static enum status identify_by_bearer(struct auth *self, struct slice text, int64_t now_ms,
                                      struct principal **ret_principal)
{
    bool is_ours = slice_starts_with(text, slice_of_string(SECRET_PREFIX));

    if (!is_ours && self->trust != NULL)
        return trust_token(self->trust, text, now_ms, ret_principal);
    *ret_principal = token_book_find(&self->tokens, text, now_ms);
    return *ret_principal != NULL ? STATUS_OK : STATUS_UNAUTHENTICATED;
}

enum status auth_identify(struct auth *self, const struct credentials *credentials, int64_t now_ms,
                          struct principal **ret_principal, struct error *error)
{
    struct slice text = credentials->authorization;
    enum status status = STATUS_UNAUTHENTICATED;

    *ret_principal = NULL;
    if (text.data == NULL) {
        if (self->trust != NULL)
            *ret_principal =
                trust_certificate(self->trust, credentials->sans, credentials->san_count,
                                  credentials->certificate_until_ms, now_ms);
        if (*ret_principal != NULL)
            return STATUS_OK;
        return error_set(error, STATUS_UNAUTHENTICATED,
                         "this broker wants to know who calls: send a token as Authorization: "
                         "Bearer TOKEN");
    }
    if (take_bearer(&text))
        status = identify_by_bearer(self, text, now_ms, ret_principal);
    if (status == STATUS_UNAUTHENTICATED)
        return error_set(error, status, "the token is not valid, or not any more");
    if (status != STATUS_OK)
        return error_set(error, status, "the broker can't check tokens yet; try again");
    return status;
}
