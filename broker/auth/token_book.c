/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_book.c -- all tokens of a broker.
 */
#include "auth/token_book.h"

#include <stdio.h>
#include <string.h>

#include "auth/token_file.h"
#include "base/log.h"

/* Of `count` more in the map: asked for before anything is written. */
static enum status make_room(struct token_book *self, size_t count, struct error *error)
{
    bool made;

    pthread_rwlock_wrlock(&self->lock);
    made = map_reserve(&self->by_key, count);
    pthread_rwlock_unlock(&self->lock);
    return made ? STATUS_OK : error_set(error, STATUS_UNAVAILABLE, "no memory for the tokens");
}

static void index_token(struct token_book *self, struct token *token)
{
    map_insert(&self->by_key, &token->by_key,
               hash_bytes(slice_of(token->key.text, SECRET_KEY_BYTES)));
}

static enum status index_all(struct token_book *self, struct error *error)
{
    enum status status = make_room(self, self->count, error);

    if (status != STATUS_OK)
        return status;
    LIST_EACH (link, &self->tokens)
        index_token(self, CONTAINER_OF(link, struct token, link));
    return STATUS_OK;
}

enum status token_book_open(struct token_book *self, const char *path, bool *ret_found,
                            struct error *error)
{
    enum status status = STATUS_NOT_FOUND;

    *self = (struct token_book){.path = path};
    list_init(&self->tokens);
    map_init(&self->by_key);
    pthread_mutex_init(&self->changing, NULL);
    pthread_rwlock_init(&self->lock, NULL);
    atomic_init(&self->used, false);
    if (path != NULL)
        status = token_file_read(path, &self->tokens, &self->count, error);
    *ret_found = status == STATUS_OK;
    if (status == STATUS_OK)
        status = index_all(self, error);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

void token_book_close(struct token_book *self)
{
    struct list *link;

    while ((link = list_take_first(&self->tokens)) != NULL)
        token_free(CONTAINER_OF(link, struct token, link));
    map_deinit(&self->by_key);
    pthread_rwlock_destroy(&self->lock);
    pthread_mutex_destroy(&self->changing);
}

static struct token *find(const struct token_book *self, struct slice key)
{
    if (key.size != SECRET_KEY_BYTES)
        return NULL;
    for (struct map_node *node = map_first_of(&self->by_key, hash_bytes(key)); node != NULL;
         node = map_next_of(node)) {
        struct token *token = CONTAINER_OF(node, struct token, by_key);

        if (memcmp(token->key.text, key.data, SECRET_KEY_BYTES) == 0)
            return token;
    }
    return NULL;
}

/* Written only where it differs: many threads share the line. */
static void note_use(struct token_book *self, struct token *token, int64_t now_ms)
{
    if (atomic_load_explicit(&token->last_used_ms, memory_order_relaxed) == now_ms)
        return;
    atomic_store_explicit(&token->last_used_ms, now_ms, memory_order_relaxed);
    if (!token->from_file) /* the operator's file is not ours to write */
        atomic_store_explicit(&self->used, true, memory_order_relaxed);
}

struct principal *token_book_find(struct token_book *self, struct slice text, int64_t now_ms)
{
    static const struct token nobody; /* compared with where there is no token: equal time */
    struct secret_hash hash = secret_hash(text);
    struct principal *principal = NULL;
    struct secret_key key;
    struct token *token;

    pthread_rwlock_rdlock(&self->lock);
    token = secret_read(text, &key) ? find(self, slice_of_string(key.text)) : NULL;
    if (token_accepts(token == NULL ? &nobody : token, &hash, now_ms) && token != NULL) {
        principal = token_principal(token, &hash);
        note_use(self, token, now_ms);
    }
    pthread_rwlock_unlock(&self->lock);
    return principal;
}

/* The file is written from what everybody may read meanwhile; nobody else changes it. */
static enum status write_file(struct token_book *self, const struct token *added,
                              const struct token *removed, struct error *error)
{
    if (self->path == NULL)
        return STATUS_OK;
    return token_file_write(self->path, &self->tokens, added, removed, error);
}

/* Disk before memory. Each of the two may be NULL; `changing` is held. */
static enum status exchange(struct token_book *self, struct token *added, struct token *removed,
                            struct error *error)
{
    enum status status = make_room(self, 1, error);

