/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.c -- all layers put together, from the stores up, and taken apart from the sockets down.
 *
 *   DIR/LOCK       one broker a directory
 *   DIR/shard-0/   a store each shard
 *   DIR/backups/   AdminService.Backup
 */
#include "daemon/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "daemon/secrecy.h"
#include "daemon/shard_path.h"
#include "rpc/audit.h"
#include "rpc/logins.h"
#include "store/lmdb.h"
#include "store/lock.h"
#include "store/mem.h"

#define SHARDS_MAX 64

static bool keeps_secrets(const struct broker *self);
static enum status take_directory(struct broker *self, struct error *error);
static enum status open_auth(struct broker *self, struct error *error);
static enum status open_audit(struct broker *self, struct error *error);
static enum status open_bounds(struct broker *self, struct error *error);
static enum status open_service(struct broker *self, struct error *error);
static enum status open_tls(struct broker *self, struct error *error);
static enum status open_net(struct broker *self, struct error *error);

enum status broker_open(struct broker *self, const struct config *config, const char *version,
                        struct error *error)
{
    enum status status;

    *self = (struct broker){.config = config, .version = version, .lock = -1};
    if (config->core_dumps == 0 && keeps_secrets(self))
        secrecy_begin();
    status = open_tls(self, error);
    if (status == STATUS_OK)
        status = take_directory(self, error);
    if (status == STATUS_OK)
        status = open_auth(self, error);
    if (status == STATUS_OK)
        status = open_audit(self, error);
    if (status == STATUS_OK)
        status = open_bounds(self, error);
    if (status == STATUS_OK)
        status = open_service(self, error);
    if (status == STATUS_OK)
        status = open_net(self, error);
    if (status != STATUS_OK)
        broker_close(self);
    return status;
}

bool broker_refreshes(const struct broker *self)
{
    return self->tls != NULL || self->audit != NULL || auth_is_on(self->auth);
}

void broker_refresh(struct broker *self, bool forced)
{
    if (self->tls != NULL)
        tls_context_refresh(self->tls, forced);
    if (auth_is_on(self->auth))
        auth_refresh(self->auth, forced);
    if (self->audit != NULL)
        audit_refresh(self->audit, forced);
    if (forced && !broker_refreshes(self))
        LOG_INFO("signal_ignored", LOG_STRING("signal", "SIGHUP"),
                 LOG_STRING("reason", "there is nothing to reload; restart to change flags"));
}

void broker_drain(struct broker *self)
{
    net_drain(self->net); /* first: then the replies to long polls say that the connection ends */
    service_drain(self->service);
}

void broker_close(struct broker *self)
{
    if (self->net != NULL)
        net_halt(self->net);
    service_stop(self->service); /* posts the last letters, which the net threads still deliver */
    net_close(self->net);
    service_close(self->service);
    audit_close(self->audit);
    logins_free(self->logins);
    quotas_free(self->quotas);
    addresses_free(self->addresses);
    tls_context_close(self->tls);
    auth_close(self->auth);
    if (self->lock >= 0)
        store_lock_release(self->lock);
}

static bool uses_directory(const struct broker *self)
{
    return *self->config->data_dir != '\0';
}

/* Before the first of them is read. Callers' tokens are some, too. */
static bool keeps_secrets(const struct broker *self)
{
    const struct config *config = self->config;
    char tokens[4096];

    snprintf(tokens, sizeof tokens, "%s/tokens.json", config->data_dir);
    return *config->tls_certificate != '\0' || *config->admin_token_file != '\0' ||
           *config->auth_config_file != '\0' || (uses_directory(self) && access(tokens, F_OK) == 0);
}

static enum status take_directory(struct broker *self, struct error *error)
{
    struct shard_path beyond = shard_path_of(self->config, (int)self->config->shards);
    enum status status;

    if (!uses_directory(self))
        return STATUS_OK;
    status = store_lock_take(self->config->data_dir, &self->lock, error);
    if (status != STATUS_OK)
        return status;
    if (self->config->store == CONFIG_STORE_LMDB && shard_path_exists(&beyond))
        return error_set(error, STATUS_INVALID,
                         "%s is there, so --shards %d is too few: shards can't be taken away",
                         beyond.text, (int)self->config->shards);
    return STATUS_OK;
}

static const char *text_or_null(const char *text)
{
    return *text == '\0' ? NULL : text;
}

static enum status open_auth(struct broker *self, struct error *error)
{
    const struct config *config = self->config;
    const struct auth_options options = {
        .data_dir = uses_directory(self) ? config->data_dir : NULL,
        .admin_token_file = text_or_null(config->admin_token_file),
        .auth_config_file = text_or_null(config->auth_config_file),
    };

    return auth_open(&options, &self->auth, error);
}

static enum status open_audit(struct broker *self, struct error *error)
{
    const char *path = text_or_null(self->config->audit_log);

    if (auth_is_on(self->auth) && (self->logins = logins_new()) == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "no memory for the refused logins");
    if (path == NULL && !auth_is_on(self->auth))
        return STATUS_OK;
    return audit_open(path, &self->counters, &self->audit, error);
}

