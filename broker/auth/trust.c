/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.c -- whom the broker believes who somebody is.
 */
#include "auth/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwt.h"
#include "auth/known.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#define REFUSALS_APART_MS 1000 /* in the log: anybody may send garbage */
#define SANS_HASHED_MAX ((size_t)1 << 16)

struct trust {
    const char *path;
    struct known known;
    _Atomic int64_t told_ms; /* when a refusal was last logged; monotonic */

    pthread_rwlock_t lock;
    struct auth_config *config;              /* guarded by lock */
    struct key_source *sources[ISSUERS_MAX]; /* likewise: each of its issuer, by index */

    /* The refreshing thread's. */
    struct file_stamp read;
    struct file_stamp tried;
};

static enum status load(struct trust *self, struct error *error);

enum status trust_open(const char *path, struct trust **ret_trust, struct error *error)
{
    struct trust *self = calloc(1, sizeof *self);
    enum status status;

    if (self == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "no memory for %.160s", path);
    self->path = path;
    known_init(&self->known);
    pthread_rwlock_init(&self->lock, NULL);
    status = load(self, error);
    if (status != STATUS_OK) {
        trust_close(self);
        return status;
    }
    *ret_trust = self;
    return STATUS_OK;
}

static void close_sources(struct key_source *sources[ISSUERS_MAX])
{
    for (size_t i = 0; i < ISSUERS_MAX; i++)
        key_source_close(sources[i]);
}

void trust_close(struct trust *self)
{
    if (self == NULL)
        return;
    close_sources(self->sources);
    auth_config_free(self->config);
    known_deinit(&self->known);
    pthread_rwlock_destroy(&self->lock);
    free(self);
}

/* ---- the file ---- */

static void forget(void *context)
{
    known_forget(&((struct trust *)context)->known);
}

/* The source that reads for that issuer already, or NULL. */
static struct key_source *source_for(struct trust *self, const struct issuer *issuer)
{
    for (size_t i = 0; i < ISSUERS_MAX; i++)
        if (self->sources[i] != NULL && key_source_is_for(self->sources[i], issuer))
            return self->sources[i];
    return NULL;
}

/* Sources of all issuers: those that are there, where they fit, and new ones; `ret_new` are to be
 * closed should one fail. */
static enum status open_some(struct trust *self, const struct auth_config *config, bool from_urls,
                             struct key_source *ret_all[ISSUERS_MAX],
                             struct key_source *ret_new[ISSUERS_MAX], struct error *error)
{
    const struct key_source_options options = {.changed = forget, .context = self};

    for (size_t i = 0; i < config->issuer_count; i++) {
        enum status status;

        if ((config->issuers[i].jwks_url != NULL) != from_urls)
            continue;
        ret_all[i] = source_for(self, &config->issuers[i]);
        if (ret_all[i] != NULL)
            continue;
        status = key_source_open(&config->issuers[i], &options, &ret_new[i], error);
        if (status != STATUS_OK)
            return status;
        ret_all[i] = ret_new[i];
    }
    return STATUS_OK;
}

/* Those with threads that fetch come last: a file that is refused starts none. */
static enum status open_sources(struct trust *self, const struct auth_config *config,
                                struct key_source *ret_all[ISSUERS_MAX],
                                struct key_source *ret_new[ISSUERS_MAX], struct error *error)
{
    enum status status = open_some(self, config, false, ret_all, ret_new, error);

    return status == STATUS_OK ? open_some(self, config, true, ret_all, ret_new, error) : status;
}

static bool is_among(const struct key_source *source, struct key_source *const all[ISSUERS_MAX])
{
    for (size_t i = 0; i < ISSUERS_MAX; i++)
        if (all[i] == source)
            return true;
    return false;
}

/* Those who were let in by what it said before are checked again. */
static void replace(struct trust *self, struct auth_config *config,
                    struct key_source *all[ISSUERS_MAX])
{
    struct key_source *gone[ISSUERS_MAX] = {NULL};
    struct auth_config *before;

    pthread_rwlock_wrlock(&self->lock);
    for (size_t i = 0; i < ISSUERS_MAX; i++) {
        if (self->sources[i] != NULL && !is_among(self->sources[i], all))
            gone[i] = self->sources[i];
    }
    memcpy(self->sources, all, sizeof self->sources);
    before = self->config;
    self->config = config;
    pthread_rwlock_unlock(&self->lock);
    known_forget(&self->known);
    close_sources(gone);
    auth_config_free(before);
}

static enum status load(struct trust *self, struct error *error)
{
    struct file_stamp found = file_stamp_of(self->path); /* before it is read */
    struct key_source *all[ISSUERS_MAX] = {NULL};
    struct key_source *new[ISSUERS_MAX] = {NULL};
    struct auth_config *config = NULL;
    enum status status = auth_config_load(self->path, &config, error);

    if (status == STATUS_OK)
        status = open_sources(self, config, all, new, error);
    if (status != STATUS_OK) {
        close_sources(new);
        auth_config_free(config);
        return status;
    }
    self->read = self->tried = found;
    replace(self, config, all);
    return STATUS_OK;
}

