/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.c -- the list of all commands, their groups, and the options they share.
 *
 * To add a command: its struct in a file of its own, a line here, and the file in meson.build.
 */
#include "cli/command.h"

#include <string.h>

#define COMMANDS(X)                                                                                \
    X(publish)                                                                                     \
    X(watch)                                                                                       \
    X(work)                                                                                        \
    X(queue_create)                                                                                \
    X(queue_list)                                                                                  \
    X(queue_show)                                                                                  \
    X(queue_update)                                                                                \
    X(queue_delete)                                                                                \
    X(queue_pause)                                                                                 \
    X(queue_resume)                                                                                \
    X(queue_purge)                                                                                 \
    X(stats)                                                                                       \
    X(get)                                                                                         \
    X(list)                                                                                        \
    X(cancel)                                                                                      \
    X(lease)                                                                                       \
    X(renew)                                                                                       \
    X(ack)                                                                                         \
    X(nack)                                                                                        \
    X(dead_list)                                                                                   \
    X(dead_redrive)                                                                                \
    X(dead_delete)                                                                                 \
    X(results_get)                                                                                 \
    X(results_export)                                                                              \
    X(doctor)                                                                                      \
    X(whoami)                                                                                      \
    X(sessions)                                                                                    \
    X(token_create)                                                                                \
    X(token_list)                                                                                  \
    X(token_rotate)                                                                                \
    X(token_revoke)                                                                                \
    X(token_generate)                                                                              \
    X(backup)                                                                                      \
    X(check)                                                                                       \
    X(bench_publish)                                                                               \
    X(bench_single)                                                                                \
    X(bench_cycle)                                                                                 \
    X(bench_drain)                                                                                 \
    X(bench_dispatch)                                                                              \
    X(bench_backlog)                                                                               \
    X(bench_waiters)                                                                               \
    X(bench_leases)                                                                                \
    X(bench_ceiling)                                                                               \
    X(completion)                                                                                  \
    X(help)                                                                                        \
    X(version)                                                                                     \
    X(man)

#define X(name) extern const struct command command_##name;
COMMANDS(X)
#undef X

const struct command *const commands[] = {
#define X(name) &command_##name,
    COMMANDS(X)
#undef X
        NULL};

const struct command_group command_groups[] = {
    {"queue", "make, look at and change queues"},
    {"dead", "dead letters: tasks that were given up"},
    {"results", "results that came with an ack"},
    {"token", "who may call the broker"},
    {"bench", "measure a broker and its disk"},
    {NULL, NULL},
};

const struct option_spec global_options[] = {
    {"url", 0, OPTION_TEXT, "URL", "http://127.0.0.1:7333", "where the broker listens",
     .environment = "ACKD_URL"},
    {"token-file", 0, OPTION_FILE, "FILE", NULL, "its token says to the broker who you are",
     .environment = "ACKD_TOKEN_FILE"},
    {"ca-file", 0, OPTION_FILE, "FILE", NULL,
     "CAs that may have signed the broker's certificate, in PEM; else the system's",
     .environment = "ACKD_CA_FILE"},
    {"cert-file", 0, OPTION_FILE, "FILE", NULL, "your own certificate, in PEM",
     .environment = "ACKD_CERT_FILE"},
    {"key-file", 0, OPTION_FILE, "FILE", NULL, "its private key, in PEM",
     .environment = "ACKD_KEY_FILE"},
    {"insecure", 0, OPTION_FLAG, NULL, NULL,
     "let the token go over http:// beyond this machine (ACKD_INSECURE=1 does too)"},
    {"output", 'o', OPTION_CHOICE, "table|json", "table",
     "table: aligned, for people; json: the reply as JSON, one object a line in lists"},
    {"timeout", 0, OPTION_DURATION, "TIME", "30s", "how long to wait for one reply", .min = 1,
     .max = 86400000},
    {"quiet", 'q', OPTION_FLAG, NULL, NULL, "print errors and what was asked for, nothing else"},
    {"verbose", 'v', OPTION_FLAG, NULL, NULL, "print each request and how long it took"},
    {"version", 0, OPTION_FLAG, NULL, NULL, "print ackctl's version"},
    {"help", 'h', OPTION_FLAG, NULL, NULL, "print this help"},
    {NULL},
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i] != NULL; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

const struct command_group *command_group_find(const char *name)
{
    for (size_t i = 0; command_groups[i].name != NULL; i++)
        if (strcmp(command_groups[i].name, name) == 0)
            return &command_groups[i];
    return NULL;
}

bool command_is_in_group(const struct command *command, const struct command_group *group)
{
    size_t length = strlen(group->name);

    return strncmp(command->name, group->name, length) == 0 && command->name[length] == ' ';
}

const char *command_verb(const struct command *command)
{
    const char *space = strchr(command->name, ' ');

    return space == NULL ? command->name : space + 1;
}
