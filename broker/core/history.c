/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c -- adds attempts to a history, and reads them.
 */
#include "core/history.h"

#include "core/pen.h"

/* an attempt's first byte: its end, and */
#define ATTEMPT_END_MASK 0x0f
#define ATTEMPT_HAS_CHECKPOINT 0x10
#define ATTEMPT_UNSTARTED 0x20
#define ATTEMPT_IS_DEAD 0x40
#define ATTEMPT_HAS_ERROR 0x80

#define ATTEMPT_BYTES_MAX                                                                          \
    (1 + 4 * PEN_SHORT_BYTES_MAX + 3 * (1 + ATTEMPT_NAME_BYTES_MAX) + 2 +                          \
     ATTEMPT_ERROR_BYTES_MAX + 1)

_Static_assert(ATTEMPT_END_COUNT <= ATTEMPT_END_MASK, "an end has four bits");
_Static_assert(HISTORY_BYTES_MAX >= PEN_SHORT_BYTES_MAX + ATTEMPT_BYTES_MAX,
               "there is room for the longest attempt");

static enum attempt_end end_of_step(const struct task *before, enum task_command_kind kind)
{
    static const enum attempt_end ends[TASK_COMMAND_COUNT] = {
        [TASK_ACK] = ATTEMPT_ACKED,
        [TASK_NACK_FAILED] = ATTEMPT_FAILED,
        [TASK_NACK_PREEMPTED] = ATTEMPT_PREEMPTED,
        [TASK_NACK_RELEASED] = ATTEMPT_RELEASED,
        [TASK_LOSE] = ATTEMPT_LOST,
        [TASK_EXPIRE] = ATTEMPT_OUTLIVED,
        [TASK_CANCEL] = ATTEMPT_CANCELLED,
        [TASK_REDRIVE] = ATTEMPT_REDRIVEN,
    };

    return kind == TASK_LOSE && before->session == 0 ? ATTEMPT_EXPIRED : ends[kind];
}

struct attempt attempt_of_step(const struct task *before, const struct task *after,
                               const struct task_command *command, int64_t now_ms)
{
    struct attempt attempt = {
        .end = end_of_step(before, command->kind),
        .dead_reason = after->dead_reason,
        .has_checkpoint = after->has_checkpoint,
        .unstarted = command->unstarted,
        .ended_ms = now_ms,
    };
    bool late = command->kind == TASK_ACK &&
                (command->fence != before->fence || before->state != TASK_LEASED);

    if (late) {
        attempt.fence = command->fence; /* salvaged: when it began is forgotten */
    } else if (before->state == TASK_LEASED) {
        attempt.fence = before->fence;
        attempt.session = before->session;
        attempt.leased_ms = before->leased_ms;
    }
    return attempt;
}

/* H2: a byte that continues a character is never the first of what is cut off. */
static struct slice cut(struct slice text, size_t max)
{
    size_t size = text.size < max ? text.size : max;

    while (size < text.size && size > 0 && (text.data[size] & 0xc0) == 0x80)
        size--;
    return slice_of(text.data, size);
}

static void put_text(struct pen *pen, struct slice text, size_t max)
{
    struct slice part = cut(text, max);

    pen_short(pen, part.size);
    pen_bytes(pen, part);
}

static size_t write_attempt(const struct attempt *attempt, uint8_t *at)
{
    struct pen pen = {.start = at, .at = at};
    bool is_dead = attempt->dead_reason != DEAD_NOT;
    bool has_error = attempt->error.size > 0;

    pen_u8(&pen,
           (uint8_t)((unsigned)attempt->end |
                     (attempt->has_checkpoint ? ATTEMPT_HAS_CHECKPOINT : 0u) |
                     (attempt->unstarted ? ATTEMPT_UNSTARTED : 0u) |
                     (is_dead ? ATTEMPT_IS_DEAD : 0u) | (has_error ? ATTEMPT_HAS_ERROR : 0u)));
    pen_short(&pen, attempt->fence);
    pen_short(&pen, attempt->session);
    pen_short(&pen, (uint64_t)attempt->leased_ms);
    pen_short(&pen, (uint64_t)attempt->ended_ms - (uint64_t)attempt->leased_ms);
    put_text(&pen, attempt->worker, ATTEMPT_NAME_BYTES_MAX);
    put_text(&pen, attempt->pod, ATTEMPT_NAME_BYTES_MAX);
    put_text(&pen, attempt->node, ATTEMPT_NAME_BYTES_MAX);
    if (has_error)
        put_text(&pen, attempt->error, ATTEMPT_ERROR_BYTES_MAX);
    if (is_dead)
        pen_u8(&pen, (uint8_t)attempt->dead_reason);
    return (size_t)(pen.at - pen.start);
}

