/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter.c -- time and the broker's use of its machine.
 */
#include "cli/bench/meter.h"

enum exit_code meter_start(struct meter *self, struct target *target)
{
    enum exit_code code = target_sample(target, &self->before);

    self->client_before_s = own_cpu_s();
    return code;
}

enum exit_code meter_stop(struct meter *self, struct target *target)
{
    int64_t ended_ns = monotonic_ns();
    double client_s = own_cpu_s();
    enum exit_code code = target_sample(target, &self->last);

    if (code != EXIT_OK)
        return code;
    self->took_ns += ended_ns - self->before.at_ns;
    self->client_cpu_s += client_s - self->client_before_s;
    self->broker_cpu_s += self->last.cpu_s - self->before.cpu_s;
    self->commits += self->last.commits - self->before.commits;
    self->disk_bytes += self->last.used_bytes - self->before.used_bytes;
    return EXIT_OK;
}

double meter_rate(const struct meter *self, int64_t tasks)
{
    return self->took_ns <= 0 ? 0 : (double)tasks * 1e9 / (double)self->took_ns;
}

void meter_report(const struct meter *self, int64_t tasks, struct figures *figures)
{
    double seconds = (double)self->took_ns / 1e9;

    if (self->took_ns <= 0)
        return;
    figures_set(figures, FIGURE_TASKS, (double)tasks);
    figures_set(figures, FIGURE_SECONDS, seconds);
    figures_set(figures, FIGURE_RATE, meter_rate(self, tasks));
    figures_set(figures, FIGURE_COMMITS, (double)self->commits / seconds);
    figures_set(figures, FIGURE_BROKER_SHARE, self->broker_cpu_s / seconds);
    figures_set(figures, FIGURE_CLIENT_SHARE, self->client_cpu_s / seconds);
    figures_set(figures, FIGURE_RSS, (double)self->last.rss_bytes);
    if (self->last.anonymous_bytes >= 0)
        figures_set(figures, FIGURE_ANONYMOUS, (double)self->last.anonymous_bytes);
    if (tasks > 0)
        figures_set(figures, FIGURE_BROKER_CPU, self->broker_cpu_s * 1e6 / (double)tasks);
    if (self->commits > 0)
        figures_set(figures, FIGURE_PER_COMMIT, (double)tasks / (double)self->commits);
}

void meter_report_latencies(const struct histogram *latencies, struct figures *figures)
{
    if (latencies->count == 0)
        return;
    figures_set(figures, FIGURE_P50, (double)histogram_percentile_ns(latencies, 0.5) / 1e3);
    figures_set(figures, FIGURE_P99, (double)histogram_percentile_ns(latencies, 0.99) / 1e3);
    figures_set(figures, FIGURE_P999, (double)histogram_percentile_ns(latencies, 0.999) / 1e3);
    figures_set(figures, FIGURE_WORST, (double)latencies->max_ns / 1e3);
}
