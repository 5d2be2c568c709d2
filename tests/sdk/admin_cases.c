/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_cases.c -- the calls of ackd/admin.h against the real broker; run by test_client.py.
 */
#include <string.h>

#include "client_fixture.h"

/* The task's next delivery fails for good: it becomes a dead letter. */
static void fail_one(const char *queue, const char *why)
{
    struct ackd_lease_reply *leased = lease_one(queue, NULL);
    const struct ackd_nack nack = {.lease_token = leased->tasks[0].lease_token,
                                   .reason = ACKD_NACK_FAILED,
                                   .error = why,
                                   .permanent = true};
    struct ackd_nack_reply *reply;

    assert_int_equal(ackd_client_nack(client, &nack, 1, &reply, &error), ACKD_OK);
    assert_int_equal(reply->outcomes[0].status, ACKD_OK);
    ackd_nack_reply_free(reply);
    ackd_lease_reply_free(leased);
}

static void finish_one(const char *queue, const char *result)
{
    struct ackd_lease_reply *leased = lease_one(queue, NULL);

    assert_int_equal(ack_one(leased->tasks[0].lease_token, result).status, ACKD_OK);
    ackd_lease_reply_free(leased);
}

static struct ackd_task_list *list_tasks(struct ackd_task_list_request *request,
                                         const char *page_token)
{
    struct ackd_task_list *list;

    request->page_token = page_token;
    assert_int_equal(ackd_client_list_tasks(client, request, &list, &error), ACKD_OK);
    return list;
}

static void test_queues_are_listed_by_name_in_pages(void **state)
{
    struct ackd_queue_list *page = NULL;
    size_t found = 0;
    size_t pages = 0;

    make_queue("list.a");
    make_queue("list.b");
    publish_one("list.b", "1", "1");
    do {
        struct ackd_queue_list *next;

        assert_int_equal(ackd_client_list_queues(
                             client, 1, page == NULL ? NULL : page->next_page_token, &next, &error),
                         ACKD_OK);
        assert_in_range(next->queue_count, 0, 1);
        ackd_queue_list_free(page);
        page = next;
        pages++;
        if (page->queue_count == 0 || strncmp(page->queues[0].name, "list.", 5) != 0)
            continue;
        assert_string_equal(page->queues[0].name, found == 0 ? "list.a" : "list.b");
        assert_int_equal(page->queues[0].ready, found);
        assert_int_equal(page->queues[0].published, found);
        assert_int_equal(page->queues[0].config.lease_ms, 60000);
        found++;
    } while (page->next_page_token[0] != '\0');
    ackd_queue_list_free(page);
    assert_int_equal(found, 2);
    assert_true(pages >= 2);
}

static void test_a_token_that_is_none_is_refused(void **state)
{
    struct ackd_queue_list *page;

    assert_int_equal(ackd_client_list_queues(client, 0, "\x01", &page, &error), ACKD_INVALID);
    assert_string_equal(error.field, "page_token");
    assert_null(page);
    assert_int_equal(ackd_client_list_queues(client, INT64_MAX, NULL, &page, &error), ACKD_INVALID);
    assert_string_equal(error.field, "page_size");
    assert_int_equal(error.limit, 1000);
}

