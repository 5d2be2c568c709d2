/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_doctor.c -- `ackctl doctor`: looks at a broker as an operator would who is told that
 * "something is wrong", and says what to do.
 *
 * A table of checks, in the order in which one would look: what a later one needs, an earlier one
 * has asked for. Nothing is changed. A check says one thing: fine, a warning (it works, and will
 * not for ever, or is not safe), bad (it does not work), or that it could not look.
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ackd/v1/admin.pb-c.h"
#include "ackd/v1/queue.pb-c.h"
#include "ackd/version.h"
#include "base/clock.h"
#include "cli/broker.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/units.h"

enum {
    SKEW_WARN_MS = 1000, /* ages and expiries begin to look odd */
    SKEW_BAD_MS = 30000, /* tokens that end and tokens that begin are taken for wrong */
    FULL_WARN_PERCENT = 70,
    FULL_BAD_PERCENT = 85, /* publish is refused from there on */
    SLOW_WARN_MS = 500     /* an answer that takes longer */
};

enum finding { FINE, WARNING, BAD, NOT_LOOKED };

/* What the checks share. */
struct patient {
    struct cli *cli;
    bool reached;
    const Ackd__V1__StatsResponse *stats; /* NULL: not allowed, or not reached */
    int64_t stats_took_ms;
    int64_t stats_at_ms; /* the wall clock here, in the middle of the call */
};

/* What a check says. */
struct diagnosis {
    enum finding finding;
    char text[256];
    const char *advice; /* NULL: none is needed */
};

/* What a check can't do without. */
enum need { NOTHING, BROKER, NUMBERS };

struct check {
    const char *name;
    enum need need;
    void (*look)(struct patient *patient, struct diagnosis *diagnosis);
};

static void __attribute__((format(printf, 4, 5)))
say(struct diagnosis *self, enum finding finding, const char *advice, const char *format, ...)
{
    va_list args;

    self->finding = finding;
    self->advice = advice;
    va_start(args, format);
    (void)vsnprintf(self->text, sizeof self->text, format, args);
    va_end(args);
}

/* `denied` is for who may not; a call fails for other reasons too. */
static void say_failed(struct diagnosis *self, const char *denied, const struct error *error)
{
    bool may_not =
        error->status == STATUS_UNAUTHENTICATED || error->status == STATUS_PERMISSION_DENIED;

    say(self, BAD, may_not ? denied : "Look into its log, and at what is between it and you.", "%s",
        error->message);
}

/*
 * Checks
 */

static void look_reachable(struct patient *patient, struct diagnosis *diagnosis)
{
    struct error error;
    long status = 0;
    int64_t began_ms = clock_wall_ms();

    if (broker_get(patient->cli, "/healthz", &status, &error) != STATUS_OK) {
        say(diagnosis, BAD,
            "Is ackd running, is --url (ACKD_URL) its address, and does a firewall or a "
            "NetworkPolicy let you through? In Kubernetes: kubectl get pods, kubectl logs.",
            "%s", error.message);
        return;
    }
    patient->reached = true;
    if (status == 200)
        say(diagnosis, FINE, NULL, "%s answers in %lld ms", broker_url(patient->cli),
            (long long)(clock_wall_ms() - began_ms));
    else
        say(diagnosis, BAD, "Is this address ackd's, or a proxy's before it?",
            "%s answers /healthz with HTTP %ld", broker_url(patient->cli), status);
}

static void look_ready(struct patient *patient, struct diagnosis *diagnosis)
{
    struct error error;
    long status = 0;

    if (broker_get(patient->cli, "/readyz", &status, &error) != STATUS_OK)
        say(diagnosis, BAD, "Look into its log.", "%s", error.message);
    else if (status == 200)
        say(diagnosis, FINE, NULL, "it takes work");
    else
        say(diagnosis, BAD,
            "It is stopping, or its disk does not commit: look into its log and at the volume.",
            "/readyz answers HTTP %ld: it takes no work", status);
}

static void look_tls(struct patient *patient, struct diagnosis *diagnosis)
{
    const char *url = broker_url(patient->cli);

    if (strncmp(url, "https://", 8) == 0)
        say(diagnosis, FINE, NULL, "the connection is encrypted, and the certificate is right");
    else if (broker_stays_here(patient->cli))
        say(diagnosis, FINE, NULL, "not encrypted, within this machine");
    else
        say(diagnosis, WARNING,
            "Give ackd a certificate (see deploy/README.md), and use an https:// URL.",
            "payloads, results and tokens cross the network in the clear");
}

