/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_cases.c -- ackd_client against the real broker that ACKD_URL names; run by test_client.py.
 *
 * Each case has a queue of its own, named after it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_fixture.h"

static void test_a_task_arrives_as_it_was_published(void **state)
{
    struct ackd_lease_reply *reply;
    const struct ackd_task *task;

    make_queue("arrives");
    publish_one("arrives", "page 7", "text");
    reply = lease_one("arrives", NULL);
    task = &reply->tasks[0].task;
    assert_string_equal(task->id, "page 7");
    assert_string_equal(task->queue, "arrives");
    assert_string_equal(task->dataset, "books");
    assert_string_equal(task->payload.data, "text"); /* a NUL byte follows it */
    assert_int_equal(task->payload.size, 4);
    assert_string_equal(ackd_task_attribute(task, "lang"), "en");
    assert_string_equal(ackd_task_attribute(task, "page"), "7");
    assert_null(ackd_task_attribute(task, "size"));
    assert_int_equal(task->priority, 3);
    assert_int_equal(task->fence, 1);
    assert_int_equal(task->deliveries, 1);
    assert_null(task->checkpoint.data);
    assert_true(reply->tasks[0].deadline_unix_ms > task->published_unix_ms);
    assert_int_equal(reply->leased, 1);
    ackd_lease_reply_free(reply);
}

static void test_publishing_again_makes_no_second_task(void **state)
{
    struct ackd_new_task task = {.id = "once"};
    struct ackd_publish_reply *reply;

    make_queue("again");
    publish_one("again", "once", "1");
    assert_int_equal(ackd_client_publish(client, "again", NULL, &task, 1, &reply, &error), ACKD_OK);
    assert_int_equal(reply->duplicates, 1);
    assert_int_equal(reply->outcomes[0].status, ACKD_DUPLICATE);
    ackd_publish_reply_free(reply);
}

static void test_an_ack_may_be_repeated_and_its_result_read(void **state)
{
    struct ackd_lease_reply *reply;
    struct ackd_ack_outcome outcome;
    struct ackd_result *result;

    make_queue("repeat");
    publish_one("repeat", "a", "1");
    reply = lease_one("repeat", NULL);
    outcome = ack_one(reply->tasks[0].lease_token, "first");
    assert_int_equal(outcome.status, ACKD_OK);
    assert_false(outcome.repeated);
    outcome = ack_one(reply->tasks[0].lease_token, "second");
    assert_int_equal(outcome.status, ACKD_OK);
    assert_true(outcome.repeated);
    assert_int_equal(ackd_client_get_result(client, "repeat", "a", &result, &error), ACKD_OK);
    assert_string_equal(result->data.data, "first");
    assert_int_equal(result->fence, 1);
    assert_string_equal(result->dataset, "books");
    ackd_result_free(result);
    ackd_lease_reply_free(reply);
}

static void test_nack_renew_checkpoint_and_the_view_of_a_task(void **state)
{
    struct ackd_nack nack = {.reason = ACKD_NACK_FAILED, .error = "no", .has_delay = true};
    struct ackd_lease_reply *reply;
    struct ackd_lease_reply *again;
    struct ackd_renew_reply *renewed;
    struct ackd_nack_reply *nacked;
    struct ackd_task_view *view;

    make_queue("nack");
    publish_one("nack", "a", "1");
    reply = lease_one("nack", NULL);
    nack.lease_token = reply->tasks[0].lease_token;
    assert_int_equal(ackd_client_save_checkpoint(client, nack.lease_token, "half", 4, &error),
                     ACKD_OK);
    assert_int_equal(ackd_client_renew(client, &nack.lease_token, 1, 600000, &renewed, &error),
                     ACKD_OK);
    assert_int_equal(renewed->outcomes[0].status, ACKD_OK);
    assert_true(renewed->outcomes[0].deadline_unix_ms > reply->tasks[0].deadline_unix_ms);
    assert_int_equal(ackd_client_nack(client, &nack, 1, &nacked, &error), ACKD_OK);
    assert_int_equal(nacked->outcomes[0].status, ACKD_OK);
    assert_int_equal(ackd_client_get_task(client, "nack", "a", &view, &error), ACKD_OK);
    assert_in_range(view->state, ACKD_TASK_READY, ACKD_TASK_DELAYED); /* until a moment ago */
    assert_int_equal(view->task.failures, 1);
    assert_string_equal(view->last_error, "no");
    assert_true(view->has_checkpoint);
    assert_int_equal(view->attempt_count, 1);
    assert_int_equal(view->attempts[0].end, ACKD_ATTEMPT_FAILED);
    assert_int_equal(view->attempts[0].fence, 1);
    assert_string_equal(view->attempts[0].error, "no");
    assert_true(view->attempts[0].has_checkpoint);
    assert_true(view->attempts[0].ended_unix_ms >= view->attempts[0].leased_unix_ms);
    ackd_task_view_free(view);
    ackd_nack_reply_free(nacked);
    ackd_renew_reply_free(renewed);

    again = lease_one("nack", NULL);
    assert_string_equal(again->tasks[0].task.checkpoint.data, "half");
    assert_true(ack_one(nack.lease_token, "late").salvaged);
    ackd_lease_reply_free(again);
    ackd_lease_reply_free(reply);
}

