/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_transport.c -- one call to a broker that answers, refuses, hangs, breaks or is not there.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ackd/v1/common.pb-c.h"
#include "ackd/v1/queue.pb-c.h"
#include "backoff.h"
#include "codec/codec.h"
#include "fake_broker.h"
#include "support/check.h"
#include "transport.h"

struct world {
    struct fake_broker *broker;
    struct transport *transport;
    struct arena arena;
    struct error error;
    Ackd__V1__GetQueueResponse *reply;
};

static void world_open(struct world *self, const struct fake_step *steps, size_t count)
{
    struct transport_options options = {0};

    *self = (struct world){.error = ERROR_NONE};
    self->broker = fake_broker_start(steps, count);
    arena_init(&self->arena, 1 << 20);
    options.url = fake_broker_url(self->broker);
    assert_int_equal(transport_open(&options, &self->transport, &self->error), STATUS_OK);
}

static void world_close(struct world *self)
{
    transport_close(self->transport);
    arena_deinit(&self->arena);
    fake_broker_stop(self->broker);
}

static enum status call(struct world *self, int64_t timeout_ms)
{
    Ackd__V1__GetQueueRequest request = ACKD__V1__GET_QUEUE_REQUEST__INIT;
    ProtobufCMessage *reply;
    enum status status;

    request.name = (char *)"pages";
    self->error = ERROR_NONE;
    status = transport_call(self->transport, "QueueService", "Get", &request.base,
                            &ackd__v1__get_queue_response__descriptor, &self->arena, timeout_ms,
                            &reply, &self->error);
    self->reply = (Ackd__V1__GetQueueResponse *)reply;
    return status;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#define ANSWER(http_status_, body_)                                                                \
    {                                                                                              \
        .act = FAKE_ANSWER, .http_status = (http_status_), .body = (body_)                         \
    }

/* GetQueueResponse{queue: {name: "pages"}} */
#define PAGES "\x0a\x07\x0a\x05pages"

static void test_a_reply_is_unpacked_and_the_connection_kept(void **state)
{
    const struct fake_step steps[] = {ANSWER(200, PAGES)};
    struct world world;

    world_open(&world, steps, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(&world, 0), STATUS_OK);
        assert_string_equal(world.reply->queue->name, "pages");
    }
    assert_int_equal(fake_broker_connections(world.broker), 1);
    assert_non_null(strstr(fake_broker_last(world.broker), "POST /ackd.v1.QueueService/Get "));
    assert_non_null(strstr(fake_broker_last(world.broker), "Content-Type: application/proto\r\n"));
    assert_non_null(strstr(fake_broker_last(world.broker), "Connect-Timeout-Ms: 30000\r\n"));
    world_close(&world);
}

/* The text of a Connect error with this detail. */
static char *error_body(const Ackd__V1__ErrorDetail *detail)
{
    struct buffer bytes = BUFFER_EMPTY;
    char *body = calloc(1, 2048);
    char value[1024];

    codec_encode(CODEC_PROTOBUF, &detail->base, &bytes);
    base64_encode(buffer_view(&bytes), value);
    (void)snprintf(body, 2048,
                   "{\"code\":\"invalid_argument\",\"message\":\"m\",\"details\":[{\"type\":"
                   "\"ackd.v1.ErrorDetail\",\"value\":\"%s\"}]}",
                   value);
    buffer_deinit(&bytes);
    return body;
}