static void test_tasks_are_listed_in_service_order_with_their_payloads_if_asked(void **state)
{
    struct ackd_task_list_request request;
    struct ackd_task_list *first;
    struct ackd_task_list *second;

    make_queue("tasks");
    publish_one("tasks", "a", "one");
    publish_one("tasks", "b", "three");
    ackd_task_list_request_init(&request);
    request.queue = "tasks";
    request.page_size = 1;
    request.with_payload = true;
    first = list_tasks(&request, NULL);
    assert_int_equal(first->task_count, 1);
    assert_string_equal(first->tasks[0].task.id, "a");
    assert_string_equal(first->tasks[0].task.queue, "tasks");
    assert_string_equal(first->tasks[0].task.payload.data, "one");
    assert_string_equal(ackd_task_attribute(&first->tasks[0].task, "lang"), "en");
    assert_int_equal(first->tasks[0].state, ACKD_TASK_READY);
    assert_int_equal(first->tasks[0].dead_reason, 0);
    assert_true(first->next_page_token[0] != '\0');
    request.with_payload = false;
    request.page_size = 0;
    second = list_tasks(&request, first->next_page_token);
    assert_int_equal(second->task_count, 1);
    assert_string_equal(second->tasks[0].task.id, "b");
    assert_int_equal(second->tasks[0].task.payload.size, 0);
    assert_int_equal(second->tasks[0].payload_bytes, 5);
    assert_string_equal(second->next_page_token, "");
    ackd_task_list_free(second);
    ackd_task_list_free(first);
}

static void test_tasks_are_listed_by_state_and_dataset(void **state)
{
    struct ackd_task_list_request request;
    struct ackd_task_list *list;

    make_queue("states");
    publish_one("states", "a", "1");
    publish_one("states", "b", "1");
    ackd_lease_reply_free(lease_one("states", NULL));
    ackd_task_list_request_init(&request);
    request.queue = "states";
    request.state = ACKD_TASK_LEASED;
    request.dataset = "books";
    list = list_tasks(&request, NULL);
    assert_int_equal(list->task_count, 1);
    assert_string_equal(list->tasks[0].task.id, "a");
    assert_int_equal(list->tasks[0].task.fence, 1);
    assert_true(list->tasks[0].leased_unix_ms > 0);
    ackd_task_list_free(list);
    request.dataset = "films";
    list = list_tasks(&request, NULL);
    assert_int_equal(list->task_count, 0);
    ackd_task_list_free(list);
}

static void test_a_canceled_task_is_a_dead_letter_and_its_worker_is_told(void **state)
{
    static const char *const ids[] = {"a", "nothing"};
    struct ackd_heartbeat_reply *beat;
    struct ackd_cancel_reply *reply;
    struct ackd_lease_reply *leased;
    struct ackd_session *session;
    struct ackd_task_view *view;

    make_queue("cancel");
    publish_one("cancel", "a", "1");
    session = open_session("cancel", "me", 0);
    leased = lease_one("cancel", session->id);
    assert_int_equal(ackd_client_cancel_tasks(client, "cancel", ids, 2, &reply, &error), ACKD_OK);
    assert_int_equal(reply->outcome_count, 2);
    assert_int_equal(reply->outcomes[0].status, ACKD_OK);
    assert_int_equal(reply->outcomes[1].status, ACKD_TASK_NOT_FOUND);
    assert_true(strlen(reply->outcomes[1].message) > 0);
    ackd_cancel_reply_free(reply);
    assert_int_equal(ackd_client_heartbeat(client, session->id, NULL, 0, &beat, &error), ACKD_OK);
    assert_int_equal(beat->stop_count, 1);
    assert_int_equal(beat->stops[0].reason, ACKD_STOP_CANCELLED);
    assert_string_equal(beat->stops[0].lease_token, leased->tasks[0].lease_token);
    ackd_heartbeat_reply_free(beat);
    assert_int_equal(ackd_client_get_task(client, "cancel", "a", &view, &error), ACKD_OK);
    assert_int_equal(view->state, ACKD_TASK_DEAD);
    assert_int_equal(view->dead_reason, ACKD_DEAD_CANCELLED);
    ackd_task_view_free(view);
    assert_int_equal(ackd_client_cancel_tasks(client, "cancel", ids, 1, &reply, &error), ACKD_OK);
    assert_int_equal(reply->outcomes[0].status, ACKD_WRONG_STATE);
    ackd_cancel_reply_free(reply);
    ackd_lease_reply_free(leased);
    ackd_session_free(session);
}

