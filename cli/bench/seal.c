/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal.c -- TLS of the load generator's links.
 */
#include "cli/bench/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define IDENTITY_S (7 * 86400)

static bool tell(const char *what, const char *path)
{
    complain("%s can't be used: %s: %s", what, path == NULL ? "" : path,
             ERR_reason_error_string(ERR_peek_last_error()));
    return false;
}

static bool show(const struct cli *cli, SSL_CTX *context)
{
    const char *certificate = cli_text(cli, "cert-file");
    const char *key = cli_text(cli, "key-file");

    if (certificate != NULL && SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        return tell("the certificate", certificate);
    if (key != NULL && SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return tell("the key", key);
    return true;
}

/* The spawned broker's CA is named by the environment alone. */
static bool believe(SSL_CTX *context)
{
    const char *ca = getenv("ACKD_CA_FILE");
    bool ok = ca != NULL ? SSL_CTX_load_verify_file(context, ca) == 1
                         : SSL_CTX_set_default_verify_paths(context) == 1;

    return ok || tell("the CA's file", ca);
}

SSL_CTX *seal_context(const struct cli *cli)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL || !believe(context) || !show(cli, context)) {
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

static bool expect_name(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(rules, host) == 1)
        return true;
    return SSL_set_tlsext_host_name(ssl, host) == 1 &&
           X509_VERIFY_PARAM_set1_host(rules, host, 0) == 1;
}

SSL *seal_open(SSL_CTX *context, int socket, const char *host)
{
    SSL *ssl = SSL_new(context);
    bool ok = ssl != NULL && expect_name(ssl, host) && SSL_set_fd(ssl, socket) == 1 &&
              SSL_connect(ssl) == 1;

    if (ok && fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK) == 0)
        return ssl;
    if (ssl != NULL && SSL_get_verify_result(ssl) != X509_V_OK)
        complain("the broker's certificate: %s",
                 X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    SSL_free(ssl);
    ERR_clear_error();
    errno = EPROTO;
    return NULL;
}

void seal_close(SSL *ssl)
{
    if (ssl != NULL)
        SSL_shutdown(ssl);
    SSL_free(ssl);
}

static ssize_t outcome(SSL *ssl, int rc)
{
    int error = SSL_get_error(ssl, rc);

    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN
            : error == SSL_ERROR_SYSCALL && errno != 0                    ? errno
                                                                          : EPROTO;
    ERR_clear_error();
    return -1;
}

ssize_t seal_read(SSL *ssl, void *data, size_t size)
{
    size_t got = 0;

    /* A record a call: all that are there, since epoll knows of none that OpenSSL has taken. */
    while (got < size) {
        size_t some = 0;
        int rc = SSL_read_ex(ssl, (uint8_t *)data + got, size - got, &some);

        if (rc != 1)
            return got > 0 ? (ssize_t)got : outcome(ssl, rc);
        got += some;
    }
    return (ssize_t)got;
}

ssize_t seal_write(SSL *ssl, const void *data, size_t size)
{
    size_t sent = 0;
    int rc = SSL_write_ex(ssl, data, size, &sent);

    return rc == 1 ? (ssize_t)sent : outcome(ssl, rc);
}

/* ---- a spawned broker's certificate ---- */

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return ok;
}

static X509 *sign_itself(EVP_PKEY *key)
{
    X509 *made = X509_new();
    bool ok;

    if (made == NULL)
        return NULL;
    ok = X509_set_version(made, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set(X509_get_serialNumber(made), 1) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(made), -60) != NULL &&
         X509_gmtime_adj(X509_getm_notAfter(made), IDENTITY_S) != NULL &&
         X509_set_pubkey(made, key) == 1 &&
         X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                                    (const unsigned char *)"ackd bench", -1, -1, 0) == 1 &&
         X509_set_issuer_name(made, X509_get_subject_name(made)) == 1 &&
         add_extension(made, NID_subject_alt_name, "IP:127.0.0.1") &&
         add_extension(made, NID_basic_constraints, "critical,CA:TRUE") &&
         X509_sign(made, key, EVP_sha256()) > 0;
    if (ok)
        return made;
    X509_free(made);
    return NULL;
}

static bool write_pem(const char *path, EVP_PKEY *key, X509 *certificate)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool ok;

    if (file == NULL)
        return false;
    ok = key != NULL ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1
                     : PEM_write_X509(file, certificate) == 1;
    return fclose(file) == 0 && ok;
}

bool seal_make_identity(const char *certificate_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key == NULL ? NULL : sign_itself(key);
    bool ok = certificate != NULL && write_pem(key_path, key, NULL) &&
              write_pem(certificate_path, NULL, certificate);

    X509_free(certificate);
    EVP_PKEY_free(key);
    return ok;
}