/* Asks for the numbers that the checks below look at. */
static void look_rights(struct patient *patient, struct diagnosis *diagnosis)
{
    Ackd__V1__StatsRequest request = ACKD__V1__STATS_REQUEST__INIT;
    ProtobufCMessage *reply;
    struct error error;
    int64_t began_ms = clock_wall_ms();

    if (broker_try(patient->cli, "AdminService", "Stats", &request.base,
                   &ackd__v1__stats_response__descriptor, &patient->cli->arena, 0, &reply,
                   &error) != STATUS_OK) {
        say_failed(diagnosis,
                   "Ask whoever runs the broker for a token with the right `read` on `*`, or look "
                   "only at what yours may see.",
                   &error);
        return;
    }
    patient->stats = (const Ackd__V1__StatsResponse *)(const void *)reply;
    patient->stats_took_ms = clock_wall_ms() - began_ms;
    patient->stats_at_ms = began_ms + patient->stats_took_ms / 2;
    say(diagnosis, FINE, NULL, "you may see the whole broker");
}

static void look_version(struct patient *patient, struct diagnosis *diagnosis)
{
    const char *version = patient->stats->version;

    if (strcmp(version, ACKD_VERSION) == 0)
        say(diagnosis, FINE, NULL, "broker and ackctl are both %s", version);
    else
        say(diagnosis, WARNING,
            "Install the ackctl of the broker's version; workers may be older than their broker, "
            "not newer.",
            "the broker is %s, ackctl " ACKD_VERSION, version);
}

static void look_clock(struct patient *patient, struct diagnosis *diagnosis)
{
    int64_t skew_ms = patient->stats->now_unix_ms - patient->stats_at_ms;
    int64_t size_ms = skew_ms < 0 ? -skew_ms : skew_ms;
    enum finding finding = size_ms >= SKEW_BAD_MS ? BAD : size_ms >= SKEW_WARN_MS ? WARNING : FINE;
    struct text text;

    if (size_ms < patient->stats_took_ms) { /* the call's own error */
        say(diagnosis, FINE, NULL, "the broker's clock is as good as equal to this one's");
        return;
    }
    say(diagnosis, finding,
        finding == FINE ? NULL
                        : "Let both machines set their clock by NTP. Leases are not harmed: only "
                          "the broker's clock counts for them.",
        "the broker's clock is %s %s this one's", units_duration(&text, size_ms),
        skew_ms > 0 ? "ahead of" : "behind");
}

static void look_answers(struct patient *patient, struct diagnosis *diagnosis)
{
    struct text text;
    bool slow = patient->stats_took_ms > SLOW_WARN_MS;

    say(diagnosis, slow ? WARNING : FINE,
        slow ? "A shard answers between two commits: look at ackd_shard_commit_seconds in "
               "/metrics, and at what else writes to its disk."
             : NULL,
        "all shards answered within %s", units_duration(&text, patient->stats_took_ms));
}

/* The limit is the map's, or what the disk has room for. */
static void look_room(struct patient *patient, struct diagnosis *diagnosis)
{
    const Ackd__V1__StatsResponse *stats = patient->stats;
    int64_t worst = 0;
    struct text used, limit;
    const Ackd__V1__ShardStats *fullest = NULL;

    for (size_t i = 0; i < stats->n_shards; i++) {
        const Ackd__V1__ShardStats *shard = stats->shards[i];
        int64_t percent = shard->map_bytes > 0 ? shard->used_bytes * 100 / shard->map_bytes : 0;

        if (fullest == NULL || percent > worst) {
            fullest = shard;
            worst = percent;
        }
    }
    if (fullest == NULL)
        return;
    say(diagnosis,
        worst >= FULL_BAD_PERCENT    ? BAD
        : worst >= FULL_WARN_PERCENT ? WARNING
                                     : FINE,
        worst < FULL_WARN_PERCENT
            ? NULL
            : "Let workers finish tasks, delete results and queues that nobody needs, or give the "
              "volume more room and --map-size. From 85 % on publish is refused; acks go on.",
        "shard %d uses %lld %% of its room: %s of %s", fullest->shard, (long long)worst,
        units_bytes(&used, fullest->used_bytes), units_bytes(&limit, fullest->map_bytes));
}

static void look_durable(struct patient *patient, struct diagnosis *diagnosis)
{
    const Ackd__V1__StatsResponse *stats = patient->stats;

    for (size_t i = 0; i < stats->n_shards; i++)
        if (strcmp(stats->shards[i]->store, "mem") == 0) {
            say(diagnosis, WARNING, "Start ackd with --data-dir, unless this is a trial.",
                "the store is in memory: a restart forgets everything");
            return;
        }
    say(diagnosis, FINE, NULL, "what is confirmed is on disk");
}

/* Work that nobody does. */
struct idle {
    size_t queues;
    const char *example;
};

static void count_idle(const Ackd__V1__ListQueuesResponse *page, struct idle *idle)
{
    for (size_t i = 0; i < page->n_queues; i++) {
        const Ackd__V1__Queue *queue = page->queues[i];

        if (queue->counts->ready == 0 || (!queue->paused && queue->sessions > 0))
            continue;
        idle->queues++;
        idle->example = idle->example == NULL ? queue->name : idle->example;
    }
}

