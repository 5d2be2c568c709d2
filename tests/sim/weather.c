/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weather.c -- draws what may go wrong.
 */
#include "weather.h"

/* Half of the seeds know nothing of it; the others up to `percent_max`. */
static int maybe(struct chance *chance, int percent_max)
{
    return chance_percent(chance, 50) ? chance_between(chance, 1, percent_max) : 0;
}

struct weather weather_draw(struct chance *chance)
{
    return (struct weather){
        .lose_percent = maybe(chance, 20),
        .double_percent = maybe(chance, 15),
        .slow_percent = maybe(chance, 10),
        .delay_ms_max = chance_between(chance, 1, 60),
        .half_open_percent = maybe(chance, 60),
        .full_percent = maybe(chance, 15),
        .death_percent = maybe(chance, 4),
        .slow_commit_percent = maybe(chance, 10),
        .open_percent = maybe(chance, 80),
        .crash_percent = maybe(chance, 25),
        .restart_percent = maybe(chance, 15),
        .leap_percent = maybe(chance, 15),
        .set_percent = maybe(chance, 15),
        .squeeze_percent = maybe(chance, 15),
        .tiny_limits = chance_percent(chance, 30),
        .back = chance_percent(chance, 50),
    };
}

struct weather weather_calm(void)
{
    return (struct weather){.delay_ms_max = 5};
}
