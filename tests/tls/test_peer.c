/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_peer.c -- the names of a client's certificate, kind by kind, the wicked ones left out.
 */
#include <openssl/x509v3.h>

#include "net/peer.h"
#include "support/check.h"

struct name {
    int type;
    const char *text;
    int size;
};

#define NAME(type, text)                                                                           \
    {                                                                                              \
        type, text, sizeof text - 1                                                                \
    }

static GENERAL_NAME *make_name(const struct name *name)
{
    GENERAL_NAME *made = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();

    ASN1_STRING_set(text, name->text, name->size);
    GENERAL_NAME_set0_value(made, name->type, text);
    return made;
}

/* A certificate with these names and nothing else. */
static X509 *make_certificate(const struct name *names, size_t count)
{
    X509 *certificate = X509_new();
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();

    for (size_t i = 0; i < count; i++)
        sk_GENERAL_NAME_push(all, make_name(&names[i]));
    assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0, 0), 1);
    GENERAL_NAMES_free(all);
    return certificate;
}

static void expect_name(const struct peer *peer, size_t index, const char *text)
{
    assert_true(index < peer->rpc.san_count);
    assert_int_equal(peer->rpc.sans[index].size, strlen(text));
    assert_memory_equal(peer->rpc.sans[index].data, text, strlen(text));
}

static void test_names_carry_their_kind(void **state)
{
    const struct name names[] = {NAME(GEN_DNS, "worker.example"),
                                 NAME(GEN_URI, "spiffe://example/ns/ml/sa/worker"),
                                 NAME(GEN_EMAIL, "ops@example.org")};
    X509 *certificate = make_certificate(names, 3);
    struct peer peer = {0};

    (void)state;
    assert_true(peer_identify(&peer, certificate));
    assert_int_equal(peer.rpc.san_count, 3);
    expect_name(&peer, 0, "DNS:worker.example");
    expect_name(&peer, 1, "URI:spiffe://example/ns/ml/sa/worker");
    expect_name(&peer, 2, "email:ops@example.org");
    peer_deinit(&peer);
    X509_free(certificate);
}

static void test_a_name_that_could_be_taken_for_another_is_left_out(void **state)
{
    const struct name names[] = {NAME(GEN_DNS, "admin\0.attacker.example"),
                                 NAME(GEN_DNS, ""),
                                 NAME(GEN_URI, "spiffe://a\nb"),
                                 NAME(GEN_DNS, "w\xc3\xb6rker"),
                                 NAME(GEN_DNS, "good"),
                                 NAME(GEN_DNS, "two words")};
    X509 *certificate = make_certificate(names, 6);
    struct peer peer = {0};

    (void)state;
    assert_true(peer_identify(&peer, certificate));
    assert_int_equal(peer.rpc.san_count, 1);
    expect_name(&peer, 0, "DNS:good");
    peer_deinit(&peer);
    X509_free(certificate);
}

static void test_a_certificate_without_names_has_none(void **state)
{
    X509 *certificate = X509_new();
    struct peer peer = {0};

    (void)state;
    assert_true(peer_identify(&peer, certificate));
    assert_int_equal(peer.rpc.san_count, 0);
    peer_deinit(&peer);
    X509_free(certificate);
}

static void test_names_are_bounded(void **state)
{
    struct name names[200];
    struct peer peer = {0};
    X509 *certificate;

    (void)state;
    for (size_t i = 0; i < 200; i++)
        names[i] = (struct name)NAME(GEN_DNS, "worker.example");
    certificate = make_certificate(names, 200);
    assert_true(peer_identify(&peer, certificate));
    assert_int_equal(peer.rpc.san_count, 64);
    expect_name(&peer, 63, "DNS:worker.example");
    peer_deinit(&peer);
    X509_free(certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_carry_their_kind),
        cmocka_unit_test(test_a_name_that_could_be_taken_for_another_is_left_out),
        cmocka_unit_test(test_a_certificate_without_names_has_none),
        cmocka_unit_test(test_names_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
