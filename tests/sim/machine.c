/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine.c -- stands in for the two functions of the C library by which a broker learns the time.
 */
#include "machine.h"

#include <pthread.h>
#include <time.h>

#define WALL_AT_START_MS INT64_C(1700000000000)
#define MONOTONIC_AT_START_MS INT64_C(5000000) /* the machine has been up for a while */
#define ONCES_MAX 8

static const struct machine *machine; /* NULL: the real one */
static pthread_once_t *onces[ONCES_MAX];
static int once_count;
static int64_t wall_at_boot_ms;
static int64_t monotonic_at_boot_ms;

/* Named by the linker: calls of NAME go to __wrap_NAME, and __real_NAME is the library's. */
int __real_clock_gettime(clockid_t id, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret_time);
int __real_pthread_once(pthread_once_t *once, void (*init)(void));
int __wrap_pthread_once(pthread_once_t *once, void (*init)(void));

void machine_use(struct machine *self)
{
    machine = self;
}

static int64_t monotonic_ms(void)
{
    return MONOTONIC_AT_START_MS + machine->schedule->now_ms + machine->leapt_ms;
}

static int64_t wall_ms(void)
{
    return WALL_AT_START_MS + machine->schedule->now_ms + machine->leapt_ms + machine->set_ms;
}

void machine_boot(void)
{
    once_count = 0;
    wall_at_boot_ms = wall_ms();
    monotonic_at_boot_ms = monotonic_ms();
}

int64_t machine_process_ms(void)
{
    return wall_at_boot_ms + monotonic_ms() - monotonic_at_boot_ms;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ret_time)
{
    int64_t now_ms;

    if (machine == NULL)
        return __real_clock_gettime(id, ret_time);
    now_ms = id == CLOCK_REALTIME ? wall_ms() : monotonic_ms();
    *ret_time = (struct timespec){now_ms / 1000, now_ms % 1000 * 1000000};
    return 0;
}

int __wrap_pthread_once(pthread_once_t *once, void (*init)(void))
{
    if (machine == NULL)
        return __real_pthread_once(once, init);
    for (int i = 0; i < once_count; i++)
        if (onces[i] == once)
            return 0;
    if (once_count < ONCES_MAX)
        onces[once_count++] = once;
    init();
    return 0;
}
