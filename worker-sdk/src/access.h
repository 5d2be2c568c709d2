/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.h -- who this program is to the broker, and which brokers it believes: token, CA,
 * certificate, all from files.
 */
#ifndef ACKD_SDK_ACCESS_H
#define ACKD_SDK_ACCESS_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/status.h"
#include "transport.h"

struct access {
    /* Owned; "" where there is none. */
    char *token_file;
    char *ca_file;
    char *certificate_file;
    char *key_file;

    pthread_mutex_t lock;
    struct buffer header;    /* lock: "Authorization: Bearer ..." */
    struct file_stamp stamp; /* lock: of the file that it was read from */
};

/* The options, and the environment for what they leave open. STATUS_INVALID: a token would go over
 * the network in the clear. access_deinit is for either outcome. */
enum status access_init(struct access *self, const struct transport_options *options,
                        const char *url, struct error *error) MUST_USE;
void access_deinit(struct access *self);
/* Whether what goes to that URL, http:// or https://, is sealed or leaves no machine. */
bool access_stays_here(const char *url);

/* Appends the header line that says who calls, or nothing without a token. Reads the file if it has
 * changed, or if `afresh`. Any thread. */
enum status access_header(struct access *self, bool afresh, struct buffer *out,
                          struct error *error) MUST_USE;
/* Tells libcurl whom to believe, and what certificate to show. False: no memory. */
bool access_apply(const struct access *self, CURL *easy);

#endif