/* What bounds nothing is not there, and costs nothing. */
static enum status open_bounds(struct broker *self, struct error *error)
{
    const struct config *config = self->config;
    const struct quota_bounds bounds = {
#define X(name, verb, things) .name = config->name,
        QUOTA_TABLE(X)
#undef X
    };
    bool bounded = false;

#define X(name, verb, things) bounded |= bounds.name > 0;
    QUOTA_TABLE(X)
#undef X
    if (bounded)
        self->quotas = quotas_new(&bounds, &self->counters);
    if (config->connections_per_address > 0)
        self->addresses = addresses_new(config->connections_per_address);
    if (bounded == (self->quotas != NULL) &&
        (config->connections_per_address > 0) == (self->addresses != NULL))
        return STATUS_OK;
    return error_set(error, STATUS_UNAVAILABLE, "no memory for the callers' bounds");
}

static enum status open_store(struct broker *self, int shard, struct store **ret_store,
                              struct error *error)
{
    struct shard_path path = shard_path_of(self->config, shard);

    if (self->config->store == CONFIG_STORE_MEM) {
        enum status status = store_mem_open(ret_store);

        return status == STATUS_OK ? status : error_set(error, status, NULL);
    }
    return store_lmdb_open(path.text, (uint64_t)self->config->map_bytes, ret_store, error);
}

static void close_stores(struct store **stores, int count)
{
    for (int i = 0; i < count; i++)
        store_close(stores[i]);
}

/* Storage failed: nobody knows what of the last commit is on disk, so nothing may be answered any
 * more. At once, without unwinding: other threads may be about to reply. */
static void on_failure(void *context)
{
    (void)context;
    LOG_ERROR("storage_failed",
              LOG_STRING("consequence", "the broker exits; what was not answered is unknown"));
    _exit(1);
}

static void face_stats(void *context, struct face_stats *ret)
{
    const struct broker *self = context;

    counters_sum(&self->counters, ret);
}

static enum status open_service(struct broker *self, struct error *error)
{
    struct store *stores[SHARDS_MAX];
    int count = 0;
    enum status status = STATUS_OK;
    const struct service_options options = {
        .clock = clock_real(),
        .limits = self->config->limits,
        .stores = stores,
        .shard_count = (int)self->config->shards,
        .data_dir = uses_directory(self) ? self->config->data_dir : NULL,
        .backup_bytes_per_s = self->config->backup_bytes_per_s,
        .restart_grace_ms = self->config->restart_grace_ms,
        .on_failure = on_failure,
        .context = self,
        .face_stats = face_stats,
        .version = self->version,
        .auth = auth_is_on(self->auth) ? self->auth : NULL,
    };

    ASSERT(options.shard_count <= SHARDS_MAX);
    for (; status == STATUS_OK && count < options.shard_count; count += status == STATUS_OK)
        status = open_store(self, count, &stores[count], error);
    if (status != STATUS_OK) {
        close_stores(stores, count);
        return status;
    }
    return service_open(&options, &self->service, error);
}

static enum status open_tls(struct broker *self, struct error *error)
{
    const struct config *config = self->config;
    const struct tls_options options = {
        .certificate_file = config->tls_certificate,
        .key_file = config->tls_key,
        .client_ca_file = config->tls_client_ca,
        .client_optional = config->tls_client_auth == CONFIG_CLIENT_OPTIONAL,
        .counters = &self->counters,
    };

    if (*config->tls_certificate == '\0')
        return STATUS_OK;
    return tls_context_open(&options, &self->tls, error);
}

static enum status open_net(struct broker *self, struct error *error)
{
    const struct config *config = self->config;
    const struct rpc_options rpc_options = {
        .service = self->service,
        .counters = &self->counters,
        .calls_budget = &self->calls_budget,
        .auth = self->auth,
        .quotas = self->quotas,
        .logins = self->logins,
        .audit = self->audit,
        .version = self->version,
        .started_unix_ms = service_now_ms(self->service),
        .metrics_queues = config->metrics_queues,
    };
    const struct net_options options = {
        .rpc = &self->rpc,
        .counters = &self->counters,
        .listen = config->listen.items,
        .listen_count = config->listen.count,
        .loopback_only = !auth_is_on(self->auth) && config->insecure == 0,
        .io_threads = (int)config->io_threads,
        .connections_max = config->connections_max,
        .addresses = self->addresses,
        .memory_bytes_max = config->memory_bytes_max,
        .calls_budget = &self->calls_budget,
        .header_timeout_ms = config->header_timeout_ms,
        .body_timeout_ms = config->body_timeout_ms,
        .idle_timeout_ms = config->idle_timeout_ms,
        .write_timeout_ms = config->write_timeout_ms,
        .tls = self->tls,
        .handshake_timeout_ms = config->handshake_timeout_ms,
        .handshakes_max = config->handshakes_max,
    };

    budget_init(&self->calls_budget, config->memory_bytes_max);
    rpc_init(&self->rpc, &rpc_options);
    return net_open(&options, &self->net, error);
}
