/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake.c -- one TLS handshake for looking at.
 *
 * The chain is verified by hand, as libcurl does it for the calls: any certificate of the CA's file
 * ends a chain, and the host's name counts by the certificate's alternative names.
 */
#include "cli/doctor/handshake.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *make_context(struct handshake *self, const struct handshake_files *files);
static int connect_to(struct handshake *self, const struct url *url, int64_t timeout_ms);
static void shake(struct handshake *self, SSL *ssl, const struct url *url);

void handshake_make(struct handshake *self, const struct url *url,
                    const struct handshake_files *files, int64_t timeout_ms)
{
    SSL_CTX *context = make_context(self, files);
    SSL *ssl = context == NULL ? NULL : SSL_new(context);
    int fd = ssl == NULL ? -1 : connect_to(self, url, timeout_ms);

    if (fd >= 0 && SSL_set_fd(ssl, fd) == 1)
        shake(self, ssl, url);
    SSL_free(ssl);
    SSL_CTX_free(context);
    if (fd >= 0)
        close(fd);
    ERR_clear_error();
}

void handshake_deinit(struct handshake *self)
{
    X509_free(self->certificate);
    self->certificate = NULL;
}

/* OpenSSL's words for the last thing that went wrong. */
static void tell_trouble(struct handshake *self, const char *what)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());

    snprintf(self->trouble, sizeof self->trouble, "%s: %s", what, why == NULL ? "no reason" : why);
}

/* Its CAs stay empty where the file can't be read, its certificate where that can't be used: other
 * checks tell so. */
static SSL_CTX *make_context(struct handshake *self, const struct handshake_files *files)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL) {
        tell_trouble(self, "TLS can't be set up here");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    if (files->ca != NULL)
        SSL_CTX_load_verify_file(context, files->ca);
    else
        SSL_CTX_set_default_verify_paths(context);
    if (files->certificate != NULL && files->key != NULL &&
        SSL_CTX_use_certificate_chain_file(context, files->certificate) == 1)
        SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM);
    ERR_clear_error();
    return context;
}

static int connect_to(struct handshake *self, const struct url *url, int64_t timeout_ms)
{
    const struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(url->host, url->port, &hints, &found);
    int fd = -1;

    if (failure != 0) {
        snprintf(self->trouble, sizeof self->trouble, "%s: %s", url->host, gai_strerror(failure));
        return -1;
    }
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
            break;
        snprintf(self->trouble, sizeof self->trouble, "%s:%s: %s", url->host, url->port,
                 strerror(errno));
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static void verify(struct handshake *self, SSL *ssl)
{
    X509_STORE *known = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
    X509_STORE_CTX *context = X509_STORE_CTX_new();

    self->verified = X509_V_ERR_OUT_OF_MEM;
    if (context != NULL &&
        X509_STORE_CTX_init(context, known, self->certificate, SSL_get_peer_cert_chain(ssl)) == 1) {
        X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
        X509_STORE_CTX_set_default(context, "ssl_server");
        (void)X509_verify_cert(context);
        self->verified = X509_STORE_CTX_get_error(context);
        self->depth = X509_STORE_CTX_get_error_depth(context);
    }
    X509_STORE_CTX_free(context);
}

static bool is_for(X509 *certificate, const char *host)
{
    return X509_check_ip_asc(certificate, host, 0) == 1 ||
           X509_check_host(certificate, host, 0, 0, NULL) == 1;
}

static bool is_address(const char *host)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);

    ASN1_OCTET_STRING_free(address);
    return address != NULL;
}

/* Called when the broker asks for a certificate; goes on with what is set already. */
static int note_asked(SSL *ssl, void *context)
{
    struct handshake *self = context;

    (void)ssl;
    self->wants_certificate = true;
    return 1;
}

static void shake(struct handshake *self, SSL *ssl, const struct url *url)
{
    SSL_set_cert_cb(ssl, note_asked, self);
    if (!is_address(url->host)) /* RFC 6066, 3 */
        SSL_set_tlsext_host_name(ssl, url->host);
    if (SSL_connect(ssl) != 1) {
        tell_trouble(self, "the handshake failed");
        return;
    }
    self->certificate = SSL_get1_peer_certificate(ssl);
    if (self->certificate == NULL) {
        tell_trouble(self, "the broker shows no certificate");
        return;
    }
    self->is_done = true;
    snprintf(self->version, sizeof self->version, "%s", SSL_get_version(ssl));
    snprintf(self->cipher, sizeof self->cipher, "%s", SSL_get_cipher_name(ssl));
    verify(self, ssl);
    self->is_for_name = is_for(self->certificate, url->host);
    SSL_shutdown(ssl);
}
