/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_context.c -- the broker's certificate, who may come with one, and reading both again.
 *
 * Certificates are renewed under a running broker, in Kubernetes by swapping a symbolic link to a
 * folder. A refresh therefore compares what the names lead to, and builds a whole new SSL_CTX: it
 * replaces the old one in one step, and sessions keep the one that they began with. Where the new
 * files don't fit together, as halfway through a copy, the old ones go on and every refresh tries
 * again; the log hears of it once a change.
 *
 * There is no resumption, by ticket or ID: workers keep their connections, and a resumed session
 * would let a client in whose certificate has expired meanwhile, or whose CA was taken away.
 *
 * Threads: `current` is guarded; all else belongs to the thread that refreshes.
 */
#include "net/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

/* For TLS 1.2; every suite of 1.3 is as good as these. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define FILES_MAX 3
#define EXPIRES_SOON_S (INT64_C(14) * 86400)

/* What the files' names led to. */
struct files {
    struct file_stamp stamps[FILES_MAX];
};

struct tls_context {
    struct tls_options options;
    struct files read;  /* what `current` was made from */
    struct files tried; /* what was last complained of */
    pthread_mutex_t mutex;
    SSL_CTX *current; /* guarded by mutex */
};

static struct files look_at(const struct tls_options *options);
static enum status build(const struct tls_options *options, SSL_CTX **ret_context,
                         struct error *error);
static void replace(struct tls_context *self, SSL_CTX *context);

enum status tls_context_open(const struct tls_options *options, struct tls_context **ret_context,
                             struct error *error)
{
    struct tls_context *self = calloc(1, sizeof *self);
    enum status status;
    SSL_CTX *context;

    if (self == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "there is no memory for TLS");
    self->options = *options;
    self->read = look_at(options);
    status = build(options, &context, error);
    if (status != STATUS_OK) {
        free(self);
        return status;
    }
    pthread_mutex_init(&self->mutex, NULL);
    replace(self, context);
    *ret_context = self;
    return STATUS_OK;
}

void tls_context_close(struct tls_context *self)
{
    if (self == NULL)
        return;
    SSL_CTX_free(self->current);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static bool same(const struct files *a, const struct files *b)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (!file_stamp_equal(&a->stamps[i], &b->stamps[i]))
            return false;
    return true;
}

void tls_context_refresh(struct tls_context *self, bool forced)
{
    struct files found = look_at(&self->options);
    struct error error = ERROR_NONE;
    SSL_CTX *context;

    if (!forced && same(&found, &self->read))
        return;
    if (build(&self->options, &context, &error) == STATUS_OK) {
        self->read = found;
        replace(self, context);
        LOG_INFO("certificate_read", LOG_STRING("file", self->options.certificate_file));
    } else if (forced || !same(&found, &self->tried)) {
        LOG_ERROR("certificate_refused", LOG_STRING("reason", error.message),
                  LOG_STRING("consequence", "the one read before stays in use"));
    }
    self->tried = found;
}

SSL *tls_context_session(struct tls_context *self)
{
    SSL *session;

    pthread_mutex_lock(&self->mutex);
    session = SSL_new(self->current);
    pthread_mutex_unlock(&self->mutex);
    return session;
}

static struct files look_at(const struct tls_options *options)
{
    return (struct files){{file_stamp_of(options->certificate_file),
                           file_stamp_of(options->key_file),
                           file_stamp_of(options->client_ca_file)}};
}

/* Days and seconds from the first to the second, in seconds. */
static int64_t seconds_until(const ASN1_TIME *time)
{
    int days = 0;
    int seconds = 0;

    if (ASN1_TIME_diff(&days, &seconds, NULL, time) != 1)
        return 0;
    return (int64_t)days * 86400 + seconds;
}

/* An expired certificate is used all the same: clients say what is wrong with it, and a broker that
 * would not start could not even be asked. */
static void tell_expiry(struct tls_context *self, SSL_CTX *context)
{
    int64_t left_s = seconds_until(X509_get0_notAfter(SSL_CTX_get0_certificate(context)));

    atomic_store(&self->options.counters->certificate_expires_s, clock_wall_ms() / 1000 + left_s);
    if (left_s < EXPIRES_SOON_S)
        LOG_WARN(left_s > 0 ? "certificate_expires_soon" : "certificate_expired",
                 LOG_STRING("file", self->options.certificate_file),
                 LOG_INT("days_left", left_s / 86400));
}

