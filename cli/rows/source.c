/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.c -- a file or stdin, line by line.
 */
#include "cli/rows/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES (256 << 10)

static int64_t size_of(int fd)
{
    struct stat stat;

    return fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) ? stat.st_size : -1;
}

bool source_open(struct source *self, const char *path)
{
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;

    *self = (struct source){.fd = fd, .buffer = BUFFER_EMPTY};
    if (fd < 0)
        return false;
    if (fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode)) {
        close(fd);
        self->fd = -1;
        errno = EISDIR;
        return false;
    }
    self->size = size_of(fd);
    return true;
}

void source_close(struct source *self)
{
    if (self->fd > STDIN_FILENO)
        close(self->fd);
    self->fd = -1;
    buffer_deinit(&self->buffer);
}

/* Reads one chunk behind what is there. False: see errno. */
static bool fill(struct source *self)
{
    uint8_t *room;
    ssize_t count;

    buffer_consume(&self->buffer, self->at);
    self->at = 0;
    room = buffer_reserve(&self->buffer, CHUNK_BYTES);
    if (room == NULL) {
        errno = ENOMEM;
        return false;
    }
    count = read(self->fd, room, CHUNK_BYTES);
    if (count < 0)
        return false;
    self->buffer.size += (size_t)count;
    self->is_at_end = count == 0;
    return true;
}

/* Skips a byte order mark, which may come in pieces. False: see errno. */
static bool begin(struct source *self)
{
    struct slice mark = slice_of_string("\xEF\xBB\xBF");

    while (!self->is_at_end && self->buffer.size < mark.size &&
           slice_starts_with(mark, buffer_view(&self->buffer))) {
        if (!fill(self))
            return false;
    }
    if (slice_starts_with(buffer_view(&self->buffer), mark))
        self->at = mark.size;
    self->is_begun = true;
    return true;
}

/* Gives out `length` bytes and skips the line end behind them. */
static enum source_outcome give(struct source *self, size_t length, size_t line_end,
                                struct slice *ret_line)
{
    *ret_line = slice_of(self->buffer.data + self->at, length);
    self->at += length + line_end;
    self->offset += (int64_t)(length + line_end);
    self->line++;
    return SOURCE_LINE;
}

enum source_outcome source_line(struct source *self, struct slice *ret_line)
{
    size_t searched = 0;

    if (!self->is_begun && !begin(self))
        return SOURCE_FAILED;
    for (;;) {
        size_t rest = self->buffer.size - self->at;
        const uint8_t *end = rest == searched ? NULL
                                              : memchr(self->buffer.data + self->at + searched,
                                                       '\n', rest - searched);

        if (end != NULL)
            return give(self, (size_t)(end - self->buffer.data) - self->at, 1, ret_line);
        if (self->is_at_end)
            return rest == 0 ? SOURCE_END : give(self, rest, 0, ret_line);
        if (rest > SOURCE_LINE_BYTES_MAX)
            return SOURCE_TOO_LONG;
        searched = rest;
        if (!fill(self))
            return SOURCE_FAILED;
    }
}
