/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_queue_config.c -- every row of the table: its default passes, its bounds pass, and one
 * beyond is refused by name with limit and value.
 */
#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "core/queue_config.h"
#include "support/check.h"

static void test_the_defaults_pass_and_are_those_of_the_table(void **state)
{
    struct queue_config config = queue_config_default();
    struct error error = ERROR_NONE;

    (void)state;
    assert_int_equal(queue_config_check(&config, &error), STATUS_OK);
#define X(name, min, max, fallback) assert_int_equal(config.name, fallback);
    QUEUE_CONFIG_TABLE(X)
#undef X
}

static void check_value(const char *field, size_t offset, int64_t value, int64_t limit)
{
    struct queue_config config = queue_config_default();
    struct error error = ERROR_NONE;
    char path[64];

    memcpy((char *)&config + offset, &value, sizeof value);
    if (limit == value) {
        config.backoff_min_ms = 0; /* min <= max, whichever of the two is looked at */
        config.backoff_max_ms = 86400000;
        memcpy((char *)&config + offset, &value, sizeof value);
        if (strcmp(field, "backoff_max_ms") == 0)
            config.backoff_min_ms = 0;
        assert_int_equal(queue_config_check(&config, &error), STATUS_OK);
        return;
    }
    snprintf(path, sizeof path, "config.%s", field);
    assert_int_equal(queue_config_check(&config, &error), STATUS_INVALID);
    assert_int_equal(error.status, STATUS_INVALID);
    assert_string_equal(error.field, path);
    assert_int_equal(error.value, value);
    assert_int_equal(error.limit, limit);
    assert_non_null(strstr(error.message, field));
}

static void test_every_field_keeps_its_bounds(void **state)
{
    (void)state;
#define X(name, min, max, fallback)                                                                \
    check_value(#name, offsetof(struct queue_config, name), min, min);                             \
    check_value(#name, offsetof(struct queue_config, name), max, max);                             \
    check_value(#name, offsetof(struct queue_config, name), (int64_t)(min)-1, min);                \
    check_value(#name, offsetof(struct queue_config, name), (int64_t)(max) + 1, max);              \
    check_value(#name, offsetof(struct queue_config, name), INT64_MIN, min);                       \
    check_value(#name, offsetof(struct queue_config, name), INT64_MAX, max);
    QUEUE_CONFIG_TABLE(X)
#undef X
}

static void test_a_backoff_that_would_shrink_is_refused(void **state)
{
    struct queue_config config = queue_config_default();
    struct error error = ERROR_NONE;

    (void)state;
    config.backoff_min_ms = 5001;
    config.backoff_max_ms = 5000;
    assert_int_equal(queue_config_check(&config, &error), STATUS_INVALID);
    assert_string_equal(error.field, "config.backoff_min_ms");
    config.backoff_min_ms = 5000;
    assert_int_equal(queue_config_check(&config, &error), STATUS_OK);
}

static void test_configs_are_equal_if_every_field_is(void **state)
{
    struct queue_config a = queue_config_default();
    struct queue_config b = queue_config_default();

    (void)state;
    assert_true(queue_config_equal(&a, &b));
#define X(name, min, max, fallback)                                                                \
    b.name++;                                                                                      \
    assert_false(queue_config_equal(&a, &b));                                                      \
    b.name--;
    QUEUE_CONFIG_TABLE(X)
#undef X
    assert_true(queue_config_equal(&a, &b));
}

static void test_the_limits_defaults_lie_within_their_ranges(void **state)
{
    struct limits limits = limits_default();

    (void)state;
#define X(name, flag, unit, min, max, fallback, text)                                              \
    assert_int_equal(limits.name, fallback);                                                       \
    assert_true((min) <= (fallback) && (fallback) <= (max));
    LIMITS_TABLE(X)
#undef X
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_defaults_pass_and_are_those_of_the_table),
        cmocka_unit_test(test_every_field_keeps_its_bounds),
        cmocka_unit_test(test_a_backoff_that_would_shrink_is_refused),
        cmocka_unit_test(test_configs_are_equal_if_every_field_is),
        cmocka_unit_test(test_the_limits_defaults_lie_within_their_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
