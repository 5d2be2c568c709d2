/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_fixture.c -- see client_fixture.h.
 */
#include "client_fixture.h"

#include <string.h>

struct ackd_client *client;
_Thread_local struct ackd_error error;

void make_queue(const char *name)
{
    assert_int_equal(ackd_client_create_queue(client, name, NULL, NULL, NULL, &error), ACKD_OK);
}

void publish_one(const char *queue, const char *id, const char *payload)
{
    const struct ackd_attribute attributes[] = {{"lang", "en"}, {"page", "7"}};
    struct ackd_new_task task = {.id = id, .attributes = attributes, .attribute_count = 2};
    struct ackd_publish_reply *reply;

    task.payload = (struct ackd_bytes){payload, strlen(payload)};
    task.priority = 3;
    assert_int_equal(ackd_client_publish(client, queue, "books", &task, 1, &reply, &error),
                     ACKD_OK);
    assert_int_equal(reply->stored, 1);
    assert_string_equal(reply->outcomes[0].task_id, id);
    ackd_publish_reply_free(reply);
}

struct ackd_lease_reply *lease_one(const char *queue, const char *session_id)
{
    struct ackd_lease_request request;
    struct ackd_lease_reply *reply;

    ackd_lease_request_init(&request);
    request.queue = queue;
    request.max_tasks = 1;
    request.wait_ms = 5000;
    request.session_id = session_id;
    assert_int_equal(ackd_client_lease(client, &request, &reply, &error), ACKD_OK);
    assert_int_equal(reply->task_count, 1);
    return reply;
}

struct ackd_session *open_session(const char *queue, const char *worker, int64_t session_ms)
{
    struct ackd_session_request request;
    struct ackd_session *session;

    ackd_session_request_init(&request);
    request.queue = queue;
    request.worker = worker;
    request.session_ms = session_ms;
    request.node = "node-1";
    request.pod = "pod-1";
    request.pod_namespace = "ocr";
    assert_int_equal(ackd_client_open_session(client, &request, &session, &error), ACKD_OK);
    return session;
}

struct ackd_ack_outcome ack_one(const char *token, const char *result)
{
    const struct ackd_ack ack = {
        .lease_token = token, .has_result = true, .result = {result, strlen(result)}};
    struct ackd_ack_outcome outcome;
    struct ackd_ack_reply *reply;

    assert_int_equal(ackd_client_ack(client, &ack, 1, &reply, &error), ACKD_OK);
    outcome = reply->outcomes[0];
    outcome.message = "";
    ackd_ack_reply_free(reply);
    return outcome;
}

int open_client(void **state)
{
    (void)state;
    return ackd_client_open(NULL, &client, &error) == ACKD_OK ? 0 : -1;
}

int close_client(void **state)
{
    (void)state;
    ackd_client_close(client);
    return 0;
}
