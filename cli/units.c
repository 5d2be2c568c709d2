/* SPDX-License-Identifier: Apache-2.0 */
/*
 * units.c -- numbers as people write and read them.
 */
#include "cli/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name;
    int64_t ms;
} duration_units[] = {
    {"ms", 1},      {"s", 1000},     {"m", 60000},     {"min", 60000},
    {"h", 3600000}, {"d", 86400000}, {"w", 604800000}, {"y", 31536000000},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

bool units_parse_duration(const char *text, int64_t *ret_ms)
{
    char *end;
    double value;

    if (strcmp(text, "0") == 0) {
        *ret_ms = 0;
        return true;
    }
    if (!isdigit((unsigned char)text[0]) || strspn(text, "0123456789.") > 15)
        return false; /* strtod also takes signs, "inf" and hex */
    value = strtod(text, &end);
    for (size_t i = 0; i < COUNT_OF(duration_units); i++) {
        if (strcmp(end, duration_units[i].name) != 0)
            continue;
        value *= (double)duration_units[i].ms;
        if (value > 1e15)
            return false;
        *ret_ms = llround(value);
        return true;
    }
    return false;
}

bool units_parse_number(const char *text, int64_t *ret_number)
{
    char *end;

    if (!isdigit((unsigned char)text[text[0] == '-' ? 1 : 0]))
        return false;
    errno = 0;
    *ret_number = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

const char *units_count(struct text *self, int64_t count)
{
    char digits[24];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)count);
    size_t out = 0;

    for (size_t i = 0; i < length; i++) {
        self->data[out++] = digits[i];
        if (digits[i] != '-' && i + 1 < length && (length - i - 1) % 3 == 0)
            self->data[out++] = ',';
    }
    self->data[out] = '\0';
    return self->data;
}

const char *units_bytes(struct text *self, int64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < COUNT_OF(names)) {
        value /= 1024;
        unit++;
    }
    snprintf(self->data, sizeof self->data, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s",
             value, names[unit]);
    return self->data;
}

const char *units_duration(struct text *self, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } steps[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};

    if (ms < 1000) {
        snprintf(self->data, sizeof self->data, ms == 0 ? "0 s" : "%lld ms", (long long)ms);
        return self->data;
    }
    if (ms < 60000) {
        snprintf(self->data, sizeof self->data, ms < 10000 ? "%.1f s" : "%.0f s",
                 (double)ms / 1000);
        return self->data;
    }
    for (size_t i = 0; i + 1 < COUNT_OF(steps); i++) {
        int64_t rest = ms % steps[i].ms / steps[i + 1].ms;

        if (ms < steps[i].ms)
            continue;
        if (rest == 0)
            snprintf(self->data, sizeof self->data, "%lld %s", (long long)(ms / steps[i].ms),
                     steps[i].name);
        else
            snprintf(self->data, sizeof self->data, "%lld %s %lld %s",
                     (long long)(ms / steps[i].ms), steps[i].name, (long long)rest,
                     steps[i + 1].name);
        break;
    }
    return self->data;
}

const char *units_rate(struct text *self, double per_s)
{
    struct text whole;

    if (per_s >= 100)
        snprintf(self->data, sizeof self->data, "%s/s", units_count(&whole, llround(per_s)));
    else if (per_s >= 1)
        snprintf(self->data, sizeof self->data, "%.1f/s", per_s);
    else if (per_s >= 1.0 / 60)
        snprintf(self->data, sizeof self->data, "%.1f/min", per_s * 60);
    else
        snprintf(self->data, sizeof self->data, "%.1f/h", per_s * 3600);
    return self->data;
}

const char *units_time(struct text *self, int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;

    if (unix_ms == 0 || localtime_r(&seconds, &parts) == NULL)
        snprintf(self->data, sizeof self->data, "-");
    else
        strftime(self->data, sizeof self->data, "%Y-%m-%d %H:%M:%S", &parts);
    return self->data;
}

const char *units_time_utc(struct text *self, int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;
    size_t length;

    self->data[0] = '\0';
    if (unix_ms == 0 || gmtime_r(&seconds, &parts) == NULL)
        return self->data;
    length = strftime(self->data, sizeof self->data, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(self->data + length, sizeof self->data - length, ".%03dZ", (int)(unix_ms % 1000));
    return self->data;
}

const char *units_ago(struct text *self, int64_t unix_ms, int64_t now_unix_ms)
{
    struct text duration;

    if (unix_ms == 0)
        snprintf(self->data, sizeof self->data, "-");
    else
        snprintf(self->data, sizeof self->data, "%.48s ago",
                 units_duration(&duration, now_unix_ms > unix_ms ? now_unix_ms - unix_ms : 0));
    return self->data;
}
