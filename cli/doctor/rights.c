/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights.c -- who are we to the broker, until when, and what may we do on which queue?
 */
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/pattern.h"
#include "cli/broker.h"
#include "cli/doctor/patient.h"
#include "cli/file.h"
#include "cli/units.h"
#include "transport.h"

#define MINUTE_MS INT64_C(60000)
#define TOKEN_SOON_MS (7 * 24 * 60 * MINUTE_MS)
#define JWT_SOON_MS (2 * MINUTE_MS) /* whoever makes them renews them long before */

enum { QUEUES_SHOWN = 20, PAGE_SIZE = 1000, CLAIMS_BYTES_MAX = 16 << 10 };

static const char *const RIGHTS[] = {"publish", "work", "read", "admin"};
enum { RIGHT_COUNT = sizeof RIGHTS / sizeof *RIGHTS };

/* ---- who calls ---- */

/* When a JWT ends by its own word, in ms; 0: it is none, or does not say. */
static int64_t end_of_jwt(struct slice token)
{
    const uint8_t *first = token.size == 0 ? NULL : memchr(token.data, '.', token.size);
    const uint8_t *second;
    uint8_t claims[CLAIMS_BYTES_MAX];
    struct slice body;
    int64_t end_s;
    json_t *json;
    size_t size;

    if (first == NULL)
        return 0;
    body = slice_of(first + 1, token.size - (size_t)(first + 1 - token.data));
    second = body.size == 0 ? NULL : memchr(body.data, '.', body.size);
    if (second == NULL || body.size > sizeof claims)
        return 0;
    if (!base64_decode(slice_of(body.data, (size_t)(second - body.data)), claims, &size))
        return 0;
    json = json_loadb((const char *)claims, size, 0, NULL);
    end_s = json_integer_value(json_object_get(json, "exp"));
    json_decref(json);
    return end_s * 1000;
}

static void say_not_known(struct patient *patient, struct diagnosis *diagnosis,
                          const struct error *error)
{
    const char *path = cli_text(patient->cli, "token-file");
    struct slice token = SLICE_EMPTY;
    struct text text;
    int64_t end_ms;

    if (path == NULL) {
        say(diagnosis, BAD,
            "Name the file that holds a token with --token-file or ACKD_TOKEN_FILE.", "%s",
            error->message);
        return;
    }
    end_ms = file_read(patient->cli, path, &token) ? end_of_jwt(token) : 0;
    if (end_ms != 0 && end_ms <= clock_wall_ms())
        say(diagnosis, BAD,
            "Who renews this file? Kubernetes renews a projected token, but not where it is "
            "mounted by subPath.",
            "the token in %.200s ended %s", path, units_ago(&text, end_ms, clock_wall_ms()));
    else
        say(diagnosis, BAD,
            end_ms == 0 ? "Whoever runs the broker sees in `ackctl token list` whether it was "
                          "revoked, rotated or has ended, and makes another."
                        : "Its issuer, audience and subject must be those that the broker's "
                          "--auth-config names.",
            "the broker does not take the token in %.200s", path);
}

static bool everybody_reads_token(const char *path)
{
    struct stat found;

    return path != NULL && stat(path, &found) == 0 && (found.st_mode & S_IROTH) != 0;
}

static void say_known(struct patient *patient, struct diagnosis *diagnosis)
{
    const Ackd__V1__WhoamiResponse *caller = patient->caller;
    int64_t left_ms = caller->expires_unix_ms - caller->now_unix_ms;
    bool is_token = caller->kind == ACKD__V1__CALLER_KIND__CALLER_KIND_TOKEN;
    const char *path = cli_text(patient->cli, "token-file");
    struct text text;

    if (caller->expires_unix_ms != 0 && left_ms < (is_token ? TOKEN_SOON_MS : JWT_SOON_MS))
        say(diagnosis, WARNING,
            is_token ? "Was it rotated? Then put its new secret into the file. Else have another "
                       "one made: a token's end can't be moved."
                     : "Who renews this file? It should have happened long ago.",
            "%.200s; what it shows ends in %s", caller->name,
            units_duration(&text, left_ms < 0 ? 0 : left_ms));
    else if (is_token && everybody_reads_token(path))
        say(diagnosis, WARNING, "chmod o-r it, and rotate it if this machine has other users.",
            "%.200s; every user of this machine may read the token's file", caller->name);
    else if (caller->expires_unix_ms == 0)
        say(diagnosis, FINE, NULL, "%.200s", caller->name);
    else
        say(diagnosis, FINE, NULL, "%.200s, for %s yet", caller->name,
            units_duration(&text, left_ms));
}

void look_caller(struct patient *patient, struct diagnosis *diagnosis)
{
    Ackd__V1__WhoamiRequest request = ACKD__V1__WHOAMI_REQUEST__INIT;
    ProtobufCMessage *reply;
    struct error error;
    int64_t began_ms = clock_wall_ms();

    if (broker_try(patient->cli, "AdminService", "Whoami", &request.base,
                   &ackd__v1__whoami_response__descriptor, &patient->cli->arena, 0, &reply,
                   &error) != STATUS_OK) {
        if (error.status == STATUS_UNAUTHENTICATED)
            say_not_known(patient, diagnosis, &error);
        else
            say_failed(diagnosis, NULL, &error);
        return;
    }
    patient->caller_took_ms = clock_wall_ms() - began_ms;
    patient->caller_at_ms = began_ms + patient->caller_took_ms / 2;
    patient->caller = (const Ackd__V1__WhoamiResponse *)(const void *)reply;
    if (patient->caller->kind != ACKD__V1__CALLER_KIND__CALLER_KIND_ANYBODY)
        say_known(patient, diagnosis);
    else if (url_is_loopback(&patient->url))
        say(diagnosis, FINE, NULL, "the broker has no authentication: everybody may do everything");
    else
        say(diagnosis, WARNING,
            "Start it with --admin-token-file (deploy/README.md), or be sure that only friends "
            "reach it.",
            "the broker has no authentication: whoever reaches it may do everything");
}

