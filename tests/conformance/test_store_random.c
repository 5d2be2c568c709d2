/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_random.c -- random transactions on each engine, beside a model too plain to be wrong:
 * an array with a mark for every key, and a copy of it as of the last commit (S1..S5).
 *
 * A run is repeated by its seed: ACKD_TEST_SEED=n.
 */
#include <stdlib.h>

#include "store_fixture.h"

enum { MODEL_KEYS = 250, MODEL_TABLES = 3, MODEL_ABSENT = 0 };

static const enum store_table model_tables[MODEL_TABLES] = {STORE_TASK, STORE_ACTIVE, STORE_ID};

struct model_key {
    uint8_t bytes[STORE_KEY_MAX];
    size_t size;
};

/* What each key's value should be: a mark from which size and bytes follow, or MODEL_ABSENT. */
struct model {
    uint32_t marks[MODEL_TABLES][MODEL_KEYS];
};

struct world {
    struct fixture *fixture;
    struct dice dice;
    struct model_key keys[MODEL_KEYS]; /* sorted */
    struct model now;                  /* with the open transaction's writes */
    struct model committed;
    uint32_t mark_last;
    struct store_txn *txn;
};

static struct slice key_slice(const struct model_key *key)
{
    return slice_of(key->bytes, key->size);
}

static int compare_keys(const void *a, const void *b)
{
    return slice_compare(key_slice(a), key_slice(b));
}

/* Few letters and many lengths, so that keys are often prefixes of others. */
static void draw_letters(struct world *world, struct model_key *key)
{
    key->size = 1 + dice_below(&world->dice, dice_below(&world->dice, 10) == 0 ? 300 : 8);
    for (size_t at = 0; at < key->size; at++)
        key->bytes[at] = (uint8_t)(dice_below(&world->dice, 3) * 127);
}

/* Of one of three queues, as tasks have them. */
static void draw_place(struct world *world, struct model_key *key)
{
    key->size = 9;
    memset(key->bytes, (int)dice_below(&world->dice, 3) * 127, 5);
    be32_put(key->bytes + 5, (uint32_t)dice_below(&world->dice, 1000));
}

static void make_keys(struct world *world)
{
    for (int i = 0; i < MODEL_KEYS;) {
        struct model_key *key = &world->keys[i];
        bool fresh = true;

        if (dice_below(&world->dice, 3) == 0)
            draw_letters(world, key);
        else
            draw_place(world, key);
        for (int j = 0; j < i; j++)
            fresh = fresh && compare_keys(key, &world->keys[j]) != 0;
        i += fresh;
    }
    qsort(world->keys, MODEL_KEYS, sizeof world->keys[0], compare_keys);
}

static size_t value_size(uint32_t mark)
{
    return mark % 11 == 0 ? mark % 9000 : mark % 400;
}

static void check_value(struct slice value, uint32_t mark)
{
    assert_int_equal(value.size, value_size(mark));
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] != (uint8_t)(mark + i))
            fail_msg("byte %zu of value %u differs", i, mark);
    }
}

static void draw_put(struct world *world, int table, int key)
{
    uint32_t mark = ++world->mark_last;
    uint8_t bytes[9000];

    for (size_t i = 0; i < value_size(mark); i++)
        bytes[i] = (uint8_t)(mark + i);
    assert_int_equal(store_put(world->txn, model_tables[table], key_slice(&world->keys[key]),
                               slice_of(bytes, value_size(mark))),
                     STATUS_OK);
    world->now.marks[table][key] = mark;
}

static void draw_remove(struct world *world, int table, int key)
{
    uint32_t *mark = &world->now.marks[table][key];

    assert_int_equal(store_remove(world->txn, model_tables[table], key_slice(&world->keys[key])),
                     *mark == MODEL_ABSENT ? STATUS_NOT_FOUND : STATUS_OK);
    *mark = MODEL_ABSENT;
}

