/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story.c -- a shard against the model: the bytes decide what is asked, when, and what fails.
 *
 * Input: the decisions of tests/unit/shard_story.c, one or two bytes each, until they are used up.
 * The invariants are the story's (tests/unit/test_shard_random.c): every answer, every counter and
 * every row are the model's after each batch.
 */
#include <signal.h>

#include "fuzz.h"
#include "unit/shard_story.h"

static struct story story;
static struct sigaction before;

/* What was going on, then what would have happened anyway. */
static void tell_and_abort(int signal)
{
    story_print_lines(&story);
    sigaction(signal, &before, NULL);
    raise(signal);
}

static void begin(void)
{
    struct sigaction action = {.sa_handler = tell_and_abort};

    setenv("CMOCKA_TEST_ABORT", "1", 1); /* an assertion that fails ends the process */
    sigaction(SIGABRT, &action, &before);
    story_name_tasks();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;

    if (!begun)
        begin();
    begun = true;
    memset(&story, 0, sizeof story);
    story.bytes = slice_of(data == NULL ? (const uint8_t *)"" : data, size);
    story_begin(&story);
    for (int i = 0; i < STORY_BATCHES_MAX && story.bytes.size > 0; i++)
        story_run_batch(&story);
    story_end(&story);
    return 0;
}
