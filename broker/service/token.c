/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c -- TokenService.
 *
 * A change writes tokens.json on the calling thread: it is small, and an administrator's.
 */
#include <stdlib.h>

#include "ackd/v1/token.pb-c.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "service/internal.h"

#define TOKENS_LISTED_MAX (TOKENS_MAX + 16) /* and the operator's */
#define EXPIRY_MS_MIN INT64_C(1000)
#define EXPIRY_MS_MAX INT64_C(315360000000)
#define OVERLAP_MS_DEFAULT INT64_C(3600000)
#define OVERLAP_MS_MAX INT64_C(31536000000)

/* NULL: refused already. */
static struct token_book *book_of(struct service *self, struct service_call *call)
{
    call->service = self;
    if (self->options.auth != NULL) {
        allow_reply(call, REPLY_BYTES_MAX);
        return auth_tokens(self->options.auth);
    }
    error_set(&call->error, STATUS_WRONG_STATE,
              "this broker has no authentication: start it with --admin-token-file");
    refuse(call);
    return NULL;
}

static PB(Token) *wire_access_token(struct arena *arena, const struct token *token)
{
    PB(Token) *message = PB_NEW(arena, Token, token);

    if (message == NULL)
        return NULL;
    message->grants = wire_grants(arena, token->principal, &message->n_grants);
    message->token_id = arena_string(arena, slice_of_string(token->key.text));
    message->name = arena_string(arena, slice_of_string(token->name));
    message->created_unix_ms = token->created_ms;
    message->expires_unix_ms = token->expires_ms;
    message->last_used_unix_ms = token->last_used_ms;
    message->previous_until_unix_ms = token->secret_count > 1 ? token->secrets[1].until_ms : 0;
    message->from_file = token->from_file;
    return message->grants == NULL || message->token_id == NULL || message->name == NULL ? NULL
                                                                                         : message;
}

static enum status check_name(const char *name, struct error *error)
{
    size_t size = strlen(name);

    if (size > 0 && size <= TOKEN_NAME_BYTES_MAX && utf8_is_printable(slice_of(name, size)))
        return STATUS_OK;
    return error_limit(error, STATUS_INVALID, "name", TOKEN_NAME_BYTES_MAX, (int64_t)size,
                       "a token's name is UTF-8 without control characters, 1 to %d bytes",
                       TOKEN_NAME_BYTES_MAX);
}

static enum status read_grants(struct service_call *call, char **texts, size_t count,
                               struct grant **ret_grants)
{
    if (count < 1 || count > GRANTS_MAX)
        return error_limit(&call->error, STATUS_INVALID, "grants", GRANTS_MAX, (int64_t)count,
                           "a token has 1 to %d grants", GRANTS_MAX);
    *ret_grants = ARENA_ARRAY(call->arena, count, struct grant);
    if (*ret_grants == NULL)
        return error_set(&call->error, STATUS_UNAVAILABLE, "no memory for the grants");
    for (size_t i = 0; i < count; i++)
        if (!grant_read(slice_of_string(texts[i]), &(*ret_grants)[i]))
            return error_limit(&call->error, STATUS_INVALID, field_of("grants", i, "").text, 0, 0,
                               "\"%.100s\" is no grant: RIGHT[,RIGHT...]:QUEUES, where a right is "
                               "publish, work, read or admin, and QUEUES a name with * for any "
                               "characters",
                               texts[i]);
    return STATUS_OK;
}

/* Of the calls that show a secret: their replies have these two fields. */
struct shown {
    ProtobufCMessage *response;
    PB(Token) **token;
    char **secret;
};

/* Replies, and forgets the secret and the copy of the token. */
static void show(struct service_call *call, struct shown shown, struct token *token,
                 char text[SECRET_TEXT_BYTES + 1])
{
    *shown.token = wire_access_token(call->arena, token);
    *shown.secret = arena_string(call->arena, slice_of(text, SECRET_TEXT_BYTES));
    secret_wipe(text, SECRET_TEXT_BYTES);
    token_free(token);
    reply(call, *shown.token == NULL || *shown.secret == NULL ? NULL : shown.response);
}

