/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection_parts.h -- what the files of a connection have of one another.
 */
#ifndef ACKD_NET_CONNECTION_PARTS_H
#define ACKD_NET_CONNECTION_PARTS_H

#include "net/connection.h"

#define UNSENT_HIGH ((size_t)1 << 20) /* of replies: then no request is read any more */
#define UNSENT_LOW ((size_t)256 << 10)

/* connection.c */
void connection_enter(struct connection *self, enum connection_state state);
/* Takes the connection as far as it goes with this input. */
void connection_advance(struct connection *self, struct slice input);
/* The same with the input that waited. */
void connection_resume(struct connection *self);
/* Sends what waits to be sent. */
void connection_flush(struct connection *self);
/* The client sends no more. */
void connection_ended(struct connection *self);
/* The last of ours is out: waits a while for the client to end. */
void connection_linger(struct connection *self);
/* Sets reading and the deadline to what the state asks for. */
void connection_settle(struct connection *self);

/* connection_call.c */
/* The head is whole: is its body to be read? `input` is what came of it. */
void connection_look_at_head(struct connection *self, struct slice input);
/* With the body that was read; or, as the head was answered, without the one that may follow (C6).
 */
void connection_begin_call(struct connection *self, bool bodiless, const struct error *refusal);
/* Answers what never gets to the rpc layer; the connection ends with it (C4). */
void connection_put_refusal(struct connection *self, int http_status, const struct error *error);
/* The client's own time limit is over: it is told so, and the call ends without it. */
void connection_time_out_call(struct connection *self);
/* CONNECTION_HOLDING only: the reply goes out; or never will. */
void connection_answer_held(struct connection *self);
void connection_drop_held(struct connection *self);

/* connection_time.c */
/* Until when the connection may stay as it is: loop time in ms, or TIMEOUT_NEVER. */
int64_t connection_deadline(const struct connection *self);

/* connection_tls.c; the last two where self->tls is set. */
/* From here on all bytes go through TLS. False: no memory. */
bool connection_seal(struct connection *self);
void connection_receive_sealed(struct connection *self, struct slice input);
/* Before the socket is closed. */
void connection_leave_tls(struct connection *self);

#endif
