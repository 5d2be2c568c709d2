/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_file.c -- telling scripts where the broker listens: written beside, then renamed; into a
 * device, a pipe or a link as it is.
 */
#include "daemon/port_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static bool write_addresses(const char *path, const struct net *net, int count)
{
    FILE *file = fopen(path, "we");
    bool fine = file != NULL;

    for (int i = 0; fine && i < count; i++)
        fine = fprintf(file, "%s\n", net_address(net, i)) > 0;
    if (file != NULL)
        fine = fclose(file) == 0 && fine;
    return fine;
}

static bool write_beside(const char *path, const struct net *net, int count)
{
    char beside[4096];
    int size = snprintf(beside, sizeof beside, "%s.%d", path, (int)getpid());

    errno = ENAMETOOLONG;
    return size < (int)sizeof beside && write_addresses(beside, net, count) &&
           rename(beside, path) == 0;
}

enum status port_file_write(const char *path, const struct net *net, int count, struct error *error)
{
    if (file_is_special(path) ? write_addresses(path, net, count) : write_beside(path, net, count))
        return STATUS_OK;
    return error_set(error, STATUS_UNAVAILABLE, "can't write the port file %s: %s", path,
                     strerror(errno));
}

void port_file_remove(const char *path)
{
    if (!file_is_special(path))
        (void)unlink(path);
}
