/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_codec.c -- messages to bytes and back, and what hostile bytes get for an answer.
 */
/* cmocka wants these before it, in this order. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>

#include "ackd/v1/dataset.pb-c.h"
#include "ackd/v1/dead_letter.pb-c.h"
#include "ackd/v1/queue.pb-c.h"
#include "ackd/v1/task.pb-c.h"
#include "codec/codec.h"
#include "codec/packed_size.h"
#include "random_message.h"

#define ARENA_MAX ((size_t)1 << 20)
#define PUBLISH (&ackd__v1__publish_request__descriptor)
#define LEASE (&ackd__v1__lease_request__descriptor)
#define CREATE (&ackd__v1__create_queue_request__descriptor)

static struct buffer encoded(enum codec codec, const ProtobufCMessage *message)
{
    struct buffer out = BUFFER_EMPTY;

    codec_encode(codec, message, &out);
    assert_false(out.failed);
    return out;
}

#define BYTES(text)                                                                                \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

/* What the bytes of one codec say, in the other. */
static void assert_says(enum codec from, struct slice bytes,
                        const ProtobufCMessageDescriptor *descriptor, enum codec to,
                        struct slice expected)
{
    struct arena arena;
    struct error error = ERROR_NONE;
    ProtobufCMessage *message;
    struct buffer said;

    arena_init(&arena, ARENA_MAX);
    if (codec_decode(from, bytes, descriptor, &arena, &message, &error) != STATUS_OK)
        fail_msg("%s: %s\n%.*s", error.field, error.message, (int)bytes.size, bytes.data);
    said = encoded(to, message);
    if (!slice_equal(buffer_view(&said), expected))
        fail_msg("%s\n  said %.*s\n  not  %.*s", descriptor->name, (int)said.size, said.data,
                 (int)expected.size, expected.data);
    buffer_deinit(&said);
    arena_deinit(&arena);
}

static uint64_t round_trip_seed = 1;

static void round_trip(const ProtobufCMessageDescriptor *descriptor)
{
    for (int i = 0; i < 100; i++) {
        struct arena arena;
        ProtobufCMessage *message;
        struct buffer wire;
        struct buffer json;

        arena_init(&arena, ARENA_MAX);
        message = random_message(&arena, &round_trip_seed, descriptor);
        wire = encoded(CODEC_PROTOBUF, message);
        json = encoded(CODEC_JSON, message);
        assert_says(CODEC_PROTOBUF, buffer_view(&wire), descriptor, CODEC_JSON, buffer_view(&json));
        assert_says(CODEC_JSON, buffer_view(&json), descriptor, CODEC_PROTOBUF, buffer_view(&wire));
        buffer_deinit(&wire);
        buffer_deinit(&json);
        arena_deinit(&arena);
    }
}

static void test_every_message_survives_both_codecs(void **state)
{
    (void)state;
    every_message_type(round_trip);
}

static void measure(const ProtobufCMessageDescriptor *descriptor)
{
    static uint64_t seed = 3;

    for (int i = 0; i < 100; i++) {
        struct arena arena;
        ProtobufCMessage *message;

        arena_init(&arena, ARENA_MAX);
        message = random_message(&arena, &seed, descriptor);
        assert_in_range(packed_size_max(message), protobuf_c_message_get_packed_size(message),
                        SIZE_MAX);
        arena_deinit(&arena);
    }
}

static void test_there_is_room_for_whatever_a_message_holds(void **state)
{
    (void)state;
    every_message_type(measure);
}

static void test_there_is_room_for_unknown_fields(void **state)
{
    static const struct slice bytes = BYTES("\x0a\x01q\xfa\x01\x03xyz\xf8\x01\x05\xfd\x01zzzz");
    struct arena arena;
    struct error error = ERROR_NONE;
    ProtobufCMessage *message;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    assert_int_equal(codec_decode(CODEC_PROTOBUF, bytes, PUBLISH, &arena, &message, &error),
                     STATUS_OK);
    assert_int_equal(message->n_unknown_fields, 3);
    assert_in_range(packed_size_max(message), bytes.size, SIZE_MAX);
    arena_deinit(&arena);
}