static void test_a_refusal_says_when_to_ask_again_and_a_delay_is_no_shorter(void **state)
{
    static const struct {
        const char *field;
        int64_t after_ms;
    } cases[] = {{"Retry-After: 7", 7000}, {"Retry-After: 86400", 60000}, {NULL, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct fake_step steps[] = {{.act = FAKE_ANSWER,
                                           .http_status = 429,
                                           .body = "{\"code\":\"resource_exhausted\"}",
                                           .field = cases[i].field}};
        struct backoff backoff = {0};
        struct world world;

        world_open(&world, steps, 1);
        assert_int_not_equal(call(&world, 0), STATUS_OK);
        assert_int_equal(world.error.retry_after_ms, cases[i].after_ms);
        backoff.asked_ms = world.error.retry_after_ms;
        assert_in_range(backoff_next_ms(&backoff, 100, 1000), cases[i].after_ms + 50,
                        cases[i].after_ms + 100);
        assert_in_range(backoff_next_ms(&backoff, 100, 1000), 100, 200); /* it was asked once */
        world_close(&world);
    }
}

static void test_a_refusal_in_json_says_when_to_ask_again_too(void **state)
{
    const struct fake_step steps[] = {{.act = FAKE_ANSWER,
                                       .http_status = 429,
                                       .body = "{\"code\":\"resource_exhausted\"}",
                                       .field = "Retry-After: 7"}};
    struct buffer reply = BUFFER_EMPTY;
    struct world world;

    world_open(&world, steps, 1);
    assert_int_not_equal(transport_call_json(world.transport, "ackd.v1.QueueService/List",
                                             slice_of_string("{}"), 0, &reply, &world.error),
                         STATUS_OK);
    assert_int_equal(world.error.retry_after_ms, 7000);
    buffer_deinit(&reply);
    world_close(&world);
}

static void test_an_error_arrives_with_its_field_limit_and_value(void **state)
{
    Ackd__V1__ErrorDetail detail = ACKD__V1__ERROR_DETAIL__INIT;
    struct world world;
    char *body;

    detail.status = ACKD__V1__STATUS__STATUS_TOO_LARGE;
    detail.message = (char *)"the payload is over its limit";
    detail.field = (char *)"tasks[3].payload";
    detail.limit = 1048576;
    detail.value = 2000000;
    body = error_body(&detail);
    const struct fake_step steps[] = {ANSWER(413, body)};

    world_open(&world, steps, 1);
    assert_int_equal(call(&world, 0), STATUS_TOO_LARGE);
    assert_int_equal(world.error.status, STATUS_TOO_LARGE);
    assert_string_equal(world.error.message, "the payload is over its limit");
    assert_string_equal(world.error.field, "tasks[3].payload");
    assert_int_equal(world.error.limit, 1048576);
    assert_int_equal(world.error.value, 2000000);
    assert_false(transport_no_reply(&world.error));
    world_close(&world);
    free(body);
}

static void test_an_error_without_detail_goes_by_its_code(void **state)
{
    const struct fake_step steps[] = {
        ANSWER(503, "{\"code\":\"unavailable\",\"message\":\"draining\"}")};
    struct world world;

    world_open(&world, steps, 1);
    assert_int_equal(call(&world, 0), STATUS_UNAVAILABLE);
    assert_string_equal(world.error.message, "draining");
    assert_false(transport_no_reply(&world.error));
    world_close(&world);
}

static void test_an_answer_that_is_not_ackds_says_so(void **state)
{
    const struct fake_step steps[] = {ANSWER(404, "<html>nginx</html>"), ANSWER(502, "")};
    struct world world;

    world_open(&world, steps, 2);
    assert_int_equal(call(&world, 0), STATUS_UNIMPLEMENTED);
    assert_non_null(strstr(world.error.message, "is it an ackd broker?"));
    assert_int_equal(call(&world, 0), STATUS_UNAVAILABLE);
    world_close(&world);
}

static void test_a_broker_that_is_not_there_is_told_with_what_to_do(void **state)
{
    const struct fake_step steps[] = {ANSWER(200, PAGES)};
    struct world world;

    world_open(&world, steps, 1);
    fake_broker_stop(world.broker);
    assert_int_equal(call(&world, 0), STATUS_UNAVAILABLE);
    assert_true(transport_no_reply(&world.error));
    assert_non_null(strstr(world.error.message, "broker not reached at http://127.0.0.1:"));
    assert_non_null(strstr(world.error.message, "Connection refused"));
    assert_non_null(strstr(world.error.message, "start it with `ackd --data-dir DIR`"));
    transport_close(world.transport);
    arena_deinit(&world.arena);
}

static void test_a_broken_connection_means_unknown_and_is_not_retried(void **state)
{
    const struct fake_step steps[] = {
        ANSWER(200, PAGES), {.act = FAKE_BREAK}, ANSWER(200, PAGES), ANSWER(200, PAGES)};
    struct world world;

    world_open(&world, steps, 4);
    assert_int_equal(call(&world, 0), STATUS_OK);
    /* On the kept connection: here libcurl would send the request again by itself (T2). */
    assert_int_equal(call(&world, 0), STATUS_UNAVAILABLE);
    assert_true(transport_no_reply(&world.error));
    assert_non_null(strstr(world.error.message, "unknown"));
    assert_int_equal(fake_broker_requests(world.broker), 2);
    assert_int_equal(call(&world, 0), STATUS_OK);
    world_close(&world);
}

static void test_half_a_reply_is_no_reply(void **state)
{
    const struct fake_step steps[] = {{.act = FAKE_BREAK_HALF, .http_status = 200, .body = PAGES}};
    struct world world;

    world_open(&world, steps, 1);
    assert_int_equal(call(&world, 0), STATUS_UNAVAILABLE);
    assert_true(transport_no_reply(&world.error));
    world_close(&world);
}

static void test_a_silent_broker_costs_the_time_limit_and_no_more(void **state)
{
    const struct fake_step steps[] = {{.act = FAKE_HANG}};
    struct world world;
    int64_t start_ms;

    world_open(&world, steps, 1);
    start_ms = now_ms();
    assert_int_equal(call(&world, 200), STATUS_TIMEOUT);
    assert_true(transport_no_reply(&world.error));
    assert_in_range((uintmax_t)(now_ms() - start_ms), 150, 5000);
    world_close(&world);
}

static void test_a_reply_past_the_arenas_bound_is_refused(void **state)
{
    static char large[2 << 20];
    const struct fake_step steps[] = {
        {.act = FAKE_ANSWER, .http_status = 200, .body = large, .body_size = sizeof large}};
    struct world world;

    world_open(&world, steps, 1);
    assert_int_equal(call(&world, 0), STATUS_TOO_LARGE);
    assert_int_equal(world.error.limit, 1 << 20);
    world_close(&world);
}

static void test_a_reply_that_is_no_message_is_refused(void **state)
{
    const struct fake_step steps[] = {ANSWER(200, "\xff\xff\xff")};
    struct world world;

    world_open(&world, steps, 1);
    assert_int_equal(call(&world, 0), STATUS_MALFORMED);
    world_close(&world);
}

static void *interrupt_soon(void *context)
{
    struct world *world = context;

    assert_true(fake_broker_await(world->broker, 1));
    transport_interrupt(world->transport);
    return NULL;
}

static void test_interrupt_ends_a_long_poll_at_once_and_refuses_later_calls(void **state)
{
    const struct fake_step steps[] = {{.act = FAKE_HANG}};
    struct world world;
    pthread_t thread;
    int64_t start_ms;

    world_open(&world, steps, 1);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, &world), 0);
    start_ms = now_ms();
    assert_int_equal(call(&world, 60000), STATUS_CANCELED);
    assert_in_range((uintmax_t)(now_ms() - start_ms), 0, 900);
    assert_true(transport_no_reply(&world.error));
    pthread_join(thread, NULL);
    assert_int_equal(call(&world, 0), STATUS_CANCELED);
    world_close(&world);
}