    if (status == STATUS_OK)
        status = write_file(self, added, removed, error);
    if (status != STATUS_OK)
        return status;
    pthread_rwlock_wrlock(&self->lock);
    if (added != NULL) {
        list_append(&self->tokens, &added->link);
        index_token(self, added);
    }
    if (removed != NULL) {
        list_remove(&removed->link);
        map_remove(&self->by_key, &removed->by_key);
    }
    self->count += (added != NULL) - (size_t)(removed != NULL);
    pthread_rwlock_unlock(&self->lock);
    token_free(removed);
    return STATUS_OK;
}

static enum status refuse_randomness(struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, "no memory or randomness for a token");
}

static enum status add(struct token_book *self, struct token *token, struct error *error)
{
    enum status status;

    pthread_mutex_lock(&self->changing);
    if (self->count >= TOKENS_MAX)
        status = error_limit(error, STATUS_LIMIT_REACHED, "name", TOKENS_MAX, TOKENS_MAX,
                             "the broker has its %d tokens already", TOKENS_MAX);
    else
        status = exchange(self, token, NULL, error);
    pthread_mutex_unlock(&self->changing);
    return status;
}

enum status token_book_create(struct token_book *self, const char *name, const struct grant *grants,
                              size_t grant_count, int64_t expires_ms, int64_t now_ms,
                              char ret_text[SECRET_TEXT_BYTES + 1], struct token **ret_copy,
                              struct error *error)
{
    struct secret_key key;
    struct token *token;
    enum status status;

    if (!secret_make_key(&key) || !secret_make(&key, ret_text))
        return refuse_randomness(error);
    token = token_new(&key, name, grants, grant_count);
    if (token == NULL)
        return refuse_randomness(error);
    token->created_ms = now_ms;
    token_expire(token, expires_ms);
    token->secret_count = 1;
    token->secrets[0].hash = secret_hash(slice_of(ret_text, SECRET_TEXT_BYTES));
    *ret_copy = token_copy(token); /* first: no token lives that nobody was given */
    status = *ret_copy == NULL ? refuse_randomness(error) : add(self, token, error);
    if (status != STATUS_OK) {
        token_free(token);
        token_free(*ret_copy);
        *ret_copy = NULL;
    }
    return status;
}

/* The token that a change is about; `changing` is held. */
static enum status find_own(struct token_book *self, struct slice key, struct token **ret_token,
                            struct error *error)
{
    *ret_token = find(self, key);
    if (*ret_token == NULL)
        return error_limit(error, STATUS_NOT_FOUND, "token_id", 0, 0, "there is no token \"%.*s\"",
                           key.size > 64 ? 64 : (int)key.size, (const char *)key.data);
    if ((*ret_token)->from_file)
        return error_limit(error, STATUS_WRONG_STATE, "token_id", 0, 0,
                           "the token comes from --admin-token-file: change that file");
    return STATUS_OK;
}

/* A copy of what callers write to meanwhile: when it was last used. */
static struct token *copy_used(struct token_book *self, const struct token *token)
{
    struct token *copy;

    pthread_rwlock_wrlock(&self->lock);
    copy = token_copy(token);
    pthread_rwlock_unlock(&self->lock);
    return copy;
}

enum status token_book_rotate(struct token_book *self, struct slice key, int64_t overlap_ms,
                              int64_t now_ms, char ret_text[SECRET_TEXT_BYTES + 1],
                              struct token **ret_copy, struct error *error)
{
    struct token *before;
    struct token *after = NULL;
    struct secret_hash hash;
    enum status status;

    *ret_copy = NULL;
    pthread_mutex_lock(&self->changing);
    status = find_own(self, key, &before, error);
    if (status == STATUS_OK &&
        ((after = copy_used(self, before)) == NULL || !secret_make(&after->key, ret_text)))
        status = refuse_randomness(error);
    if (status == STATUS_OK) {
        hash = secret_hash(slice_of(ret_text, SECRET_TEXT_BYTES));
        token_rotate(after, &hash, now_ms + overlap_ms);
        *ret_copy = token_copy(after);
        status =
            *ret_copy == NULL ? refuse_randomness(error) : exchange(self, after, before, error);
    }
    pthread_mutex_unlock(&self->changing);
    if (status != STATUS_OK) {
        token_free(after);
        token_free(*ret_copy);
        *ret_copy = NULL;
    }
    return status;
}

