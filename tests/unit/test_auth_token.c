/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_auth_token.c -- secrets as texts, and the book that finds whose they are.
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka.h wants those before it. */
#include <cmocka.h>

#include "auth/token_book.h"

static const struct grant reading = {.rights = RIGHT_READ, .pattern = "a"};

static struct slice view(const char *text)
{
    return slice_of_string(text);
}

static void test_a_secret_has_the_form_that_is_read(void **state)
{
    char text[SECRET_TEXT_BYTES + 1];
    struct secret_key key;
    struct secret_key read;

    (void)state;
    assert_true(secret_make_key(&key) && secret_make(&key, text));
    assert_int_equal(strlen(text), SECRET_TEXT_BYTES);
    assert_true(secret_read(view(text), &read));
    assert_string_equal(read.text, key.text);
    for (size_t size = 0; size < SECRET_TEXT_BYTES; size++)
        assert_false(secret_read(slice_of(text, size), &read));
    for (size_t i = 0; i < SECRET_TEXT_BYTES; i++) {
        char other[SECRET_TEXT_BYTES + 1];

        memcpy(other, text, sizeof other);
        other[i] = ' ';
        assert_false(secret_read(view(other), &read));
    }
}

static void test_two_secrets_are_never_the_same(void **state)
{
    char a[SECRET_TEXT_BYTES + 1];
    char b[SECRET_TEXT_BYTES + 1];
    struct secret_key key;

    (void)state;
    assert_true(secret_make_key(&key) && secret_make(&key, a) && secret_make(&key, b));
    assert_string_not_equal(a, b);
}

static void test_the_hash_is_sha256(void **state)
{
    static const uint8_t of_abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    struct secret_hash hash = secret_hash(view("abc"));

    (void)state;
    assert_memory_equal(hash.bytes, of_abc, sizeof of_abc);
}

/* A book in a file of its own. */
struct shelf {
    char path[64];
    struct token_book book;
};

static void open_book(struct shelf *self, bool found_expected)
{
    struct error error = ERROR_NONE;
    bool found;

    assert_int_equal(token_book_open(&self->book, self->path, &found, &error), STATUS_OK);
    assert_int_equal(found, found_expected);
}

static int set_up(void **state)
{
    struct shelf *self = calloc(1, sizeof *self);
    char directory[] = "/tmp/ackd-token-XXXXXX";

    assert_non_null(mkdtemp(directory));
    snprintf(self->path, sizeof self->path, "%s/tokens.json", directory);
    open_book(self, false);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct shelf *self = *state;

    token_book_close(&self->book);
    (void)unlink(self->path);
    *strrchr(self->path, '/') = '\0';
    (void)rmdir(self->path);
    free(self);
    return 0;
}

static void create(struct shelf *self, int64_t expires_ms, char text[SECRET_TEXT_BYTES + 1])
{
    struct error error = ERROR_NONE;
    struct token *copy;

    assert_int_equal(
        token_book_create(&self->book, "test", &reading, 1, expires_ms, 100, text, &copy, &error),
        STATUS_OK);
    token_free(copy);
}

static bool is_known(struct shelf *self, const char *text, int64_t now_ms)
{
    struct principal *principal = token_book_find(&self->book, view(text), now_ms);
    bool known = principal != NULL;

    if (known)
        assert_string_equal(principal->name, "token:test");
    principal_release(principal);
    return known;
}

static void test_a_token_is_known_until_it_expires(void **state)
{
    char text[SECRET_TEXT_BYTES + 1];

    create(*state, 1000, text);
    assert_true(is_known(*state, text, 999));
    assert_false(is_known(*state, text, 1000));
    create(*state, TIME_NEVER, text);
    assert_true(is_known(*state, text, INT64_MAX));
}

static void test_the_keyid_alone_opens_nothing(void **state)
{
    char a[SECRET_TEXT_BYTES + 1];
    char b[SECRET_TEXT_BYTES + 1];

    create(*state, TIME_NEVER, a);
    create(*state, TIME_NEVER, b);
    memcpy(a + 5, b + 5, SECRET_KEY_BYTES); /* b's keyid, a's secret */
    assert_false(is_known(*state, a, 100));
    assert_true(is_known(*state, b, 100));
}

static void test_rotation_keeps_the_old_secret_for_its_while(void **state)
{
    struct shelf *self = *state;
    char old[SECRET_TEXT_BYTES + 1];
    char new[SECRET_TEXT_BYTES + 1];
    struct error error = ERROR_NONE;
    struct token *copy;

    create(self, TIME_NEVER, old);
    assert_int_equal(token_book_rotate(&self->book, slice_of(old + 5, SECRET_KEY_BYTES), 500, 1000,
                                       new, &copy, &error),
                     STATUS_OK);
    token_free(copy);
    assert_true(is_known(self, old, 1499) && is_known(self, new, 1499));
    assert_false(is_known(self, old, 1500));
    token_book_close(&self->book);
    open_book(self, true);
    assert_true(is_known(self, old, 1499) && is_known(self, new, 1500));
    assert_false(is_known(self, old, 1500));
}

static void test_a_principal_outlives_its_token(void **state)
{
    struct shelf *self = *state;
    char text[SECRET_TEXT_BYTES + 1];
    struct error error = ERROR_NONE;
    struct principal *principal;

    create(self, TIME_NEVER, text);
    principal = token_book_find(&self->book, view(text), 100);
    assert_int_equal(token_book_revoke(&self->book, slice_of(text + 5, SECRET_KEY_BYTES), &error),
                     STATUS_OK);
    assert_false(is_known(self, text, 100));
    assert_string_equal(principal->grants[0].pattern, "a");
    principal_release(principal);
}

