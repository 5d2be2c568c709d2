/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.c -- who this program is to the broker, and which brokers it believes.
 *
 * A token's file is looked at before each call, and read when it is another than before: Kubernetes
 * puts a new service-account token there long before the old one ends. A file that can't be read
 * fails the call rather than sending it without a name.
 *
 * libcurl reads CA, certificate and key for each new connection, so that new ones are used from
 * then on; it may keep a CA in memory for CA_KEPT_S.
 */
#include "access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER "Authorization: Bearer "
#define TOKEN_BYTES_MAX ((size_t)16 << 10)
#define CA_KEPT_S 60L

static bool copy_file_name(char **ret_copy, const char *given, const char *variable);
static bool is_insecure(const struct transport_options *options);
static enum status read_token(struct access *self, struct error *error);

enum status access_init(struct access *self, const struct transport_options *options,
                        const char *url, struct error *error)
{
    memset(self, 0, sizeof *self);
    pthread_mutex_init(&self->lock, NULL);
    if (!copy_file_name(&self->token_file, options->token_file, "ACKD_TOKEN_FILE") ||
        !copy_file_name(&self->ca_file, options->ca_file, "ACKD_CA_FILE") ||
        !copy_file_name(&self->certificate_file, options->cert_file, "ACKD_CERT_FILE") ||
        !copy_file_name(&self->key_file, options->key_file, "ACKD_KEY_FILE"))
        return error_set(error, STATUS_INTERNAL, "no memory for a connection to the broker");
    if (*self->token_file == '\0' || access_stays_here(url) || is_insecure(options))
        return STATUS_OK;
    error_set(error, STATUS_INVALID,
              "the token would go over the network in the clear to %.120s: use https://, or say "
              "that you want it (--insecure, ACKD_INSECURE=1)",
              url);
    (void)snprintf(error->field, sizeof error->field, "url");
    return STATUS_INVALID;
}

void access_deinit(struct access *self)
{
    if (self->header.data != NULL)
        explicit_bzero(self->header.data, self->header.capacity);
    buffer_deinit(&self->header);
    free(self->token_file);
    free(self->ca_file);
    free(self->certificate_file);
    free(self->key_file);
    pthread_mutex_destroy(&self->lock);
}

static bool copy_file_name(char **ret_copy, const char *given, const char *variable)
{
    const char *name = given != NULL && *given != '\0' ? given : getenv(variable);

    *ret_copy = strdup(name != NULL ? name : "");
    return *ret_copy != NULL;
}

static bool is_insecure(const struct transport_options *options)
{
    const char *text = getenv("ACKD_INSECURE");

    return options->insecure || (text != NULL && *text != '\0' && strcmp(text, "0") != 0);
}

bool access_stays_here(const char *url)
{
    static const char *const loopback[] = {"127.0.0.1", "localhost", "[::1]"};
    const char *host = url + strlen("http://");

    if (strncmp(url, "https://", 8) == 0)
        return true;
    for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++) {
        size_t size = strlen(loopback[i]);

        if (strncmp(host, loopback[i], size) == 0 &&
            (host[size] == '\0' || host[size] == ':' || host[size] == '/') &&
            strchr(host, '@') == NULL)
            return true;
    }
    return false;
}

/* Whether the header is what the file holds just now. */
static bool is_current(const struct access *self)
{
    struct file_stamp found = file_stamp_of(self->token_file);

    return self->header.size > 0 && file_stamp_equal(&self->stamp, &found);
}

enum status access_header(struct access *self, bool afresh, struct buffer *out, struct error *error)
{
    enum status status = STATUS_OK;

    if (*self->token_file == '\0')
        return STATUS_OK;
    pthread_mutex_lock(&self->lock);
    if (afresh || !is_current(self))
        status = read_token(self, error);
    if (status == STATUS_OK)
        buffer_append(out, buffer_view(&self->header));
    pthread_mutex_unlock(&self->lock);
    if (status == STATUS_OK && out->failed)
        status = error_set(error, STATUS_INTERNAL, "no memory for the token");
    return status;
}

static enum status refuse_file(const struct access *self, const char *why, struct error *error)
{
    error_set(error, STATUS_UNAVAILABLE, "the token file %.160s %s", self->token_file, why);
    (void)snprintf(error->field, sizeof error->field, "%s", TRANSPORT_TRUST_FIELD);
    return STATUS_UNAVAILABLE;
}

/* Makes the header of the file's one word. */
static enum status keep_token(struct access *self, struct slice text, struct error *error)
{
    while (text.size > 0 && text.data[text.size - 1] <= ' ')
        text.size--;
    if (text.size == 0)
        return refuse_file(self, "is empty", error);
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return refuse_file(self, "holds more than one word, which a token is", error);
    buffer_clear(&self->header, SIZE_MAX);
    buffer_append_string(&self->header, HEADER);
    buffer_append(&self->header, text);
    (void)buffer_string(&self->header);
    if (self->header.failed)
        return error_set(error, STATUS_INTERNAL, "no memory for the token");
    return STATUS_OK;
}

/* Under `lock`. */
static enum status read_token(struct access *self, struct error *error)
{
    int fd = open(self->token_file, O_RDONLY | O_CLOEXEC);
    uint8_t text[TOKEN_BYTES_MAX + 1];
    struct stat found;
    enum status status;
    ssize_t size;

    if (fd < 0 || fstat(fd, &found) != 0 || (size = read(fd, text, sizeof text)) < 0) {
        char why[128];

        (void)snprintf(why, sizeof why, "can't be read: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return refuse_file(self, why, error);
    }
    close(fd);
    status = (size_t)size > TOKEN_BYTES_MAX ? refuse_file(self, "is over 16 KiB", error)
                                            : keep_token(self, slice_of(text, (size_t)size), error);
    explicit_bzero(text, sizeof text);
    if (status == STATUS_OK) /* else it is read again, until it is a token */
        self->stamp = file_stamp_of_stat(&found);
    return status;
}

bool access_apply(const struct access *self, CURL *easy)
{
    CURLcode code = CURLE_OK;

    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_KEPT_S);
#endif
    if (*self->ca_file != '\0') { /* in place of the system's, whose directory counts besides */
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, self->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (code == CURLE_OK && *self->certificate_file != '\0')
        code = curl_easy_setopt(easy, CURLOPT_SSLCERT, self->certificate_file);
    if (code == CURLE_OK && *self->key_file != '\0')
        code = curl_easy_setopt(easy, CURLOPT_SSLKEY, self->key_file);
    return code == CURLE_OK;
}