/* ---- what it may do ---- */

static enum status list_queues(struct patient *patient, struct error *error)
{
    Ackd__V1__ListQueuesRequest request = ACKD__V1__LIST_QUEUES_REQUEST__INIT;
    struct cli *cli = patient->cli;
    const Ackd__V1__ListQueuesResponse *page;
    ProtobufCMessage *reply;
    const Ackd__V1__Queue **all;

    request.page_size = PAGE_SIZE;
    do {
        enum status status =
            broker_try(cli, "QueueService", "List", &request.base,
                       &ackd__v1__list_queues_response__descriptor, &cli->arena, 0, &reply, error);

        if (status != STATUS_OK)
            return status;
        page = (const Ackd__V1__ListQueuesResponse *)(const void *)reply;
        all = CLI_ARRAY(cli, patient->queue_count + page->n_queues + 1, const Ackd__V1__Queue *);
        if (patient->queue_count > 0)
            memcpy(all, patient->queues, patient->queue_count * sizeof(*all));
        for (size_t i = 0; i < page->n_queues; i++)
            all[patient->queue_count++] = page->queues[i];
        patient->queues = all;
        request.page_token = page->next_page_token;
    } while (page->next_page_token[0] != '\0');
    return STATUS_OK;
}

/* The grant "work,read:ocr-*" in its parts: bits in the order of RIGHTS, and the pattern. */
static unsigned rights_of(const char *grant, const char **ret_pattern)
{
    const char *colon = strchr(grant, ':');
    unsigned rights = 0;

    *ret_pattern = colon == NULL ? "" : colon + 1;
    for (size_t i = 0; colon != NULL && i < RIGHT_COUNT; i++) {
        const char *found = strstr(grant, RIGHTS[i]);

        if (found != NULL && found < colon)
            rights |= 1u << i;
    }
    return rights;
}

/* "publish, work"; admin stands for all. */
static void append_rights(struct buffer *out, unsigned rights)
{
    if ((rights & 8) != 0) {
        buffer_append_string(out, "admin, which is all");
        return;
    }
    for (size_t i = 0; i < RIGHT_COUNT; i++)
        if ((rights & 1u << i) != 0) {
            buffer_append_string(out, out->size == 0 ? "" : ", ");
            buffer_append_string(out, RIGHTS[i]);
        }
}

static void add_queue(struct patient *patient, struct diagnosis *diagnosis, const char *name)
{
    const Ackd__V1__WhoamiResponse *caller = patient->caller;
    struct buffer text = BUFFER_EMPTY;
    unsigned rights = 0;

    for (size_t i = 0; i < caller->n_grants; i++) {
        const char *pattern;
        unsigned found = rights_of(caller->grants[i], &pattern);

        if (pattern_matches(pattern, slice_of_string(name)))
            rights |= found;
    }
    append_rights(&text, rights);
    say_detail(patient, diagnosis, "%s: %s", name, buffer_string(&text));
    buffer_deinit(&text);
}

static bool covers_all(const Ackd__V1__WhoamiResponse *caller)
{
    const char *pattern;

    for (size_t i = 0; i < caller->n_grants; i++)
        if (rights_of(caller->grants[i], &pattern) != 0 && strcmp(pattern, "*") == 0)
            return true;
    return false;
}

/* A pattern may be ahead of its queues, or misspelt. */
static void add_grant(struct patient *patient, struct diagnosis *diagnosis, const char *grant)
{
    const char *pattern;

    (void)rights_of(grant, &pattern);
    for (size_t i = 0; i < patient->queue_count; i++)
        if (pattern_matches(pattern, slice_of_string(patient->queues[i]->name)))
            return;
    say_detail(patient, diagnosis,
               strcmp(pattern, "*") == 0 ? "%s, but there is no queue yet"
                                         : "%s fits no queue that there is",
               grant);
}

void look_rights(struct patient *patient, struct diagnosis *diagnosis)
{
    const Ackd__V1__WhoamiResponse *caller = patient->caller;
    size_t shown;
    struct error error;

    if (list_queues(patient, &error) != STATUS_OK) {
        say_failed(diagnosis, "Ask whoever runs the broker for a token with rights on your queues.",
                   &error);
        return;
    }
    if (caller->kind == ACKD__V1__CALLER_KIND__CALLER_KIND_ANYBODY) {
        say(diagnosis, FINE, NULL, "everything, on every queue");
        return;
    }
    if (patient->queue_count == 0 && !covers_all(caller))
        say(diagnosis, WARNING,
            "Is the queue made yet (`ackctl queue create`), and do the patterns fit its name?",
            "there is no queue on which this caller may do anything");
    else
        say(diagnosis, FINE, NULL, "on %zu queue%s", patient->queue_count,
            patient->queue_count == 1 ? "" : "s");
    shown = patient->queue_count < QUEUES_SHOWN ? patient->queue_count : QUEUES_SHOWN;
    for (size_t i = 0; i < shown; i++)
        add_queue(patient, diagnosis, patient->queues[i]->name);
    if (shown < patient->queue_count)
        say_detail(patient, diagnosis, "and %zu more: see `ackctl whoami` for the patterns",
                   patient->queue_count - shown);
    for (size_t i = 0; i < caller->n_grants; i++)
        add_grant(patient, diagnosis, caller->grants[i]);
}
