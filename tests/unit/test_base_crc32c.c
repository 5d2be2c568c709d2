/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_crc32c.c -- the vectors of RFC 3720 (iSCSI) appendix B.4, for the processor's
 * instruction and for the tables.
 */
#include "base/slice.h"
#include "support/check.h"

typedef uint32_t crc_function(uint32_t crc, const void *data, size_t size);

static crc_function *const functions[] = {crc32c, crc32c_portable};

static void test_known_vectors(void **state)
{
    uint8_t data[32];

    (void)state;
    for (int i = 0; i < 2; i++) {
        crc_function *crc = functions[i];

        assert_int_equal(crc(0, "", 0), 0);
        assert_int_equal(crc(0, "a", 1), 0xc1d04330);
        assert_int_equal(crc(0, "123456789", 9), 0xe3069283);
        memset(data, 0, sizeof data);
        assert_int_equal(crc(0, data, 32), 0x8a9136aa);
        memset(data, 0xff, sizeof data);
        assert_int_equal(crc(0, data, 32), 0x62a8ab43);
        for (uint8_t byte = 0; byte < 32; byte++)
            data[byte] = byte;
        assert_int_equal(crc(0, data, 32), 0x46dd794e);
        for (uint8_t byte = 0; byte < 32; byte++)
            data[byte] = 31 - byte;
        assert_int_equal(crc(0, data, 32), 0x113fdb5c);
    }
}

static void test_it_may_be_continued_anywhere_and_both_ways_agree(void **state)
{
    uint8_t data[300];
    uint32_t whole;

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i >> 3);
    whole = crc32c_portable(0, data, sizeof data);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        for (int i = 0; i < 4; i++) {
            uint32_t head = functions[i & 1](0, data, cut);

            assert_int_equal(functions[i >> 1](head, data + cut, sizeof data - cut), whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_known_vectors),
        cmocka_unit_test(test_it_may_be_continued_anywhere_and_both_ways_agree),
    };

    return cmocka_run_group_tests_name("crc32c", cases, NULL, NULL);
}