static void refresh_config(struct trust *self, bool forced)
{
    struct file_stamp found = file_stamp_of(self->path);
    struct error error = ERROR_NONE;

    if (!forced && file_stamp_equal(&found, &self->read))
        return;
    if (load(self, &error) == STATUS_OK) {
        LOG_INFO("auth_config_reloaded", LOG_STRING("file", self->path));
        return;
    }
    if (forced || !file_stamp_equal(&found, &self->tried))
        LOG_ERROR("auth_config_kept", LOG_STRING("reason", error.message));
    self->tried = found;
}

void trust_refresh(struct trust *self, bool forced)
{
    refresh_config(self, forced);
    for (size_t i = 0; i < ISSUERS_MAX; i++)
        if (self->sources[i] != NULL)
            key_source_refresh(self->sources[i], forced);
}

size_t trust_figures(struct trust *self, struct key_source_figures ret_figures[ISSUERS_MAX])
{
    size_t count;

    pthread_rwlock_rdlock(&self->lock);
    count = self->config->issuer_count;
    for (size_t i = 0; i < count; i++)
        ret_figures[i] = key_source_figures(self->sources[i]);
    pthread_rwlock_unlock(&self->lock);
    return count;
}

/* ---- principals ---- */

/* With the rights that the mappings give the names. */
static struct principal *principal_of(enum principal_kind kind, const char *name, int64_t until_ms,
                                      const struct mappings *mappings, const struct slice *names,
                                      size_t name_count)
{
    struct principal *principal;
    struct grant *grants;
    size_t count = 0;

    for (size_t i = 0; i < name_count; i++)
        count += mappings_grants(mappings, names[i], NULL);
    grants = calloc(count + 1, sizeof *grants);
    if (grants == NULL)
        return NULL;
    count = 0;
    for (size_t i = 0; i < name_count; i++)
        count += mappings_grants(mappings, names[i], grants + count);
    principal = principal_new(kind, name, grants, count);
    free(grants);
    if (principal != NULL)
        principal->expires_ms = until_ms;
    return principal;
}

/* ---- tokens ---- */

/* An attempt to come in by a token. */
struct attempt {
    struct jwt jwt;
    const struct issuer *issuer; /* NULL: not known */
    int64_t until_ms;
    bool is_signed;
};

static enum jwt_verdict verify(struct attempt *self, struct key_source *source, int64_t now_ms)
{
    struct jwks *keys = key_source_take(source);
    const json_t *key = jwks_find(keys, self->jwt.key_id, self->jwt.algorithm);
    enum jwt_verdict verdict = JWT_OK;

    if (keys == NULL)
        verdict = JWT_NO_KEYS_YET;
    else if (key == NULL)
        verdict = JWT_UNKNOWN_KEY;
    else if (!(self->is_signed = jwt_is_signed(&self->jwt, key)))
        verdict = JWT_SIGNATURE;
    else
        verdict = jwt_check(&self->jwt, self->issuer->audience, self->issuer->clock_skew_ms, now_ms,
                            &self->until_ms);
    jwks_release(keys);
    return verdict == JWT_UNKNOWN_KEY && key_source_wish(source) ? JWT_KEY_TO_COME : verdict;
}

static enum jwt_verdict judge(struct trust *self, struct attempt *attempt, struct slice text,
                              int64_t now_ms)
{
    enum jwt_verdict verdict = jwt_read(&attempt->jwt, text);

    if (verdict != JWT_OK)
        return verdict;
    attempt->issuer = auth_config_issuer(self->config, attempt->jwt.issuer);
    if (attempt->issuer == NULL)
        return JWT_NO_ISSUER;
    if ((attempt->issuer->algorithms & 1u << attempt->jwt.algorithm) == 0)
        return JWT_ALGORITHM;
    return verify(attempt, self->sources[attempt->issuer - self->config->issuers], now_ms);
}

/* One in a while, and of what it says only what was signed. */
static void tell_refusal(struct trust *self, const struct attempt *attempt,
                         enum jwt_verdict verdict)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t told_ms = atomic_load(&self->told_ms);

    if (told_ms != 0 && now_ms - told_ms < REFUSALS_APART_MS)
        return;
    if (!atomic_compare_exchange_strong(&self->told_ms, &told_ms, now_ms))
        return;
    LOG_WARN("jwt_refused", LOG_STRING("reason", jwt_sentence(verdict)),
             LOG_STRING("issuer", attempt->issuer == NULL ? NULL : attempt->issuer->name),
             LOG_STRING("subject", attempt->is_signed ? jwt_subject(&attempt->jwt) : NULL));
}

