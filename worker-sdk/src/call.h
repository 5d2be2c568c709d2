/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h -- one typed call: plain structs in, messages over the wire, plain structs out.
 *
 *   struct call call;
 *   call_begin(&call, sizeof(struct ackd_ack_reply));
 *   request = ...in call.scratch...
 *   response = call_run(&call, client, "TaskService", "Ack", &request.base, &descriptor, 0);
 *   if (response != NULL)
 *       ...fill call.reply from it, in the reply's memory (call_text, call_array)...
 *   return call_end(&call, (void **)ret_reply, error);
 *
 * Messages live in `scratch`, which ends with the call. A reply lives in one arena together with
 * all it points to, so that each _free function is owned_free. Whoever fills in need not check for
 * memory: call_end looks once.
 */
#ifndef ACKD_SDK_CALL_H
#define ACKD_SDK_CALL_H

#include <protobuf-c/protobuf-c.h>

#include "ackd/client.h"
#include "base/arena.h"
#include "base/status.h"

struct call {
    struct arena scratch;
    struct error error;
    void *reply;         /* zeroed; NULL if the call has none, or there is no memory */
    struct arena *owned; /* the reply's memory */
    bool failed;         /* no memory */
};

/* `reply_size` 0: the call has no reply of its own. */
void call_begin(struct call *self, size_t reply_size);
/* The response message; NULL: the error says why. `timeout_ms` 0: the client's. */
const void *call_run(struct call *self, struct ackd_client *client, const char *service,
                     const char *method, const ProtobufCMessage *request,
                     const ProtobufCMessageDescriptor *descriptor, int64_t timeout_ms);
/* Hands the reply out if all went well, drops it if not. `ret_reply` may be NULL. */
enum ackd_status call_end(struct call *self, void **ret_reply, struct ackd_error *error);

/* In the reply's memory. On failure they note it, and give what is safe to read. */
const char *call_text(struct call *self, const char *text);
/* With a NUL byte behind. */
struct ackd_bytes call_bytes(struct call *self, ProtobufCBinaryData data);
/* Zeroed; NULL if `count` is 0 or there is no memory (then *ret_count is 0). */
void *call_array(struct call *self, size_t count, size_t size, size_t *ret_count);

/* Messages in `scratch`: `count` of them behind an array of pointers, each ready to be filled in;
 * NULL notes the failure. */
void *call_messages(struct call *self, const ProtobufCMessageDescriptor *descriptor, size_t count);
/* `count` texts as protobuf-c wants them: the array is in `scratch`, the texts are borrowed. */
char **call_borrow_texts(struct call *self, const char *const *texts, size_t count);

/* Frees a reply that call_end handed out. NULL is nothing. */
void owned_free(void *reply);

/* Texts and bytes as protobuf-c wants them: it never writes to them. */
static inline char *call_borrow(const char *text)
{
    return text == NULL ? (char *)protobuf_c_empty_string : (char *)(uintptr_t)text;
}
static inline ProtobufCBinaryData call_borrow_bytes(struct ackd_bytes bytes)
{
    return (ProtobufCBinaryData){bytes.size, (uint8_t *)(uintptr_t)bytes.data};
}
/* A number out of range stays out of range, for the broker to refuse by name. */
static inline int32_t call_clamp_i32(int64_t value)
{
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

#endif
