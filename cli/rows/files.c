/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c -- each file a row.
 */
#include "cli/rows/files.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/read_all.h"

static bool append(struct file_list *self, const char *path)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity == 0 ? 256 : self->capacity * 2;
        char **paths = realloc(self->paths, capacity * sizeof *paths);

        if (paths == NULL)
            return false;
        self->paths = paths;
        self->capacity = capacity;
    }
    self->paths[self->count] = strdup(path);
    return self->paths[self->count] != NULL && ++self->count > 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* A file itself, or all files below a directory. */
static bool append_below(struct file_list *self, char *path)
{
    char *roots[] = {path, NULL};
    FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR | FTS_NOSTAT, by_name);
    FTSENT *entry;
    bool ok = walk != NULL;

    while (ok && (errno = 0, entry = fts_read(walk)) != NULL) {
        if (entry->fts_info == FTS_F || entry->fts_info == FTS_NSOK)
            ok = append(self, entry->fts_path);
        else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
            ok = (errno = entry->fts_errno, false);
    }
    ok = ok && errno == 0;
    if (walk != NULL)
        fts_close(walk);
    return ok;
}

bool file_list_add(struct file_list *self, const char *pattern)
{
    size_t before = self->count;
    bool ok = true;
    glob_t matches;
    int failure = glob(pattern, GLOB_BRACE | GLOB_TILDE, NULL, &matches);

    if (failure == GLOB_NOMATCH)
        return (errno = ENOENT, false);
    if (failure != 0)
        return (errno = failure == GLOB_NOSPACE ? ENOMEM : EIO, false);
    for (size_t i = 0; ok && i < matches.gl_pathc; i++)
        ok = append_below(self, matches.gl_pathv[i]);
    globfree(&matches);
    if (ok && self->count == before)
        return (errno = ENOENT, false);
    return ok;
}

void file_list_deinit(struct file_list *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->paths[i]);
    free(self->paths);
    *self = (struct file_list){0};
}

enum rows_outcome file_row(const char *path, bool by_content, struct buffer *content,
                           struct row *ret_row, struct row_fault *ret_fault)
{
    int fault;
    int fd;

    *ret_row = (struct row){.number = 1, .path = path, .text = slice_of_string(path)};
    *ret_fault = (struct row_fault){0};
    if (!by_content)
        return ROWS_ROW;
    buffer_clear(content, 1 << 20);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    fault = fd < 0 ? errno : read_all(fd, content);
    if (fd >= 0)
        close(fd);
    ret_row->text = buffer_view(content);
    return fault == 0 ? ROWS_ROW : rows_bad(ret_fault, 0, 0, "can't be read: %s", strerror(fault));
}
