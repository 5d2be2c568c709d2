/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_mem.c -- the faults that the mem store plays on order (store/mem.h).
 */
#include "store/mem.h"
#include "store_fixture.h"

static void test_S6_the_kth_write_is_refused_and_only_that(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn = must_begin(self->store);

    store_mem_fault(self->store, STORE_MEM_FAULT_WRITE_FULL, 3);
    txn_put(txn, STORE_TASK, "a", "1");
    txn_put(txn, STORE_TASK, "b", "2");
    assert_int_equal(store_remove(txn, STORE_TASK, slice_of_string("a")), STATUS_STORE_FULL);
    store_abort(txn);
    assert_null(value_of(self->store, STORE_TASK, "a"));
    must_put(self->store, STORE_TASK, "a", "again");
    assert_string_equal(value_of(self->store, STORE_TASK, "a"), "again");
}

static void test_S2_a_commit_refused_as_full_stores_nothing_and_the_store_goes_on(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn;

    store_mem_fault(self->store, STORE_MEM_FAULT_COMMIT_FULL, 2);
    must_put(self->store, STORE_TASK, "a", "1");
    txn = must_begin(self->store);
    txn_put(txn, STORE_TASK, "a", "2");
    assert_int_equal(store_commit(txn), STATUS_STORE_FULL);
    assert_string_equal(value_of(self->store, STORE_TASK, "a"), "1");
    must_put(self->store, STORE_TASK, "a", "3");
}

static void check_failed_commit(struct fixture *self, enum store_mem_fault fault,
                                const char *value_after)
{
    struct store_txn *txn;

    must_put(self->store, STORE_TASK, "a", "before");
    store_mem_fault(self->store, fault, 1);
    txn = must_begin(self->store);
    txn_put(txn, STORE_TASK, "a", "after");
    assert_int_equal(store_commit(txn), STATUS_INTERNAL);
    assert_int_equal(store_begin_write(self->store, &txn), STATUS_INTERNAL);
    assert_int_equal(store_begin_read(self->store, &txn), STATUS_INTERNAL);
    store_mem_crash(self->store);
    assert_string_equal(value_of(self->store, STORE_TASK, "a"), value_after);
    must_put(self->store, STORE_TASK, "a", "goes on");
}

static void test_S7_a_lost_commit_ends_the_store_and_stored_nothing(void **state)
{
    check_failed_commit(*state, STORE_MEM_FAULT_COMMIT_LOST, "before");
}

static void test_S7_an_unknown_commit_ends_the_store_and_stored_all(void **state)
{
    check_failed_commit(*state, STORE_MEM_FAULT_COMMIT_UNKNOWN, "after");
}

static void test_a_crash_drops_the_open_transaction_and_the_armed_fault(void **state)
{
    struct fixture *self = *state;
    struct store_txn *txn;

    must_put(self->store, STORE_TASK, "a", "1");
    store_mem_fault(self->store, STORE_MEM_FAULT_COMMIT_LOST, 1);
    txn = must_begin(self->store);
    txn_put(txn, STORE_TASK, "a", "2");
    store_mem_crash(self->store);
    assert_string_equal(value_of(self->store, STORE_TASK, "a"), "1");
    must_put(self->store, STORE_TASK, "a", "3");
}

static void test_a_backup_is_refused_for_there_is_no_file(void **state)
{
    struct fixture *self = *state;
    struct store_copy copy = {.directory = self->path};

    assert_int_equal(store_backup(self->store, &copy), STATUS_UNIMPLEMENTED);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        FIXTURE_CASE(test_S6_the_kth_write_is_refused_and_only_that, &engine_mem),
        FIXTURE_CASE(test_S2_a_commit_refused_as_full_stores_nothing_and_the_store_goes_on,
                     &engine_mem),
        FIXTURE_CASE(test_S7_a_lost_commit_ends_the_store_and_stored_nothing, &engine_mem),
        FIXTURE_CASE(test_S7_an_unknown_commit_ends_the_store_and_stored_all, &engine_mem),
        FIXTURE_CASE(test_a_crash_drops_the_open_transaction_and_the_armed_fault, &engine_mem),
        FIXTURE_CASE(test_a_backup_is_refused_for_there_is_no_file, &engine_mem),
    };

    return cmocka_run_group_tests_name("mem", cases, NULL, NULL);
}
