/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.c -- the storm, the calm, the end.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/audit.h"

#define STORM_BATCHES_MAX 260
#define GUST_MS 10000
#define CALM_MS_MAX INT64_C(1800000) /* I8: after the storm all must be done within this time */
#define SET_BACK_MS_MAX 600000
#define SET_BACK_SUM_MS_MAX 1200000 /* what was due before then is due that much later: I8 */
#define USAGE_MS 101                /* until a broker looks again how full its disk is */

/* ---- gusts: what goes wrong at the scale of the machine ---- */

static void leap(struct sim *sim)
{
    int ms = chance_between(&sim->chance, 1000, 60000);

    story_tell("the machine stands still for %d ms", ms);
    sim->machine.leapt_ms += ms;
    sim->figures->leaps++;
}

static void set_clock(struct sim *sim)
{
    int ms = chance_percent(&sim->chance, 50) && sim->weather.back
                 ? -chance_between(&sim->chance, 1000, SET_BACK_MS_MAX)
                 : chance_between(&sim->chance, 1000, 86400000);

    if (ms < 0 && sim->set_back_ms - ms > SET_BACK_SUM_MS_MAX)
        return;
    sim->set_back_ms -= ms < 0 ? ms : 0;
    story_tell("the wall clock is set by %d ms", ms);
    sim->machine.set_ms += ms;
    sim->figures->sets++;
}

/* The disk is nearly as small as what lies on it, or has room again. */
static void squeeze(struct sim *sim)
{
    struct store_usage usage;

    if (sim->checker.squeezed) {
        store_mem_set_max(sim->broker.store, 0);
        sim->checker.squeezed = false;
        sim->checker.room_at_ms = sim->schedule.now_ms + USAGE_MS;
        story_tell("the disk has room again");
        return;
    }
    ASSERT(store_usage(sim->broker.store, &usage) == STATUS_OK);
    store_mem_set_max(sim->broker.store,
                      usage.used_bytes + (uint64_t)chance_between(&sim->chance, 100, 40000));
    sim->checker.squeezed = true;
    story_tell("the disk is nearly full");
}

static void gust(struct sim *sim, struct event *event)
{
    struct chance *chance = &sim->chance;
    const struct weather *weather = &sim->weather;

    if (sim->calm)
        return;
    schedule_after(&sim->schedule, event, chance_between(chance, GUST_MS / 4, GUST_MS * 2));
    if (chance_percent(chance, weather->crash_percent)) {
        sim->figures->crashes += sim->broker.service != NULL;
        broker_kill(sim, "SIGKILL");
    }
    if (chance_percent(chance, weather->restart_percent))
        broker_restart(sim);
    if (chance_percent(chance, weather->leap_percent))
        leap(sim);
    if (chance_percent(chance, weather->set_percent))
        set_clock(sim);
    if (sim->checker.squeezed ? chance_percent(chance, 50)
                              : chance_percent(chance, weather->squeeze_percent))
        squeeze(sim);
}

/* ---- begin ---- */

static void draw_config(struct sim *sim, PB(QueueConfig) *config)
{
    struct chance *chance = &sim->chance;

#define SET(name, NAME, value)                                                                     \
    config->has_##name##_case = ACKD__V1__QUEUE_CONFIG__HAS_##NAME##_##NAME;                       \
    config->name = value
    SET(lease_ms, LEASE_MS, chance_between(chance, 1000, 20000));
    SET(max_failures, MAX_FAILURES, chance_between(chance, 1, 4));
    SET(max_losses, MAX_LOSSES, chance_between(chance, 1, 4));
    SET(backoff_min_ms, BACKOFF_MIN_MS, 500);
    SET(backoff_max_ms, BACKOFF_MAX_MS, chance_between(chance, 500, 8000));
    SET(late_results, LATE_RESULTS, (PB(LateResults))(chance_percent(chance, 70) ? 1 : 2));
    SET(max_leased, MAX_LEASED, chance_percent(chance, 30) ? chance_between(chance, 1, 10) : 0);
    if (weather_allows_ttl(&sim->weather) && chance_percent(chance, 50)) {
        SET(task_ttl_ms, TASK_TTL_MS, chance_between(chance, 3000, 60000));
    }
    if (sim->weather.back)
        return; /* what was forgotten already would be remembered again */
    if (chance_percent(chance, 50)) {
        SET(dedup_retention_ms, DEDUP_RETENTION_MS, chance_percent(chance, 50) ? 0 : 30000);
    }
#undef SET
}

