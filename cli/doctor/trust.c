/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.c -- is the connection sealed, by whom is it vouched for, and for how long yet?
 */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/broker.h"
#include "cli/doctor/certificate.h"
#include "cli/doctor/patient.h"
#include "cli/units.h"

#define DAY_MS INT64_C(86400000)
#define CERTIFICATE_SOON_MS (14 * DAY_MS) /* as the broker's own log warns */
#define AUTHORITY_SOON_MS (60 * DAY_MS)   /* everything that it signed must be replaced by then */

static void look_plain(struct patient *patient, struct diagnosis *diagnosis)
{
    if (broker_stays_here(patient->cli))
        say(diagnosis, FINE, NULL, "not encrypted, within this machine");
    else
        say(diagnosis, WARNING,
            "Give ackd a certificate (see deploy/README.md), and use an https:// URL.",
            "payloads, results and tokens cross the network in the clear");
}

/* What is wrong with the chain, and what to do. */
static void say_unverified(const struct handshake *handshake, struct diagnosis *diagnosis)
{
    const char *whose = handshake->depth == 0 ? "the broker's certificate" : "a CA of its chain";

    switch (handshake->verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        say(diagnosis, BAD,
            "Renew it; ackd takes new files over while it runs. If it should be valid yet, look "
            "at this machine's clock.",
            "%s has expired", whose);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        say(diagnosis, BAD, "Look at the clocks of this machine and of the one that signed it.",
            "%s is not valid yet", whose);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        say(diagnosis, BAD,
            "Name the CA that signed it with --ca-file (ACKD_CA_FILE); what stands between the two "
            "belongs into the broker's --tls-cert file, behind its own certificate.",
            "nobody known has signed the broker's certificate");
        return;
    default:
        say(diagnosis, BAD, "Issue another one: see deploy/README.md.", "%s is no good: %s", whose,
            X509_verify_cert_error_string(handshake->verified));
    }
}

static void add_names(struct patient *patient, struct diagnosis *diagnosis)
{
    struct buffer names = BUFFER_EMPTY;

    certificate_append_sans(patient->handshake.certificate, &names);
    say_detail(patient, diagnosis, "it is for %s",
               names.size == 0 ? "no name at all" : buffer_string(&names));
    buffer_deinit(&names);
}

static void look_sealed(struct patient *patient, struct diagnosis *diagnosis)
{
    const struct handshake *handshake = &patient->handshake;
    const char *ca = cli_text(patient->cli, "ca-file");

    if (!handshake->is_done)
        say(diagnosis, BAD,
            strstr(handshake->trouble, "wrong version") != NULL
                ? "It speaks plain HTTP at this port: use an http:// URL, or give ackd a "
                  "certificate."
                : "Is it a broker with TLS, and is nothing between it and you? Its log says why "
                  "it refused (tls_handshake_failed).",
            "%s", handshake->trouble);
    else if (handshake->verified != X509_V_OK)
        say_unverified(handshake, diagnosis);
    else if (!handshake->is_for_name)
        say(diagnosis, BAD,
            "Use one of its names in the URL, or give the broker a certificate for this one.",
            "the broker's certificate is not for the name %s", patient->url.host);
    else
        say(diagnosis, FINE, NULL, "%s with %s, signed by a CA of %.200s%s", handshake->version,
            handshake->cipher, ca == NULL ? "this system" : ca,
            handshake->wants_certificate ? "; it asks for a client certificate" : "");
    if (handshake->is_done && !handshake->is_for_name)
        add_names(patient, diagnosis);
}

void look_tls(struct patient *patient, struct diagnosis *diagnosis)
{
    const struct handshake_files files = {.ca = cli_text(patient->cli, "ca-file"),
                                          .certificate = cli_text(patient->cli, "cert-file"),
                                          .key = cli_text(patient->cli, "key-file")};

    if (!patient->url.is_sealed) {
        if (patient->reached)
            look_plain(patient, diagnosis);
        else
            say(diagnosis, NOT_LOOKED, NULL, "there is no broker to look at");
        return;
    }
    handshake_make(&patient->handshake, &patient->url, &files, patient->cli->timeout_ms);
    look_sealed(patient, diagnosis);
}

/* "ends in 13 d 4 h", "ended 2 h ago". */
static const char *end_of(struct text *text, const X509 *certificate)
{
    int64_t left_ms = certificate_left_ms(certificate);
    struct text time;

    if (left_ms > 0)
        snprintf(text->data, sizeof text->data, "ends in %.48s", units_duration(&time, left_ms));
    else
        snprintf(text->data, sizeof text->data, "ended %.48s ago", units_duration(&time, -left_ms));
    return text->data;
}

static enum finding finding_of(const X509 *certificate, int64_t soon_ms)
{
    if (certificate_left_ms(certificate) <= 0)
        return BAD;
    return certificate_ends_soon(certificate, soon_ms) ? WARNING : FINE;
}