static int64_t progress_of(const char *queue, const char *id)
{
    struct ackd_task_view *view;
    int64_t progress_ms;

    assert_int_equal(ackd_client_get_task(client, queue, id, &view, &error), ACKD_OK);
    assert_int_equal(view->state, ACKD_TASK_LEASED);
    assert_int_equal(view->attempts[view->attempt_count - 1].end, ACKD_ATTEMPT_GOES_ON);
    assert_string_equal(view->attempts[view->attempt_count - 1].worker, "me");
    assert_string_equal(view->attempts[view->attempt_count - 1].node, "node-1");
    progress_ms = view->progress_unix_ms;
    ackd_task_view_free(view);
    return progress_ms;
}

static size_t count_stuck(const char *queue, int64_t min_stalled_ms)
{
    struct ackd_task_list_request request;
    struct ackd_task_list *list;
    size_t count;

    ackd_task_list_request_init(&request);
    request.queue = queue;
    request.min_stalled_ms = min_stalled_ms;
    assert_int_equal(ackd_client_list_tasks(client, &request, &list, &error), ACKD_OK);
    count = list->task_count;
    ackd_task_list_free(list);
    return count;
}

static void test_progress_tells_a_task_that_moves_from_one_that_is_stuck(void **state)
{
    struct ackd_heartbeat_reply *beat;
    struct ackd_lease_reply *leased;
    struct ackd_session *session;
    const char *token;
    int64_t before_ms;

    make_queue("progress");
    publish_one("progress", "a", "1");
    session = open_session("progress", "me", 0);
    leased = lease_one("progress", session->id);
    before_ms = progress_of("progress", "a");
    assert_int_equal(count_stuck("progress", 3600000), 0);
    while (count_stuck("progress", 2) == 0) {
    }
    token = leased->tasks[0].lease_token;
    assert_int_equal(ackd_client_heartbeat(client, session->id, &token, 1, &beat, &error), ACKD_OK);
    ackd_heartbeat_reply_free(beat);
    assert_true(progress_of("progress", "a") > before_ms);
    ackd_lease_reply_free(leased);
    ackd_session_free(session);
}

static void test_sessions_are_listed_with_what_they_hold(void **state)
{
    struct ackd_session_list *list;
    struct ackd_lease_reply *leased;
    struct ackd_session *session;

    make_queue("sessions");
    publish_one("sessions", "a", "1");
    publish_one("sessions", "b", "1");
    session = open_session("sessions", "pod-7", 30000);
    leased = lease_one("sessions", session->id);
    assert_int_equal(ack_one(leased->tasks[0].lease_token, "1").status, ACKD_OK);
    ackd_lease_reply_free(leased);
    ackd_lease_reply_free(lease_one("sessions", session->id));
    assert_int_equal(ackd_client_list_sessions(client, "sessions", &list, &error), ACKD_OK);
    assert_int_equal(list->session_count, 1);
    assert_string_equal(list->sessions[0].id, session->id);
    assert_string_equal(list->sessions[0].queue, "sessions");
    assert_string_equal(list->sessions[0].worker, "pod-7");
    assert_string_equal(list->sessions[0].node, "node-1");
    assert_string_equal(list->sessions[0].pod, "pod-1");
    assert_string_equal(list->sessions[0].pod_namespace, "ocr");
    assert_int_equal(list->sessions[0].session_ms, 30000);
    assert_int_equal(list->sessions[0].leased, 1);
    assert_int_equal(list->sessions[0].acked, 1);
    assert_true(list->sessions[0].opened_unix_ms > 0);
    assert_true(list->sessions[0].heartbeat_unix_ms >= list->sessions[0].opened_unix_ms);
    ackd_session_list_free(list);
    assert_int_equal(ackd_client_close_session(client, session->id, NULL, &error), ACKD_OK);
    assert_int_equal(ackd_client_list_sessions(client, "sessions", &list, &error), ACKD_OK);
    assert_int_equal(list->session_count, 0);
    ackd_session_list_free(list);
    ackd_session_free(session);
}

