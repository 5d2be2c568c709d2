/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_token.c -- the calls about who may call.
 */
#include <string.h>

#include "ackd/admin.h"
#include "ackd/v1/admin.pb-c.h"
#include "ackd/v1/token.pb-c.h"
#include "call.h"

static void token_from_message(struct call *call, const Ackd__V1__Token *message,
                               struct ackd_token *token);
static void issued_from_message(struct call *call, const Ackd__V1__Token *message, char *secret);
static const char **texts_from_message(struct call *call, char **texts, size_t count,
                                       size_t *ret_count);

enum ackd_status ackd_client_whoami(struct ackd_client *client, struct ackd_caller **ret_caller,
                                    struct ackd_error *error)
{
    Ackd__V1__WhoamiRequest request = ACKD__V1__WHOAMI_REQUEST__INIT;
    const Ackd__V1__WhoamiResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_caller));
    response = call_run(&call, client, "AdminService", "Whoami", &request.base,
                        &ackd__v1__whoami_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_caller *caller = call.reply;

        caller->kind = (enum ackd_caller_kind)response->kind;
        caller->name = call_text(&call, response->name);
        caller->grants =
            texts_from_message(&call, response->grants, response->n_grants, &caller->grant_count);
        caller->expires_unix_ms = response->expires_unix_ms;
        caller->version = call_text(&call, response->version);
        caller->now_unix_ms = response->now_unix_ms;
    }
    return call_end(&call, (void **)ret_caller, error);
}

void ackd_caller_free(struct ackd_caller *caller)
{
    owned_free(caller);
}

enum ackd_status ackd_client_create_token(struct ackd_client *client, const char *name,
                                          const char *const *grants, size_t count,
                                          int64_t expires_in_ms,
                                          struct ackd_issued_token **ret_issued,
                                          struct ackd_error *error)
{
    Ackd__V1__CreateTokenRequest request = ACKD__V1__CREATE_TOKEN_REQUEST__INIT;
    const Ackd__V1__CreateTokenResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_issued_token));
    request.name = call_borrow(name);
    request.n_grants = count;
    request.grants = call_borrow_texts(&call, grants, count);
    request.expires_in_ms = expires_in_ms;
    response = call_run(&call, client, "TokenService", "Create", &request.base,
                        &ackd__v1__create_token_response__descriptor, 0);
    if (response != NULL)
        issued_from_message(&call, response->token, response->secret);
    return call_end(&call, (void **)ret_issued, error);
}

enum ackd_status ackd_client_rotate_token(struct ackd_client *client, const char *token_id,
                                          int64_t overlap_ms, struct ackd_issued_token **ret_issued,
                                          struct ackd_error *error)
{
    Ackd__V1__RotateTokenRequest request = ACKD__V1__ROTATE_TOKEN_REQUEST__INIT;
    const Ackd__V1__RotateTokenResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_issued_token));
    request.token_id = call_borrow(token_id);
    if (overlap_ms != -1) {
        request.has_overlap_ms_case = ACKD__V1__ROTATE_TOKEN_REQUEST__HAS_OVERLAP_MS_OVERLAP_MS;
        request.overlap_ms = overlap_ms;
    }
    response = call_run(&call, client, "TokenService", "Rotate", &request.base,
                        &ackd__v1__rotate_token_response__descriptor, 0);
    if (response != NULL)
        issued_from_message(&call, response->token, response->secret);
    return call_end(&call, (void **)ret_issued, error);
}

void ackd_issued_token_free(struct ackd_issued_token *issued)
{
    if (issued != NULL)
        explicit_bzero((char *)(uintptr_t)issued->secret, strlen(issued->secret));
    owned_free(issued);
}

enum ackd_status ackd_client_revoke_token(struct ackd_client *client, const char *token_id,
                                          struct ackd_error *error)
{
    Ackd__V1__RevokeTokenRequest request = ACKD__V1__REVOKE_TOKEN_REQUEST__INIT;
    struct call call;

    call_begin(&call, 0);
    request.token_id = call_borrow(token_id);
    (void)call_run(&call, client, "TokenService", "Revoke", &request.base,
                   &ackd__v1__revoke_token_response__descriptor, 0);
    return call_end(&call, NULL, error);
}

enum ackd_status ackd_client_list_tokens(struct ackd_client *client,
                                         struct ackd_token_list **ret_list,
                                         struct ackd_error *error)
{
    Ackd__V1__ListTokensRequest request = ACKD__V1__LIST_TOKENS_REQUEST__INIT;
    const Ackd__V1__ListTokensResponse *response;
    struct call call;

    call_begin(&call, sizeof(struct ackd_token_list));
    response = call_run(&call, client, "TokenService", "List", &request.base,
                        &ackd__v1__list_tokens_response__descriptor, 0);
    if (response != NULL) {
        struct ackd_token_list *list = call.reply;

        list->tokens =
            call_array(&call, response->n_tokens, sizeof list->tokens[0], &list->token_count);
        for (size_t i = 0; i < list->token_count; i++)
            token_from_message(&call, response->tokens[i], &list->tokens[i]);
    }
    return call_end(&call, (void **)ret_list, error);
}

void ackd_token_list_free(struct ackd_token_list *list)
{
    owned_free(list);
}

/* The reply of both calls that show a secret: it is wiped from the message. */
static void issued_from_message(struct call *call, const Ackd__V1__Token *message, char *secret)
{
    struct ackd_issued_token *issued = call->reply;

    if (message != NULL)
        token_from_message(call, message, &issued->token);
    issued->secret = call_text(call, secret);
    explicit_bzero(secret, strlen(secret));
}

static void token_from_message(struct call *call, const Ackd__V1__Token *message,
                               struct ackd_token *token)
{
    token->id = call_text(call, message->token_id);
    token->name = call_text(call, message->name);
    token->grants =
        texts_from_message(call, message->grants, message->n_grants, &token->grant_count);
    token->created_unix_ms = message->created_unix_ms;
    token->expires_unix_ms = message->expires_unix_ms;
    token->last_used_unix_ms = message->last_used_unix_ms;
    token->previous_until_unix_ms = message->previous_until_unix_ms;
    token->from_file = message->from_file;
}

static const char **texts_from_message(struct call *call, char **texts, size_t count,
                                       size_t *ret_count)
{
    const char **copies = call_array(call, count, sizeof copies[0], ret_count);

    for (size_t i = 0; i < *ret_count; i++)
        copies[i] = call_text(call, texts[i]);
    return copies;
}
