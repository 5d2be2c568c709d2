/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_postgres_none.c -- the postgres sink of a build without libpq: opening it says so.
 */
#include "ackd/sink.h"

static enum ackd_status none_open(struct ackd_sink *self, struct ackd_error *error)
{
    return ackd_error_set(error, ACKD_UNIMPLEMENTED,
                          "this libackd was built without PostgreSQL (libpq)");
}

struct ackd_sink *ackd_sink_postgres(const char *conninfo,
                                     const struct ackd_sink_postgres_options *options)
{
    static struct ackd_sink sink = {.size = sizeof sink, .name = "postgres", .open = none_open};

    return &sink;
}
