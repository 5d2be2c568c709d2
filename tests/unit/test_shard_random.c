/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_shard_random.c -- random stories on one queue, held against the model of tests/model:
 * publishers, workers with and without sessions, acks right, old and repeated, long polls, time,
 * crashes, and a store that refuses now and then.
 *
 * Several calls go into one batch; the model is told of them one by one. What a refusal of the
 * store takes back runs again, so that the answers must be the same.
 *
 *   I1  no task has two live leases, and fences only grow      I4  an ID makes one task
 *   I2  an ack with an old fence closes nothing but by salvage I5  the counters are the model's
 *   I3  what was acked is never handed out again               I6  bench_check, after every batch
 *
 * A failing seed is printed with the calls of its last batches; ACKD_TEST_SEED=N runs that one
 * alone, ACKD_TEST_SEEDS=N so many; ACKD_TEST_STORE=lmdb tells them on LMDB.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shard_story.h"
#include "support/check.h"

enum { SEEDS = 300 };

static struct story story; /* the one that runs, for the report of a failure */
static uint64_t story_seed;

static void tell_story(uint64_t seed)
{
    story_seed = seed;
    memset(&story, 0, sizeof story);
    story.random = seed;
    story_begin(&story);
    for (int i = 0; i < STORY_BATCHES_MAX; i++)
        story_run_batch(&story);
    story_end(&story);
}

static int report_failure(void **state)
{
    (void)state;
    if (story.bench == NULL)
        return 0;
    print_message("ACKD_TEST_SEED=%" PRIu64 " fails; its last batches:\n", story_seed);
    story_print_lines(&story);
    return 0;
}

static void test_the_shard_does_what_the_model_does(void **state)
{
    const char *seed = getenv("ACKD_TEST_SEED");
    const char *seeds = getenv("ACKD_TEST_SEEDS");
    uint64_t count = seeds == NULL ? SEEDS : strtoull(seeds, NULL, 10);

    (void)state;
    story_name_tasks();
    if (seed != NULL) {
        tell_story(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t i = 1; i <= count; i++)
        tell_story(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_shard_does_what_the_model_does, report_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
