/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method.h -- the method table, whatever face looks a method up.
 *
 * Made from SERVICE_METHODS: the path by which Connect and gRPC name the method, its messages and
 * its handler. To add an RPC is to add a row there.
 */
#ifndef ACKD_RPC_METHOD_H
#define ACKD_RPC_METHOD_H

#include <protobuf-c/protobuf-c.h>

#include "base/slice.h"
#include "service/service.h"

enum method_number {
#define X(service, rpc, handler, request, response, rights, reach) METHOD_##handler,
    SERVICE_METHODS(X)
#undef X
        METHOD_COUNT
};

struct method {
    const char *path; /* "/ackd.v1.TaskService/Publish" */
    size_t path_size;
    const char *service; /* "TaskService" */
    const char *name;    /* "Publish" */
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *response;
    void (*handler)(struct service *service, struct service_call *call);
    uint8_t rights; /* one of these is needed (enum right) */
    enum reach reach;
};

/* By path; NULL if there is no such method. */
const struct method *method_find(struct slice path);
const struct method *method_at(enum method_number number);
enum method_number method_number(const struct method *self);

#endif
