/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script.c -- the lines of a script, one after the other.
 */
#include "script.h"

#include "fuzz.h"
#include "rpc/reply.h"

#define PASS_MS_MAX INT64_C(1000000000000) /* some thirty years */

static struct slice take_until(struct slice *text, uint8_t end)
{
    const uint8_t *at = text->size == 0 ? NULL : memchr(text->data, end, text->size);
    struct slice part = take_bytes(text, at == NULL ? text->size : (size_t)(at - text->data));

    (void)take_u8(text);
    return part;
}

/* The name that stands for two characters such as "$a"; NULL: they stand for themselves. */
static const char *name_of(const struct rig *rig, uint8_t sign, uint8_t letter)
{
    int index = letter - 'a';

    if (sign == '$' && index >= 0 && index < rig->token_count)
        return rig->tokens[index];
    if (sign == '%' && index >= 0 && index < rig->session_count)
        return rig->sessions[index];
    return NULL;
}

static void put_names(const struct rig *rig, struct slice text, struct buffer *out)
{
    while (text.size > 0) {
        const char *name = text.size == 1 ? NULL : name_of(rig, text.data[0], text.data[1]);

        if (name != NULL)
            buffer_append_string(out, name);
        else
            buffer_append(out, slice_of(text.data, 1));
        (void)take_bytes(&text, name == NULL ? 1 : 2);
    }
}

/* JSON becomes protobuf; what is no message stays as it is. */
static void put_protobuf(struct slice path, struct buffer *body)
{
    const struct method *method = method_find(path);
    ProtobufCMessage *message;
    struct error error = ERROR_NONE;
    struct arena arena;

    if (method == NULL)
        return;
    arena_init(&arena, (size_t)64 << 20);
    if (codec_decode(CODEC_JSON, buffer_view(body), method->request, &arena, &message, &error) ==
        STATUS_OK) {
        buffer_clear(body, SIZE_MAX);
        codec_encode(CODEC_PROTOBUF, message, body);
    }
    arena_deinit(&arena);
}

static void call_method(struct rig *rig, struct slice line)
{
    bool in_protobuf = line.size > 0 && line.data[0] == '=';
    struct buffer path = BUFFER_EMPTY;
    struct buffer body = BUFFER_EMPTY;

    if (in_protobuf)
        (void)take_u8(&line);
    buffer_append_string(&path, "/ackd.v1.");
    buffer_append(&path, take_until(&line, ' '));
    put_names(rig, line, &body);
    if (in_protobuf)
        put_protobuf(buffer_view(&path), &body);
    rig_ask(rig, "POST", buffer_view(&path), in_protobuf ? CONTENT_PROTO : CONTENT_JSON,
            buffer_view(&body));
    buffer_deinit(&path);
    buffer_deinit(&body);
}

static int64_t number_of(struct slice digits)
{
    int64_t number = 0;

    while (digits.size > 0 && digits.data[0] >= '0' && digits.data[0] <= '9' &&
           number < PASS_MS_MAX)
        number = number * 10 + take_u8(&digits) - '0';
    return number < PASS_MS_MAX ? number : PASS_MS_MAX;
}

static void run_line(struct rig *rig, struct slice line)
{
    if (slice_starts_with(line, slice_of_string("+")))
        rig_pass(rig, number_of(slice_of(line.data + 1, line.size - 1)));
    else if (slice_equal(line, slice_of_string("-")))
        rig_cancel_first(rig);
    else if (slice_starts_with(line, slice_of_string("GET ")))
        rig_ask(rig, "GET", slice_of(line.data + 4, line.size - 4), NULL, SLICE_EMPTY);
    else
        call_method(rig, line);
}

void script_run(struct rig *rig, struct slice script)
{
    for (int i = 0; i < SCRIPT_LINES_MAX && script.size > 0; i++)
        run_line(rig, take_until(&script, '\n'));
}
