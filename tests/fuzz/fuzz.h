/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h -- what every fuzz target stands on.
 *
 * A target is one file with LLVMFuzzerTestOneInput. Built with libFuzzer (`./dev fuzz`) it is fed
 * what libFuzzer thinks of; built without (`./dev test`) it is fed the files of corpus/<target> by
 * replay.c. Either way a run depends on the bytes alone, so that a file found is a test for good.
 */
#ifndef ACKD_TESTS_FUZZ_H
#define ACKD_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the bytes are; else the process ends, which is what counts as found. */
#define CHECK(condition)                                                                           \
    ((condition) ? (void)0 : fuzz_failed(#condition, __FILE__, __LINE__, __func__))

_Noreturn static inline void fuzz_failed(const char *condition, const char *file, int line,
                                         const char *function)
{
    (void)fprintf(stderr, "found at %s:%d in %s: %s does not hold\n", file, line, function,
                  condition);
    abort();
}

/* Takes the first byte off the input; 0 at its end. */
static inline uint8_t take_u8(struct slice *input)
{
    uint8_t byte = input->size == 0 ? 0 : input->data[0];

    if (input->size > 0)
        *input = slice_of(input->data + 1, input->size - 1);
    return byte;
}

/* Takes up to `size` bytes off the input. */
static inline struct slice take_bytes(struct slice *input, size_t size)
{
    struct slice bytes = slice_of(input->data, size < input->size ? size : input->size);

    *input = slice_of(input->data + bytes.size, input->size - bytes.size);
    return bytes;
}

/* A copy in memory of exactly its size, so that a sanitizer sees a step beyond; to be freed. */
static inline uint8_t *exact_copy(struct slice bytes)
{
    uint8_t *copy = malloc(bytes.size == 0 ? 1 : bytes.size);

    if (copy == NULL)
        abort();
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

#endif
