/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h -- how a broker is set up: one table of flags.
 *
 * Parsing, the environment (`--data-dir` is ACKD_DATA_DIR), `--help` and the defaults are made
 * from the table, and the limits of core/limits.h follow it as flags of their own. To add a
 * setting is to add a row.
 */
#ifndef ACKD_DAEMON_CONFIG_H
#define ACKD_DAEMON_CONFIG_H

#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "base/status.h"
#include "core/limits.h"

#define CONFIG_LISTEN_MAX 8

/* TEXT as it is; COUNT a number; SIZE bytes, with KiB, MiB, GiB or TiB; DURATION milliseconds, or
 * with ms, s, m, h, d; CHOICE one of `values`; SWITCH the same of no and yes, where the flag
 * alone means yes; LIST may be given several times. */
#define CONFIG_TABLE(X)                                                                            \
    /* group, field, flag, kind, values, min, max, default, text */                                \
    X(STORAGE, data_dir, "data-dir", TEXT, "DIR", 0, 0, "",                                        \
      "where everything durable lies; made if missing; needed unless --store mem")                 \
    X(STORAGE, store, "store", CHOICE, "lmdb|mem", 0, 0, "lmdb",                                   \
      "lmdb: on disk; mem: in memory, forgotten at the end, for trying things out")                \
    X(STORAGE, shards, "shards", COUNT, "N", 1, 64, "1",                                           \
      "threads that keep the queues, each with its own store; may grow later, not shrink")         \
    X(STORAGE, map_bytes, "map-size", SIZE, "SIZE", 1 << 20, INT64_C(1) << 46, "64GiB",            \
      "the most a shard's store may grow to: address space, not disk")                             \
    X(STORAGE, backup_bytes_per_s, "backup-rate", SIZE, "SIZE", 1 << 20, INT64_C(1) << 40,         \
      "64MiB",                                                                                     \
      "what a backup copies of each shard in a second; faster once the store has grown "           \
      "much meanwhile")                                                                            \
    X(STORAGE, restart_grace_ms, "restart-grace-ms", DURATION, "TIME", 0, 3600000, "10s",          \
      "how long leases and sessions found at the start live at least")                             \
    X(NETWORK, listen, "listen", LIST, "IP:PORT", 0, 0, "127.0.0.1:7333",                          \
      "where to listen, such as 0.0.0.0:7333 or [::1]:7333; port 0: any free one; may be "         \
      "repeated")                                                                                  \
    X(NETWORK, io_threads, "io-threads", COUNT, "N", 1, 64, "1", "threads for connections")        \
    X(NETWORK, connections_max, "max-connections", COUNT, "N", 1, 1000000, "20000",                \
      "connections open at once")                                                                  \
    X(NETWORK, connections_per_address, "max-connections-per-address", COUNT, "N", 0, 1000000,     \
      "0", "connections of one address, of IPv6 one /64; 0: all of them")                          \
    X(NETWORK, memory_bytes_max, "max-request-memory", SIZE, "SIZE", 1 << 20, INT64_C(1) << 40,    \
      "512MiB",                                                                                    \
      "of requests being read; past it bodies over 64 KiB are refused. The same again of calls "   \
      "being served, past which replies are made short or refused; and of replies not taken, "     \
      "past which those over 64 KiB are dropped")                                                  \
    X(NETWORK, requests_per_second, "max-requests-per-second", COUNT, "N", 0, 10000000, "0",       \
      "of one caller: a token's, or an address's without authentication; 0: no bound")             \
    X(NETWORK, bytes_per_second, "max-bytes-per-second", SIZE, "SIZE", 0, INT64_C(1) << 40, "0",   \
      "that one caller sends and is sent; 0: no bound")                                            \
    X(NETWORK, requests_per_caller, "max-requests-per-caller", COUNT, "N", 0, 1000000, "0",        \
      "requests of one caller served at once; 0: no bound")                                        \
    X(NETWORK, waiters_per_caller, "max-waiters-per-caller", COUNT, "N", 0, 1000000, "0",          \
      "long polls of one caller at once; 0: no bound")                                             \
    X(NETWORK, header_timeout_ms, "header-timeout", DURATION, "TIME", 10, 3600000, "10s",          \
      "from a request's first byte to the end of its head")                                        \
    X(NETWORK, body_timeout_ms, "body-timeout", DURATION, "TIME", 10, 3600000, "10s",              \
      "for a request's body, and a second more for each KiB that has come")                        \
    X(NETWORK, idle_timeout_ms, "idle-timeout", DURATION, "TIME", 10, 86400000, "75s",             \
      "a connection without a request is closed after it")                                         \
    X(NETWORK, write_timeout_ms, "write-timeout", DURATION, "TIME", 10, 3600000, "30s",            \
      "a client that takes nothing of its reply is left after it, and one that takes less than "   \
      "1 KiB a second")                                                                            \
    X(SECURITY, tls_certificate, "tls-cert", TEXT, "FILE", 0, 0, "",                               \
      "speak TLS, with this certificate and those up to its root, in PEM; read again when it "     \
      "changes, and on SIGHUP")                                                                    \
    X(SECURITY, tls_key, "tls-key", TEXT, "FILE", 0, 0, "",                                        \
      "the certificate's private key, in PEM, without a passphrase, and not readable by everyone") \
    X(SECURITY, tls_client_ca, "tls-client-ca", TEXT, "FILE", 0, 0, "",                            \
      "ask clients for a certificate that one of these CAs has signed")                            \
    X(SECURITY, tls_client_auth, "tls-client-auth", CHOICE, "required|optional", 0, 0, "required", \
      "whether a client without a certificate is let in, for a token to say who it is")            \
    X(SECURITY, handshake_timeout_ms, "handshake-timeout", DURATION, "TIME", 10, 3600000, "10s",   \
      "for a TLS handshake")                                                                       \
    X(SECURITY, handshakes_max, "max-handshakes", COUNT, "N", 1, 1000000, "1000",                  \
      "TLS handshakes under way at once; one more ends the oldest")                                \
    X(SECURITY, admin_token_file, "admin-token-file", TEXT, "FILE", 0, 0, "",                      \
      "a token that may do everything, made by `ackctl token generate`, a line each; whoever "     \
      "calls then needs a token; read again when it changes, and on SIGHUP")                       \
    X(SECURITY, auth_config_file, "auth-config", TEXT, "FILE", 0, 0, "",                           \
      "JSON that says whose tokens (JWT, such as Kubernetes' service accounts') and which client " \
      "certificates may do what, as in SECURITY.md; read again when it changes, and on SIGHUP")    \
    X(SECURITY, audit_log, "audit-log", TEXT, "FILE", 0, 0, "",                                    \
      "appended to: a line of JSON for each administrator's call and each refused login or "       \
      "right; "                                                                                    \
      "- is stdout; opened again on SIGHUP; without it, they go to the log if callers must be "    \
      "known")                                                                                     \
    X(SECURITY, core_dumps, "core-dumps", SWITCH, "no|yes", 0, 0, "no",                            \
      "let a crash leave a core file, and debuggers in, though there are secrets in memory")       \
    X(SECURITY, insecure, "insecure", SWITCH, "no|yes", 0, 0, "no",                                \
      "listen beyond loopback without authentication: whoever reaches the port controls "          \
      "every queue")                                                                               \
    X(PROCESS, stop_timeout_ms, "stop-timeout", DURATION, "TIME", 0, 3600000, "10s",               \
      "how long SIGTERM waits for requests that are being served")                                 \
    X(PROCESS, port_file, "port-file", TEXT, "FILE", 0, 0, "",                                     \
      "written once the broker listens: its addresses, a line each")                               \
    X(PROCESS, metrics_queues, "metrics-queues", COUNT, "N", 1, 10000, "100",                      \
      "so many queues, the oldest, and so many datasets, the last, have series of their own in "   \
      "/metrics; the rest is summed as \"_other\"")                                                \
    X(PROCESS, log_level, "log-level", CHOICE, "debug|info|warn|error", 0, 0, "info",              \
      "the least grave events that are logged")                                                    \
    X(PROCESS, log_format, "log-format", CHOICE, "auto|text|json", 0, 0, "auto",                   \
      "auto: text on a terminal, JSON otherwise")

