/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_base_ledger.c -- base/ledger.h and base/bucket.h: what is kept of many names, and how much
 * of a thing each may have.
 */
#include <stdio.h>

#include "base/bucket.h"
#include "base/ledger.h"
#include "support/check.h"

#define IDLE_MAX 3

struct entry {
    struct ledger_entry entry;
    int kept;
};

static struct entry *take(struct ledger *ledger, const char *name)
{
    return (struct entry *)(void *)ledger_take(ledger, slice_of_string(name));
}

static struct entry *find(const struct ledger *ledger, const char *name)
{
    return (struct entry *)(void *)ledger_find(ledger, slice_of_string(name));
}

static void test_an_entry_is_kept_while_it_has_users_and_a_while_longer(void **state)
{
    struct ledger ledger;
    struct entry *a;

    (void)state;
    ledger_init(&ledger, sizeof(struct entry), IDLE_MAX);
    a = take(&ledger, "a");
    assert_int_equal(a->kept, 0);
    a->kept = 7;
    assert_ptr_equal(take(&ledger, "a"), a);
    assert_int_equal(a->entry.users, 2);
    ledger_give_back(&ledger, &a->entry);
    ledger_give_back(&ledger, &a->entry);
    assert_ptr_equal(take(&ledger, "a"), a);
    assert_int_equal(a->kept, 7);
    assert_null(find(&ledger, "b"));
    ledger_deinit(&ledger); /* a sanitizer would see what is left */
}

static void test_of_the_idle_ones_those_used_last_are_kept(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct ledger ledger;

    (void)state;
    ledger_init(&ledger, sizeof(struct entry), IDLE_MAX);
    for (int i = 0; i < 3; i++)
        ledger_give_back(&ledger, &take(&ledger, names[i])->entry);
    ledger_give_back(&ledger, &take(&ledger, "a")->entry); /* again */
    ledger_give_back(&ledger, &take(&ledger, "d")->entry);
    assert_non_null(find(&ledger, "a"));
    assert_null(find(&ledger, "b"));
    assert_int_equal(ledger.idle_count, IDLE_MAX);
    assert_int_equal(ledger.map.count, IDLE_MAX);
    ledger_deinit(&ledger);
}

static void test_names_that_anybody_makes_up_take_no_more_than_their_room(void **state)
{
    struct ledger ledger;
    struct entry *used;
    char name[32];

    (void)state;
    ledger_init(&ledger, sizeof(struct entry), IDLE_MAX);
    used = take(&ledger, "used");
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        ledger_give_back(&ledger, &take(&ledger, name)->entry);
    }
    assert_int_equal(ledger.map.count, IDLE_MAX + 1);
    assert_ptr_equal(find(&ledger, "used"), used);
    ledger_deinit(&ledger);
}

static void test_a_bucket_holds_a_seconds_worth_and_fills_at_its_rate(void **state)
{
    struct bucket bucket = {0};

    (void)state;
    bucket_fill(&bucket, 10, 5000);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(bucket_wait_ms(&bucket, 10, 1, 0), 0);
        bucket_take(&bucket, 10, 1);
    }
    assert_int_equal(bucket_wait_ms(&bucket, 10, 1, 0), 100);
    assert_int_equal(bucket_wait_ms(&bucket, 10, 1, 1000), 0); /* who may be in debt */
    bucket_fill(&bucket, 10, 5099);
    assert_int_equal(bucket_wait_ms(&bucket, 10, 1, 0), 1);
    bucket_fill(&bucket, 10, 5100);
    assert_int_equal(bucket_wait_ms(&bucket, 10, 1, 0), 0);
    bucket_fill(&bucket, 10, 999999);
    assert_int_equal(bucket.taken, 0);
    bucket_fill(&bucket, 10, 5); /* a clock that goes back fills nothing */
    assert_int_equal(bucket.taken, 0);
}

static void test_a_buckets_debt_is_paid_off_within_a_minute(void **state)
{
    struct bucket bucket = {0};

    (void)state;
    bucket_take(&bucket, 1000, INT64_MAX / 2);
    assert_int_equal(bucket_wait_ms(&bucket, 1000, 0, 0), BUCKET_DEBT_S * 1000);
    bucket_take(&bucket, 1000, 1);
    assert_int_equal(bucket_wait_ms(&bucket, 1000, 0, 0), BUCKET_DEBT_S * 1000);
    bucket_fill(&bucket, 1000, BUCKET_DEBT_S * 1000);
    assert_int_equal(bucket_wait_ms(&bucket, 1000, 0, 0), 0);
    assert_int_equal(bucket_wait_ms(&bucket, 1000, 1, 0), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_entry_is_kept_while_it_has_users_and_a_while_longer),
        cmocka_unit_test(test_of_the_idle_ones_those_used_last_are_kept),
        cmocka_unit_test(test_names_that_anybody_makes_up_take_no_more_than_their_room),
        cmocka_unit_test(test_a_bucket_holds_a_seconds_worth_and_fills_at_its_rate),
        cmocka_unit_test(test_a_buckets_debt_is_paid_off_within_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