void service_token_create(struct service *self, struct service_call *call)
{
    const PB(CreateTokenRequest) *request = (const void *)call->request;
    struct token_book *book = book_of(self, call);
    int64_t now_ms = clock_wall_ms();
    int64_t in_ms = request->expires_in_ms;
    char text[SECRET_TEXT_BYTES + 1] = "";
    struct token *token = NULL;
    struct grant *grants = NULL;
    PB(CreateTokenResponse) *response;

    if (book == NULL)
        return;
    response = PB_NEW(call->arena, CreateTokenResponse, create_token_response);
    if (response == NULL) {
        refuse_memory(call);
        return;
    }
    if (check_name(request->name, &call->error) != STATUS_OK ||
        read_grants(call, request->grants, request->n_grants, &grants) != STATUS_OK ||
        (in_ms != 0 && check_range(in_ms, EXPIRY_MS_MIN, EXPIRY_MS_MAX, "expires_in_ms", "ms",
                                   &call->error) != STATUS_OK) ||
        token_book_create(book, request->name, grants, request->n_grants,
                          in_ms == 0 ? TIME_NEVER : now_ms + in_ms, now_ms, text, &token,
                          &call->error) != STATUS_OK) {
        refuse(call);
        return;
    }
    show(call, (struct shown){&response->base, &response->token, &response->secret}, token, text);
}

void service_token_rotate(struct service *self, struct service_call *call)
{
    const PB(RotateTokenRequest) *request = (const void *)call->request;
    struct token_book *book = book_of(self, call);
    int64_t overlap_ms =
        request->has_overlap_ms_case != 0 ? request->overlap_ms : OVERLAP_MS_DEFAULT;
    char text[SECRET_TEXT_BYTES + 1] = "";
    struct token *token = NULL;
    PB(RotateTokenResponse) *response;

    if (book == NULL)
        return;
    response = PB_NEW(call->arena, RotateTokenResponse, rotate_token_response);
    if (response == NULL) {
        refuse_memory(call);
        return;
    }
    if (check_range(overlap_ms, 0, OVERLAP_MS_MAX, "overlap_ms", "ms", &call->error) != STATUS_OK ||
        token_book_rotate(book, slice_of_string(request->token_id), overlap_ms, clock_wall_ms(),
                          text, &token, &call->error) != STATUS_OK) {
        refuse(call);
        return;
    }
    show(call, (struct shown){&response->base, &response->token, &response->secret}, token, text);
}

void service_token_revoke(struct service *self, struct service_call *call)
{
    const PB(RevokeTokenRequest) *request = (const void *)call->request;
    struct token_book *book = book_of(self, call);

    if (book == NULL)
        return;
    if (token_book_revoke(book, slice_of_string(request->token_id), &call->error) != STATUS_OK)
        refuse(call);
    else
        reply(call, wire_new(call->arena, &ackd__v1__revoke_token_response__descriptor));
}

/* ---- listing ---- */

struct listing {
    struct arena *arena;
    PB(ListTokensResponse) *response;
    bool failed;
};

static void list_token(void *context, const struct token *token)
{
    struct listing *self = context;
    PB(Token) *message = wire_access_token(self->arena, token);

    self->failed |= message == NULL;
    if (message != NULL && self->response->n_tokens < TOKENS_LISTED_MAX)
        self->response->tokens[self->response->n_tokens++] = message;
}

static int by_name(const void *a, const void *b)
{
    const PB(Token) *left = *(const PB(Token) *const *)a;
    const PB(Token) *right = *(const PB(Token) *const *)b;
    int order = strcmp(left->name, right->name);

    return order != 0 ? order : strcmp(left->token_id, right->token_id);
}

void service_token_list(struct service *self, struct service_call *call)
{
    struct token_book *book = book_of(self, call);
    struct listing listing = {.arena = call->arena};

    if (book == NULL)
        return;
    listing.response = PB_NEW(call->arena, ListTokensResponse, list_tokens_response);
    if (listing.response == NULL || (listing.response->tokens = ARENA_ARRAY(
                                         call->arena, TOKENS_LISTED_MAX, PB(Token) *)) == NULL) {
        refuse_memory(call);
        return;
    }
    token_book_each(book, list_token, &listing);
    qsort(listing.response->tokens, listing.response->n_tokens, sizeof(PB(Token) *), by_name);
    reply(call, listing.failed ? NULL : &listing.response->base);
}