static enum status find_idle(struct cli *cli, struct idle *idle, struct error *error)
{
    Ackd__V1__ListQueuesRequest request = ACKD__V1__LIST_QUEUES_REQUEST__INIT;
    const Ackd__V1__ListQueuesResponse *page;
    ProtobufCMessage *reply;

    request.page_size = 1000;
    do {
        enum status status =
            broker_try(cli, "QueueService", "List", &request.base,
                       &ackd__v1__list_queues_response__descriptor, &cli->arena, 0, &reply, error);

        if (status != STATUS_OK)
            return status;
        page = (const Ackd__V1__ListQueuesResponse *)(const void *)reply;
        count_idle(page, idle);
        request.page_token = page->next_page_token;
    } while (page->next_page_token[0] != '\0');
    return STATUS_OK;
}

static void look_workers(struct patient *patient, struct diagnosis *diagnosis)
{
    struct idle idle = {0, NULL};
    struct error error;

    if (find_idle(patient->cli, &idle, &error) != STATUS_OK)
        say_failed(diagnosis, "Your token may see no queue.", &error);
    else if (idle.queues == 0)
        say(diagnosis, FINE, NULL, "every queue with work has workers");
    else
        say(diagnosis, WARNING,
            "`ackctl queue show QUEUE` tells whether it is paused (`ackctl queue resume`); "
            "`ackctl sessions QUEUE` whether workers are there. In Kubernetes: are their pods "
            "pending?",
            "%zu queue%s with work and without workers, or paused, such as %s", idle.queues,
            idle.queues == 1 ? "" : "s", idle.example);
}

static const struct check CHECKS[] = {
    {"reachable", NOTHING, look_reachable},
    {"ready", BROKER, look_ready},
    {"tls", BROKER, look_tls},
    {"rights", BROKER, look_rights},
    {"version", NUMBERS, look_version},
    {"clock", NUMBERS, look_clock},
    {"answers", NUMBERS, look_answers},
    {"room", NUMBERS, look_room},
    {"durable", NUMBERS, look_durable},
    {"workers", NUMBERS, look_workers},
};
enum { CHECK_COUNT = sizeof(CHECKS) / sizeof(CHECKS[0]) };

/*
 * The command
 */

static const char *const FINDINGS[] = {"ok", "warning", "bad", "not looked"};

static void print_line(const char *name, const struct diagnosis *diagnosis)
{
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s*}", "check", name, "finding", FINDINGS[diagnosis->finding],
                  "text", diagnosis->text, "advice", diagnosis->advice);
    char *json = json_dumps(line, JSON_COMPACT);

    json_decref(line);
    if (json != NULL)
        puts(json);
    free(json);
}

static void print_row(const struct cli *cli, const char *name, const struct diagnosis *diagnosis)
{
    if (cli->is_quiet && diagnosis->finding == FINE)
        return;
    printf("%-10s %-10s %s\n", FINDINGS[diagnosis->finding], name, diagnosis->text);
    if (diagnosis->advice != NULL)
        printf("%21s %s\n", "", diagnosis->advice);
}

static void examine(struct patient *patient, const struct check *check, struct diagnosis *diagnosis)
{
    if (check->need >= BROKER && !patient->reached)
        say(diagnosis, NOT_LOOKED, NULL, "there is no broker to look at");
    else if (check->need >= NUMBERS && patient->stats == NULL)
        say(diagnosis, NOT_LOOKED, NULL, "this needs the broker's numbers");
    else
        check->look(patient, diagnosis);
}

static enum exit_code run(struct cli *cli)
{
    struct patient patient = {.cli = cli};
    bool bad = false;

    for (size_t i = 0; i < CHECK_COUNT; i++) {
        struct diagnosis diagnosis = {.finding = FINE};

        examine(&patient, &CHECKS[i], &diagnosis);
        bad = bad || diagnosis.finding == BAD;
        if (cli->is_json)
            print_line(CHECKS[i].name, &diagnosis);
        else
            print_row(cli, CHECKS[i].name, &diagnosis);
    }
    if (!patient.reached)
        return EXIT_NOT_REACHED;
    return bad ? EXIT_REFUSED : EXIT_OK;
}

const struct command command_doctor = {
    .name = "doctor",
    .summary = "look at a broker for what is wrong, and say what to do",
    .description =
        "Looks whether the broker is reached and takes work, whether the connection is encrypted, "
        "what you may see, whether versions and clocks agree, whether there is room, and whether "
        "every queue with work has workers. Changes nothing. The exit code is 1 if something is "
        "bad, 3 if the broker was not reached; warnings leave it at 0.",
    .examples = (const struct example[]){{"ackctl doctor", "all checks, a line each"},
                                         {"ackctl doctor -q", "only what is not well"},
                                         {NULL, NULL}},
    .run = run,
};
