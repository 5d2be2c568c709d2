/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection_parts.h -- what connection.c and connection_tls.c have of one another.
 */
#ifndef ACKD_NET_CONNECTION_PARTS_H
#define ACKD_NET_CONNECTION_PARTS_H

#include "net/connection.h"

/* connection.c */
void connection_enter(struct connection *self, enum connection_state state);
/* Takes the connection as far as it goes with this input. */
void connection_advance(struct connection *self, struct slice input);
/* Sends what waits to be sent. */
void connection_flush(struct connection *self);
/* The client sends no more. */
void connection_ended(struct connection *self);
/* The last of ours is out: waits a while for the client to end. */
void connection_linger(struct connection *self);
/* Sets reading and the deadline to what the state asks for. */
void connection_settle(struct connection *self);

/* connection_tls.c; the last two where self->tls is set. */
/* From here on all bytes go through TLS. False: no memory. */
bool connection_seal(struct connection *self);
void connection_receive_sealed(struct connection *self, struct slice input);
/* Before the socket is closed. */
void connection_leave_tls(struct connection *self);

#endif
