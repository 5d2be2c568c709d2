/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opener.c -- a broker without sockets: opens one data directory after the other and answers calls
 * on it, in a process that stays, so that thousands of crash images can be looked at.
 *
 * It is ackd but for net and daemon: the same store, shards, service and Connect face. Its clock
 * stands still at the time it is given, so that nothing expires while an image is judged.
 *
 *   in:   open DIR UNIX_MS | call PATH JSON | close       a line each
 *   out:  STATUS BODY                                     a line each; STATUS 0: went well
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "codec/codec.h"
#include "rpc/reply.h"
#include "rpc/rpc.h"
#include "service/service.h"
#include "store/lmdb.h"

#define MAP_BYTES (16ull << 20) /* as power_cut.py has it, so that the log is as long */

struct opener {
    struct service *service;
    struct counters counters;
    struct rpc rpc;
    int64_t now_ms;
    struct mailbox mailbox;
    pthread_mutex_t mutex;
    pthread_cond_t came;
    bool has_mail; /* guarded by mutex */
    bool answered;
};

static void wake(void *context)
{
    struct opener *self = context;

    pthread_mutex_lock(&self->mutex);
    self->has_mail = true;
    pthread_cond_signal(&self->came);
    pthread_mutex_unlock(&self->mutex);
}

static void wait_for_mail(struct opener *self)
{
    pthread_mutex_lock(&self->mutex);
    while (!self->has_mail)
        pthread_cond_wait(&self->came, &self->mutex);
    self->has_mail = false;
    pthread_mutex_unlock(&self->mutex);
    (void)mailbox_drain(&self->mailbox);
}

static int64_t now_ms(void *context)
{
    return ((struct opener *)context)->now_ms;
}

static void on_failure(void *context)
{
    (void)context;
    fputs("opener: storage failed\n", stderr);
    _exit(1);
}

/* As ackd does it with one shard, but without the lock of the directory, which nobody contends. */
static enum status open_directory(struct opener *self, const char *directory, struct error *error)
{
    struct store *store;
    struct service_options options = {
        .clock = {now_ms, self},
        .limits = limits_default(),
        .stores = &store,
        .shard_count = 1,
        .restart_grace_ms = 0,
        .on_failure = on_failure,
        .context = self,
        .version = "opener",
    };
    char path[4096];
    enum status status;

    (void)snprintf(path, sizeof path, "%s/shard-0", directory);
    status = store_lmdb_open(path, MAP_BYTES, &store, error);
    if (status != STATUS_OK)
        return status;
    return service_open(&options, &self->service, error);
}

static void say_open(struct opener *self, char *words)
{
    struct error error = ERROR_NONE;
    char *directory = strsep(&words, " ");

    self->now_ms = strtoll(words, NULL, 10);
    if (open_directory(self, directory, &error) != STATUS_OK) {
        printf("1 %s\n", error.message);
        return;
    }
    rpc_init(&self->rpc, &(struct rpc_options){.service = self->service,
                                               .counters = &self->counters,
                                               .version = "opener",
                                               .started_unix_ms = self->now_ms});
    puts("0 ");
}

static void say_close(struct opener *self)
{
    service_close(self->service);
    self->service = NULL;
    (void)mailbox_drain(&self->mailbox);
    puts("0 ");
}

struct asked {
    struct rpc_request request; /* first: its address is this one's */
    struct opener *opener;
};

static void done(struct rpc_request *request)
{
    ((struct asked *)request)->opener->answered = true;
}

static void say_call(struct opener *self, char *words)
{
    struct arena arena;
    const char *path = strsep(&words, " ");
    struct asked asked = {
        .opener = self,
        .request = {.verb = slice_of_string("POST"),
                    .path = slice_of_string(path),
                    .body = slice_of_string(words),
                    .arena = &arena,
                    .mailbox = &self->mailbox,
                    .done = done,
                    .reply = BUFFER_EMPTY},
    };
    struct slice reply;

    asked.request.headers[RPC_HEADER_CONTENT_TYPE] = slice_of_string(CONTENT_JSON);
    arena_init(&arena, 0);
    self->answered = false;
    rpc_begin(&self->rpc, &asked.request);
    while (!self->answered)
        wait_for_mail(self);
    reply = buffer_view(&asked.request.reply);
    if (reply.size > 0 && reply.data[reply.size - 1] == '\n')
        reply.size--;
    printf("%d %.*s\n", asked.request.http_status == 200 ? 0 : asked.request.http_status,
           (int)reply.size, (const char *)reply.data);
    buffer_deinit(&asked.request.reply);
    arena_deinit(&arena);
}

int main(void)
{
    static struct opener self = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                 .came = PTHREAD_COND_INITIALIZER};
    char *line = NULL;
    size_t room = 0;

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    hash_seed(1);
    mailbox_init(&self.mailbox, wake, &self);
    for (;;) {
        ssize_t size;
        char *words;
        const char *verb;

        (void)fflush(stdout);
        size = getline(&line, &room, stdin);
        if (size < 0)
            break;
        line[size - 1] = '\0';
        words = line;
        verb = strsep(&words, " ");
        if (strcmp(verb, "open") == 0)
            say_open(&self, words);
        else if (strcmp(verb, "call") == 0)
            say_call(&self, words);
        else
            say_close(&self);
    }
    free(line);
    mailbox_deinit(&self.mailbox);
    return 0;
}