static void test_a_session_keeps_leases_and_gives_them_back(void **state)
{
    struct ackd_heartbeat_reply *beat;
    struct ackd_session *session;
    struct ackd_lease_reply *reply;
    int64_t returned = 0;

    make_queue("session");
    publish_one("session", "a", "1");
    session = open_session("session", "me", 30000);
    assert_int_equal(session->session_ms, 30000);
    assert_int_equal(session->heartbeat_ms, 10000);
    reply = lease_one("session", session->id);
    assert_int_equal(reply->tasks[0].deadline_unix_ms, 0);
    assert_int_equal(ackd_client_heartbeat(client, session->id, NULL, 0, &beat, &error), ACKD_OK);
    assert_int_equal(beat->leased, 1);
    assert_int_equal(beat->stop_count, 0);
    ackd_heartbeat_reply_free(beat);
    assert_int_equal(ackd_client_close_session(client, session->id, &returned, &error), ACKD_OK);
    assert_int_equal(returned, 1);
    assert_int_equal(ackd_client_heartbeat(client, session->id, NULL, 0, &beat, &error),
                     ACKD_SESSION_NOT_FOUND);
    assert_null(beat);
    ackd_session_free(session);
    ackd_lease_reply_free(reply);
}

static void test_a_queues_config_comes_back_and_changes(void **state)
{
    struct ackd_queue_config config;
    struct ackd_queue *queue;
    int64_t purged = 0;
    bool created = false;

    ackd_queue_config_init(&config);
    config.max_failures = 2;
    config.refuse_late_results = 1;
    assert_int_equal(ackd_client_create_queue(client, "config", &config, &queue, &created, &error),
                     ACKD_OK);
    assert_true(created);
    assert_int_equal(queue->config.max_failures, 2);
    assert_int_equal(queue->config.refuse_late_results, 1);
    assert_int_equal(queue->config.lease_ms, 60000);
    assert_int_equal(queue->config.dedup, 1);
    ackd_queue_free(queue);
    config.max_failures = 3;
    assert_int_equal(ackd_client_create_queue(client, "config", &config, NULL, NULL, &error),
                     ACKD_QUEUE_EXISTS);
    assert_int_equal(ackd_client_update_queue(client, "config", &config, NULL, &error), ACKD_OK);
    publish_one("config", "a", "1");
    assert_int_equal(ackd_client_pause_queue(client, "config", &error), ACKD_OK);
    assert_int_equal(ackd_client_get_queue(client, "config", &queue, &error), ACKD_OK);
    assert_int_equal(queue->config.max_failures, 3);
    assert_true(queue->paused);
    assert_int_equal(queue->ready, 1);
    ackd_queue_free(queue);
    assert_int_equal(ackd_client_resume_queue(client, "config", &error), ACKD_OK);
    assert_int_equal(ackd_client_purge_queue(client, "config", NULL, &purged, &error), ACKD_OK);
    assert_int_equal(purged, 1);
    assert_int_equal(ackd_client_delete_queue(client, "config", &error), ACKD_OK);
    assert_int_equal(ackd_client_get_queue(client, "config", &queue, &error), ACKD_QUEUE_NOT_FOUND);
    assert_null(queue);
    assert_int_equal(error.status, ACKD_QUEUE_NOT_FOUND);
    assert_true(strlen(error.message) > 0);
}

static void test_a_refusal_names_field_limit_and_value(void **state)
{
    struct ackd_lease_request request;
    struct ackd_lease_reply *reply;

    make_queue("refusal");
    ackd_lease_request_init(&request);
    request.queue = "refusal";
    request.max_tasks = 1000000;
    assert_int_equal(ackd_client_lease(client, &request, &reply, &error), ACKD_INVALID);
    assert_string_equal(error.field, "max_tasks");
    assert_int_equal(error.limit, 10000);
    assert_int_equal(error.value, 1000000);
    assert_false(error.no_reply);
    assert_null(reply);
}

