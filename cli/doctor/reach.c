/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach.c -- is the broker there, does it take work, and do the two sides fit together?
 */
#include <string.h>

#include "ackd/version.h"
#include "base/clock.h"
#include "cli/broker.h"
#include "cli/doctor/patient.h"
#include "cli/units.h"
#include "transport.h"

enum {
    SKEW_WARN_MS = 1000, /* ages and expiries begin to look odd */
    SKEW_BAD_MS = 30000, /* tokens that end and tokens that begin are taken for wrong */
    SLOW_WARN_MS = 500   /* an answer that takes longer */
};

void look_reachable(struct patient *patient, struct diagnosis *diagnosis)
{
    struct error error;
    long status = 0;
    int64_t began_ms = clock_monotonic_ms();

    if (broker_get(patient->cli, "/healthz", &status, &error) != STATUS_OK) {
        say(diagnosis, BAD,
            transport_no_trust(&error)
                ? "Mend what `tls`, `ca` or `client-cert` say, or the token's file."
                : "Is ackd running, is --url (ACKD_URL) its address, and does a firewall or a "
                  "NetworkPolicy let you through? In Kubernetes: kubectl get pods, kubectl logs.",
            "%s", error.message);
        return;
    }
    patient->reached = true;
    if (status == 200)
        say(diagnosis, FINE, NULL, "%s answers in %lld ms", broker_url(patient->cli),
            (long long)(clock_monotonic_ms() - began_ms));
    else
        say(diagnosis, BAD,
            status == 400 && !patient->url.is_sealed
                ? "A port for TLS answers so: use an https:// URL. Or is it another program's?"
                : "Is this address ackd's, or a proxy's before it?",
            "%s answers /healthz with HTTP %ld", broker_url(patient->cli), status);
}

void look_ready(struct patient *patient, struct diagnosis *diagnosis)
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

void look_version(struct patient *patient, struct diagnosis *diagnosis)
{
    const char *version = patient->caller->version;

    if (strcmp(version, ACKD_VERSION) == 0)
        say(diagnosis, FINE, NULL, "broker and ackctl are both %s", version);
    else
        say(diagnosis, WARNING,
            "Install the ackctl of the broker's version; workers may be older than their broker, "
            "not newer.",
            "the broker is %s, ackctl " ACKD_VERSION, version);
}

void look_clock(struct patient *patient, struct diagnosis *diagnosis)
{
    int64_t skew_ms = patient->caller->now_unix_ms - patient->caller_at_ms;
    int64_t size_ms = skew_ms < 0 ? -skew_ms : skew_ms;
    enum finding finding = size_ms >= SKEW_BAD_MS ? BAD : size_ms >= SKEW_WARN_MS ? WARNING : FINE;
    struct text text;

    if (size_ms < patient->caller_took_ms) { /* the call's own error */
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

/* Asks for the numbers that the checks below look at. */
void look_answers(struct patient *patient, struct diagnosis *diagnosis)
{
    Ackd__V1__StatsRequest request = ACKD__V1__STATS_REQUEST__INIT;
    ProtobufCMessage *reply;
    struct error error;
    int64_t began_ms = clock_monotonic_ms();
    struct text text;
    bool slow;

    if (broker_try(patient->cli, "AdminService", "Stats", &request.base,
                   &ackd__v1__stats_response__descriptor, &patient->cli->arena, 0, &reply,
                   &error) != STATUS_OK) {
        if (error.status == STATUS_PERMISSION_DENIED)
            say(diagnosis, NOT_LOOKED, NULL,
                "the broker's numbers take the right `read` on `*`, which this caller has not");
        else
            say_failed(diagnosis, "Which token does it take?", &error);
        return;
    }
    patient->stats = (const Ackd__V1__StatsResponse *)(const void *)reply;
    patient->stats_took_ms = clock_monotonic_ms() - began_ms;
    slow = patient->stats_took_ms > SLOW_WARN_MS;
    say(diagnosis, slow ? WARNING : FINE,
        slow ? "A shard answers between two commits: look at ackd_shard_commit_seconds and "
               "ackd_shard_log_checkpoint_seconds in /metrics, and at what else writes to its disk."
             : NULL,
        "all shards answered within %s", units_duration(&text, patient->stats_took_ms));
}
