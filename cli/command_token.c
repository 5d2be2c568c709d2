/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_token.c -- `ackctl token ...`: who may call the broker.
 */
#include <stdio.h>

#include "ackd/v1/token.pb-c.h"
#include "auth/secret.h"
#include "base/clock.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/units.h"

/* The secret alone on stdout, so that a script can write it to a file. */
static void tell_secret(struct cli *cli, const ProtobufCMessage *reply, const char *secret,
                        const char *what, const Ackd__V1__Token *token)
{
    if (cli->is_json) {
        print_json(reply);
        return;
    }
    puts(secret);
    cli_say(cli, "token %s (%s) %s: this is the only time that its secret is shown",
            token->token_id, token->name, what);
}

static enum exit_code run_create(struct cli *cli)
{
    Ackd__V1__CreateTokenRequest request = ACKD__V1__CREATE_TOKEN_REQUEST__INIT;
    Ackd__V1__CreateTokenResponse *reply;
    enum exit_code code;

    request.name = (char *)cli_argument(cli, 0);
    request.grants = (char **)cli_list(cli, "grant", &request.n_grants);
    request.expires_in_ms = cli_number(cli, "expires");
    if (request.n_grants == 0)
        return cli_usage_error(cli, "say what the token may do, such as --grant 'work:ocr-*'");
    reply = BROKER_CALL(cli, "TokenService", "Create", &request, create_token_response, &code);
    if (reply == NULL)
        return code;
    tell_secret(cli, &reply->base, reply->secret, "made", reply->token);
    return EXIT_OK;
}

static enum exit_code run_rotate(struct cli *cli)
{
    Ackd__V1__RotateTokenRequest request = ACKD__V1__ROTATE_TOKEN_REQUEST__INIT;
    Ackd__V1__RotateTokenResponse *reply;
    enum exit_code code;

    request.token_id = (char *)cli_argument(cli, 0);
    request.has_overlap_ms_case = ACKD__V1__ROTATE_TOKEN_REQUEST__HAS_OVERLAP_MS_OVERLAP_MS;
    request.overlap_ms = cli_number(cli, "overlap");
    reply = BROKER_CALL(cli, "TokenService", "Rotate", &request, rotate_token_response, &code);
    if (reply == NULL)
        return code;
    tell_secret(cli, &reply->base, reply->secret, "has a new secret", reply->token);
    return EXIT_OK;
}

static enum exit_code run_revoke(struct cli *cli)
{
    Ackd__V1__RevokeTokenRequest request = ACKD__V1__REVOKE_TOKEN_REQUEST__INIT;
    Ackd__V1__RevokeTokenResponse *reply;
    enum exit_code code;

    request.token_id = (char *)cli_argument(cli, 0);
    reply = BROKER_CALL(cli, "TokenService", "Revoke", &request, revoke_token_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json)
        print_json(&reply->base);
    else
        cli_say(cli, "token %s revoked", request.token_id);
    return EXIT_OK;
}

static const char *join(struct cli *cli, const Ackd__V1__Token *token)
{
    struct buffer text = BUFFER_EMPTY;
    const char *joined;

    for (size_t i = 0; i < token->n_grants; i++) {
        buffer_append_string(&text, i == 0 ? "" : " ");
        buffer_append_string(&text, token->grants[i]);
    }
    joined = arena_string(&cli->arena, buffer_view(&text));
    buffer_deinit(&text);
    return joined == NULL ? "" : joined;
}

static const char *expiry_of(struct text *text, const Ackd__V1__Token *token, int64_t now_ms)
{
    if (token->expires_unix_ms == 0)
        return "never";
    return token->expires_unix_ms <= now_ms ? "expired" : units_time(text, token->expires_unix_ms);
}

static void list_row(struct cli *cli, struct table *table, const Ackd__V1__Token *token)
{
    int64_t now_ms = clock_wall_ms();
    struct text text;

    table_text(table, slice_of_string(token->token_id), 0);
    table_text(table, slice_of_string(token->name), 40);
    table_text(table, slice_of_string(join(cli, token)), 60);
    table_cell(table, "%s", expiry_of(&text, token, now_ms));
    table_cell(table, "%s", units_ago(&text, token->last_used_unix_ms, now_ms));
    table_cell(table, "%s",
               token->from_file                         ? "file"
               : token->previous_until_unix_ms > now_ms ? "rotating"
                                                        : "");
}

