/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_map.c -- base/map.h: the chained map, and how well its hash spreads.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "support/check.h"

enum { OBJECTS = 3000 };

struct object {
    uint64_t key;
    struct map_node node;
    int seen;
};

static struct object *object_of(struct map_node *node)
{
    return CONTAINER_OF(node, struct object, node);
}

static struct object *find(const struct map *map, uint64_t key, uint64_t hash)
{
    struct map_node *node = map_first_of(map, hash);

    while (node != NULL && object_of(node)->key != key)
        node = map_next_of(node);
    return node == NULL ? NULL : object_of(node);
}

static void test_what_was_inserted_is_found_until_it_is_removed(void **state)
{
    struct object *objects = calloc(OBJECTS, sizeof *objects);
    struct map map;

    (void)state;
    assert_non_null(objects);
    map_init(&map);
    assert_null(map_first_of(&map, 1));
    for (uint64_t i = 0; i < OBJECTS; i++) {
        objects[i].key = i;
        assert_true(map_reserve(&map, 1));
        map_insert(&map, &objects[i].node, hash_u64(i));
    }
    assert_int_equal(map.count, OBJECTS);
    for (uint64_t i = 0; i < OBJECTS; i += 3)
        map_remove(&map, &objects[i].node);
    for (uint64_t i = 0; i < OBJECTS; i++)
        assert_ptr_equal(find(&map, i, hash_u64(i)), i % 3 == 0 ? NULL : &objects[i]);
    assert_null(find(&map, OBJECTS, hash_u64(OBJECTS)));
    map_deinit(&map);
    free(objects);
}

static void test_nodes_of_one_hash_are_all_found(void **state)
{
    struct object objects[100];
    struct map map;

    (void)state;
    map_init(&map);
    assert_true(map_reserve(&map, 100));
    for (uint64_t i = 0; i < 100; i++) {
        objects[i].key = i;
        map_insert(&map, &objects[i].node, i % 2 == 0 ? 7 : 7 + (UINT64_C(1) << 40));
    }
    map_remove(&map, &objects[50].node);
    for (uint64_t i = 0; i < 100; i += 2)
        assert_ptr_equal(find(&map, i, 7), i == 50 ? NULL : &objects[i]);
    assert_null(find(&map, 1, 7)); /* the same chain, another hash */
    map_deinit(&map);
}

static void test_a_walk_meets_every_node_once(void **state)
{
    static struct object objects[OBJECTS];
    struct map map;
    size_t count = 0;

    (void)state;
    map_init(&map);
    assert_null(map_next(&map, NULL));
    assert_true(map_reserve(&map, OBJECTS));
    for (uint64_t i = 0; i < OBJECTS; i++)
        map_insert(&map, &objects[i].node, hash_u64(i));
    for (struct map_node *node = map_next(&map, NULL); node != NULL; node = map_next(&map, node)) {
        assert_int_equal(object_of(node)->seen++, 0);
        count++;
    }
    assert_int_equal(count, OBJECTS);
    map_deinit(&map);
}

static void test_reserving_too_much_is_refused_and_harms_nothing(void **state)
{
    struct object object = {.key = 1};
    struct map map;

    (void)state;
    map_init(&map);
    assert_true(map_reserve(&map, 1));
    map_insert(&map, &object.node, 1);
    assert_false(map_reserve(&map, SIZE_MAX / 2));
    assert_ptr_equal(find(&map, 1, 1), &object);
    map_deinit(&map);
}

static uint64_t hash_number(uint64_t number, size_t size)
{
    uint8_t bytes[64] = {0};

    memcpy(bytes, &number, sizeof number);
    return hash_bytes(slice_of(bytes, size));
}

/* Of each input bit that flips, about half of the output bits must flip. */
static void test_every_input_bit_reaches_every_output_bit(void **state)
{
    static int flips[64][64];

    (void)state;
    for (uint64_t round = 0; round < 2000; round++) {
        uint64_t number = hash_u64(round);

        for (int in = 0; in < 64; in++) {
            uint64_t changed = hash_number(number, 8) ^ hash_number(number ^ UINT64_C(1) << in, 8);

            for (int out = 0; out < 64; out++)
                flips[in][out] += (int)(changed >> out & 1);
        }
    }
    for (int in = 0; in < 64; in++) {
        for (int out = 0; out < 64; out++)
            assert_in_range(flips[in][out], 800, 1200);
    }
}

static void test_like_keys_spread_over_the_chains(void **state)
{
    static int loads[4096];
    int most = 0;

    (void)state;
    for (int i = 0; i < 4096; i++) {
        char text[32];
        int size = snprintf(text, sizeof text, "page-%06d.png", i);

        loads[hash_bytes(slice_of(text, (size_t)size)) & 4095]++;
    }
    for (int i = 0; i < 4096; i++)
        most = loads[i] > most ? loads[i] : most;
    assert_in_range(most, 2, 9);
}

static void test_the_length_counts_and_the_seed_counts(void **state)
{
    uint64_t before = hash_bytes(slice_of_string("key"));

    (void)state;
    for (size_t size = 1; size < 60; size++)
        assert_true(hash_number(0, size) != hash_number(0, size - 1));
    assert_int_equal(hash_bytes(slice_of_string("key")), before);
    hash_seed(1);
    assert_true(hash_bytes(slice_of_string("key")) != before);
    assert_true(hash_bytes(SLICE_EMPTY) == hash_bytes(slice_of("", 0)));
    hash_seed(0);
    assert_int_equal(hash_bytes(slice_of_string("key")), before);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_what_was_inserted_is_found_until_it_is_removed),
        cmocka_unit_test(test_nodes_of_one_hash_are_all_found),
        cmocka_unit_test(test_a_walk_meets_every_node_once),
        cmocka_unit_test(test_reserving_too_much_is_refused_and_harms_nothing),
        cmocka_unit_test(test_every_input_bit_reaches_every_output_bit),
        cmocka_unit_test(test_like_keys_spread_over_the_chains),
        cmocka_unit_test(test_the_length_counts_and_the_seed_counts),
    };

    return cmocka_run_group_tests_name("map", cases, NULL, NULL);
}
