/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_list.c -- base/list.h.
 */
#include "base/list.h"
#include "support/check.h"

struct item {
    int number;
    struct list link;
};

static struct item *item_of(struct list *link)
{
    return CONTAINER_OF(link, struct item, link);
}

static void fill(struct list *head, struct item *items, int count)
{
    list_init(head);
    for (int i = 0; i < count; i++) {
        items[i].number = i;
        list_append(head, &items[i].link);
    }
}

/* The numbers in order as one decimal, forwards; checks the way back too. */
static int numbers(struct list *head)
{
    int forwards = 0;
    int backwards = 0;
    int unit = 1;

    LIST_EACH (link, head)
        forwards = forwards * 10 + item_of(link)->number;
    for (struct list *link = head->prev; link != head; link = link->prev) {
        backwards += item_of(link)->number * unit;
        unit *= 10;
    }
    assert_int_equal(forwards, backwards);
    return forwards;
}

static void test_links_stay_in_the_order_they_were_appended(void **state)
{
    struct item items[5];
    struct list head;

    (void)state;
    fill(&head, items, 5);
    assert_int_equal(numbers(&head), 1234);
    assert_false(list_is_empty(&head));
}

static void test_a_link_may_be_removed_twice_and_from_anywhere(void **state)
{
    struct item items[5];
    struct list head;

    (void)state;
    fill(&head, items, 5);
    list_remove(&items[2].link);
    list_remove(&items[2].link);
    assert_int_equal(numbers(&head), 134);
    list_remove(&items[4].link);
    list_remove(&items[0].link);
    assert_int_equal(numbers(&head), 13);
    list_append(&head, &items[2].link);
    assert_int_equal(numbers(&head), 132);
}

static void test_taking_the_first_empties_the_list(void **state)
{
    struct item items[3];
    struct list head;

    (void)state;
    fill(&head, items, 3);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(list_take_first(&head), &items[i].link);
    assert_null(list_take_first(&head));
    assert_true(list_is_empty(&head));
}

static void test_appending_all_of_another_list_leaves_that_empty(void **state)
{
    struct item items[6];
    struct list head;
    struct list other;

    (void)state;
    fill(&head, items, 3);
    list_init(&other);
    list_append_all(&head, &other);
    assert_int_equal(numbers(&head), 12);
    fill(&other, items + 3, 3);
    list_append_all(&head, &other);
    assert_true(list_is_empty(&other));
    assert_int_equal(numbers(&head), 12012);
    list_append_all(&other, &head);
    assert_int_equal(numbers(&other), 12012);
    assert_true(list_is_empty(&head));
}

static void test_a_safe_walk_may_remove_what_it_stands_on(void **state)
{
    struct item items[6];
    struct list head;

    (void)state;
    fill(&head, items, 6);
    LIST_EACH_SAFE (link, &head) {
        if (item_of(link)->number % 2 == 0)
            list_remove(link);
    }
    assert_int_equal(numbers(&head), 135);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(test_links_stay_in_the_order_they_were_appended),
        cmocka_unit_test(test_a_link_may_be_removed_twice_and_from_anywhere),
        cmocka_unit_test(test_taking_the_first_empties_the_list),
        cmocka_unit_test(test_appending_all_of_another_list_leaves_that_empty),
        cmocka_unit_test(test_a_safe_walk_may_remove_what_it_stands_on),
    };

    return cmocka_run_group_tests_name("list", cases, NULL, NULL);
}
