/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures.c -- numbers with their names and units.
 */
#include "cli/bench/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/units.h"

#define LABEL_WIDTH 28

struct figure_spec {
    const char *json;
    enum figure_unit unit;
    const char *label;
};

static const struct figure_spec specs[] = {
#define X(id, json, unit, label) {json, UNIT_##unit, label},
    FIGURES(X)
#undef X
};

void figures_set(struct figures *self, enum figure figure, double value)
{
    self->all[figure].known = true;
    self->all[figure].value = value;
}

double figures_get(const struct figures *self, enum figure figure)
{
    return self->all[figure].known ? self->all[figure].value : 0;
}

static int compare_doubles(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;

    return (first > second) - (first < second);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

void figures_copy(struct figures *self, enum figure to, const struct figures *other,
                  enum figure from)
{
    if (other->all[from].known)
        figures_set(self, to, other->all[from].value);
}

void figures_median(struct figures *self, const struct figures *rounds, size_t count)
{
    double *values = calloc(count + 1, sizeof *values);

    memset(self, 0, sizeof *self);
    for (int i = 0; values != NULL && i < FIGURE_COUNT; i++) {
        size_t known = 0;

        for (size_t round = 0; round < count; round++)
            if (rounds[round].all[i].known)
                values[known++] = rounds[round].all[i].value;
        if (known > 0)
            figures_set(self, (enum figure)i, median(values, known));
    }
    free(values);
}

static const char *format_time(struct text *out, double us)
{
    if (us < 1000)
        snprintf(out->data, sizeof out->data, "%.0f us", us);
    else if (us < 1e6)
        snprintf(out->data, sizeof out->data, "%.2f ms", us / 1e3);
    else
        snprintf(out->data, sizeof out->data, "%.2f s", us / 1e6);
    return out->data;
}

static const char *format(struct text *out, enum figure_unit unit, double value)
{
    switch (unit) {
    case UNIT_COUNT:
        return units_count(out, llround(value));
    case UNIT_MEAN:
        snprintf(out->data, sizeof out->data, value < 10 ? "%.2f" : "%.0f", value);
        return out->data;
    case UNIT_RATE:
        return units_rate(out, value);
    case UNIT_TIME:
        return format_time(out, value);
    case UNIT_SECONDS:
        snprintf(out->data, sizeof out->data, "%.2f s", value);
        return out->data;
    case UNIT_BYTES:
        return units_bytes(out, llround(value));
    case UNIT_RATIO:
        snprintf(out->data, sizeof out->data, "%.2f", value);
        return out->data;
    case UNIT_SHARE:
        snprintf(out->data, sizeof out->data,
                 value < 0.1 ? "%.2f %% of a core" : "%.0f %% of a core", value * 100);
        return out->data;
    }
    return "";
}

void figures_print_text(const char *label, const char *text)
{
    printf("  %-*s%s\n", LABEL_WIDTH, label, text);
}

void figures_print(const struct figures *self)
{
    struct text text;

    for (int i = 0; i < FIGURE_COUNT; i++)
        if (self->all[i].known)
            figures_print_text(specs[i].label, format(&text, specs[i].unit, self->all[i].value));
}

void figures_print_json(const struct figures *self)
{
    const char *before = "";

    for (int i = 0; i < FIGURE_COUNT; i++) {
        if (!self->all[i].known)
            continue;
        printf("%s\"%s\":%.*f", before, specs[i].json,
               specs[i].unit == UNIT_COUNT || specs[i].unit == UNIT_BYTES ? 0 : 4,
               self->all[i].value);
        before = ",";
    }
}
