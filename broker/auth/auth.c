/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.c -- who calls?
 */
#include "auth/auth.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "auth/secret_file.h"
#include "base/clock.h"
#include "base/log.h"

#define ADMIN_FILE_BYTES_MAX ((size_t)4096)
#define CREDENTIAL_BYTES_MAX ((size_t)8192)
#define LOOK_MS 2000     /* between two looks at the files */
#define FLUSH_MS 60000   /* between two writes of when tokens were last used */
#define SCHEME "Bearer " /* RFC 6750; the scheme's case does not matter */

struct auth {
    struct auth_options options;
    char tokens_path[4096];
    bool is_on;
    struct token_book tokens;
    struct file_stamp admin_stamp; /* the keeper's */

    pthread_t keeper;
    bool has_keeper;
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    bool stopping; /* guarded by mutex */
};

static enum status open_tokens(struct auth *self, struct error *error);
static enum status read_admin_file(struct auth *self, struct error *error);
static enum status start_keeper(struct auth *self, struct error *error);

/* Waited for by the monotonic clock: a wall clock that is set back must not put the keeper to
 * sleep. */
static void init_stopped(pthread_cond_t *stopped)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(stopped, &attributes);
    pthread_condattr_destroy(&attributes);
}

enum status auth_open(const struct auth_options *options, struct auth **ret_auth,
                      struct error *error)
{
    struct auth *self = calloc(1, sizeof *self);
    enum status status;

    if (self == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "no memory for the tokens");
    self->options = *options;
    pthread_mutex_init(&self->mutex, NULL);
    init_stopped(&self->stopped);
    status = open_tokens(self, error);
    if (status == STATUS_OK && options->admin_token_file != NULL)
        status = read_admin_file(self, error);
    if (status == STATUS_OK && self->is_on)
        status = start_keeper(self, error);
    if (status != STATUS_OK) {
        auth_close(self);
        return status;
    }
    *ret_auth = self;
    return STATUS_OK;
}

static void stop_keeper(struct auth *self)
{
    if (!self->has_keeper)
        return;
    pthread_mutex_lock(&self->mutex);
    self->stopping = true;
    pthread_cond_signal(&self->stopped);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->keeper, NULL);
    token_book_flush(&self->tokens);
}

void auth_close(struct auth *self)
{
    if (self == NULL)
        return;
    stop_keeper(self);
    token_book_close(&self->tokens);
    pthread_cond_destroy(&self->stopped);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

bool auth_is_on(const struct auth *self)
{
    return self != NULL && self->is_on;
}

struct token_book *auth_tokens(struct auth *self)
{
    return &self->tokens;
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
    self->is_on = found || self->options.admin_token_file != NULL;
    return status;
}

static enum status read_admin_file(struct auth *self, struct error *error)
{
    const char *path = self->options.admin_token_file;
    struct buffer text = BUFFER_EMPTY;
    enum status status;

    self->admin_stamp = file_stamp_of(path); /* before it is read: a later change is seen */
    status = secret_file_read(path, "the admin token file", ADMIN_FILE_BYTES_MAX, &text, error);
    if (status != STATUS_OK)
        return status;
    status = token_book_set_file(&self->tokens, buffer_view(&text), error);
    secret_wipe(text.data, text.capacity);
    buffer_deinit(&text);
    return status;
}

/* ---- the keeper ---- */

/* A file that can't be read, or is half written, changes nothing: what was there goes on. */
static void look_at_admin_file(struct auth *self)
{
    struct error error = ERROR_NONE;
    struct file_stamp stamp;

    if (self->options.admin_token_file == NULL)
        return;
    stamp = file_stamp_of(self->options.admin_token_file);
    if (file_stamp_equal(&stamp, &self->admin_stamp))
        return;
    if (read_admin_file(self, &error) == STATUS_OK)
        LOG_INFO("admin_token_reloaded", LOG_STRING("file", self->options.admin_token_file));
    else
        LOG_ERROR("admin_token_kept", LOG_STRING("reason", error.message));
}

/* False: it is time to end. */
static bool sleep_until_next(struct auth *self)
{
    struct timespec until;
    bool going;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_MS / 1000;
    pthread_mutex_lock(&self->mutex);
    while (!self->stopping &&
           pthread_cond_timedwait(&self->stopped, &self->mutex, &until) != ETIMEDOUT)
        ;
    going = !self->stopping;
    pthread_mutex_unlock(&self->mutex);
    return going;
}

static void *keep(void *context)
{
    struct auth *self = context;
    int64_t flushed_ms = clock_monotonic_ms();

    while (sleep_until_next(self)) {
        look_at_admin_file(self);
        if (clock_monotonic_ms() - flushed_ms < FLUSH_MS)
            continue;
        flushed_ms = clock_monotonic_ms();
        token_book_flush(&self->tokens);
    }
    return NULL;
}

static enum status start_keeper(struct auth *self, struct error *error)
{
    self->has_keeper = pthread_create(&self->keeper, NULL, keep, self) == 0;
    if (!self->has_keeper)
        return error_set(error, STATUS_UNAVAILABLE, "no thread can be started for the tokens");
    return STATUS_OK;
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

enum status auth_identify(struct auth *self, const struct credentials *credentials, int64_t now_ms,
                          struct principal **ret_principal, struct error *error)
{
    struct slice text = credentials->authorization;

    *ret_principal = NULL;
    if (text.data == NULL)
        return error_set(error, STATUS_UNAUTHENTICATED,
                         "this broker wants to know who calls: send a token as Authorization: "
                         "Bearer TOKEN");
    if (take_bearer(&text))
        *ret_principal = token_book_find(&self->tokens, text, now_ms);
    if (*ret_principal != NULL)
        return STATUS_OK;
    return error_set(error, STATUS_UNAUTHENTICATED, "the token is not valid, or not any more");
}
