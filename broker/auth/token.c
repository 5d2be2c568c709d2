/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c -- one token as the broker keeps it.
 */
#include "auth/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct token *token_new(const struct secret_key *key, const char *name, const struct grant *grants,
                        size_t grant_count)
{
    struct token *self = calloc(1, sizeof *self);

    if (self == NULL)
        return NULL;
    list_init(&self->link);
    self->key = *key;
    snprintf(self->name, sizeof self->name, "%s", name);
    self->principal = principal_new(PRINCIPAL_TOKEN, self->name, grants, grant_count);
    if (self->principal == NULL) {
        free(self);
        return NULL;
    }
    memcpy(self->principal->token_id, key->text, sizeof key->text);
    return self;
}

struct token *token_copy(const struct token *self)
{
    struct token *copy = calloc(1, sizeof *copy);

    if (copy == NULL)
        return NULL;
    memcpy(copy, self, sizeof *copy);
    list_init(&copy->link);
    principal_ref(copy->principal);
    return copy;
}

void token_free(struct token *self)
{
    if (self == NULL)
        return;
    principal_release(self->principal);
    secret_wipe(self, sizeof *self);
    free(self);
}

void token_expire(struct token *self, int64_t expires_ms)
{
    self->expires_ms = expires_ms;
    self->principal->expires_ms = expires_ms;
}

static bool lives(int64_t until_ms, int64_t now_ms)
{
    return until_ms == TIME_NEVER || now_ms < until_ms;
}

bool token_accepts(const struct token *self, const struct secret_hash *hash, int64_t now_ms)
{
    bool accepted = false;

    for (size_t i = 0; i < TOKEN_SECRETS; i++) {
        bool equal = secret_equal(&self->secrets[i].hash, hash);

        accepted |= equal & (i < self->secret_count) & lives(self->secrets[i].until_ms, now_ms);
    }
    return accepted & lives(self->expires_ms, now_ms);
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    if (a_ms == TIME_NEVER || b_ms == TIME_NEVER)
        return a_ms == TIME_NEVER ? b_ms : a_ms;
    return a_ms < b_ms ? a_ms : b_ms;
}

struct principal *token_principal(const struct token *self, const struct secret_hash *hash)
{
    struct principal *ending = NULL;

    if (self->secret_count > 1 && !secret_equal(&self->secrets[0].hash, hash))
        ending = principal_new(PRINCIPAL_TOKEN, self->name, self->principal->grants,
                               self->principal->grant_count);
    if (ending == NULL) /* without memory it is not told of its end */
        return principal_ref(self->principal);
    memcpy(ending->token_id, self->key.text, sizeof self->key.text);
    ending->expires_ms = earlier(self->expires_ms, self->secrets[1].until_ms);
    return ending;
}

void token_rotate(struct token *self, const struct secret_hash *hash, int64_t until_ms)
{
    self->secrets[1] = self->secrets[0];
    self->secrets[1].until_ms = until_ms;
    self->secrets[0] = (struct token_secret){.hash = *hash, .until_ms = TIME_NEVER};
    self->secret_count = 2;
}
