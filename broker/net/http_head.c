/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_head.c -- finding the end of a request's head in raw bytes, and what no head may hold.
 *
 * llhttp gives spans of values: from them nobody can tell how large a head is, nor a folded line
 * from one that came in two reads. Proxies differ on folded lines and on bare CRs, which is what
 * smuggling lives on. So the raw bytes are looked at once before llhttp gets them, wherever the
 * reads cut them.
 */
#include "net/http_head.h"

#include <string.h>

static size_t plain_size(const struct http_head *self, struct slice bytes);
static uint32_t count_spaces(struct slice text);
static void scan_byte(struct http_head *self, uint8_t byte);

void http_head_init(struct http_head *self)
{
    *self = (struct http_head){.place = HTTP_HEAD_BEFORE, .blank = true};
}

size_t http_head_scan(struct http_head *self, struct slice bytes)
{
    size_t at = 0;

    while (at < bytes.size && self->place < HTTP_HEAD_END) {
        bool in_line = self->place <= HTTP_HEAD_LINE;
        size_t size = plain_size(self, slice_of(bytes.data + at, bytes.size - at));

        if (in_line && size > 0)
            self->spaces += count_spaces(slice_of(bytes.data + at, size));
        if (size == 0) {
            scan_byte(self, bytes.data[at]);
            size = 1;
        } else if (bytes.size - at - size >= 2 && memcmp(bytes.data + at + size, "\r\n", 2) == 0) {
            self->place = HTTP_HEAD_LINE_START; /* what two more rounds would come to */
            self->blank = true;
            size += 2;
        }
        self->bytes += (uint32_t)size;
        self->line_bytes += in_line ? (uint32_t)size : 0;
        at += size;
    }
    return at;
}

/* How many bytes at the front are no more than the rest of a line: neither its end nor its first
 * byte, which say where the head goes on. */
static size_t plain_size(const struct http_head *self, struct slice bytes)
{
    const uint8_t *end;
    const uint8_t *cr;

    if ((self->place != HTTP_HEAD_LINE && self->place != HTTP_HEAD_FIELD) || self->after_cr)
        return 0;
    end = memchr(bytes.data, '\n', bytes.size);
    if (end == NULL)
        end = bytes.data + bytes.size;
    cr = memchr(bytes.data, '\r', (size_t)(end - bytes.data));
    return (size_t)((cr != NULL ? cr : end) - bytes.data);
}

static uint32_t count_spaces(struct slice text)
{
    const uint8_t *end = text.data + text.size;
    uint32_t count = 0;

    for (const uint8_t *at = text.data;
         at < end && (at = memchr(at, ' ', (size_t)(end - at))) != NULL; at++)
        count++;
    return count;
}

static enum http_head_place after_line(enum http_head_place place, bool blank)
{
    if (!blank)
        return HTTP_HEAD_LINE_START;
    return place == HTTP_HEAD_BEFORE ? HTTP_HEAD_BEFORE : HTTP_HEAD_END;
}

static void scan_byte(struct http_head *self, uint8_t byte)
{
    bool after_cr = self->after_cr;

    self->after_cr = byte == '\r';
    if (byte == '\n') {
        self->place = after_line(self->place, self->blank);
        self->blank = true;
    } else if (after_cr) {
        self->place = HTTP_HEAD_BARE_CR;
    } else if (byte == '\r') {
        return;
    } else if (self->place == HTTP_HEAD_LINE_START && (byte == ' ' || byte == '\t')) {
        self->place = HTTP_HEAD_FOLDED;
    } else {
        self->blank = false;
        if (self->place == HTTP_HEAD_BEFORE)
            self->place = HTTP_HEAD_LINE;
        else if (self->place == HTTP_HEAD_LINE_START)
            self->place = HTTP_HEAD_FIELD;
    }
}