static void test_json_is_read_in_every_spelling_of_the_mapping(void **state)
{
    static const struct {
        const ProtobufCMessageDescriptor *descriptor;
        const char *text;
        const char *said;
    } spellings[] = {
        {PUBLISH, "{}", "{}"},
        {PUBLISH, " {\n\"tasks\" : [ ] , \"queue\":null} ", "{}"},
        {PUBLISH, "{\"tasks\":[{\"task_id\":\"a\"},{\"taskId\":\"b\"}]}",
         "{\"tasks\":[{\"taskId\":\"a\"},{\"taskId\":\"b\"}]}"},
        {PUBLISH,
         "{\"tasks\":[{\"delayMs\":\"5\"},{\"delayMs\":5},{\"delayMs\":5.0},{\"delayMs\":5e0}]}",
         "{\"tasks\":[{\"delayMs\":\"5\"},{\"delayMs\":\"5\"},{\"delayMs\":\"5\"},{\"delayMs\":"
         "\"5\"}]}"},
        {PUBLISH, "{\"tasks\":[{\"priority\":\"9\"},{\"priority\":9e0},{\"priority\":0}]}",
         "{\"tasks\":[{\"priority\":9},{\"priority\":9},{}]}"},
        {PUBLISH, "{\"tasks\":[{\"payload\":\"+/8=\"},{\"payload\":\"-_8\"},{\"payload\":\"\"}]}",
         "{\"tasks\":[{\"payload\":\"+/8=\"},{\"payload\":\"+/8=\"},{}]}"},
        {PUBLISH, "{\"tasks\":[{\"attributes\":{\"a\":\"1\",\"\":\"\"}},{\"attributes\":{}}]}",
         "{\"tasks\":[{\"attributes\":{\"a\":\"1\",\"\":\"\"}},{}]}"},
        {PUBLISH, "{\"queue\":\"\\u00fc\\ud83d\\ude42\\t\\u0001\"}",
         "{\"queue\":\"\xc3\xbc\xf0\x9f\x99\x82\\t\\u0001\"}"},
        {PUBLISH, "{\"brief\":false}", "{}"},
        {CREATE, "{\"config\":{\"leaseMs\":\"0\",\"dedup\":false,\"maxFailures\":null}}",
         "{\"config\":{\"leaseMs\":\"0\",\"dedup\":false}}"},
        {CREATE, "{\"config\":{\"lateResults\":\"LATE_RESULTS_REFUSE\"}}",
         "{\"config\":{\"lateResults\":\"LATE_RESULTS_REFUSE\"}}"},
        {CREATE, "{\"config\":{\"lateResults\":1}}",
         "{\"config\":{\"lateResults\":\"LATE_RESULTS_SALVAGE\"}}"},
        {CREATE, "{\"config\":{\"lateResults\":77}}", "{\"config\":{\"lateResults\":77}}"},
        {CREATE, "{\"config\":{\"leaseMs\":\"-9223372036854775808\"}}",
         "{\"config\":{\"leaseMs\":\"-9223372036854775808\"}}"},
        {LEASE, "{\"acks\":[{\"result\":\"\"},{}]}", "{\"acks\":[{\"result\":\"\"},{}]}"},
        {&ackd__v1__dataset__descriptor, "{\"donePerS\":\"NaN\",\"etaMs\":-1}",
         "{\"donePerS\":\"NaN\",\"etaMs\":\"-1\"}"},
        {&ackd__v1__dataset__descriptor, "{\"donePerS\":\"-Infinity\"}",
         "{\"donePerS\":\"-Infinity\"}"},
        {&ackd__v1__dataset__descriptor, "{\"donePerS\":\"1.25\"}", "{\"donePerS\":1.25}"},
        {&ackd__v1__dataset__descriptor, "{\"done_per_s\":7}", "{\"donePerS\":7}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        assert_says(CODEC_JSON, slice_of_string(spellings[i].text), spellings[i].descriptor,
                    CODEC_JSON, slice_of_string(spellings[i].said));
}

static void assert_refused(enum codec codec, struct slice bytes,
                           const ProtobufCMessageDescriptor *descriptor, enum status status,
                           const char *field, const char *says)
{
    struct arena arena;
    struct error error = ERROR_NONE;
    ProtobufCMessage *message;

    arena_init(&arena, ARENA_MAX);
    assert_int_equal(codec_decode(codec, bytes, descriptor, &arena, &message, &error), status);
    assert_int_equal(error.status, status);
    assert_string_equal(error.field, field);
    if (strstr(error.message, says) == NULL)
        fail_msg("%.*s: \"%s\" does not say \"%s\"", (int)bytes.size, bytes.data, error.message,
                 says);
    assert_true(arena.used_bytes <= ARENA_MAX);
    arena_deinit(&arena);
}

static void test_json_that_does_not_fit_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        const char *field;
        const char *says;
    } misfits[] = {
        {"", "", "line 1, column 0"},
        {"{", "", "line 1, column 1"},
        {"{\"queue\":\"a\",\n \"tasks\": [,]}", "", "line 2, column 12"},
        {"{} x", "", "line 1, column 4"},
        {"[]", "", "an object is needed, not an array"},
        {"null", "", "line 1"},
        {"{\"queue\":\"a\",\"queue\":\"b\"}", "", "line 1"},
        {"{\"queue\":\"\\u0000\"}", "", "line 1"},
        {"{\"queue\":\"\xff\"}", "", "line 1"},
        {"{\"queue\":\"\\ud800\"}", "", "line 1"},
        {"{\"queue\":NaN}", "", "line 1"},
        {"{\"queue\":5}", "queue", "a string is needed, not a number"},
        {"{\"Queue\":\"a\"}", "Queue", "PublishRequest has no such field"},
        {"{\"a\\u0007\\u00fc\":1}", "a???", "no such field"},
        {"{\"tasks\":{}}", "tasks", "an array is needed, not an object"},
        {"{\"tasks\":[{},{},{},{\"payload\":\"*\"}]}", "tasks[3].payload", "not base64"},
        {"{\"tasks\":[{},{\"payload\":1}]}", "tasks[1].payload", "base64 in a string"},
        {"{\"tasks\":[{},null]}", "tasks[1]", "an object is needed, not null"},
        {"{\"tasks\":[{\"task_id\":\"a\",\"taskId\":\"b\"}]}", "tasks[0].task_id", "twice"},
        {"{\"tasks\":[{\"attributes\":[]}]}", "tasks[0].attributes", "an object is needed"},
        {"{\"tasks\":[{\"attributes\":{\"lang\":7}}]}", "tasks[0].attributes.lang",
         "a string is needed"},
        {"{\"tasks\":[{\"attributes\":{\"lang\":null}}]}", "tasks[0].attributes.lang",
         "a string is needed, not null"},
        {"{\"tasks\":[{\"priority\":1.5}]}", "tasks[0].priority", "an integer from"},
        {"{\"tasks\":[{\"priority\":2147483648}]}", "tasks[0].priority", "to 2147483647"},
        {"{\"tasks\":[{\"priority\":\"1 \"}]}", "tasks[0].priority", "an integer from"},
        {"{\"tasks\":[{\"priority\":\"+1\"}]}", "tasks[0].priority", "an integer from"},
        {"{\"tasks\":[{\"priority\":\"0x1\"}]}", "tasks[0].priority", "an integer from"},
        {"{\"tasks\":[{\"priority\":\"\"}]}", "tasks[0].priority", "an integer from"},
        {"{\"tasks\":[{\"priority\":true}]}", "tasks[0].priority",
         "an integer is needed, not true"},
        {"{\"tasks\":[{\"delayMs\":\"9223372036854775808\"}]}", "tasks[0].delay_ms", "64-bit"},
        {"{\"tasks\":[{\"delayMs\":9223372036854775808}]}", "", "line 1"},
        {"{\"tasks\":[{\"delayMs\":1e19}]}", "tasks[0].delay_ms", "64-bit"},
        {"{\"brief\":\"true\"}", "brief", "true or false is needed, not a string"},
        {"{\"brief\":1}", "brief", "true or false is needed"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof misfits / sizeof *misfits; i++)
        assert_refused(CODEC_JSON, slice_of_string(misfits[i].text), PUBLISH, STATUS_MALFORMED,
                       misfits[i].field, misfits[i].says);
    assert_refused(CODEC_JSON, slice_of_string("{\"config\":{\"lateResults\":\"REFUSE\"}}"), CREATE,
                   STATUS_MALFORMED, "config.late_results", "LateResults has no value");
    assert_refused(CODEC_JSON, SLICE_EMPTY, PUBLISH, STATUS_MALFORMED, "", "the body is empty");
}