void look_certificate(struct patient *patient, struct diagnosis *diagnosis)
{
    const X509 *certificate = patient->handshake.certificate;
    enum finding finding;
    struct text text;

    if (certificate == NULL) {
        diagnosis->finding = NOTHING_THERE;
        return;
    }
    finding = finding_of(certificate, CERTIFICATE_SOON_MS);
    say(diagnosis, finding,
        finding == FINE ? NULL
                        : "Renew it (deploy/README.md, Certificates): ackd takes new files over "
                          "while it runs. If something renews it by itself, find out why not.",
        "the broker's certificate %s", end_of(&text, certificate));
}

/* An ended CA does harm only where it was needed. */
static enum finding look_authority(struct patient *patient, struct diagnosis *diagnosis,
                                   const X509 *authority)
{
    enum finding finding = finding_of(authority, AUTHORITY_SOON_MS);
    struct buffer name = BUFFER_EMPTY;
    struct text text;

    certificate_append_name(authority, &name);
    say_detail(patient, diagnosis, "%.200s %s", buffer_string(&name), end_of(&text, authority));
    buffer_deinit(&name);
    return finding == BAD && patient->handshake.verified == X509_V_OK ? WARNING : finding;
}

void look_authorities(struct patient *patient, struct diagnosis *diagnosis)
{
    const char *path = cli_text(patient->cli, "ca-file");
    STACK_OF(X509) * authorities;
    enum finding worst = FINE;

    diagnosis->finding = NOTHING_THERE;
    if (path == NULL || !patient->url.is_sealed)
        return;
    authorities = certificates_read(path);
    if (authorities == NULL) {
        say(diagnosis, BAD, "Give the file that holds the CAs' certificates in PEM.",
            "%.300s can't be read, or holds no certificate in PEM", path);
        return;
    }
    for (int i = 0; i < sk_X509_num(authorities); i++) {
        enum finding finding = look_authority(patient, diagnosis, sk_X509_value(authorities, i));

        worst = finding > worst ? finding : worst;
    }
    say(diagnosis, worst,
        worst == FINE ? NULL
                      : "Put its successor into the file beside it, on all sides, before the first "
                        "certificate is signed by that; then take it out.",
        "%.300s holds %d CA%s", path, sk_X509_num(authorities),
        sk_X509_num(authorities) == 1 ? "" : "s");
    certificates_free(authorities);
}

static EVP_PKEY *read_key(const char *path)
{
    FILE *file = fopen(path, "re");
    EVP_PKEY *key = file == NULL ? NULL : PEM_read_PrivateKey(file, NULL, NULL, (void *)"");

    if (file != NULL)
        fclose(file);
    return key;
}

static bool everybody_reads(const char *path)
{
    struct stat found;

    return stat(path, &found) == 0 && (found.st_mode & S_IROTH) != 0;
}

static void look_pair(struct diagnosis *diagnosis, X509 *certificate, EVP_PKEY *key,
                      const char *key_path)
{
    enum finding finding = finding_of(certificate, CERTIFICATE_SOON_MS);
    struct text text;

    if (key == NULL)
        say(diagnosis, BAD, "Give a private key in PEM, without a passphrase.",
            "the key in %.300s can't be used", key_path);
    else if (X509_check_private_key(certificate, key) != 1)
        say(diagnosis, BAD, "Name the key that the certificate was made with.",
            "the key in %.300s does not belong to the certificate", key_path);
    else if (finding == FINE && everybody_reads(key_path))
        say(diagnosis, WARNING, "chmod o-r it, and think of who may have read it.",
            "every user of this machine may read the key in %.300s", key_path);
    else
        say(diagnosis, finding,
            finding == FINE ? NULL : "Renew it: new files are used from the next connection on.",
            "this client's certificate %s", end_of(&text, certificate));
}

void look_own_certificate(struct patient *patient, struct diagnosis *diagnosis)
{
    const char *path = cli_text(patient->cli, "cert-file");
    const char *key_path = cli_text(patient->cli, "key-file");
    STACK_OF(X509) * certificates;
    EVP_PKEY *key;

    diagnosis->finding = NOTHING_THERE;
    if ((path == NULL && key_path == NULL) || !patient->url.is_sealed)
        return;
    if (path == NULL || key_path == NULL) {
        say(diagnosis, BAD, "Name both: --cert-file and --key-file.",
            "a client certificate needs its key, and a key its certificate");
        return;
    }
    certificates = certificates_read(path);
    if (certificates == NULL) {
        say(diagnosis, BAD, "Give a certificate in PEM.",
            "%.300s can't be read, or holds no certificate in PEM", path);
        return;
    }
    key = read_key(key_path);
    look_pair(diagnosis, sk_X509_value(certificates, 0), key, key_path);
    EVP_PKEY_free(key);
    certificates_free(certificates);
}