static struct slice get_text(struct eye *eye, size_t max)
{
    uint64_t size = eye_short(eye);

    eye->failed |= size > max;
    return eye_bytes(eye, eye->failed ? 0 : (size_t)size);
}

bool history_next(struct slice *rest, struct attempt *ret)
{
    struct eye eye = {rest->data, rest->size, false};
    uint8_t head;
    uint64_t fence;

    if (rest->size == 0)
        return false;
    head = eye_u8(&eye);
    fence = eye_short(&eye);
    ret->end = (enum attempt_end)(head & ATTEMPT_END_MASK);
    ret->has_checkpoint = (head & ATTEMPT_HAS_CHECKPOINT) != 0;
    ret->unstarted = (head & ATTEMPT_UNSTARTED) != 0;
    ret->fence = (uint32_t)fence;
    ret->session = eye_short(&eye);
    ret->leased_ms = (int64_t)eye_short(&eye);
    ret->ended_ms = (int64_t)((uint64_t)ret->leased_ms + eye_short(&eye));
    ret->worker = get_text(&eye, ATTEMPT_NAME_BYTES_MAX);
    ret->pod = get_text(&eye, ATTEMPT_NAME_BYTES_MAX);
    ret->node = get_text(&eye, ATTEMPT_NAME_BYTES_MAX);
    ret->error =
        (head & ATTEMPT_HAS_ERROR) != 0 ? get_text(&eye, ATTEMPT_ERROR_BYTES_MAX) : SLICE_EMPTY;
    ret->dead_reason = (head & ATTEMPT_IS_DEAD) != 0 ? (enum dead_reason)eye_u8(&eye) : DEAD_NOT;
    if (eye.failed || ret->end == ATTEMPT_GOES_ON || ret->end >= ATTEMPT_END_COUNT ||
        fence > UINT32_MAX || (unsigned)ret->dead_reason >= DEAD_REASON_COUNT)
        return false;
    *rest = slice_of(eye.at, eye.left);
    return true;
}

uint32_t history_begin(struct slice history, struct slice *ret_rest)
{
    struct eye eye = {history.data, history.size, false};
    uint64_t left_out = history.size == 0 ? 0 : eye_short(&eye);

    *ret_rest = eye.failed ? SLICE_EMPTY : slice_of(eye.at, eye.left);
    return eye.failed ? 0 : (uint32_t)left_out;
}

bool history_is_whole(struct slice history)
{
    struct eye eye = {history.data, history.size, false};
    struct attempt attempt;
    struct slice rest;

    if (history.size == 0)
        return true;
    if (eye_short(&eye) > UINT32_MAX || eye.failed)
        return false;
    rest = slice_of(eye.at, eye.left);
    while (rest.size > 0)
        if (!history_next(&rest, &attempt))
            return false;
    return true;
}

/* H1: leaves the oldest out until there is room for an attempt of `size` bytes. */
static void make_room(struct history *self, size_t size)
{
    uint8_t head[PEN_SHORT_BYTES_MAX];
    struct pen pen = {.start = head, .at = head};
    struct attempt ignored;
    struct slice first;
    uint32_t left_out = history_begin(history_slice(self), &first);
    size_t count = 0;
    size_t head_size;

    for (struct slice rest = first; history_next(&rest, &ignored);)
        count++;
    while (count >= HISTORY_ATTEMPTS_MAX ||
           (count > 0 && sizeof head + first.size + size > HISTORY_BYTES_MAX)) {
        (void)history_next(&first, &ignored);
        left_out++;
        count--;
    }
    pen_short(&pen, left_out);
    head_size = (size_t)(pen.at - pen.start);
    if (first.size > 0)
        memmove(self->bytes + head_size, first.data, first.size);
    memcpy(self->bytes, head, head_size);
    self->size = head_size + first.size;
}

void history_add(struct history *self, const struct attempt *attempt)
{
    uint8_t bytes[ATTEMPT_BYTES_MAX];
    size_t size = write_attempt(attempt, bytes);

    make_room(self, size);
    memcpy(self->bytes + self->size, bytes, size);
    self->size += size;
    ASSERT(self->size <= HISTORY_BYTES_MAX); /* H1 */
}