static enum exit_code run_list(struct cli *cli)
{
    static const char *const headers[] = {"ID", "NAME", "GRANTS", "EXPIRES", "LAST USED", "", NULL};
    Ackd__V1__ListTokensRequest request = ACKD__V1__LIST_TOKENS_REQUEST__INIT;
    Ackd__V1__ListTokensResponse *reply;
    struct table table;
    enum exit_code code;

    reply = BROKER_CALL(cli, "TokenService", "List", &request, list_tokens_response, &code);
    if (reply == NULL)
        return code;
    table_begin(&table, &cli->arena, headers);
    for (size_t i = 0; i < reply->n_tokens; i++) {
        if (cli->is_json)
            print_json(&reply->tokens[i]->base);
        else
            list_row(cli, &table, reply->tokens[i]);
    }
    if (table_row_count(&table) > 0)
        table_print(&table);
    return EXIT_OK;
}

static enum exit_code run_generate(struct cli *cli)
{
    char text[SECRET_TEXT_BYTES + 1];
    struct secret_key key;

    if (!secret_make_key(&key) || !secret_make(&key, text)) {
        complain("the machine gives no randomness");
        return EXIT_REFUSED;
    }
    puts(text);
    cli_say(cli, "for ackd's --admin-token-file: keep it in a file that only ackd's user reads");
    secret_wipe(text, sizeof text);
    return EXIT_OK;
}

static const struct argument_spec one_token[] = {
    {"TOKEN_ID", ARGUMENT_ONE, ARGUMENT_PLAIN, "the token's ID, as `ackctl token list` shows it"},
    {NULL}};

const struct command command_token_create = {
    .name = "token create",
    .summary = "make a token and print its secret, once",
    .description =
        "A grant is rights, a colon, and a pattern of queue names in which * stands for any "
        "characters. `publish` lets publish; `work` lease, renew, ack, nack and keep a session; "
        "`read` look at tasks, results, datasets and sessions; `admin` all of this, and make, "
        "change and delete queues. What concerns the whole broker (tokens, backup, check) takes "
        "`admin:*`; its metrics and stats `read:*`.",
    .arguments =
        (const struct argument_spec[]){
            {"NAME", ARGUMENT_ONE, ARGUMENT_PLAIN, "who it is for, in lists and logs"}, {NULL}},
    .options = (const struct option_spec[]){{"grant", 'g', OPTION_LIST, "RIGHTS:QUEUES", NULL,
                                             "what its holder may do, such as work:ocr-*"},
                                            {"expires", 0, OPTION_DURATION, "TIME", NULL,
                                             "it ends after this time; without it: never",
                                             .min = 1000, .max = 315360000000},
                                            {NULL}},
    .examples =
        (const struct example[]){
            {"ackctl token create ocr-workers --grant 'work:ocr-*' > worker.token",
             "what the workers of all queues beginning with ocr- need"},
            {NULL, NULL}},
    .run = run_create,
};

const struct command command_token_list = {
    .name = "token list",
    .summary = "list the tokens: who may do what, and when each was last used",
    .run = run_list,
};

const struct command command_token_rotate = {
    .name = "token rotate",
    .summary = "give a token a new secret and print it, once",
    .description = "The secret before is taken for --overlap yet, so that its users can change "
                   "over without an outage. A third one there never is: the older of two ends.",
    .arguments = one_token,
    .options = (const struct option_spec[]){{"overlap", 0, OPTION_DURATION, "TIME", "1h",
                                             "how long the secret before is taken yet", .min = 0,
                                             .max = 31536000000},
                                            {NULL}},
    .run = run_rotate,
};

const struct command command_token_revoke = {
    .name = "token revoke",
    .summary = "end a token and all its secrets, at once",
    .arguments = one_token,
    .run = run_revoke,
};

const struct command command_token_generate = {
    .name = "token generate",
    .summary = "print a new secret for ackd's --admin-token-file",
    .description = "Asks no broker. The file may hold several, a line each: to change it, add the "
                   "new one, let its users change over, and remove the old one.",
    .examples = (const struct example[]){{"(umask 077; ackctl token generate > admin.token)",
                                          "the first token of a broker"},
                                         {NULL, NULL}},
    .run = run_generate,
};
