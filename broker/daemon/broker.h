/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.h -- all layers put together: the only place that names a store engine.
 */
#ifndef ACKD_DAEMON_BROKER_H
#define ACKD_DAEMON_BROKER_H

#include "daemon/config.h"
#include "net/net.h"

struct broker {
    const struct config *config;
    const char *version;
    int lock; /* of the data directory; -1: none */
    struct counters counters;
    struct budget calls_budget;
    struct auth *auth;
    struct audit *audit;         /* NULL: none is kept */
    struct logins *logins;       /* NULL: without authentication */
    struct quotas *quotas;       /* NULL: no bound on any caller */
    struct addresses *addresses; /* NULL: nor on any address */
    struct service *service;
    struct rpc rpc;
    struct tls_context *tls; /* NULL: in the clear */
    struct net *net;
};

/* Opens the stores, starts the threads, listens. On an error nothing is left running. */
enum status broker_open(struct broker *self, const struct config *config, const char *version,
                        struct error *error) MUST_USE;
/* Whether there is anything that a refresh looks at. */
bool broker_refreshes(const struct broker *self);
/* Reads the files again that may change under a running broker, if they have or if `forced`. One
 * thread at a time. */
void broker_refresh(struct broker *self, bool forced);
/* No new connections, no new work; what is being served goes on. */
void broker_drain(struct broker *self);
/* Finishes what was begun and stops. */
void broker_close(struct broker *self);

#endif
