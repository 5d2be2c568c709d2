/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method.c -- the method table and the way from a path to its row.
 */
#include "rpc/method.h"

#include "ackd/v1/admin.pb-c.h"
#include "ackd/v1/dataset.pb-c.h"
#include "ackd/v1/dead_letter.pb-c.h"
#include "ackd/v1/queue.pb-c.h"
#include "ackd/v1/result.pb-c.h"
#include "ackd/v1/session.pb-c.h"
#include "ackd/v1/task.pb-c.h"
#include "ackd/v1/token.pb-c.h"
#include "base/assert.h"

static const struct method methods[METHOD_COUNT] = {
#define X(group, rpc, handler_, request_, response_, rights_, reach_)                              \
    [METHOD_##handler_] = {.path = "/ackd.v1." #group "/" #rpc,                                    \
                           .path_size = sizeof("/ackd.v1." #group "/" #rpc) - 1,                   \
                           .service = #group,                                                      \
                           .name = #rpc,                                                           \
                           .request = &ackd__v1__##request_##__descriptor,                         \
                           .response = &ackd__v1__##response_##__descriptor,                       \
                           .handler = service_##handler_,                                          \
                           .rights = RIGHT_##rights_,                                              \
                           .reach = REACH_##reach_},
    SERVICE_METHODS(X)
#undef X
};

/* Every path has another length or soon differs: a walk of thirty rows that compares lengths
 * first costs less than the hash of a path. */
const struct method *method_find(struct slice path)
{
    for (int i = 0; i < METHOD_COUNT; i++) {
        if (slice_equal(slice_of(methods[i].path, methods[i].path_size), path))
            return &methods[i];
    }
    return NULL;
}

const struct method *method_at(enum method_number number)
{
    ASSERT(number < METHOD_COUNT);
    return &methods[number];
}

enum method_number method_number(const struct method *self)
{
    ASSERT(self >= methods && self < methods + METHOD_COUNT);
    return (enum method_number)(self - methods);
}
