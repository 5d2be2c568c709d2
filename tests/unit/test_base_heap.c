/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_heap.c -- base/heap.h, the invariants H1..H3 of heap.c checked after every step of
 * random pushes, moves and removals.
 */
#include "base/heap.h"
#include "base/map.h"
#include "support/check.h"

enum { NODES = 500 };

static void check(const struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        assert_int_equal(heap->nodes[i]->index, i);                                  /* H2 */
        assert_true(i == 0 || heap->nodes[(i - 1) / 2]->key <= heap->nodes[i]->key); /* H1 */
    }
}

static void test_H1_nodes_leave_in_the_order_of_their_keys(void **state)
{
    struct heap_node nodes[NODES];
    struct heap heap;
    int64_t last = INT64_MIN;
    int left = 0;

    (void)state;
    heap_init(&heap);
    assert_null(heap_first(&heap));
    assert_true(heap_reserve(&heap, NODES));
    for (int i = 0; i < NODES; i++) {
        heap_node_init(&nodes[i]);
        heap_push(&heap, &nodes[i], (int64_t)(hash_u64((uint64_t)i) % 1000) - 500);
        check(&heap);
    }
    for (struct heap_node *first; (first = heap_first(&heap)) != NULL; left++) {
        assert_true(first->key >= last);
        last = first->key;
        heap_remove(&heap, first);
        check(&heap);
    }
    assert_int_equal(left, NODES);
    heap_deinit(&heap);
}

static void test_H2_nodes_are_moved_and_removed_from_anywhere(void **state)
{
    struct heap_node nodes[NODES];
    struct heap heap;
    size_t inside = 0;

    (void)state;
    heap_init(&heap);
    for (int i = 0; i < NODES; i++)
        heap_node_init(&nodes[i]);
    for (uint64_t step = 0; step < 20000; step++) {
        uint64_t draw = hash_u64(step);
        struct heap_node *node = &nodes[draw % NODES];
        int64_t key = (int64_t)(draw >> 40);

        if (node->index == HEAP_OUTSIDE) {
            assert_true(heap_reserve(&heap, 1));
            heap_push(&heap, node, key);
            inside++;
        } else if (draw >> 32 & 1) {
            heap_move(&heap, node, key);
            assert_int_equal(node->key, key);
        } else {
            heap_remove(&heap, node);
            assert_true(node->index == HEAP_OUTSIDE); /* H3 */
            inside--;
        }
        assert_int_equal(heap.count, inside);
        if (step % 16 == 0)
            check(&heap);
    }
    heap_deinit(&heap);
}

static void test_H3_removing_a_node_that_is_outside_does_nothing(void **state)
{
    struct heap_node node;
    struct heap heap;

    (void)state;
    heap_init(&heap);
    heap_node_init(&node);
    heap_remove(&heap, &node);
    assert_true(heap_reserve(&heap, 1));
    heap_push(&heap, &node, 1);
    heap_remove(&heap, &node);
    heap_remove(&heap, &node);
    assert_int_equal(heap.count, 0);
    heap_push(&heap, &node, 2);
    assert_ptr_equal(heap_first(&heap), &node);
    heap_deinit(&heap);
}

static void test_reserved_room_holds_as_many_pushes(void **state)
{
    struct heap_node nodes[NODES];
    struct heap heap;

    (void)state;
    heap_init(&heap);
    for (size_t i = 0; i < NODES; i++) {
        heap_node_init(&nodes[i]);
        assert_true(heap_reserve(&heap, 1 + i % 7));
        assert_true(heap.capacity - heap.count >= 1 + i % 7);
        heap_push(&heap, &nodes[i], (int64_t)i);
    }
    assert_false(heap_reserve(&heap, SIZE_MAX / 2));
    assert_int_equal(heap.count, NODES);
    heap_deinit(&heap);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_H1_nodes_leave_in_the_order_of_their_keys),
        cmocka_unit_test(test_H2_nodes_are_moved_and_removed_from_anywhere),
        cmocka_unit_test(test_H3_removing_a_node_that_is_outside_does_nothing),
        cmocka_unit_test(test_reserved_room_holds_as_many_pushes),
    };

    return cmocka_run_group_tests_name("heap", cases, NULL, NULL);
}