static void test_a_change_that_can_not_be_written_does_not_count(void **state)
{
    struct shelf *self = *state;
    char text[SECRET_TEXT_BYTES + 1];
    char other[SECRET_TEXT_BYTES + 1];
    struct error error = ERROR_NONE;
    char beside[80];
    struct token *copy;

    create(self, TIME_NEVER, text);
    snprintf(beside, sizeof beside, "%s.new", self->path);
    assert_int_equal(mkdir(beside, 0700), 0); /* in the way of the file beside */
    assert_int_not_equal(
        token_book_create(&self->book, "test", &reading, 1, TIME_NEVER, 100, other, &copy, &error),
        STATUS_OK);
    assert_int_not_equal(
        token_book_revoke(&self->book, slice_of(text + 5, SECRET_KEY_BYTES), &error), STATUS_OK);
    assert_true(is_known(self, text, 100));
    assert_false(is_known(self, other, 100));
    assert_int_equal(rmdir(beside), 0);
}

/* The file as text. */
static void read_file(const struct shelf *self, char *ret_text, size_t size)
{
    FILE *file = fopen(self->path, "r");

    assert_non_null(file);
    ret_text[fread(ret_text, 1, size - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
}

static void write_file(const struct shelf *self, const char *text)
{
    FILE *file = fopen(self->path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int allocations_before; /* the one that fails */

static void *allocate_but_one(size_t size)
{
    return allocations_before-- == 0 ? NULL : malloc(size);
}

/* Whichever allocation it is: all is written, or nothing. */
static void test_a_file_without_memory_for_it_all_is_not_written(void **state)
{
    struct shelf *self = *state;
    char text[SECRET_TEXT_BYTES + 1];
    struct error error = ERROR_NONE;
    size_t refused = 0;
    bool failed = true;

    create(self, TIME_NEVER, text);
    for (int i = 0; failed; i++) {
        size_t expected = self->book.count;
        struct token *copy;
        enum status status;

        allocations_before = i;
        json_set_alloc_funcs(allocate_but_one, free);
        status = token_book_create(&self->book, "test", &reading, 1, TIME_NEVER, 100, text, &copy,
                                   &error);
        json_set_alloc_funcs(malloc, free);
        failed = allocations_before < 0;
        refused += status != STATUS_OK;
        token_free(copy);
        token_book_close(&self->book);
        open_book(self, true);
        assert_int_equal(self->book.count, expected + (status == STATUS_OK));
    }
    assert_true(refused > 20);
}

static void test_a_file_whose_times_are_none_is_refused(void **state)
{
    static const char *const names[] = {"created_unix_ms", "expires_unix_ms", "last_used_unix_ms",
                                        "until_unix_ms"};
    struct shelf *self = *state;
    char text[SECRET_TEXT_BYTES + 1];
    struct error error = ERROR_NONE;
    char whole[4096];
    bool found;

    create(self, 1000, text);
    read_file(self, whole, sizeof whole);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char broken[4096];

        strcpy(broken, whole);
        *strstr(broken, names[i]) = 'x';
        write_file(self, broken);
        token_book_close(&self->book);
        assert_int_equal(token_book_open(&self->book, self->path, &found, &error), STATUS_CORRUPT);
    }
    write_file(self, whole);
    token_book_close(&self->book);
    open_book(self, true);
}

static void test_when_it_was_used_is_kept(void **state)
{
    struct shelf *self = *state;
    char text[SECRET_TEXT_BYTES + 1];

    create(self, TIME_NEVER, text);
    assert_true(is_known(self, text, 4321));
    token_book_flush(&self->book);
    token_book_close(&self->book);
    open_book(self, true);
    assert_int_equal(CONTAINER_OF(self->book.tokens.next, struct token, link)->last_used_ms, 4321);
}

static void test_when_it_was_used_is_kept_once_it_can_be_written(void **state)
{
    struct shelf *self = *state;
    char text[SECRET_TEXT_BYTES + 1];
    char beside[80];

    create(self, TIME_NEVER, text);
    assert_true(is_known(self, text, 4321));
    snprintf(beside, sizeof beside, "%s.new", self->path);
    assert_int_equal(mkdir(beside, 0700), 0); /* in the way of the file beside */
    token_book_flush(&self->book);
    assert_int_equal(rmdir(beside), 0);
    token_book_flush(&self->book);
    token_book_close(&self->book);
    open_book(self, true);
    assert_int_equal(CONTAINER_OF(self->book.tokens.next, struct token, link)->last_used_ms, 4321);
}

#define BOOK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_secret_has_the_form_that_is_read),
        cmocka_unit_test(test_two_secrets_are_never_the_same),
        cmocka_unit_test(test_the_hash_is_sha256),
        BOOK_TEST(test_a_token_is_known_until_it_expires),
        BOOK_TEST(test_the_keyid_alone_opens_nothing),
        BOOK_TEST(test_rotation_keeps_the_old_secret_for_its_while),
        BOOK_TEST(test_a_principal_outlives_its_token),
        BOOK_TEST(test_a_change_that_can_not_be_written_does_not_count),
        BOOK_TEST(test_a_file_without_memory_for_it_all_is_not_written),
        BOOK_TEST(test_a_file_whose_times_are_none_is_refused),
        BOOK_TEST(test_when_it_was_used_is_kept),
        BOOK_TEST(test_when_it_was_used_is_kept_once_it_can_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
