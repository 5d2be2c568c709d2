/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patient.h -- the broker that `ackctl doctor` looks at: what is known of it so far, and what a
 * check says.
 *
 * command_doctor.c has the table of checks, in the order in which one would look: what a later
 * check needs, an earlier one has asked for. Nothing is changed.
 *
 *   reach.c     is it there, does it take work, do versions and clocks agree
 *   trust.c     TLS and its certificates, by a handshake of our own (handshake.c)
 *   rights.c    who we are to it, and what we may do on which queue
 *   store.c     room, durability, work that nobody does
 */
#ifndef ACKD_CLI_DOCTOR_PATIENT_H
#define ACKD_CLI_DOCTOR_PATIENT_H

#include "ackd/v1/admin.pb-c.h"
#include "ackd/v1/queue.pb-c.h"
#include "base/status.h"
#include "cli/cli.h"
#include "cli/doctor/handshake.h"
#include "cli/url.h"

/* It works; it works, and will not for ever or is not safe; it does not work; the check could not
 * look; it has nothing to look at, and says nothing. */
enum finding { FINE, WARNING, BAD, NOT_LOOKED, NOTHING_THERE };

/* What a check says. */
struct diagnosis {
    enum finding finding;
    char text[512];
    const char *advice;   /* NULL: none is needed */
    const char **details; /* a line each; in the run's arena */
    size_t detail_count;
};

struct patient {
    struct cli *cli;
    struct url url;
    bool reached;
    struct handshake handshake; /* of an https:// URL */

    const Ackd__V1__WhoamiResponse *caller; /* NULL: it is not told */
    int64_t caller_took_ms;
    int64_t caller_at_ms; /* the wall clock here, in the middle of the call */

    const Ackd__V1__Queue **queues; /* those that we may know of; NULL: not told */
    size_t queue_count;

    const Ackd__V1__StatsResponse *stats; /* NULL: not allowed, or not reached */
    int64_t stats_took_ms;
};

void say(struct diagnosis *self, enum finding finding, const char *advice, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* `denied` is for who may not; a call fails for other reasons too. */
void say_failed(struct diagnosis *self, const char *denied, const struct error *error);
/* One line more. */
void say_detail(struct patient *patient, struct diagnosis *self, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void look_reachable(struct patient *patient, struct diagnosis *diagnosis);
void look_ready(struct patient *patient, struct diagnosis *diagnosis);
void look_version(struct patient *patient, struct diagnosis *diagnosis);
void look_clock(struct patient *patient, struct diagnosis *diagnosis);
void look_answers(struct patient *patient, struct diagnosis *diagnosis);

void look_tls(struct patient *patient, struct diagnosis *diagnosis);
void look_certificate(struct patient *patient, struct diagnosis *diagnosis);
void look_authorities(struct patient *patient, struct diagnosis *diagnosis);
void look_own_certificate(struct patient *patient, struct diagnosis *diagnosis);

void look_caller(struct patient *patient, struct diagnosis *diagnosis);
void look_rights(struct patient *patient, struct diagnosis *diagnosis);

void look_room(struct patient *patient, struct diagnosis *diagnosis);
void look_durable(struct patient *patient, struct diagnosis *diagnosis);
void look_workers(struct patient *patient, struct diagnosis *diagnosis);

#endif