static void draw_get(struct world *world, int table, int key)
{
    uint32_t mark = world->now.marks[table][key];
    struct slice value;
    enum status status =
        store_get(world->txn, model_tables[table], key_slice(&world->keys[key]), &value);

    assert_int_equal(status, mark == MODEL_ABSENT ? STATUS_NOT_FOUND : STATUS_OK);
    if (mark != MODEL_ABSENT)
        check_value(value, mark);
}

/* Scans [from, to) by key numbers; MODEL_KEYS stands for the table's end. */
static void check_scan(struct world *world, int table, int from, int to)
{
    static struct store_row rows[MODEL_KEYS];
    size_t rows_max = 1 + dice_below(&world->dice, MODEL_KEYS);
    struct slice end = to == MODEL_KEYS ? SLICE_EMPTY : key_slice(&world->keys[to]);
    size_t count;
    size_t seen = 0;

    assert_int_equal(store_scan(world->txn, model_tables[table], key_slice(&world->keys[from]), end,
                                rows, rows_max, &count),
                     STATUS_OK);
    for (int key = from; key < to && seen < rows_max; key++) {
        uint32_t mark = world->now.marks[table][key];

        if (mark == MODEL_ABSENT)
            continue;
        assert_true(seen < count);
        assert_true(slice_equal(rows[seen].key, key_slice(&world->keys[key])));
        check_value(rows[seen].value, mark);
        seen++;
    }
    assert_int_equal(seen, count);
}

/* Often one of the last keys: the ends of tables are where engines take short cuts. */
static int draw_key(struct world *world)
{
    if (dice_below(&world->dice, 3) == 0)
        return MODEL_KEYS - 1 - (int)dice_below(&world->dice, 5);
    return (int)dice_below(&world->dice, MODEL_KEYS);
}

static void draw_operation(struct world *world)
{
    int table = (int)dice_below(&world->dice, MODEL_TABLES);
    int key = draw_key(world);
    uint64_t kind = dice_below(&world->dice, 100);

    if (kind < 45)
        draw_put(world, table, key);
    else if (kind < 80)
        draw_remove(world, table, key);
    else if (kind < 90)
        draw_get(world, table, key);
    else
        check_scan(world, table, key,
                   key + 1 + (int)dice_below(&world->dice, (uint64_t)(MODEL_KEYS - key)));
}

/* Restarts and checkpoints come behind commits as well as behind aborts. */
static void draw_end(struct world *world)
{
    if (dice_below(&world->dice, 100) < 85) {
        must_commit(world->txn);
        world->committed = world->now;
    } else {
        store_abort(world->txn);
        world->now = world->committed;
    }
    if (dice_below(&world->dice, 100) < 10)
        world->fixture->engine->restart(world->fixture);
    else if (dice_below(&world->dice, 100) < 10)
        assert_int_equal(store_checkpoint(world->fixture->store), STATUS_OK);
}

static void check_all(struct world *world)
{
    world->txn = must_begin(world->fixture->store);
    for (int table = 0; table < MODEL_TABLES; table++) {
        for (int key = 0; key < MODEL_KEYS; key++)
            draw_get(world, table, key);
        check_scan(world, table, 0, MODEL_KEYS);
    }
    store_abort(world->txn);
}

static void test_S3_random_operations_match_a_plain_model(void **state)
{
    const char *seed = getenv("ACKD_TEST_SEED");
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    world->fixture = *state;
    world->dice.state = seed == NULL ? 20260101 : strtoull(seed, NULL, 10);
    print_message("ACKD_TEST_SEED=%llu\n", (unsigned long long)world->dice.state);
    make_keys(world);
    for (int txn = 0; txn < 300; txn++) {
        uint64_t operations = 1 + dice_below(&world->dice, 80);

        world->txn = must_begin(world->fixture->store);
        for (uint64_t i = 0; i < operations; i++)
            draw_operation(world);
        draw_end(world);
        if (txn % 10 == 0)
            check_all(world);
    }
    free(world);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        FIXTURE_CASE(test_S3_random_operations_match_a_plain_model, &engine_mem),
        FIXTURE_CASE(test_S3_random_operations_match_a_plain_model, &engine_lmdb),
    };

    return cmocka_run_group_tests_name("random", cases, NULL, NULL);
}
