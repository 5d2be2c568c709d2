/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup.c -- AdminService.Backup: a copy of all shards' stores under one name.
 *
 *   DIR/backups/NAME.partial/shard-N   while it is copied
 *   DIR/backups/NAME/shard-N           once every shard's copy is whole and on the disk
 *
 * So what has a backup's name is a backup, and what a broker that died has left behind does not
 * have one; backup_sweep.c removes it. Each shard's copy is of its own last commit: a queue lives
 * on one shard, so that all of a queue is as of one moment.
 *
 * One at a time. The net thread that asked opens the shards' letters and renames.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "service/internal.h"
#include "store/directory.h"

struct backup {
    char *parent;                            /* DIR/backups */
    char *path;                              /* below it, when it is whole */
    char *partial;                           /* until then */
    void (*done)(struct service_call *call); /* the face's */
    struct service_call *call;
    struct letter swept; /* what was copied is removed */
};

static void prepare(struct fan *fan, struct call *base, int shard);
static void start(struct shard *shard, struct call *base);
static ProtobufCMessage *build(struct service_call *call, struct fan *fan);
static void finished(struct service_call *call);
static void answer(struct letter *letter);

static bool is_backup_name(const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size > QUEUE_NAME_BYTES_MAX || strchr("._-", name[0]) != NULL ||
        ends_in_partial(name))
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
           size;
}

static const char *name_of_now(struct service_call *call)
{
    time_t now_s = service_now_ms(call->service) / 1000;
    struct tm utc;
    char text[32];

    gmtime_r(&now_s, &utc);
    strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
    return arena_string(call->arena, slice_of_string(text));
}

static struct backup *backup_new(struct service_call *call, const char *name)
{
    const char *data_dir = call->service->options.data_dir;
    struct backup *self = ARENA_NEW(call->arena, struct backup);

    if (self == NULL)
        return NULL;
    self->parent = arena_printf(call->arena, "%s/backups", data_dir);
    self->path = arena_printf(call->arena, "%s/backups/%s", data_dir, name);
    self->partial = arena_printf(call->arena, "%s/backups/%s" PARTIAL, data_dir, name);
    self->done = call->done;
    self->call = call;
    list_init(&self->swept.link);
    self->swept.open = answer;
    return self->parent == NULL || self->path == NULL || self->partial == NULL ? NULL : self;
}

/* The directory to copy into; nothing may have the backup's name yet. */
static enum status make_directory(struct service_call *call, const struct backup *self)
{
    const char *failed = self->parent;
    struct stat found;

    if (mkdir(self->parent, 0700) == 0 || errno == EEXIST) {
        if (stat(self->path, &found) == 0)
            return error_limit(&call->error, STATUS_INVALID, "name", 0, 0,
                               "there is a backup \"%s\" already",
                               self->path + strlen(self->parent) + 1);
        if (mkdir(self->partial, 0700) == 0)
            return STATUS_OK;
        failed = self->partial;
    }
    return error_set(&call->error, errno == ENOSPC ? STATUS_STORE_FULL : STATUS_INTERNAL, "%s: %s",
                     failed, strerror(errno));
}

void service_backup(struct service *self, struct service_call *call)
{
    const PB(BackupRequest) *request = (const void *)call->request;
    const char *name = request->name[0] == '\0' ? NULL : request->name;
    struct backup *backup;

    call->service = self;
    if (self->options.data_dir == NULL) {
        error_set(&call->error, STATUS_UNIMPLEMENTED, "this store keeps nothing to back up");
        refuse(call);
        return;
    }
    if (name == NULL)
        name = name_of_now(call);
    if (name == NULL || !is_backup_name(name)) {
        error_limit(&call->error, STATUS_INVALID, "name", QUEUE_NAME_BYTES_MAX,
                    (int64_t)strlen(request->name),
                    "a backup's name has letters, digits and . _ -, at most %d, and does not end "
                    "in " PARTIAL,
                    QUEUE_NAME_BYTES_MAX);
        refuse(call);
        return;
    }
    if (atomic_exchange(&self->is_backing_up, true)) {
        error_set(&call->error, STATUS_UNAVAILABLE,
                  "a backup is under way already, or one that failed is being removed; try again "
                  "when that is done");
        refuse(call);
        return;
    }
    backup = backup_new(call, name);
    if (backup == NULL)
        error_set(&call->error, STATUS_TOO_LARGE, NULL);
    if (backup == NULL || make_directory(call, backup) != STATUS_OK) {
        atomic_store(&self->is_backing_up, false);
        refuse(call);
        return;
    }
    call->context = backup;
    call->done = finished;
    fan_out(call, sizeof(struct inspect_call), NULL, prepare, start, build);
}

static void prepare(struct fan *fan, struct call *base, int shard)
{
    const struct backup *self = fan->call->context;

    CONTAINER_OF(base, struct inspect_call, call)->copy = (struct store_copy){
        .directory = arena_printf(fan->call->arena, "%s/shard-%d", self->partial, shard),
        .bytes_per_s = (uint64_t)fan->call->service->options.backup_bytes_per_s,
    };
}

static void start(struct shard *shard, struct call *base)
{
    shard_backup(shard, CONTAINER_OF(base, struct inspect_call, call));
}

static ProtobufCMessage *build(struct service_call *call, struct fan *fan)
{
    PB(BackupResponse) *response = PB_NEW(call->arena, BackupResponse, backup_response);
    const struct backup *self = call->context;
    const char *path = self->path + strlen(call->service->options.data_dir) + 1;

    if (response == NULL)
        return NULL;
    for (int i = 0; i < fan->count; i++)
        response->bytes +=
            (int64_t)CONTAINER_OF(fan->calls[i], struct inspect_call, call)->copy.bytes;
    response->path = arena_string(call->arena, slice_of_string(path));
    return response->path == NULL ? NULL : &response->base;
}

static void answer(struct letter *letter)
{
    struct backup *self = CONTAINER_OF(letter, struct backup, swept);

    self->call->done = self->done;
    self->call->done(self->call);
}

/* Gives the copy its name, or has it removed. */
static void finished(struct service_call *call)
{
    struct backup *self = call->context;
    struct service *service = call->service;
    int failure = 0;

    if (call->error.status == STATUS_OK) {
        failure = rename(self->partial, self->path) == 0 ? directory_sync(self->parent) : errno;
        if (failure != 0)
            error_set(&call->error, STATUS_INTERNAL, "%s: %s", self->path, strerror(failure));
    }
    if (call->error.status == STATUS_OK) {
        atomic_store(&service->is_backing_up, false);
        answer(&self->swept);
        return;
    }
    call->response = NULL;
    if (!backup_sweep_start(service, call->mailbox, &self->swept))
        answer(&self->swept);
}
