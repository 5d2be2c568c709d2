/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_memory.c -- how much jansson may take for one text.
 *
 * jansson reads a text into a tree before anybody can look at it, and a tree is larger than its
 * text: 32 MiB of `[],` would take more than a gigabyte. jansson has one pair of allocation
 * functions a process, so the bound is kept a thread: a decoder opens a budget, reads, frees the
 * tree and closes the budget, all on one thread. Outside a budget nothing is refused.
 */
#include "codec/json_memory.h"

#include <jansson.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "codec/codec.h"

static _Thread_local size_t bytes_taken;
static _Thread_local size_t bytes_bound = SIZE_MAX;
static _Thread_local bool exhausted;

static void *take(size_t size)
{
    bool fits = size <= bytes_bound && bytes_taken <= bytes_bound - size;
    void *memory = fits ? malloc(size) : NULL;

    exhausted |= memory == NULL;
    bytes_taken += malloc_usable_size(memory);
    return memory;
}

static void give_back(void *memory)
{
    size_t size = malloc_usable_size(memory);

    bytes_taken -= size < bytes_taken ? size : bytes_taken;
    free(memory);
}

void codec_bound_json_memory(void)
{
    json_set_alloc_funcs(take, give_back);
    json_object_seed(0); /* else the first threads to read JSON would race for it */
}

void json_memory_begin(size_t bytes_max)
{
    bytes_taken = 0;
    exhausted = false;
    bytes_bound = bytes_max;
}

void json_memory_end(void)
{
    bytes_bound = SIZE_MAX;
}

bool json_memory_exhausted(void)
{
    return exhausted;
}
