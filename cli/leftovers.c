/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leftovers.c -- see leftovers.h.
 */
#include "cli/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RANDOM_CHARACTERS = 6 };

static void remove_leftover(int directory, const char *name);
static void remove_files(int directory);

void leftovers_remove(const char *directory, const char *prefix)
{
    DIR *entries = opendir(directory);
    size_t size = strlen(prefix);
    struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL)
        if (strncmp(entry->d_name, prefix, size) == 0 &&
            strlen(entry->d_name) == size + RANDOM_CHARACTERS)
            remove_leftover(dirfd(entries), entry->d_name);
    if (entries != NULL)
        closedir(entries);
}

/* Where files can't be locked, nobody can take them for leftovers either. */
bool leftovers_hold(int fd)
{
    struct stat about;

    (void)flock(fd, LOCK_EX | LOCK_NB);
    return fstat(fd, &about) != 0 || about.st_nlink > 0;
}

void leftovers_remove_directory(const char *path, int fd)
{
    remove_files(fd);
    rmdir(path);
}

static void remove_leftover(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat about;

    if (fd < 0)
        return;
    if (fstat(fd, &about) == 0 && about.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        if (S_ISDIR(about.st_mode))
            remove_files(fd);
        unlinkat(directory, name, S_ISDIR(about.st_mode) ? AT_REMOVEDIR : 0);
    }
    close(fd);
}

static void remove_files(int directory)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL)
        unlinkat(fd, entry->d_name, 0); /* of "." and ".." it is refused */
    if (entries != NULL)
        closedir(entries);
    else if (fd >= 0)
        close(fd);
}
