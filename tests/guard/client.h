/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h -- one connection to the box: a request out, its reply in.
 *
 * Its own instructions are not counted, so it is plain rather than fast.
 */
#ifndef ACKD_TESTS_GUARD_CLIENT_H
#define ACKD_TESTS_GUARD_CLIENT_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "box.h"

struct client {
    struct box *box;
    int socket;
    struct buffer out;  /* not sent yet */
    struct buffer in;   /* the reply as far as it came */
    struct arena arena; /* of the last reply's message */
    struct slice body;  /* of the whole reply; data NULL: it is not there yet */
};

void client_init(struct client *self, struct box *box);
void client_deinit(struct client *self);
/* Makes a request of `method` ("TaskService/Publish"), to be sent by clients_run. */
void client_ask(struct client *self, const char *method, const ProtobufCMessage *message);
/* Sends what clients have asked and turns the box until each has its reply. */
void clients_run(struct client *clients, size_t count);
/* What a client was answered: good until it asks again. An error ends the program. */
const void *client_answer(struct client *self, const ProtobufCMessageDescriptor *type);

#endif
