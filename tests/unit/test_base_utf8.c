/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_utf8.c -- well-formed UTF-8, exhaustively: every code point, every pair and triple of
 * bytes that matters, against a decoder written the slow and obvious way.
 */
#include "base/slice.h"
#include "support/check.h"

/* As RFC 3629 section 3 builds a character. */
static size_t encode(uint32_t character, uint8_t *ret_bytes)
{
    if (character < 0x80) {
        ret_bytes[0] = (uint8_t)character;
        return 1;
    }
    if (character < 0x800) {
        ret_bytes[0] = (uint8_t)(0xc0 | character >> 6);
        ret_bytes[1] = (uint8_t)(0x80 | (character & 63));
        return 2;
    }
    if (character < 0x10000) {
        ret_bytes[0] = (uint8_t)(0xe0 | character >> 12);
        ret_bytes[1] = (uint8_t)(0x80 | (character >> 6 & 63));
        ret_bytes[2] = (uint8_t)(0x80 | (character & 63));
        return 3;
    }
    ret_bytes[0] = (uint8_t)(0xf0 | character >> 18);
    ret_bytes[1] = (uint8_t)(0x80 | (character >> 12 & 63));
    ret_bytes[2] = (uint8_t)(0x80 | (character >> 6 & 63));
    ret_bytes[3] = (uint8_t)(0x80 | (character & 63));
    return 4;
}

static bool valid(const char *text)
{
    return utf8_is_valid(slice_of_string(text));
}

static void test_every_code_point_but_surrogates_is_taken(void **state)
{
    (void)state;
    for (uint32_t character = 0; character < 0x200000; character++) {
        bool expected = character <= 0x10ffff && (character < 0xd800 || character > 0xdfff);
        bool control = character < 0x20 || (character >= 0x7f && character <= 0x9f);
        uint32_t decoded = 0;
        uint8_t bytes[4];
        size_t size = encode(character, bytes);

        if (utf8_is_valid(slice_of(bytes, size)) != expected ||
            utf8_is_string(slice_of(bytes, size)) != (expected && character != 0) ||
            utf8_is_printable(slice_of(bytes, size)) != (expected && !control) ||
            utf8_first(slice_of(bytes, size), &decoded) != (expected ? size : 0) ||
            (expected && decoded != character))
            fail_msg("U+%04X", character);
    }
}

/* Only what `encode` makes may be taken: that rules out overlong forms and stray bytes. */
static void test_no_other_bytes_are_taken(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < 1 << 24; number++) {
        uint8_t bytes[4] = {(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number, 0};
        uint8_t again[4];
        uint32_t character;
        size_t size = utf8_first(slice_of(bytes, 3), &character);

        if (size > 0 && (encode(character, again) != size || memcmp(again, bytes, size) != 0))
            fail_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
    }
    assert_false(valid("\xf0\x80\x80\x80")); /* overlong */
    assert_false(valid("\xf0\x8f\xbf\xbf"));
    assert_false(valid("\xf4\x90\x80\x80")); /* past U+10FFFF */
    assert_false(valid("\xf5\x80\x80\x80"));
    assert_false(valid("\xf8\x88\x80\x80\x80"));
}

static void test_a_character_cut_off_is_refused(void **state)
{
    (void)state;
    assert_true(valid("\xf0\x9f\x98\x80"));
    assert_false(valid("\xf0\x9f\x98"));
    assert_false(valid("a\xf0\x9f"));
    assert_false(valid("\xf0"));
    assert_false(valid("\xc3"));
    assert_false(valid("\xe2\x82 and more"));
}

static void test_a_bad_byte_is_found_wherever_it_stands(void **state)
{
    char text[64];

    (void)state;
    for (size_t at = 0; at + 1 < sizeof text; at++) {
        memset(text, 'a', sizeof text - 1);
        text[sizeof text - 1] = '\0';
        assert_true(valid(text));
        assert_true(utf8_is_printable(slice_of_string(text)));
        text[at] = '\x80';
        assert_false(valid(text));
        assert_false(utf8_is_printable(slice_of_string(text)));
        text[at] = '\n';
        assert_true(valid(text));
        assert_false(utf8_is_printable(slice_of_string(text)));
    }
}

static void test_every_byte_is_judged_alike_wherever_it_stands(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 20; at++) {
            char text[20];

            memset(text, '~', sizeof text);
            text[at] = (char)byte;
            assert_int_equal(utf8_is_valid(slice_of(text, sizeof text)), byte < 0x80);
            assert_int_equal(utf8_is_string(slice_of(text, sizeof text)), byte > 0 && byte < 0x80);
            assert_int_equal(utf8_is_printable(slice_of(text, sizeof text)),
                             byte >= 0x20 && byte < 0x7f);
        }
    }
}

static void test_an_empty_text_is_well_formed(void **state)
{
    uint32_t character;

    (void)state;
    assert_true(utf8_is_valid(SLICE_EMPTY));
    assert_true(utf8_is_printable(SLICE_EMPTY));
    assert_int_equal(utf8_first(SLICE_EMPTY, &character), 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_every_code_point_but_surrogates_is_taken),
        cmocka_unit_test(test_no_other_bytes_are_taken),
        cmocka_unit_test(test_a_character_cut_off_is_refused),
        cmocka_unit_test(test_a_bad_byte_is_found_wherever_it_stands),
        cmocka_unit_test(test_every_byte_is_judged_alike_wherever_it_stands),
        cmocka_unit_test(test_an_empty_text_is_well_formed),
    };

    return cmocka_run_group_tests_name("utf8", cases, NULL, NULL);
}
