/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate.c -- certificates in PEM files, and when they end.
 */
#include "cli/doctor/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

STACK_OF(X509) * certificates_read(const char *path)
{
    STACK_OF(X509) *found = sk_X509_new_null();
    FILE *file = fopen(path, "re");
    X509 *each;

    while (found != NULL && file != NULL && (each = PEM_read_X509(file, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(found, each) == 0) {
            X509_free(each);
            break;
        }
    ERR_clear_error(); /* the file's end is one */
    if (file != NULL)
        fclose(file);
    if (sk_X509_num(found) > 0)
        return found;
    sk_X509_free(found);
    return NULL;
}

void certificates_free(STACK_OF(X509) * self)
{
    sk_X509_pop_free(self, X509_free);
}

/* From one time to another; NULL is now. */
static int64_t ms_between(const ASN1_TIME *from, const ASN1_TIME *to)
{
    int days = 0;
    int seconds = 0;

    if (ASN1_TIME_diff(&days, &seconds, from, to) != 1)
        return 0;
    return ((int64_t)days * 86400 + seconds) * 1000;
}

int64_t certificate_left_ms(const X509 *self)
{
    return ms_between(NULL, X509_get0_notAfter(self));
}

bool certificate_ends_soon(const X509 *self, int64_t soon_ms)
{
    int64_t left_ms = certificate_left_ms(self);
    int64_t life_ms = ms_between(X509_get0_notBefore(self), X509_get0_notAfter(self));

    return left_ms > 0 && left_ms < soon_ms && left_ms < life_ms / 3;
}

/* What was printed to `bio`, which ends. */
static void take_text(BIO *bio, struct buffer *out)
{
    char *text = NULL;
    long size = BIO_get_mem_data(bio, &text);

    buffer_append(out, slice_of(text, size > 0 ? (size_t)size : 0));
    BIO_free(bio);
}

void certificate_append_name(const X509 *self, struct buffer *out)
{
    const X509_NAME *subject = X509_get_subject_name(self);
    int place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio == NULL)
        return;
    if (place >= 0)
        ASN1_STRING_print_ex(bio, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)),
                             ASN1_STRFLGS_RFC2253);
    else
        X509_NAME_print_ex(bio, subject, 0, XN_FLAG_RFC2253);
    take_text(bio, out);
}

void certificate_append_sans(const X509 *self, struct buffer *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(self, NID_subject_alt_name, NULL, NULL);
    BIO *bio = BIO_new(BIO_s_mem());

    for (int i = 0; bio != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        if (i > 0)
            BIO_puts(bio, ", ");
        GENERAL_NAME_print(bio, sk_GENERAL_NAME_value(names, i));
    }
    if (bio != NULL)
        take_text(bio, out);
    GENERAL_NAMES_free(names);
}