static void test_protobuf_that_does_not_fit_is_refused_with_its_place(void **state)
{
    static const struct {
        struct slice bytes;
        const char *field;
        const char *says;
    } misfits[] = {
        {BYTES("\x0a"), "", "byte 0 of PublishRequest"},                       /* no length */
        {BYTES("\x0a\x05q"), "", "byte 0 of PublishRequest"},                  /* cut short */
        {BYTES("\x0a\x01q\x20"), "", "byte 3 of PublishRequest"},              /* no value */
        {BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "", "byte 0"}, /* endless */
        {BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "", "byte 0"}, /* tag too long */
        {BYTES("\x00\x00"), "", "byte 0"},                                     /* field 0 */
        {BYTES("\x0b\x0c"), "", "byte 0"},                                     /* a group */
        {BYTES("\x08\x05"), "queue", "wrong wire type"},
        {BYTES("\x22\x01\x01"), "brief", "wrong wire type"},
        {BYTES("\x0a\x02\xc3("), "queue", "not UTF-8"},
        {BYTES("\x0a\x03\xed\xa0\x80"), "queue", "not UTF-8"},
        {BYTES("\x0a\x03"
               "a\0b"),
         "queue", "NUL"},
        {BYTES("\x12\x00\x12\x02\x0a\x05"), "tasks[1]", "byte 0 of NewTask"},
        {BYTES("\x12\x00\x12\x00\x12\x03\x0a\x01\xff"), "tasks[2].task_id", "not UTF-8"},
        {BYTES("\x12\x00\x12\x0a\x1a\x00\x1a\x06\x0a\x01k\x12\x01\xff"),
         "tasks[1].attributes[1].value", "not UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof misfits / sizeof *misfits; i++)
        assert_refused(CODEC_PROTOBUF, misfits[i].bytes, PUBLISH, STATUS_MALFORMED,
                       misfits[i].field, misfits[i].says);
}

static void test_unknown_protobuf_fields_are_skipped(void **state)
{
    static const struct slice bytes = BYTES("\x0a\x01q\xfa\x01\x03xyz\xf8\x01\x05\xfd\x01zzzz");

    (void)state;
    assert_says(CODEC_PROTOBUF, bytes, PUBLISH, CODEC_JSON, slice_of_string("{\"queue\":\"q\"}"));
}

/* Decodes and forgets: the sanitizers say whether anything was read that should not be. */
static void digest(enum codec codec, struct slice bytes,
                   const ProtobufCMessageDescriptor *descriptor)
{
    uint8_t *exact = malloc(bytes.size); /* so that a read past the end is one */
    struct arena arena;
    struct error error = ERROR_NONE;
    ProtobufCMessage *message;
    struct buffer said;

    if (bytes.size > 0)
        memcpy(exact, bytes.data, bytes.size);
    arena_init(&arena, ARENA_MAX);
    if (codec_decode(codec, slice_of(exact, bytes.size), descriptor, &arena, &message, &error) ==
        STATUS_OK) {
        said = encoded(CODEC_JSON, message);
        buffer_deinit(&said);
    } else {
        assert_int_not_equal(error.status, STATUS_OK);
        assert_true(utf8_is_valid(slice_of_string(error.message)));
    }
    arena_deinit(&arena);
    free(exact);
}

static void cut_and_spoil(const ProtobufCMessageDescriptor *descriptor)
{
    uint64_t seed = 7;

    for (int codec = CODEC_PROTOBUF; codec <= CODEC_JSON; codec++) {
        struct arena arena;
        struct buffer whole;

        arena_init(&arena, ARENA_MAX);
        whole = encoded((enum codec)codec, random_message(&arena, &seed, descriptor));
        for (size_t size = 0; size < whole.size; size++)
            digest((enum codec)codec, slice_of(whole.data, size), descriptor);
        for (size_t i = 0; i < 300 && whole.size > 0; i++) {
            whole.data[random_below(&seed, (uint32_t)whole.size)] =
                (uint8_t)random_below(&seed, 256);
            digest((enum codec)codec, buffer_view(&whole), descriptor);
        }
        buffer_deinit(&whole);
        arena_deinit(&arena);
    }
}

static void test_bytes_cut_or_spoiled_anywhere_do_no_harm(void **state)
{
    (void)state;
    every_message_type(cut_and_spoil);
}

/* `piece` until the text has `size` bytes. */
static struct buffer repeated(const char *begin, struct slice piece, size_t size)
{
    struct buffer text = BUFFER_EMPTY;

    buffer_append_string(&text, begin);
    while (text.size < size)
        buffer_append(&text, piece);
    return text;
}

static void test_protobuf_that_unpacks_to_much_more_ends_at_the_arenas_bound(void **state)
{
    static const struct slice pieces[] = {
        BYTES("\x12\x00"),                 /* empty tasks */
        BYTES("\xfa\x01\x00"),             /* unknown fields */
        BYTES("\x12\x04\x1a\x00\x1a\x00"), /* tasks with empty attributes */
    };

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct buffer bomb = repeated("", pieces[i], 1 << 20);

        assert_refused(CODEC_PROTOBUF, buffer_view(&bomb), PUBLISH, STATUS_TOO_LARGE, "",
                       "more memory");
        buffer_deinit(&bomb);
    }
}

static void test_json_bombs_end_at_their_bound(void **state)
{
    struct buffer deep = repeated("{\"tasks\":", slice_of_string("["), 32 << 20);
    struct buffer wide = repeated("{\"tasks\":[[]", slice_of_string(",[]"), 32 << 20);
    struct buffer objects = repeated("{\"tasks\":[{}", slice_of_string(",{}"), 8 << 20);

    (void)state;
    assert_refused(CODEC_JSON, buffer_view(&deep), PUBLISH, STATUS_MALFORMED, "", "depth");
    assert_refused(CODEC_JSON, buffer_view(&wide), PUBLISH, STATUS_TOO_LARGE, "", "more memory");
    assert_refused(CODEC_JSON, buffer_view(&objects), PUBLISH, STATUS_TOO_LARGE, "", "more memory");
    buffer_deinit(&deep);
    buffer_deinit(&wide);
    buffer_deinit(&objects);
}

static void test_the_json_bound_holds_for_each_text_anew(void **state)
{
    struct buffer large = repeated("{\"queue\":\"", slice_of_string("x"), 8 << 20);
    struct buffer text = BUFFER_EMPTY;

    (void)state;
    buffer_append_string(&large, "\"}");
    for (int i = 0; i < 20; i++) {
        struct arena arena;
        struct error error = ERROR_NONE;
        ProtobufCMessage *message;

        arena_init(&arena, 16 << 20);
        assert_int_equal(
            codec_decode(CODEC_JSON, buffer_view(&large), PUBLISH, &arena, &message, &error),
            STATUS_OK);
        arena_deinit(&arena);
    }
    buffer_deinit(&large);
    buffer_deinit(&text);
}

static int bound_json_memory(void **state)
{
    (void)state;
    codec_bound_json_memory();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message_survives_both_codecs),
        cmocka_unit_test(test_there_is_room_for_whatever_a_message_holds),
        cmocka_unit_test(test_there_is_room_for_unknown_fields),
        cmocka_unit_test(test_json_is_read_in_every_spelling_of_the_mapping),
        cmocka_unit_test(test_json_that_does_not_fit_is_refused_with_its_place),
        cmocka_unit_test(test_protobuf_that_does_not_fit_is_refused_with_its_place),
        cmocka_unit_test(test_unknown_protobuf_fields_are_skipped),
        cmocka_unit_test(test_bytes_cut_or_spoiled_anywhere_do_no_harm),
        cmocka_unit_test(test_protobuf_that_unpacks_to_much_more_ends_at_the_arenas_bound),
        cmocka_unit_test(test_json_bombs_end_at_their_bound),
        cmocka_unit_test(test_the_json_bound_holds_for_each_text_anew),
    };

    return cmocka_run_group_tests(tests, bound_json_memory, NULL);
}
