/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c -- see call.h.
 *
 *   malloc'ed block:  [ struct owned: arena ][ the reply's struct ]  --arena--> all it points to
 */
#include "call.h"

#include <stdlib.h>
#include <string.h>

#include "client_internal.h"
#include "error_export.h"
#include "transport.h"

/* Replies are bounded by the broker (32 MiB of payloads), so this only guards against nonsense. */
enum { CALL_BYTES_MAX = 256 << 20 };

struct owned {
    struct arena arena;
    _Alignas(max_align_t) unsigned char reply[];
};

void call_begin(struct call *self, size_t reply_size)
{
    struct owned *owned;

    *self = (struct call){.error = ERROR_NONE};
    arena_init(&self->scratch, CALL_BYTES_MAX);
    if (reply_size == 0)
        return;
    owned = calloc(1, sizeof *owned + reply_size);
    if (owned == NULL) {
        self->failed = true;
        return;
    }
    arena_init(&owned->arena, CALL_BYTES_MAX);
    self->owned = &owned->arena;
    self->reply = owned->reply;
}

const void *call_run(struct call *self, struct ackd_client *client, const char *service,
                     const char *method, const ProtobufCMessage *request,
                     const ProtobufCMessageDescriptor *descriptor, int64_t timeout_ms)
{
    ProtobufCMessage *response = NULL;

    if (self->failed)
        return NULL;
    if (transport_call(client->transport, service, method, request, descriptor, &self->scratch,
                       timeout_ms, &response, &self->error) != STATUS_OK)
        return NULL;
    return response;
}

enum ackd_status call_end(struct call *self, void **ret_reply, struct ackd_error *error)
{
    if (self->failed)
        (void)error_set(&self->error, STATUS_INTERNAL, "no memory for a call to the broker");
    arena_deinit(&self->scratch);
    if (ret_reply != NULL)
        *ret_reply = NULL;
    if (self->error.status == STATUS_OK && ret_reply != NULL)
        *ret_reply = self->reply;
    else
        owned_free(self->reply);
    return error_export(error, &self->error);
}

const char *call_text(struct call *self, const char *text)
{
    char *copy;

    if (text == NULL || text[0] == '\0')
        return "";
    copy = arena_string(self->owned, slice_of_string(text));
    if (copy == NULL) {
        self->failed = true;
        return "";
    }
    return copy;
}

struct ackd_bytes call_bytes(struct call *self, ProtobufCBinaryData data)
{
    char *copy = arena_string(self->owned, slice_of(data.data, data.len));

    if (copy == NULL) {
        self->failed = true;
        return (struct ackd_bytes){"", 0};
    }
    return (struct ackd_bytes){copy, data.len};
}

void *call_array(struct call *self, size_t count, size_t size, size_t *ret_count)
{
    void *array = count == 0 ? NULL : arena_alloc_array(self->owned, count, size);

    if (array == NULL && count > 0)
        self->failed = true;
    *ret_count = array == NULL ? 0 : count;
    return array;
}

void *call_messages(struct call *self, const ProtobufCMessageDescriptor *descriptor, size_t count)
{
    size_t size = descriptor->sizeof_message;
    void **pointers = arena_alloc_array(&self->scratch, count, sizeof(void *));
    unsigned char *messages = arena_alloc_array(&self->scratch, count, size);

    if (pointers == NULL || messages == NULL) {
        self->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        pointers[i] = messages + i * size;
        protobuf_c_message_init(descriptor, pointers[i]);
    }
    return pointers;
}

char **call_borrow_texts(struct call *self, const char *const *texts, size_t count)
{
    char **array = arena_alloc_array(&self->scratch, count, sizeof(char *));

    if (array == NULL)
        self->failed = true;
    for (size_t i = 0; array != NULL && i < count; i++)
        array[i] = call_borrow(texts[i]);
    return array;
}

void owned_free(void *reply)
{
    struct owned *owned;

    if (reply == NULL)
        return;
    owned = (struct owned *)(void *)((unsigned char *)reply - offsetof(struct owned, reply));
    arena_deinit(&owned->arena);
    free(owned);
}
