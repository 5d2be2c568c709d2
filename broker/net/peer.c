/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer.c -- who is at the other end of a connection: its address, its certificate's names.
 *
 * Who has one IPv6 address has, as a rule, all of its /64: bounds are for that.
 *
 * Of a certificate's subject alternative names DNS, URI and email count, written as openssl does:
 * "DNS:worker.example". The kind belongs to the name, so that none can be taken for another's. A
 * name with a byte that no such name has is left out: a NUL in it would cut it somewhere.
 */
#include "net/peer.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

#define NAMES_MAX 64

static void find_network(struct peer *self, struct sockaddr_in6 *address)
{
    memset(address->sin6_addr.s6_addr + 8, 0, 8);
    if (uv_ip6_name(address, self->network, sizeof self->network) == 0)
        self->rpc.home = slice_of_string(self->network);
}

void peer_init(struct peer *self, const uv_tcp_t *tcp)
{
    struct sockaddr_storage address;
    int size = sizeof address;

    *self = (struct peer){.names = NULL};
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&address, &size) != 0 ||
        uv_ip_name((const struct sockaddr *)&address, self->address, sizeof self->address) != 0)
        *self->address = '\0';
    self->rpc.address = slice_of_string(self->address);
    self->rpc.home = self->rpc.address;
    if (*self->address != '\0' && address.ss_family == AF_INET6)
        find_network(self, (struct sockaddr_in6 *)&address);
}

void peer_deinit(struct peer *self)
{
    free(self->names);
    self->names = NULL;
    self->rpc.sans = NULL;
    self->rpc.san_count = 0;
    self->rpc.certificate_until_ms = 0;
}

static const char *kind_of(const GENERAL_NAME *name)
{
    switch (name->type) {
    case GEN_DNS:
        return "DNS:";
    case GEN_URI:
        return "URI:";
    case GEN_EMAIL:
        return "email:";
    default:
        return NULL;
    }
}

/* Its text, or SLICE_EMPTY. All three kinds share their type. */
static struct slice text_of(const GENERAL_NAME *name)
{
    const ASN1_IA5STRING *text = name->d.ia5;
    struct slice slice = slice_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));

    for (size_t i = 0; i < slice.size; i++) {
        if (slice.data[i] <= ' ' || slice.data[i] > '~')
            return SLICE_EMPTY;
    }
    return slice;
}

/* Puts the names, or only counts them if `at` is NULL. Returns the bytes of their texts. */
static size_t put_names(const GENERAL_NAMES *names, struct slice *sans, size_t *ret_count,
                        uint8_t *at)
{
    size_t bytes = 0;

    *ret_count = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && *ret_count < NAMES_MAX; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const char *kind = kind_of(name);
        struct slice text = kind == NULL ? SLICE_EMPTY : text_of(name);
        size_t kind_size = kind == NULL ? 0 : strlen(kind);

        if (text.size == 0)
            continue;
        if (at != NULL) {
            memcpy(at + bytes, kind, kind_size);
            memcpy(at + bytes + kind_size, text.data, text.size);
            sans[*ret_count] = slice_of(at + bytes, kind_size + text.size);
        }
        bytes += kind_size + text.size;
        ++*ret_count;
    }
    return bytes;
}

/* 0, which is over, for a time that can't be read: a verified certificate has none such. */
static int64_t expiry_ms(const X509 *certificate)
{
    struct tm time;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1)
        return 0;
    return (int64_t)timegm(&time) * 1000;
}

bool peer_identify(struct peer *self, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    struct slice *sans;
    size_t count;
    size_t bytes;

    self->rpc.certificate_until_ms = expiry_ms(certificate);
    if (names == NULL)
        return true;
    bytes = put_names(names, NULL, &count, NULL);
    sans = malloc(count * sizeof *sans + bytes + 1);
    if (sans != NULL)
        (void)put_names(names, sans, &self->rpc.san_count, (uint8_t *)(sans + count));
    GENERAL_NAMES_free(names);
    self->names = sans;
    self->rpc.sans = sans;
    return sans != NULL;
}
