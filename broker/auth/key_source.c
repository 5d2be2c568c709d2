/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_source.c -- where an issuer's keys come from.
 */
#include "auth/key_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/http_get.h"
#include "auth/json_text.h"
#include "auth/secret_file.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"

struct key_source {
    struct key_source_options options;
    char *issuer;
    char *file; /* or url */
    char *url;
    char *ca_file;    /* or NULL */
    char *token_file; /* or NULL */
    int64_t refresh_ms;

    pthread_mutex_t lock;
    pthread_cond_t woken;
    struct jwks *keys; /* guarded by lock, as all to `is_fetching`; NULL: none yet */
    int64_t read_ms;   /* wall clock */
    int64_t failures;
    struct error refused; /* the last failure that was logged; no error after a success */
    int64_t due_ms;       /* of the next fetch; monotonic, as those below */
    int64_t wish_ms;      /* when a wish was last granted */
    bool has_wished;
    bool is_fetching;

    atomic_bool stopping;
    pthread_t thread; /* of a URL */
    bool is_running;

    /* The refreshing thread's. */
    struct file_stamp stamp;
};

static enum status read_file(struct key_source *self, struct error *error);
static void take_keys(struct key_source *self, struct jwks *keys);
static void fail(struct key_source *self, const struct error *error);
static void *run(void *argument);

static bool copy_texts(struct key_source *self, const struct issuer *issuer)
{
    const char *const from[] = {issuer->name, issuer->jwks_file, issuer->jwks_url, issuer->ca_file,
                                issuer->token_file};
    char **const to[] = {&self->issuer, &self->file, &self->url, &self->ca_file, &self->token_file};

    for (size_t i = 0; i < sizeof from / sizeof *from; i++)
        if (from[i] != NULL && (*to[i] = strdup(from[i])) == NULL)
            return false;
    return true;
}

static enum status begin(struct key_source *self, struct error *error)
{
    if (self->file != NULL)
        return read_file(self, error);
    if (thread_start(&self->thread, run, self) != 0)
        return error_set(error, STATUS_UNAVAILABLE, "no thread to fetch %.160s", self->url);
    self->is_running = true;
    return STATUS_OK;
}

enum status key_source_open(const struct issuer *issuer, const struct key_source_options *options,
                            struct key_source **ret_source, struct error *error)
{
    struct key_source *self = calloc(1, sizeof *self);
    pthread_condattr_t monotonic;
    enum status status;

    if (self == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "no memory for the keys of %.160s",
                         issuer->name);
    self->options = *options;
    self->refresh_ms = issuer->refresh_ms;
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    atomic_init(&self->stopping, false);
    status = copy_texts(self, issuer)
                 ? begin(self, error)
                 : error_set(error, STATUS_UNAVAILABLE, "no memory for %.160s", issuer->name);
    if (status != STATUS_OK) {
        key_source_close(self);
        return status;
    }
    *ret_source = self;
    return STATUS_OK;
}

static void wake(struct key_source *self)
{
    pthread_mutex_lock(&self->lock);
    pthread_cond_signal(&self->woken);
    pthread_mutex_unlock(&self->lock);
}

void key_source_close(struct key_source *self)
{
    if (self == NULL)
        return;
    atomic_store(&self->stopping, true);
    wake(self);
    if (self->is_running)
        pthread_join(self->thread, NULL);
    jwks_release(self->keys);
    pthread_cond_destroy(&self->woken);
    pthread_mutex_destroy(&self->lock);
    free(self->issuer);
    free(self->file);
    free(self->url);
    free(self->ca_file);
    free(self->token_file);
    free(self);
}

bool key_source_is_for(const struct key_source *self, const struct issuer *issuer)
{
    return json_text_equal(self->issuer, issuer->name) &&
           json_text_equal(self->file, issuer->jwks_file) &&
           json_text_equal(self->url, issuer->jwks_url) &&
           json_text_equal(self->ca_file, issuer->ca_file) &&
           json_text_equal(self->token_file, issuer->token_file) &&
           self->refresh_ms == issuer->refresh_ms;
}

struct jwks *key_source_take(struct key_source *self)
{
    struct jwks *keys;

    pthread_mutex_lock(&self->lock);
    keys = self->keys == NULL ? NULL : jwks_ref(self->keys);
    pthread_mutex_unlock(&self->lock);
    return keys;
}

/* Under the lock. */
static void grant_wish(struct key_source *self, int64_t now_ms)
{
    self->has_wished = true;
    self->wish_ms = now_ms;
    self->due_ms = now_ms;
    pthread_cond_signal(&self->woken);
}

bool key_source_wish(struct key_source *self)
{
    int64_t now_ms = clock_monotonic_ms();
    bool may_come;

    if (self->url == NULL)
        return false;
    pthread_mutex_lock(&self->lock);
    if (!self->has_wished || now_ms - self->wish_ms >= WISH_PAUSE_MS)
        grant_wish(self, now_ms);
    may_come = self->due_ms <= now_ms || self->is_fetching || self->refused.status != STATUS_OK;
    pthread_mutex_unlock(&self->lock);
    return may_come;
}

struct key_source_figures key_source_figures(struct key_source *self)
{
    struct key_source_figures figures = {.keys = 0};

