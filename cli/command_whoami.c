/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_whoami.c -- `ackctl whoami`: who this user is to the broker, and what it may do.
 */
#include <stdio.h>

#include "ackd/v1/admin.pb-c.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/units.h"

static void print_end(const Ackd__V1__WhoamiResponse *reply)
{
    struct text left, at;

    if (reply->expires_unix_ms == 0)
        return;
    printf("until     %s (in %s)\n", units_time(&at, reply->expires_unix_ms),
           units_duration(&left, reply->expires_unix_ms - reply->now_unix_ms));
}

static enum exit_code run(struct cli *cli)
{
    Ackd__V1__WhoamiRequest request = ACKD__V1__WHOAMI_REQUEST__INIT;
    const Ackd__V1__WhoamiResponse *reply;
    enum exit_code code;

    reply = BROKER_CALL(cli, "AdminService", "Whoami", &request, whoami_response, &code);
    if (reply == NULL)
        return code;
    if (cli->is_json) {
        print_json(&reply->base);
        return EXIT_OK;
    }
    if (reply->kind == ACKD__V1__CALLER_KIND__CALLER_KIND_ANYBODY) {
        puts("anybody: this broker has no authentication, everybody may do everything");
        return EXIT_OK;
    }
    printf("name      %s\n", reply->name);
    for (size_t i = 0; i < reply->n_grants; i++)
        printf("%-9s %s\n", i == 0 ? "grants" : "", reply->grants[i]);
    print_end(reply);
    return EXIT_OK;
}

const struct command command_whoami = {
    .name = "whoami",
    .summary = "say who you are to the broker, what you may do, and until when",
    .description = "Takes no right but a valid token or certificate. `ackctl help token create` "
                   "says how to read the grants.",
    .run = run,
};
