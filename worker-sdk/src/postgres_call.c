/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres_call.c -- see postgres_call.h.
 */
#include "postgres_call.h"

#include <errno.h>
#include <poll.h>

static int send_call(PGconn *connection, const char *statement,
                     const struct postgres_parameters *parameters);
static bool await_result(PGconn *connection);
static bool await_socket(PGconn *connection, short events);

PGresult *postgres_call(PGconn *connection, const char *statement,
                        const struct postgres_parameters *parameters)
{
    PGresult *last = NULL;
    PGresult *next;

    if (PQsetnonblocking(connection, 1) != 0 || !send_call(connection, statement, parameters))
        return NULL;
    for (;;) {
        if (!await_result(connection)) {
            PQclear(last);
            return NULL;
        }
        next = PQgetResult(connection);
        if (next == NULL)
            return last;
        PQclear(last);
        last = next;
    }
}

static int send_call(PGconn *connection, const char *statement,
                     const struct postgres_parameters *parameters)
{
    if (parameters == NULL)
        return PQsendQuery(connection, statement);
    return PQsendQueryParams(connection, statement, parameters->count, parameters->types,
                             parameters->values, parameters->sizes, parameters->formats, 0);
}

/* Until PQgetResult would not block. False: the peer is silent, or can't be written to. */
static bool await_result(PGconn *connection)
{
    for (;;) {
        int unsent = PQflush(connection);

        if (unsent < 0)
            return false;
        if (unsent == 0 && !PQisBusy(connection))
            return true;
        if (!await_socket(connection, unsent > 0 ? POLLIN | POLLOUT : POLLIN))
            return false;
        /* Also while sending: a server that can't get rid of its answer reads no more. */
        if (!PQconsumeInput(connection))
            return PQstatus(connection) == CONNECTION_BAD; /* PQgetResult tells */
    }
}

static bool await_socket(PGconn *connection, short events)
{
    struct pollfd socket = {.fd = PQsocket(connection), .events = events};
    int ready;

    do
        ready = poll(&socket, 1, POSTGRES_SILENCE_MS);
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}
