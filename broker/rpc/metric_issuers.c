/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric_issuers.c -- the keys of those whose tokens are believed: a row each.
 */
#include "rpc/metric_tables.h"

#define ISSUER_METRICS(X)                                                                          \
    /* id, metric, type, text, value */                                                            \
    X(keys, "ackd_issuer_keys", "gauge", "Keys by which tokens of the issuer are checked",         \
      (double)issuer->keys)                                                                        \
    X(read, "ackd_issuer_keys_read_timestamp_seconds", "gauge",                                    \
      "When they were last read, since the Unix epoch; missing: not yet",                          \
      issuer->read_ms == 0 ? METRIC_NONE : (double)issuer->read_ms / 1000)                         \
    X(failures, "ackd_issuer_keys_failures_total", "counter",                                      \
      "How often they could not be read or fetched", (double)issuer->failures)

#define X(id, metric, type, text, value)                                                           \
    static double read_##id(const void *object)                                                    \
    {                                                                                              \
        const struct key_source_figures *issuer = object;                                          \
                                                                                                   \
        return value;                                                                              \
    }
ISSUER_METRICS(X)
#undef X

static const struct metric_row rows[] = {
#define X(id, metric, type, text, value) {metric, "", type, text, read_##id},
    ISSUER_METRICS(X)
#undef X
};

static const void *issuer_at(const void *context, size_t at)
{
    return &((const struct key_source_figures *)context)[at];
}

static void put_issuer(struct buffer *out, const void *object)
{
    const struct key_source_figures *issuer = object;

    metric_text_label(out, "issuer", slice_of_string(issuer->issuer));
}

void metric_issuers_put(struct buffer *out, struct trust *trust)
{
    struct key_source_figures figures[ISSUERS_MAX];
    const struct metric_objects issuers = {trust_figures(trust, figures), issuer_at, put_issuer,
                                           figures};

    if (issuers.count > 0)
        metric_text_rows(out, rows, sizeof rows / sizeof *rows, &issuers);
}
