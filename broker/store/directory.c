/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory.c -- mkdir, fstatfs and fsync of directories, with sentences for people.
 *
 * A file's fsync does not promise that its name survives a power loss: that takes an fsync of the
 * directory that holds it.
 */
#include "store/directory.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/file.h"

/* f_type of the file systems that are refused: statfs(2), linux/magic.h. */
static const struct {
    uint32_t magic;
    const char *name;
} remote_systems[] = {
    {0x00006969, "NFS"},    {0x0000517b, "SMB"},    {0xff534d42, "CIFS"},     {0xfe534d42, "SMB2"},
    {0x65735546, "FUSE"},   {0x01021997, "9P"},     {0x5346414f, "AFS"},      {0x6b414653, "AFS"},
    {0x73757245, "Coda"},   {0x00c36400, "Ceph"},   {0x0bd00bd0, "Lustre"},   {0x47504653, "GPFS"},
    {0x0000564c, "NCP"},    {0x786f4256, "vboxsf"}, {0x7461636f, "OCFS2"},    {0x01161970, "GFS2"},
    {0x19830326, "BeeGFS"}, {0xaad7aaea, "PanFS"},  {0x20030528, "OrangeFS"},
};

enum status directory_make(const char *path, struct error *error)
{
    struct stat status;

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_set(error, STATUS_INVALID, "the directory %s can't be made: %s", path,
                         strerror(errno));
    if (stat(path, &status) != 0)
        return error_set(error, STATUS_INVALID, "the directory %s can't be looked at: %s", path,
                         strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return error_set(error, STATUS_INVALID, "%s is not a directory", path);
    return STATUS_OK;
}

enum status directory_check_local(const char *path, struct error *error)
{
    struct statfs system;

    if (statfs(path, &system) != 0)
        return error_set(error, STATUS_INVALID, "the directory %s can't be looked at: %s", path,
                         strerror(errno));
    for (size_t i = 0; i < sizeof remote_systems / sizeof remote_systems[0]; i++) {
        if ((uint32_t)system.f_type == remote_systems[i].magic)
            return error_set(error, STATUS_INVALID,
                             "the directory %s is on %s, which can't keep a store safe; use a "
                             "local disk (ext4, XFS, Btrfs, ZFS)",
                             path, remote_systems[i].name);
    }
    return STATUS_OK;
}

int directory_sync(const char *path)
{
    char parent[PATH_MAX];
    int failure = file_sync_names(path);

    if (failure != 0)
        return failure;
    if (snprintf(parent, sizeof parent, "%s", path) >= (int)sizeof parent)
        return ENAMETOOLONG;
    return file_sync_names(dirname(parent));
}