static void test_dead_letters_are_listed_redriven_and_deleted(void **state)
{
    static const char *const ids[] = {"a", "nothing"};
    struct ackd_dead_list_request request;
    struct ackd_dead_selection selection;
    struct ackd_dead_list *list;
    struct ackd_queue *queue;
    int64_t count = 0;

    make_queue("dead");
    publish_one("dead", "a", "first");
    publish_one("dead", "b", "second");
    fail_one("dead", "no text");
    fail_one("dead", "no page");
    ackd_dead_list_request_init(&request);
    request.queue = "dead";
    request.dataset = "books";
    request.page_size = 1;
    request.with_payload = true;
    assert_int_equal(ackd_client_list_dead(client, &request, &list, &error), ACKD_OK);
    assert_int_equal(list->letter_count, 1);
    assert_string_equal(list->letters[0].task.task.id, "a");
    assert_string_equal(list->letters[0].task.task.payload.data, "first");
    assert_int_equal(list->letters[0].task.task.failures, 1);
    assert_int_equal(list->letters[0].reason, ACKD_DEAD_FAILURES);
    assert_string_equal(list->letters[0].error, "no text");
    assert_true(list->letters[0].dead_unix_ms > 0);
    assert_true(list->next_page_token[0] != '\0');
    ackd_dead_list_free(list);

    ackd_dead_selection_init(&selection);
    assert_int_equal(ackd_client_redrive_dead(client, "dead", &selection, &count, &error),
                     ACKD_INVALID); /* an empty selection is not "all" */
    selection.task_ids = ids;
    selection.task_id_count = 2;
    assert_int_equal(ackd_client_redrive_dead(client, "dead", &selection, &count, &error), ACKD_OK);
    assert_int_equal(count, 1);
    ackd_dead_selection_init(&selection);
    selection.all = true;
    selection.error = "no such error";
    assert_int_equal(ackd_client_delete_dead(client, "dead", &selection, &count, &error), ACKD_OK);
    assert_int_equal(count, 0);
    selection.error = "no page";
    selection.reason = ACKD_DEAD_FAILURES;
    selection.dataset = "books";
    assert_int_equal(ackd_client_delete_dead(client, "dead", &selection, &count, &error), ACKD_OK);
    assert_int_equal(count, 1);
    assert_int_equal(ackd_client_get_queue(client, "dead", &queue, &error), ACKD_OK);
    assert_int_equal(queue->ready, 1);
    assert_int_equal(queue->dead, 0);
    ackd_queue_free(queue);
}

static void test_results_are_listed_in_pages_and_by_id(void **state)
{
    static const char *const ids[] = {"b", "nothing"};
    struct ackd_result_list_request request;
    struct ackd_result_list *first;
    struct ackd_result_list *second;

    make_queue("results");
    publish_one("results", "a", "1");
    publish_one("results", "b", "1");
    finish_one("results", "result a");
    finish_one("results", "result b");
    ackd_result_list_request_init(&request);
    request.queue = "results";
    request.page_size = 1;
    assert_int_equal(ackd_client_list_results(client, &request, &first, &error), ACKD_OK);
    assert_int_equal(first->result_count, 1);
    assert_string_equal(first->results[0].task_id, "a");
    assert_string_equal(first->results[0].data.data, "result a");
    assert_string_equal(first->results[0].dataset, "books");
    assert_int_equal(first->results[0].fence, 1);
    request.page_token = first->next_page_token;
    assert_int_equal(ackd_client_list_results(client, &request, &second, &error), ACKD_OK);
    assert_string_equal(second->results[0].task_id, "b");
    ackd_result_list_free(second);
    ackd_result_list_free(first);

    ackd_result_list_request_init(&request);
    request.queue = "results";
    request.task_ids = ids;
    request.task_id_count = 2;
    request.ids_only = true;
    assert_int_equal(ackd_client_list_results(client, &request, &first, &error), ACKD_OK);
    assert_int_equal(first->result_count, 1);
    assert_string_equal(first->results[0].task_id, "b");
    assert_int_equal(first->results[0].data.size, 0);
    ackd_result_list_free(first);
}