enum status token_book_revoke(struct token_book *self, struct slice key, struct error *error)
{
    struct token *token;
    enum status status;

    pthread_mutex_lock(&self->changing);
    status = find_own(self, key, &token, error);
    if (status == STATUS_OK)
        status = exchange(self, NULL, token, error);
    pthread_mutex_unlock(&self->changing);
    return status;
}

void token_book_each(struct token_book *self, void (*visit)(void *context, const struct token *),
                     void *context)
{
    pthread_rwlock_rdlock(&self->lock);
    LIST_EACH (link, &self->tokens)
        visit(context, CONTAINER_OF(link, struct token, link));
    pthread_rwlock_unlock(&self->lock);
}

/* ---- the operator's tokens ---- */

static struct token *token_of_line(struct slice line, int number)
{
    static const struct grant everything = {.rights = RIGHT_ADMIN, .pattern = "*"};
    char name[32];
    struct secret_key key;
    struct token *token;

    snprintf(name, sizeof name, number == 1 ? "admin" : "admin-%d", number);
    if (!secret_read(line, &key) || (token = token_new(&key, name, &everything, 1)) == NULL)
        return NULL;
    token->from_file = true;
    token->secret_count = 1;
    token->secrets[0].hash = secret_hash(line);
    return token;
}

static struct slice take_line(struct slice *text)
{
    const uint8_t *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);
    struct slice line = *text;

    if (end != NULL)
        line.size = (size_t)(end - text->data);
    *text = slice_of(line.data + line.size, text->size - line.size);
    if (end != NULL)
        *text = slice_of(text->data + 1, text->size - 1);
    while (line.size > 0 && (line.data[line.size - 1] == '\r' || line.data[line.size - 1] == ' '))
        line.size--;
    return line;
}

static void free_all(struct list *tokens)
{
    struct list *link;

    while ((link = list_take_first(tokens)) != NULL)
        token_free(CONTAINER_OF(link, struct token, link));
}

static enum status read_lines(struct slice lines, struct list *ret_tokens, size_t *ret_count,
                              struct error *error)
{
    *ret_count = 0;
    while (lines.size > 0) {
        struct slice line = take_line(&lines);
        struct token *token;

        if (line.size == 0)
            continue;
        token = token_of_line(line, (int)*ret_count + 1);
        if (token == NULL)
            return error_set(error, STATUS_INVALID,
                             "a line of the admin token file is no token: make one with "
                             "`ackctl token generate`");
        list_append(ret_tokens, &token->link);
        ++*ret_count;
    }
    if (*ret_count == 0)
        return error_set(error, STATUS_INVALID,
                         "the admin token file holds no token: make one with `ackctl token "
                         "generate`");
    return STATUS_OK;
}

static void take_operators(struct token_book *self, struct list *ret_gone)
{
    LIST_EACH_SAFE (link, &self->tokens) {
        struct token *token = CONTAINER_OF(link, struct token, link);

        if (!token->from_file)
            continue;
        map_remove(&self->by_key, &token->by_key);
        list_remove(link);
        list_append(ret_gone, link);
    }
}

enum status token_book_set_file(struct token_book *self, struct slice lines, struct error *error)
{
    struct list fresh;
    struct list gone;
    size_t count;
    enum status status;

    list_init(&fresh);
    list_init(&gone);
    status = read_lines(lines, &fresh, &count, error);
    pthread_mutex_lock(&self->changing);
    if (status == STATUS_OK)
        status = make_room(self, count, error);
    if (status == STATUS_OK) {
        pthread_rwlock_wrlock(&self->lock);
        take_operators(self, &gone);
        LIST_EACH (link, &fresh)
            index_token(self, CONTAINER_OF(link, struct token, link));
        list_append_all(&self->tokens, &fresh);
        pthread_rwlock_unlock(&self->lock);
    }
    pthread_mutex_unlock(&self->changing);
    free_all(&fresh); /* empty once they are taken */
    free_all(&gone);
    return status;
}

void token_book_flush(struct token_book *self)
{
    struct error error = ERROR_NONE;

    if (!atomic_exchange(&self->used, false))
        return;
    pthread_mutex_lock(&self->changing);
    if (write_file(self, NULL, NULL, &error) != STATUS_OK) {
        atomic_store(&self->used, true);
        LOG_WARN("tokens_not_written", LOG_STRING("reason", error.message));
    }
    pthread_mutex_unlock(&self->changing);
}