/* The kinds' C types. */
typedef const char *config_TEXT;
typedef int64_t config_COUNT;
typedef int64_t config_SIZE;
typedef int64_t config_DURATION;
typedef int64_t config_CHOICE; /* index in `values` */
typedef int64_t config_SWITCH; /* 0 or 1 */
typedef struct config_list {
    const char *items[CONFIG_LISTEN_MAX];
    int count;
    char *environment; /* a copy of the variable whose parts the items are; NULL: argv's words */
} config_LIST;

enum config_store { CONFIG_STORE_LMDB, CONFIG_STORE_MEM };
enum config_client_auth { CONFIG_CLIENT_REQUIRED, CONFIG_CLIENT_OPTIONAL };

struct config {
#define X(group, field, flag, kind, values, min, max, fallback, text) config_##kind field;
    CONFIG_TABLE(X)
#undef X
    struct limits limits;
};

enum config_wish { CONFIG_RUN, CONFIG_CHECK, CONFIG_HELP, CONFIG_VERSION };

/* Defaults, then the environment, then the flags. Texts are kept by pointer. STATUS_INVALID, with
 * a sentence that names the flag, if something does not fit. */
enum status config_read(struct config *ret_config, int argc, char **argv,
                        enum config_wish *ret_wish, struct error *error) MUST_USE;
void config_print_help(FILE *out);

#endif