static void test_acks_and_nacks_ride_along_with_a_lease(void **state)
{
    struct ackd_lease_reply *first;
    struct ackd_lease_reply *second;
    struct ackd_lease_request request;
    struct ackd_ack acks[2] = {{.has_result = true, .result = {"1", 1}},
                               {.lease_token = "no such token"}};

    make_queue("along");
    publish_one("along", "a", "1");
    publish_one("along", "b", "1");
    first = lease_one("along", NULL);
    acks[0].lease_token = first->tasks[0].lease_token;
    ackd_lease_request_init(&request);
    request.queue = "along";
    request.max_tasks = 1;
    request.acks = acks;
    request.ack_count = 2;
    assert_int_equal(ackd_client_lease(client, &request, &second, &error), ACKD_OK);
    assert_int_equal(second->ack_outcome_count, 2);
    assert_int_equal(second->ack_outcomes[0].status, ACKD_OK);
    assert_int_not_equal(second->ack_outcomes[1].status, ACKD_OK);
    assert_int_equal(second->task_count, 1);
    assert_string_equal(second->tasks[0].task.id, "b");
    ackd_lease_reply_free(second);
    ackd_lease_reply_free(first);
}

static void test_any_call_can_be_made_in_json(void **state)
{
    char *reply;

    make_queue("json");
    assert_int_equal(
        ackd_client_call_json(client, "ackd.v1.AdminService/Check", NULL, &reply, &error), ACKD_OK);
    assert_non_null(strstr(reply, "records"));
    free(reply);
    assert_int_equal(ackd_client_call_json(client, "ackd.v1.TaskService/Get",
                                           "{\"queue\":\"json\",\"taskId\":\"x\"}", &reply, &error),
                     ACKD_TASK_NOT_FOUND);
    assert_null(reply);
    assert_int_equal(ackd_client_call_json(client, "ackd.v1.NoService/None", "{}", &reply, &error),
                     ACKD_UNIMPLEMENTED);
}

static void *publish_fifty(void *context)
{
    char id[32];

    for (int i = 0; i < 50; i++) {
        (void)snprintf(id, sizeof id, "%s-%d", (const char *)context, i);
        publish_one("threads", id, "1");
    }
    return NULL;
}

static void test_a_client_serves_many_threads_at_once(void **state)
{
    static char names[8][8] = {"t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"};
    struct ackd_queue *queue;
    pthread_t threads[8];

    make_queue("threads");
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, publish_fifty, names[i]), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(ackd_client_get_queue(client, "threads", &queue, NULL), ACKD_OK);
    assert_int_equal(queue->ready, 400);
    ackd_queue_free(queue);
}

static void test_options_of_a_newer_program_are_refused_only_if_they_matter(void **state)
{
    struct {
        struct ackd_client_options known;
        int64_t unknown;
    } newer = {.known = {.size = sizeof newer}};
    struct ackd_client *other;

    assert_int_equal(ackd_client_open(&newer.known, &other, &error), ACKD_OK);
    ackd_client_close(other);
    newer.unknown = 1;
    assert_int_equal(ackd_client_open(&newer.known, &other, &error), ACKD_INVALID);
    newer.known.size = 0;
    assert_int_equal(ackd_client_open(&newer.known, &other, &error), ACKD_INVALID);
    assert_string_equal(error.field, "size");
}

static void test_what_a_worker_can_not_be_is_refused_by_name(void **state)
{
    struct ackd_worker_options options;
    struct ackd_worker *worker;

    ackd_worker_options_init(&options);
    assert_int_equal(ackd_worker_new(&options, &worker, &error), ACKD_INVALID);
    assert_string_equal(error.field, "queue");
    options.queue = "q";
    assert_int_equal(ackd_worker_new(&options, &worker, &error), ACKD_INVALID);
    assert_string_equal(error.field, "handler");
    options.batch_handler = (ackd_batch_handler)abort;
    options.concurrency = 1001;
    options.sink = ackd_sink_file("never-made"); /* freed all the same */
    assert_int_equal(ackd_worker_new(&options, &worker, &error), ACKD_INVALID);
    assert_string_equal(error.field, "concurrency");
    assert_null(worker);
    ackd_worker_free(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_arrives_as_it_was_published),
        cmocka_unit_test(test_publishing_again_makes_no_second_task),
        cmocka_unit_test(test_an_ack_may_be_repeated_and_its_result_read),
        cmocka_unit_test(test_nack_renew_checkpoint_and_the_view_of_a_task),
        cmocka_unit_test(test_a_session_keeps_leases_and_gives_them_back),
        cmocka_unit_test(test_a_queues_config_comes_back_and_changes),
        cmocka_unit_test(test_a_refusal_names_field_limit_and_value),
        cmocka_unit_test(test_acks_and_nacks_ride_along_with_a_lease),
        cmocka_unit_test(test_any_call_can_be_made_in_json),
        cmocka_unit_test(test_a_client_serves_many_threads_at_once),
        cmocka_unit_test(test_options_of_a_newer_program_are_refused_only_if_they_matter),
        cmocka_unit_test(test_what_a_worker_can_not_be_is_refused_by_name),
    };

    return cmocka_run_group_tests_name("client", tests, open_client, close_client);
}
