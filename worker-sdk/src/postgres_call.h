/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres_call.h -- a statement and its answer, as PQexec and PQexecParams do it, but not for
 * ever.
 *
 * statement_timeout is the server's promise. A server that is stopped, or a pooler before one that
 * is gone, keeps the connection open and says nothing; TCP's keepalives are answered. So a peer
 * that is silent for POSTGRES_SILENCE_MS is given up: longer than the server may take, however slow
 * the network is at carrying what is said.
 */
#ifndef ACKD_SDK_POSTGRES_CALL_H
#define ACKD_SDK_POSTGRES_CALL_H

#include <libpq-fe.h>
#include <stdbool.h>

enum { POSTGRES_SILENCE_MS = 10000 };

/* What PQexecParams takes; the result comes in text. */
struct postgres_parameters {
    int count;
    const Oid *types;
    const char *const *values;
    const int *sizes;
    const int *formats;
};

/* The last result, to be cleared; NULL, or one that says so, if the connection is good for nothing
 * any more. Without `parameters` there may be several statements. */
PGresult *postgres_call(PGconn *connection, const char *statement,
                        const struct postgres_parameters *parameters);

#endif
