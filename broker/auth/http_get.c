/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_get.c -- one GET of a document, by libcurl.
 *
 * A proxy of the environment is used for https://, where it sees nothing; http:// is for loopback,
 * and goes there itself.
 */
#include "auth/http_get.h"

#include <curl/curl.h>
#include <string.h>

#include "auth/secret.h"
#include "auth/secret_file.h"

#define CONNECT_MS 5000L
#define TOKEN_BYTES_MAX ((size_t)16 << 10)
#define ACCEPT "Accept: application/jwk-set+json, application/json"

struct answer {
    struct buffer *body;
    size_t size_max;
    bool too_large;
};

static enum status ask(CURL *easy, const struct http_get *wanted, struct buffer *ret_body,
                       struct error *error);
static bool put_token(const char *path, struct curl_slist **headers, struct error *error);

bool http_get_setup(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* One of them may hold a token. */
static void free_headers(struct curl_slist *headers)
{
    for (struct curl_slist *at = headers; at != NULL; at = at->next)
        secret_wipe(at->data, strlen(at->data));
    curl_slist_free_all(headers);
}

enum status http_get(const struct http_get *wanted, struct buffer *ret_body, struct error *error)
{
    struct curl_slist *headers = curl_slist_append(NULL, ACCEPT);
    CURL *easy = curl_easy_init();
    enum status status = STATUS_UNAVAILABLE;

    *error = ERROR_NONE;
    if (easy == NULL || headers == NULL)
        error_set(error, status, "no memory to fetch %.160s", wanted->url);
    else if (wanted->token_file == NULL || put_token(wanted->token_file, &headers, error)) {
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        status = ask(easy, wanted, ret_body, error);
    }
    curl_easy_cleanup(easy);
    free_headers(headers);
    if (status != STATUS_OK)
        buffer_deinit(ret_body);
    return status;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct answer *self = context;

    (void)size; /* 1 */
    self->too_large = count > self->size_max - self->body->size;
    if (self->too_large)
        return 0; /* ends it */
    buffer_append(self->body, slice_of(data, count));
    return self->body->failed ? 0 : count;
}

static int on_progress(void *context, curl_off_t to_come, curl_off_t came, curl_off_t to_go,
                       curl_off_t gone)
{
    const atomic_bool *stop = context;

    (void)to_come;
    (void)came;
    (void)to_go;
    (void)gone;
    return atomic_load(stop);
}

static void set_up(CURL *easy, const struct http_get *wanted, struct answer *answer, char *trouble)
{
    bool is_https = strncmp(wanted->url, "https://", 8) == 0;

    curl_easy_setopt(easy, CURLOPT_URL, wanted->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, is_https ? "https" : "http");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, is_https ? NULL : "*");
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (wanted->ca_file != NULL) { /* in place of the system's, whose directory counts besides */
        curl_easy_setopt(easy, CURLOPT_CAINFO, wanted->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)HTTP_GET_MS);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "ackd");
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, trouble);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, (void *)wanted->stop);
}

/* Whether libcurl's own words say more, and the same each time: some hold milliseconds. */
static bool is_precise(CURLcode code, const char *trouble)
{
    return *trouble != '\0' && code != CURLE_COULDNT_CONNECT && code != CURLE_OPERATION_TIMEDOUT &&
           code != CURLE_COULDNT_RESOLVE_HOST;
}

static enum status ask(CURL *easy, const struct http_get *wanted, struct buffer *ret_body,
                       struct error *error)
{
    struct answer answer = {.body = ret_body, .size_max = wanted->size_max};
    char trouble[CURL_ERROR_SIZE] = "";
    long http_status = 0;
    CURLcode code;

    set_up(easy, wanted, &answer, trouble);
    code = curl_easy_perform(easy);
    if (answer.too_large)
        return error_set(error, STATUS_UNAVAILABLE, "%.160s is larger than %zu bytes", wanted->url,
                         wanted->size_max);
    if (code != CURLE_OK)
        return error_set(error, STATUS_UNAVAILABLE, "%.160s can't be fetched: %.120s", wanted->url,
                         is_precise(code, trouble) ? trouble : curl_easy_strerror(code));
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &http_status);
    if (http_status != 200)
        return error_set(error, STATUS_UNAVAILABLE, "%.160s answers with %ld%s", wanted->url,
                         http_status,
                         http_status == 401 || http_status == 403 ? ": see token_file" : "");
    return STATUS_OK;
}

static bool is_word(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    return text.size > 0;
}

/* Appends the Authorization header. The file may be readable by all: Kubernetes projects it so. */
static bool put_token(const char *path, struct curl_slist **headers, struct error *error)
{
    struct buffer text = BUFFER_EMPTY;
    struct buffer line = BUFFER_EMPTY;
    struct curl_slist *longer = NULL;

    if (plain_file_read(path, "the token file", TOKEN_BYTES_MAX, &text, error) != STATUS_OK)
        return false;
    while (text.size > 0 && text.data[text.size - 1] <= ' ')
        text.size--;
    buffer_append_string(&line, "Authorization: Bearer ");
    buffer_append(&line, buffer_view(&text));
    if (is_word(buffer_view(&text)) && *buffer_string(&line) != '\0')
        longer = curl_slist_append(*headers, buffer_string(&line));
    if (longer != NULL)
        *headers = longer;
    else
        error_set(error, STATUS_INVALID, "the token file %.160s holds no token", path);
    secret_wipe(text.data, text.capacity);
    secret_wipe(line.data, line.capacity);
    buffer_deinit(&text);
    buffer_deinit(&line);
    return longer != NULL;
}