/* Who came, once a token: in Kubernetes the pod that it was made for too. */
static void tell_arrival(const struct attempt *attempt, const struct principal *principal)
{
    const json_t *bound = json_object_get(attempt->jwt.claims, "kubernetes.io");
    const json_t *pod = json_object_get(bound, "pod");
    const json_t *node = json_object_get(bound, "node");

    LOG_INFO("jwt_accepted", LOG_STRING("issuer", attempt->issuer->name),
             LOG_STRING("subject", jwt_subject(&attempt->jwt)),
             LOG_STRING("pod", json_string_value(json_object_get(pod, "name"))),
             LOG_STRING("node", json_string_value(json_object_get(node, "name"))),
             LOG_INT("grants", (int64_t)principal->grant_count));
}

static enum jwt_verdict let_in(struct attempt *attempt, struct principal **ret_principal)
{
    const char *subject = jwt_subject(&attempt->jwt);
    const struct slice name = slice_of_string(subject);

    *ret_principal = principal_of(PRINCIPAL_JWT, subject, attempt->until_ms,
                                  &attempt->issuer->subjects, &name, 1);
    return *ret_principal == NULL ? JWT_NO_MEMORY : JWT_OK;
}

/* A worker gives up when it is told that nobody knows it: not while the broker may yet. */
static enum status status_of(enum jwt_verdict verdict)
{
    switch (verdict) {
    case JWT_OK:
        return STATUS_OK;
    case JWT_NO_KEYS_YET:
    case JWT_KEY_TO_COME:
    case JWT_NO_MEMORY:
        return STATUS_UNAVAILABLE;
    default:
        return STATUS_UNAUTHENTICATED;
    }
}

/* Under the lock: the config may not change meanwhile. */
static enum status check_token(struct trust *self, struct slice text,
                               const struct secret_hash *hash, int64_t now_ms,
                               struct principal **ret_principal)
{
    uint64_t age = known_age(&self->known);
    struct attempt attempt = {.issuer = NULL};
    enum jwt_verdict verdict = judge(self, &attempt, text, now_ms);

    if (verdict == JWT_OK)
        verdict = let_in(&attempt, ret_principal);
    if (verdict == JWT_OK) {
        known_add(&self->known, hash, *ret_principal, attempt.until_ms, age);
        tell_arrival(&attempt, *ret_principal);
    } else {
        tell_refusal(self, &attempt, verdict);
    }
    jwt_deinit(&attempt.jwt);
    return status_of(verdict);
}

enum status trust_token(struct trust *self, struct slice text, int64_t now_ms,
                        struct principal **ret_principal)
{
    struct secret_hash hash = secret_hash(text);
    enum status status;

    *ret_principal = known_find(&self->known, &hash, now_ms);
    if (*ret_principal != NULL)
        return STATUS_OK;
    pthread_rwlock_rdlock(&self->lock);
    status = check_token(self, text, &hash, now_ms, ret_principal);
    pthread_rwlock_unlock(&self->lock);
    return status;
}

/* ---- certificates ---- */

/* Of its end and all its names, each after a NUL: none can be taken for two, and nothing of it for
 * a token. False: it has more names than are remembered. */
static bool hash_certificate(const struct slice *sans, size_t san_count, int64_t until_ms,
                             struct secret_hash *ret_hash)
{
    struct buffer text = BUFFER_EMPTY;
    bool fits;

    buffer_append(&text, slice_of(&until_ms, sizeof until_ms));
    for (size_t i = 0; i < san_count && text.size <= SANS_HASHED_MAX; i++) {
        buffer_append(&text, slice_of("", 1));
        buffer_append(&text, sans[i]);
    }
    fits = !text.failed && text.size <= SANS_HASHED_MAX;
    if (fits)
        *ret_hash = secret_hash(buffer_view(&text));
    buffer_deinit(&text);
    return fits;
}

/* The first name that a pattern matches is the caller's. */
static struct principal *check_certificate(const struct mappings *mappings,
                                           const struct slice *sans, size_t san_count,
                                           int64_t until_ms)
{
    char name[PRINCIPAL_NAME_BYTES_MAX + 1];

    for (size_t i = 0; i < san_count; i++) {
        if (mappings_grants(mappings, sans[i], NULL) == 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)sans[i].size, (const char *)sans[i].data);
        return principal_of(PRINCIPAL_CERTIFICATE, name, until_ms, mappings, sans, san_count);
    }
    return NULL;
}

struct principal *trust_certificate(struct trust *self, const struct slice *sans, size_t san_count,
                                    int64_t until_ms, int64_t now_ms)
{
    struct secret_hash hash;
    struct principal *principal;
    uint64_t age;

    if (now_ms >= until_ms || san_count == 0 || !hash_certificate(sans, san_count, until_ms, &hash))
        return NULL;
    principal = known_find(&self->known, &hash, now_ms);
    if (principal != NULL)
        return principal;
    pthread_rwlock_rdlock(&self->lock);
    age = known_age(&self->known);
    principal = check_certificate(&self->config->certificates, sans, san_count, until_ms);
    pthread_rwlock_unlock(&self->lock);
    if (principal != NULL)
        known_add(&self->known, &hash, principal, until_ms, age);
    return principal;
}
