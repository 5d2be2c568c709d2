/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.c -- whole files in, and output files that are whole or not there.
 */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/leftovers.h"
#include "cli/read_all.h"

bool file_read(struct cli *cli, const char *path, struct slice *ret_data)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct buffer content = BUFFER_EMPTY;
    int fault = fd < 0 ? errno : read_all(fd, &content);
    uint8_t *copy = cli_alloc(cli, content.size);

    if (content.size > 0)
        memcpy(copy, content.data, content.size);
    *ret_data = slice_of(copy, content.size);
    buffer_deinit(&content);
    if (fd > STDIN_FILENO)
        close(fd);
    if (fault != 0)
        complain("%s can't be read: %s", is_stdin ? "stdin" : path, strerror(fault));
    return fault == 0;
}

/* What runs that were killed have left beside the path. */
static void remove_leftovers(struct cli *cli, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char *directory = arena_printf(&cli->arena, "%.*s", (int)(name - path), path);
    char *prefix = arena_printf(&cli->arena, "%s.part-", name);

    if (directory != NULL && prefix != NULL)
        leftovers_remove(directory[0] == '\0' ? "." : directory, prefix);
}

/* Opens a file beside the path. */
static void open_beside(struct output_file *self, struct cli *cli)
{
    size_t size = strlen(self->path) + 16;
    int fd;

    remove_leftovers(cli, self->path);
    self->temporary = cli_alloc(cli, size);
    do {
        snprintf(self->temporary, size, "%s.part-XXXXXX", self->path);
        fd = mkostemp(self->temporary, O_CLOEXEC);
        if (fd < 0)
            return;
        if (leftovers_hold(fd))
            self->stream = fdopen(fd, "w");
        else
            close(fd);
    } while (self->stream == NULL);
}

bool output_file_open(struct output_file *self, struct cli *cli, const char *path)
{
    *self = (struct output_file){.stream = stdout};
    if (path == NULL || strcmp(path, "-") == 0)
        return true;
    *self = (struct output_file){.path = path};
    if (file_is_special(path))
        self->stream = fopen(path, "we");
    else
        open_beside(self, cli);
    if (self->stream != NULL)
        return true;
    complain("%s can't be written: %s", path, strerror(errno));
    return false;
}

/* mkostemp makes files for the owner alone; the result gets what open would have given. */
static bool make_permanent(const struct output_file *self)
{
    mode_t mask = umask(0);

    umask(mask);
    if (self->temporary == NULL)
        return fflush(self->stream) == 0;
    return fflush(self->stream) == 0 && fchmod(fileno(self->stream), 0666 & ~mask) == 0 &&
           fsync(fileno(self->stream)) == 0 && rename(self->temporary, self->path) == 0;
}

bool output_file_commit(struct output_file *self)
{
    bool ok;

    if (self->path == NULL)
        return fflush(stdout) == 0;
    ok = make_permanent(self);
    if (!ok) {
        complain("%s can't be written: %s", self->path, strerror(errno));
        return false;
    }
    fclose(self->stream);
    self->path = NULL;
    return true;
}

void output_file_abort(struct output_file *self)
{
    if (self->path == NULL || self->stream == NULL)
        return;
    fclose(self->stream);
    if (self->temporary != NULL)
        unlink(self->temporary);
    self->path = NULL;
}