static void make_queues(struct sim *sim)
{
    static char names[SIM_QUEUES][4] = {"q0", "q1"};

    for (int i = 0; i < SIM_QUEUES; i++) {
        PB(CreateQueueRequest) request = ACKD__V1__CREATE_QUEUE_REQUEST__INIT;
        PB(QueueConfig) config = ACKD__V1__QUEUE_CONFIG__INIT;

        draw_config(sim, &config);
        request.name = names[i];
        request.config = &config;
        broker_ask(sim, METHOD_queue_create, &request.base);
    }
    broker_settle(sim);
}

static void begin(struct sim *sim, uint64_t seed)
{
    sim->chance.state = seed;
    arena_init(&sim->memory, SIZE_MAX);
    schedule_init(&sim->schedule);
    sim->machine = (struct machine){.schedule = &sim->schedule};
    machine_use(&sim->machine);
    coverage_use(&sim->figures->coverage);
    sim->weather = weather_draw(&sim->chance);
    broker_init(sim);
    checker_init(&sim->checker, sim);
    broker_start(sim);
    make_queues(sim);
    for (int i = 0; i < SIM_PUBLISHERS; i++)
        publisher_init(sim, i);
    for (int i = 0; i < SIM_WORKERS; i++)
        worker_init(sim, i);
    operator_init(sim);
    event_init(&sim->gust, gust);
    schedule_after(&sim->schedule, &sim->gust, chance_between(&sim->chance, 0, GUST_MS));
}

/* ---- the storm, the calm, the end ---- */

static void run_storm(struct sim *sim)
{
    int64_t end_batches = sim->figures->batches + STORM_BATCHES_MAX;
    int64_t end_ms = sim->schedule.now_ms + chance_between(&sim->chance, 30000, 900000);

    while (sim->figures->batches < end_batches && schedule_step(&sim->schedule, sim, end_ms))
        ;
}

static bool is_over(const struct sim *sim)
{
    for (int i = 0; i < SIM_PUBLISHERS; i++)
        if (!publisher_is_done(&sim->publishers[i]))
            return false;
    return sim->broker.service != NULL && checker_all_is_done(&sim->checker);
}

static _Noreturn void fail_liveness(const struct sim *sim)
{
    for (int i = 0; i < SIM_QUEUES; i++) {
        struct model_counts counts = model_counts(&sim->checker.world->models[i]);

        story_tell("q%d: %d ready, %d delayed, %d leased, %d dead", i, (int)counts.ready,
                   (int)counts.delayed, (int)counts.leased, (int)counts.dead);
    }
    for (int i = 0; i < SIM_PUBLISHERS; i++)
        if (!publisher_is_done(&sim->publishers[i]))
            story_tell("%s is not done", sim->publishers[i].actor.name);
    story_fail("I8: %d s after the storm not all is done", (int)(CALM_MS_MAX / 1000));
}

static void run_calm(struct sim *sim)
{
    int64_t end_ms = sim->schedule.now_ms + CALM_MS_MAX;

    story_tell("the storm is over");
    sim->calm = true;
    sim->weather = weather_calm();
    if (sim->checker.squeezed)
        squeeze(sim);
    while (!is_over(sim))
        if (!schedule_step(&sim->schedule, sim, end_ms))
            fail_liveness(sim);
    story_tell("all is done");
}

static void end(struct sim *sim)
{
    checker_look(&sim->checker, sim);
    audit_shard(broker_shard(&sim->broker), sim->broker.store);
    for (int i = 0; i < SIM_QUEUES; i++) {
        struct model_counts counts = model_counts(&sim->checker.world->models[i]);

        sim->figures->done += counts.done;
        sim->figures->salvaged += counts.salvaged;
    }
    sim->figures->seeds++;
    sim->figures->virtual_ms += sim->schedule.now_ms;
    broker_deinit(sim);
    checker_deinit(&sim->checker);
    machine_use(NULL);
    schedule_deinit(&sim->schedule);
    arena_deinit(&sim->memory);
}

void sim_run(uint64_t seed, enum story_voice voice, struct figures *figures)
{
    static struct sim sim; /* too large for a stack */

    memset(&sim, 0, sizeof sim);
    sim.figures = figures;
    story_begin(voice, seed, &sim.schedule.now_ms);
    begin(&sim, seed);
    run_storm(&sim);
    run_calm(&sim);
    end(&sim);
}
