/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup_sweep.c -- removes copies that did not become backups, on a thread of its own: to remove
 * gigabytes takes a file system longer than a net thread may stand still.
 *
 * It runs when the broker starts, for what one that died has left, and after a copy that failed,
 * whose caller is answered when nothing of it is left. A backup is not begun meanwhile:
 * `is_backing_up` is the sweep's until its end.
 */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "service/internal.h"

#define PATH_BYTES 4096

static int remove_one(const char *path, const struct stat *found, int kind, struct FTW *where)
{
    (void)found;
    (void)kind;
    (void)where;
    return remove(path) == 0 || errno == ENOENT ? 0 : errno;
}

static void remove_partials(const char *parent)
{
    DIR *directory = opendir(parent);
    struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char path[PATH_BYTES];
        int failure;

        if (!ends_in_partial(entry->d_name) ||
            snprintf(path, sizeof path, "%s/%s", parent, entry->d_name) >= (int)sizeof path)
            continue;
        failure = nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        if (failure == 0)
            LOG_INFO("partial_backup_removed", LOG_STRING("directory", path));
        else
            LOG_WARN("partial_backup_kept", LOG_STRING("directory", path),
                     LOG_STRING("reason", strerror(failure > 0 ? failure : errno)));
    }
    if (directory != NULL)
        (void)closedir(directory);
}

static void *sweeper_main(void *argument)
{
    struct service *self = argument;
    struct mailbox *mailbox = self->sweep.mailbox;
    struct letter *swept = self->sweep.swept;
    char parent[PATH_BYTES];

    if (snprintf(parent, sizeof parent, "%s/backups", self->options.data_dir) < (int)sizeof parent)
        remove_partials(parent);
    atomic_store(&self->is_backing_up, false);
    if (swept != NULL)
        mailbox_post(mailbox, swept);
    return NULL;
}

bool backup_sweep_start(struct service *self, struct mailbox *mailbox, struct letter *swept)
{
    atomic_store(&self->is_backing_up, true);
    self->sweep.mailbox = mailbox;
    self->sweep.swept = swept;
    if (errand_start(&self->sweep.errand, sweeper_main, self))
        return true;
    atomic_store(&self->is_backing_up, false);
    return false;
}

void backup_sweep_stop(struct service *self)
{
    errand_stop(&self->sweep.errand);
}

bool ends_in_partial(const char *name)
{
    size_t size = strlen(name);

    return size >= strlen(PARTIAL) && strcmp(name + size - strlen(PARTIAL), PARTIAL) == 0;
}