static void replace(struct tls_context *self, SSL_CTX *context)
{
    SSL_CTX *old;

    tell_expiry(self, context);
    pthread_mutex_lock(&self->mutex);
    old = self->current;
    self->current = context;
    pthread_mutex_unlock(&self->mutex);
    SSL_CTX_free(old); /* sessions hold it by a count of their own */
}

/* HTTP/1.1 or nothing: a client that offers only others is told so by the alert made for it. */
static int choose_protocol(SSL *session, const unsigned char **ret_name, unsigned char *ret_size,
                           const unsigned char *offered, unsigned offered_size, void *context)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)session;
    (void)context;
    if (SSL_select_next_proto(&chosen, ret_size, ours, sizeof ours - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_name = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void set_rules(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
}

static const char *last_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason != NULL ? reason : "it holds none";
}

static enum status load_certificate(SSL_CTX *context, const char *path, struct error *error)
{
    struct stat found;

    if (stat(path, &found) != 0)
        return error_set(error, STATUS_INVALID, "can't read the certificate %s: %s", path,
                         strerror(errno));
    if (SSL_CTX_use_certificate_chain_file(context, path) != 1)
        return error_set(error, STATUS_INVALID,
                         "%s is no certificate in PEM that can be used here: %s", path,
                         last_reason());
    return STATUS_OK;
}

/* Nobody is there to be asked. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static enum status read_key(FILE *file, const char *path, EVP_PKEY **ret_key, struct error *error)
{
    struct stat found;

    if (fstat(fileno(file), &found) == 0 && (found.st_mode & S_IROTH) != 0)
        return error_set(error, STATUS_INVALID,
                         "everyone can read the private key %s: take that right away (chmod o-r; "
                         "for a Kubernetes Secret, defaultMode: 0440)",
                         path);
    *ret_key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
    if (*ret_key == NULL)
        return error_set(error, STATUS_INVALID,
                         "%s is no private key in PEM without a passphrase: %s", path,
                         last_reason());
    return STATUS_OK;
}

static enum status load_key(SSL_CTX *context, const char *path, struct error *error)
{
    FILE *file = fopen(path, "re");
    EVP_PKEY *key = NULL;
    enum status status;

    if (file == NULL)
        return error_set(error, STATUS_INVALID, "can't read the private key %s: %s", path,
                         strerror(errno));
    status = read_key(file, path, &key, error);
    fclose(file);
    if (status == STATUS_OK && SSL_CTX_use_PrivateKey(context, key) != 1)
        status = error_set(error, STATUS_INVALID,
                           "the private key %s does not belong to the certificate: %s", path,
                           last_reason());
    EVP_PKEY_free(key);
    return status;
}

static enum status load_client_ca(SSL_CTX *context, const struct tls_options *options,
                                  struct error *error)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(options->client_ca_file);

    if (names == NULL || SSL_CTX_load_verify_file(context, options->client_ca_file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return error_set(error, STATUS_INVALID, "%s holds no CA certificate in PEM: %s",
                         options->client_ca_file, last_reason());
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | (options->client_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
        NULL);
    return STATUS_OK;
}

static enum status build(const struct tls_options *options, SSL_CTX **ret_context,
                         struct error *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    enum status status;

    ERR_clear_error();
    if (context == NULL || SSL_CTX_set_cipher_list(context, CIPHERS) != 1) {
        SSL_CTX_free(context);
        return error_set(error, STATUS_UNAVAILABLE, "TLS can't be set up: %s", last_reason());
    }
    set_rules(context);
    status = load_certificate(context, options->certificate_file, error);
    if (status == STATUS_OK)
        status = load_key(context, options->key_file, error);
    if (status == STATUS_OK && *options->client_ca_file != '\0')
        status = load_client_ca(context, options, error);
    ERR_clear_error();
    if (status != STATUS_OK) {
        SSL_CTX_free(context);
        return status;
    }
    *ret_context = context;
    return STATUS_OK;
}