static void test_datasets_say_how_far_they_are(void **state)
{
    struct ackd_dataset_list *list;
    struct ackd_dataset *dataset;

    make_queue("datasets");
    publish_one("datasets", "a", "1");
    publish_one("datasets", "b", "1");
    finish_one("datasets", "1");
    assert_int_equal(ackd_client_get_dataset(client, "datasets", "books", &dataset, &error),
                     ACKD_OK);
    assert_string_equal(dataset->name, "books");
    assert_int_equal(dataset->published, 2);
    assert_int_equal(dataset->ready, 1);
    assert_int_equal(dataset->done, 1);
    assert_int_equal(dataset->deliveries, 1);
    assert_true(dataset->first_published_unix_ms > 0);
    assert_true(dataset->last_published_unix_ms >= dataset->first_published_unix_ms);
    assert_true(dataset->first_done_unix_ms > 0);
    assert_true(dataset->last_done_unix_ms >= dataset->first_done_unix_ms);
    assert_true(dataset->done_per_s >= 0);
    assert_true(dataset->eta_ms >= -1);
    ackd_dataset_free(dataset);
    assert_int_equal(ackd_client_list_datasets(client, "datasets", &list, &error), ACKD_OK);
    assert_int_equal(list->dataset_count, 1);
    assert_string_equal(list->datasets[0].name, "books");
    assert_int_equal(list->datasets[0].published, 2);
    ackd_dataset_list_free(list);
    assert_int_equal(ackd_client_get_dataset(client, "datasets", "films", &dataset, &error),
                     ACKD_NOT_FOUND);
    assert_null(dataset);
}

static void test_stats_tell_of_the_broker_and_each_shard(void **state)
{
    struct ackd_stats *stats;
    int64_t queues = 0;

    make_queue("stats");
    assert_int_equal(ackd_client_get_stats(client, &stats, &error), ACKD_OK);
    assert_string_equal(stats->version, ACKD_VERSION);
    assert_true(stats->started_unix_ms > 0);
    assert_true(stats->now_unix_ms >= stats->started_unix_ms);
    assert_true(stats->connections >= 1);
    assert_true(stats->requests >= 1);
    assert_true(stats->shard_count >= 1);
    for (size_t i = 0; i < stats->shard_count; i++) {
        assert_int_equal(stats->shards[i].shard, i);
        assert_string_equal(stats->shards[i].store, "lmdb");
        assert_true(stats->shards[i].used_bytes <= stats->shards[i].map_bytes);
        queues += stats->shards[i].queues;
    }
    assert_true(queues >= 1);
    ackd_stats_free(stats);
}

static void test_without_authentication_everybody_calls_and_there_are_no_tokens(void **state)
{
    struct ackd_caller *caller;
    struct ackd_token_list *list;

    assert_int_equal(ackd_client_whoami(client, &caller, &error), ACKD_OK);
    assert_int_equal(caller->kind, ACKD_CALLER_ANYBODY);
    assert_string_equal(caller->name, "");
    assert_int_equal(caller->grant_count, 0);
    assert_string_equal(caller->version, ACKD_VERSION);
    assert_true(caller->now_unix_ms > 0);
    ackd_caller_free(caller);
    assert_int_equal(ackd_client_list_tokens(client, &list, &error), ACKD_WRONG_STATE);
    assert_null(list);
}