    snprintf(figures.issuer, sizeof figures.issuer, "%s", self->issuer);
    pthread_mutex_lock(&self->lock);
    figures.read_ms = self->read_ms;
    figures.failures = self->failures;
    figures.keys = jwks_count(self->keys);
    pthread_mutex_unlock(&self->lock);
    return figures;
}

static const char *place_of(const struct key_source *self)
{
    return self->file != NULL ? self->file : self->url;
}

/* Keys were read. Those who hold the ones before may finish with them. */
static void take_keys(struct key_source *self, struct jwks *keys)
{
    struct jwks *before;
    bool changed;
    bool recovered;

    pthread_mutex_lock(&self->lock);
    before = self->keys;
    changed = !jwks_equal(before, keys);
    recovered = self->refused.status != STATUS_OK;
    self->keys = keys;
    self->read_ms = clock_wall_ms();
    self->refused = ERROR_NONE;
    pthread_mutex_unlock(&self->lock);
    if (changed && before != NULL)
        self->options.changed(self->options.context);
    if (changed || recovered)
        LOG_INFO("issuer_keys_read", LOG_STRING("issuer", self->issuer),
                 LOG_STRING("from", place_of(self)), LOG_INT("keys", (int64_t)jwks_count(keys)));
    jwks_release(before);
}

/* The keys before go on. */
static void fail(struct key_source *self, const struct error *error)
{
    bool is_news;
    size_t kept;

    pthread_mutex_lock(&self->lock);
    self->failures++;
    is_news = strcmp(self->refused.message, error->message) != 0;
    self->refused = *error;
    kept = jwks_count(self->keys);
    pthread_mutex_unlock(&self->lock);
    if (is_news)
        LOG_ERROR("issuer_keys_kept", LOG_STRING("issuer", self->issuer),
                  LOG_STRING("reason", error->message), LOG_INT("keys", (int64_t)kept));
}

/* ---- from a file ---- */

static enum status read_file(struct key_source *self, struct error *error)
{
    struct file_stamp found = file_stamp_of(self->file); /* before it is read */
    struct buffer text = BUFFER_EMPTY;
    struct jwks *keys = NULL;
    enum status status =
        plain_file_read(self->file, "the file of keys", JWKS_BYTES_MAX, &text, error);

    if (status == STATUS_OK)
        status = jwks_read(buffer_view(&text), self->file, &keys, error);
    buffer_deinit(&text);
    if (status != STATUS_OK)
        return status;
    self->stamp = found;
    take_keys(self, keys);
    return STATUS_OK;
}

void key_source_refresh(struct key_source *self, bool forced)
{
    struct error error = ERROR_NONE;
    struct file_stamp found;

    if (self->file == NULL) {
        pthread_mutex_lock(&self->lock);
        if (forced)
            self->due_ms = clock_monotonic_ms();
        pthread_cond_signal(&self->woken);
        pthread_mutex_unlock(&self->lock);
        return;
    }
    found = file_stamp_of(self->file);
    if (!forced && file_stamp_equal(&found, &self->stamp))
        return;
    if (read_file(self, &error) != STATUS_OK)
        fail(self, &error);
}

/* ---- from a URL ---- */

static enum status fetch(struct key_source *self, struct error *error)
{
    const struct http_get wanted = {.url = self->url,
                                    .ca_file = self->ca_file,
                                    .token_file = self->token_file,
                                    .size_max = JWKS_BYTES_MAX,
                                    .stop = &self->stopping};
    struct buffer text = BUFFER_EMPTY;
    struct jwks *keys = NULL;
    enum status status = http_get(&wanted, &text, error);

    if (status == STATUS_OK)
        status = jwks_read(buffer_view(&text), self->url, &keys, error);
    buffer_deinit(&text);
    if (status == STATUS_OK)
        take_keys(self, keys);
    return status;
}

/* Until the next fetch is due: it is under way then, and only a wish makes another one due. False:
 * there will be none. */
static bool wait_for_turn(struct key_source *self)
{
    pthread_mutex_lock(&self->lock);
    while (!atomic_load(&self->stopping) && clock_monotonic_ms() < self->due_ms) {
        const struct timespec due = {.tv_sec = self->due_ms / 1000,
                                     .tv_nsec = self->due_ms % 1000 * 1000000};

        pthread_cond_timedwait(&self->woken, &self->lock, &due);
    }
    self->due_ms = INT64_MAX;
    self->is_fetching = true;
    pthread_mutex_unlock(&self->lock);
    return !atomic_load(&self->stopping);
}

/* A wish that came during the fetch may be for keys that it just missed. */
static void plan(struct key_source *self, int64_t pause_ms)
{
    int64_t due_ms = clock_monotonic_ms() + pause_ms;

    pthread_mutex_lock(&self->lock);
    self->due_ms = due_ms < self->due_ms ? due_ms : self->due_ms;
    self->is_fetching = false;
    pthread_mutex_unlock(&self->lock);
}

static void *run(void *argument)
{
    struct key_source *self = argument;

    while (wait_for_turn(self)) {
        struct error error = ERROR_NONE;
        bool fetched = fetch(self, &error) == STATUS_OK;

        if (!fetched && !atomic_load(&self->stopping))
            fail(self, &error);
        plan(self, fetched || self->refresh_ms < RETRY_MS ? self->refresh_ms : RETRY_MS);
    }
    return NULL;
}
