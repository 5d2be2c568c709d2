/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_doctor.c -- `ackctl doctor`: looks at a broker as an operator would who is told that
 * "something is wrong", and says what to do. The checks are in doctor/; doctor/patient.h has the
 * map.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/doctor/patient.h"

/* What a check can't do without. */
enum need { NOTHING, BROKER, CALLER, NUMBERS, QUEUES };

struct check {
    const char *name;
    enum need need;
    void (*look)(struct patient *patient, struct diagnosis *diagnosis);
};

static const struct check CHECKS[] = {
    {"reachable", NOTHING, look_reachable},
    {"tls", NOTHING, look_tls},
    {"certificate", NOTHING, look_certificate},
    {"ca", NOTHING, look_authorities},
    {"client-cert", NOTHING, look_own_certificate},
    {"ready", BROKER, look_ready},
    {"caller", BROKER, look_caller},
    {"rights", CALLER, look_rights},
    {"version", CALLER, look_version},
    {"clock", CALLER, look_clock},
    {"answers", CALLER, look_answers},
    {"room", NUMBERS, look_room},
    {"durable", NUMBERS, look_durable},
    {"workers", QUEUES, look_workers},
};
enum { CHECK_COUNT = sizeof(CHECKS) / sizeof(CHECKS[0]) };

static const char *const FINDINGS[] = {"ok", "warning", "bad", "not looked"};

static void print_line(const char *name, const struct diagnosis *diagnosis)
{
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s*}", "check", name, "finding", FINDINGS[diagnosis->finding],
                  "text", diagnosis->text, "advice", diagnosis->advice);
    json_t *details = json_array();
    char *json;

    for (size_t i = 0; i < diagnosis->detail_count; i++)
        json_array_append_new(details, json_string(diagnosis->details[i]));
    if (diagnosis->detail_count > 0)
        json_object_set(line, "details", details);
    json = json_dumps(line, JSON_COMPACT);
    if (json != NULL)
        puts(json);
    free(json);
    json_decref(details);
    json_decref(line);
}

static void print_row(const struct cli *cli, const char *name, const struct diagnosis *diagnosis)
{
    if (cli->is_quiet && diagnosis->finding == FINE)
        return;
    printf("%-10s %-11s %s\n", FINDINGS[diagnosis->finding], name, diagnosis->text);
    for (size_t i = 0; i < diagnosis->detail_count; i++)
        printf("%24s%s\n", "", diagnosis->details[i]);
    if (diagnosis->advice != NULL)
        printf("%22s %s\n", "", diagnosis->advice);
}

/* NULL: it can look. */
static const char *lacks(const struct patient *patient, enum need need)
{
    if (need >= BROKER && !patient->reached)
        return "there is no broker to look at";
    if (need >= CALLER && patient->caller == NULL)
        return "this needs a caller that the broker knows";
    if (need == NUMBERS && patient->stats == NULL)
        return "this needs the broker's numbers";
    if (need == QUEUES && patient->queues == NULL)
        return "this needs the list of queues";
    return NULL;
}

static void examine(struct patient *patient, const struct check *check, struct diagnosis *diagnosis)
{
    const char *lacking = lacks(patient, check->need);

    if (lacking != NULL)
        say(diagnosis, NOT_LOOKED, NULL, "%s", lacking);
    else
        check->look(patient, diagnosis);
}

static bool examine_all(struct patient *patient)
{
    bool bad = false;

    for (size_t i = 0; i < CHECK_COUNT; i++) {
        struct diagnosis diagnosis = {.finding = FINE};

        examine(patient, &CHECKS[i], &diagnosis);
        bad = bad || diagnosis.finding == BAD;
        if (diagnosis.finding == NOTHING_THERE)
            continue;
        if (patient->cli->is_json)
            print_line(CHECKS[i].name, &diagnosis);
        else
            print_row(patient->cli, CHECKS[i].name, &diagnosis);
    }
    return bad;
}

static enum exit_code run(struct cli *cli)
{
    struct patient patient = {.cli = cli};
    bool bad;

    if (!url_split(cli->url, &patient.url))
        return cli_usage_error(cli, "\"%s\" is not the URL of a broker", cli->url);
    bad = examine_all(&patient);
    handshake_deinit(&patient.handshake);
    if (!patient.reached)
        return EXIT_NOT_REACHED;
    return bad ? EXIT_REFUSED : EXIT_OK;
}

const struct command command_doctor = {
    .name = "doctor",
    .summary = "look at a broker for what is wrong, and say what to do",
    .description =
        "Looks whether the broker is reached and takes work; whether the connection is encrypted, "
        "by whom it is vouched for, and when the certificates and the token end; who you are to it "
        "and what you may do on which queue; whether versions and clocks agree; whether there is "
        "room; and whether every queue with work has workers. Changes nothing.\n\n"
        "Each check says `ok`, `warning` (it works, and will not for ever, or is not safe), `bad` "
        "(it does not work) or `not looked`, and what to do. What takes more than this caller may "
        "is not looked at: for all checks a token needs `read:*`.\n\n"
        "The exit code is 0 if nothing is bad, warnings or not; 1 if something is; 2 if the "
        "command line is wrong; 3 if the broker was not reached, or could not be trusted.",
    .examples = (const struct example[]){{"ackctl doctor", "all checks, a line each"},
                                         {"ackctl doctor -q", "only what is not well"},
                                         {"ackctl doctor -o json", "for programs"},
                                         {NULL, NULL}},
    .run = run,
};
