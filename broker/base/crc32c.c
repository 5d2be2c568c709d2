/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.c -- the checksum in every stored record (Castagnoli's polynomial, as in iSCSI).
 *
 * x86-64 processors since 2008 have an instruction for it (SSE4.2); where there is none, eight
 * tables take eight bytes a step ("slicing by 8"). The tables are computed at first use: 8 KiB
 * that most processes never touch.
 */
#include <pthread.h>

#include "base/slice.h"

enum { SLICES = 8 };

static const uint32_t polynomial_reversed = 0x82f63b78;

static pthread_once_t table_once = PTHREAD_ONCE_INIT;
static uint32_t table[SLICES][256]; /* written once, by table_fill */

static void table_fill(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (polynomial_reversed & -(crc & 1));
        table[0][byte] = crc;
    }
    for (int slice = 1; slice < SLICES; slice++) {
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = table[slice - 1][byte];

            table[slice][byte] = crc >> 8 ^ table[0][crc & 0xff];
        }
    }
}

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;

    (void)pthread_once(&table_once, table_fill);
    crc = ~crc;
    for (; size >= SLICES; size -= SLICES, at += SLICES) {
        uint64_t word;
        uint32_t next = 0;

        memcpy(&word, at, sizeof word);
        word ^= crc;
        for (int slice = 0; slice < SLICES; slice++)
            next ^= table[SLICES - 1 - slice][word >> 8 * slice & 0xff];
        crc = next;
    }
    for (; size > 0; size--)
        crc = crc >> 8 ^ table[0][(crc ^ *at++) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

#define SSE42 __attribute__((target("sse4.2")))

SSE42 static inline uint64_t step(uint64_t state, const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return _mm_crc32_u64(state, word);
}

SSE42 static inline uint32_t end(uint32_t state, const uint8_t *at, size_t size)
{
    uint32_t half;
    uint16_t quarter;

    if (size & 4) {
        memcpy(&half, at, sizeof half);
        state = _mm_crc32_u32(state, half);
        at += sizeof half;
    }
    if (size & 2) {
        memcpy(&quarter, at, sizeof quarter);
        state = _mm_crc32_u16(state, quarter);
        at += sizeof quarter;
    }
    return size & 1 ? _mm_crc32_u8(state, *at) : state;
}

SSE42 static uint32_t crc32c_sse42(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t state = ~crc;

    for (; size >= 32; size -= 32, at += 32)
        state = step(step(step(step(state, at), at + 8), at + 16), at + 24);
    for (; size >= 8; size -= 8, at += 8)
        state = step(state, at);
    return ~end((uint32_t)state, at, size);
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_sse42(crc, data, size);
    return crc32c_portable(crc, data, size);
}
#else
uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    return crc32c_portable(crc, data, size);
}
#endif
