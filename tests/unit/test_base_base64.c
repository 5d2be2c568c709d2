/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_base64.c -- the vectors of RFC 4648 section 10, both alphabets, and what is refused.
 */
#include "base/slice.h"
#include "support/check.h"

static const struct {
    const char *data;
    const char *padded;
    const char *bare;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+", "-__-"},
    {"\xff\xff\xff\xff", "/////w==", "_____w"},
};

static void assert_decodes(const char *text, const char *data)
{
    uint8_t out[64];
    size_t size = 77;

    assert_true(base64_decode(slice_of_string(text), out, &size));
    assert_true(slice_equal(slice_of(out, size), slice_of_string(data)));
}

static void assert_refused(const char *text)
{
    uint8_t out[64];
    size_t size;

    if (base64_decode(slice_of_string(text), out, &size))
        fail_msg("\"%s\" was taken", text);
}

static void test_known_vectors_in_both_alphabets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct slice data = slice_of_string(vectors[i].data);
        char text[64];

        assert_int_equal(base64_encode(data, text), strlen(vectors[i].padded));
        assert_string_equal(text, vectors[i].padded);
        assert_true(strlen(text) < base64_size(data.size));
        assert_int_equal(base64url_encode(data, text), strlen(vectors[i].bare));
        assert_string_equal(text, vectors[i].bare);
        assert_decodes(vectors[i].padded, vectors[i].data);
        assert_decodes(vectors[i].bare, vectors[i].data);
    }
}

static void test_every_byte_comes_back(void **state)
{
    uint8_t data[256];
    uint8_t back[300];
    char text[400];
    size_t size;

    (void)state;
    for (int i = 0; i < 256; i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t length = 0; length <= 256; length++) {
        (void)base64_encode(slice_of(data, length), text);
        assert_true(base64_decode(slice_of_string(text), back, &size));
        assert_true(slice_equal(slice_of(back, size), slice_of(data, length)));
        (void)base64url_encode(slice_of(data, length), text);
        assert_true(base64_decode(slice_of_string(text), back, &size));
        assert_true(slice_equal(slice_of(back, size), slice_of(data, length)));
    }
}

static void test_unused_bits_may_be_set_as_proto3_json_wants(void **state)
{
    (void)state;
    assert_decodes("-_", "\xfb");
    assert_decodes("Zh==", "f");
}

static void test_what_is_no_base64_is_refused(void **state)
{
    static const char *const bad[] = {"Z",       "Zg=",       "=",        "==",         "Zm9v=",
                                      "Zm9vYg=", "Zm9vYmE==", "Zg==Zg==", "Z=g=",       "Zm 9v",
                                      "Zm9v\n",  "Zm9*",      "Zm9v====", "\xc3\xa9Zm", "===="};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i]);
}

/* In every place of texts that end with two, three and four digits. */
static void test_every_byte_is_a_digit_or_refused(void **state)
{
    static const char alphabets[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";

    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        bool digit = strchr(alphabets, byte) != NULL;

        for (size_t length = 6; length <= 8; length++) {
            for (size_t at = 0; at < length; at++) {
                char text[] = "AAAAAAAA";
                uint8_t out[16];
                size_t size;

                text[length] = '\0';
                text[at] = (char)byte;
                if (byte == '=' && length == 8 && at == 7)
                    continue; /* padding */
                assert_int_equal(base64_decode(slice_of(text, length), out, &size), digit);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_known_vectors_in_both_alphabets),
        cmocka_unit_test(test_every_byte_comes_back),
        cmocka_unit_test(test_unused_bits_may_be_set_as_proto3_json_wants),
        cmocka_unit_test(test_what_is_no_base64_is_refused),
        cmocka_unit_test(test_every_byte_is_a_digit_or_refused),
    };

    return cmocka_run_group_tests_name("base64", cases, NULL, NULL);
}