static void test_json_goes_through_as_it_is(void **state)
{
    const struct fake_step steps[] = {ANSWER(200, "{\"queues\":[]}")};
    struct buffer reply = BUFFER_EMPTY;
    struct world world;

    world_open(&world, steps, 1);
    assert_int_equal(transport_call_json(world.transport, "ackd.v1.QueueService/List",
                                         slice_of_string("{}"), 0, &reply, &world.error),
                     STATUS_OK);
    assert_string_equal(buffer_string(&reply), "{\"queues\":[]}");
    assert_non_null(strstr(fake_broker_last(world.broker), "Content-Type: application/json\r\n"));
    buffer_deinit(&reply);
    world_close(&world);
}

static void test_what_is_no_url_is_refused_by_name(void **state)
{
    const char *const bad[] = {"127.0.0.1:7333", "ftp://x",    "http://",
                               "http:///x",      "http://a b", "http://a?b"};
    struct error error = ERROR_NONE;
    struct transport *transport;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct transport_options options = {.url = bad[i]};

        assert_int_equal(transport_open(&options, &transport, &error), STATUS_INVALID);
        assert_string_equal(error.field, "url");
        assert_false(transport_no_reply(&error));
        assert_null(transport);
    }
}

static void test_the_url_comes_from_the_environment_when_none_is_given(void **state)
{
    struct error error = ERROR_NONE;
    struct transport *transport;

    setenv(TRANSPORT_URL_ENV, "http://broker.example:1/", 1);
    assert_int_equal(transport_open(NULL, &transport, &error), STATUS_OK);
    assert_string_equal(transport_url(transport), "http://broker.example:1");
    transport_close(transport);
    unsetenv(TRANSPORT_URL_ENV);
    assert_int_equal(transport_open(NULL, &transport, &error), STATUS_OK);
    assert_string_equal(transport_url(transport), TRANSPORT_URL_DEFAULT);
    transport_close(transport);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reply_is_unpacked_and_the_connection_kept),
        cmocka_unit_test(test_a_refusal_says_when_to_ask_again_and_a_delay_is_no_shorter),
        cmocka_unit_test(test_a_refusal_in_json_says_when_to_ask_again_too),
        cmocka_unit_test(test_an_error_arrives_with_its_field_limit_and_value),
        cmocka_unit_test(test_an_error_without_detail_goes_by_its_code),
        cmocka_unit_test(test_an_answer_that_is_not_ackds_says_so),
        cmocka_unit_test(test_a_broker_that_is_not_there_is_told_with_what_to_do),
        cmocka_unit_test(test_a_broken_connection_means_unknown_and_is_not_retried),
        cmocka_unit_test(test_half_a_reply_is_no_reply),
        cmocka_unit_test(test_a_silent_broker_costs_the_time_limit_and_no_more),
        cmocka_unit_test(test_a_reply_past_the_arenas_bound_is_refused),
        cmocka_unit_test(test_a_reply_that_is_no_message_is_refused),
        cmocka_unit_test(test_interrupt_ends_a_long_poll_at_once_and_refuses_later_calls),
        cmocka_unit_test(test_json_goes_through_as_it_is),
        cmocka_unit_test(test_what_is_no_url_is_refused_by_name),
        cmocka_unit_test(test_the_url_comes_from_the_environment_when_none_is_given),
    };

    return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