static void test_a_backup_has_a_name_of_its_own(void **state)
{
    struct ackd_backup *backup;

    assert_int_equal(ackd_client_backup(client, "first", 0, &backup, &error), ACKD_OK);
    assert_string_equal(backup->path, "backups/first");
    assert_true(backup->bytes > 0);
    ackd_backup_free(backup);
    assert_int_equal(ackd_client_backup(client, "first", 0, &backup, &error), ACKD_INVALID);
    assert_string_equal(error.field, "name");
    assert_null(backup);
    assert_int_equal(ackd_client_backup(client, NULL, 30000, &backup, &error), ACKD_OK);
    assert_non_null(strstr(backup->path, "Z"));
    ackd_backup_free(backup);
}

static void test_a_check_reads_every_record(void **state)
{
    struct ackd_check *check;

    make_queue("check");
    publish_one("check", "a", "1");
    assert_int_equal(ackd_client_check(client, 0, &check, &error), ACKD_OK);
    assert_true(check->records > 0);
    assert_int_equal(check->problems, 0);
    assert_int_equal(check->text_count, 0);
    ackd_check_free(check);
}

static void test_a_request_without_its_size_is_refused(void **state)
{
    const struct ackd_task_list_request tasks = {.queue = "q"};
    const struct ackd_dead_list_request dead = {.queue = "q"};
    const struct ackd_result_list_request results = {.queue = "q"};
    const struct ackd_dead_selection selection = {.all = true};
    struct ackd_task_list *task_list;
    struct ackd_dead_list *dead_list;
    struct ackd_result_list *result_list;

    assert_int_equal(ackd_client_list_tasks(client, &tasks, &task_list, &error), ACKD_INVALID);
    assert_string_equal(error.field, "size");
    assert_null(task_list);
    assert_int_equal(ackd_client_list_dead(client, &dead, &dead_list, &error), ACKD_INVALID);
    assert_null(dead_list);
    assert_int_equal(ackd_client_list_results(client, &results, &result_list, &error),
                     ACKD_INVALID);
    assert_null(result_list);
    assert_int_equal(ackd_client_redrive_dead(client, "q", &selection, NULL, &error), ACKD_INVALID);
    assert_int_equal(ackd_client_delete_dead(client, "q", &selection, NULL, &error), ACKD_INVALID);
}

static void test_a_call_names_the_queue_that_is_not_there(void **state)
{
    struct ackd_dataset_list *list;

    assert_int_equal(ackd_client_list_datasets(client, "no-such-queue", &list, &error),
                     ACKD_QUEUE_NOT_FOUND);
    assert_null(list);
    assert_non_null(strstr(error.message, "no-such-queue"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queues_are_listed_by_name_in_pages),
        cmocka_unit_test(test_a_token_that_is_none_is_refused),
        cmocka_unit_test(test_tasks_are_listed_in_service_order_with_their_payloads_if_asked),
        cmocka_unit_test(test_tasks_are_listed_by_state_and_dataset),
        cmocka_unit_test(test_a_canceled_task_is_a_dead_letter_and_its_worker_is_told),
        cmocka_unit_test(test_progress_tells_a_task_that_moves_from_one_that_is_stuck),
        cmocka_unit_test(test_sessions_are_listed_with_what_they_hold),
        cmocka_unit_test(test_dead_letters_are_listed_redriven_and_deleted),
        cmocka_unit_test(test_results_are_listed_in_pages_and_by_id),
        cmocka_unit_test(test_datasets_say_how_far_they_are),
        cmocka_unit_test(test_stats_tell_of_the_broker_and_each_shard),
        cmocka_unit_test(test_without_authentication_everybody_calls_and_there_are_no_tokens),
        cmocka_unit_test(test_a_backup_has_a_name_of_its_own),
        cmocka_unit_test(test_a_check_reads_every_record),
        cmocka_unit_test(test_a_request_without_its_size_is_refused),
        cmocka_unit_test(test_a_call_names_the_queue_that_is_not_there),
    };

    return cmocka_run_group_tests_name("admin", tests, open_client, close_client);
}
