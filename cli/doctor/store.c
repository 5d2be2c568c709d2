/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c -- is there room, is what is confirmed kept, and does somebody do the work?
 */
#include <string.h>

#include "cli/doctor/patient.h"
#include "cli/units.h"

enum {
    FULL_WARN_PERCENT = 70,
    FULL_BAD_PERCENT = 85 /* publish is refused from there on */
};

static int64_t percent_used(const Ackd__V1__ShardStats *shard)
{
    return shard->map_bytes > 0 ? shard->used_bytes * 100 / shard->map_bytes : 0;
}

/* The limit is the map's, or what the disk has room for. */
void look_room(struct patient *patient, struct diagnosis *diagnosis)
{
    const Ackd__V1__StatsResponse *stats = patient->stats;
    const Ackd__V1__ShardStats *fullest = NULL;
    struct text used, limit;
    int64_t worst;

    for (size_t i = 0; i < stats->n_shards; i++)
        if (fullest == NULL || percent_used(stats->shards[i]) > percent_used(fullest))
            fullest = stats->shards[i];
    if (fullest == NULL)
        return;
    worst = percent_used(fullest);
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

void look_durable(struct patient *patient, struct diagnosis *diagnosis)
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

void look_workers(struct patient *patient, struct diagnosis *diagnosis)
{
    const char *example = NULL;
    size_t idle = 0;

    for (size_t i = 0; i < patient->queue_count; i++) {
        const Ackd__V1__Queue *queue = patient->queues[i];

        if (queue->counts->ready == 0 || (!queue->paused && queue->sessions > 0))
            continue;
        idle++;
        example = example == NULL ? queue->name : example;
    }
    if (idle == 0)
        say(diagnosis, FINE, NULL, "every queue with work has workers");
    else
        say(diagnosis, WARNING,
            "`ackctl queue show QUEUE` tells whether it is paused (`ackctl queue resume`); "
            "`ackctl sessions QUEUE` whether workers are there. In Kubernetes: are their pods "
            "pending?",
            "%zu queue%s with work and without workers, or paused, such as %s", idle,
            idle == 1 ? "" : "s", example);
}
