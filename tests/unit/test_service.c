/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_service.c -- handlers called as a face calls them, over three shards with their threads on
 * mem stores: what they refuse, how items find their shard and back, and the room of replies.
 */
#include <inttypes.h>
#include <stdio.h>

#include "ackd/v1/queue.pb-c.h"
#include "ackd/v1/result.pb-c.h"
#include "ackd/v1/session.pb-c.h"
#include "ackd/v1/task.pb-c.h"
#include "core/record.h"
#include "core/token.h"
#include "desk.h"
#include "service/service.h"
#include "store/mem.h"
#include "support/check.h"

#define SHARDS 3
#define PB(name) Ackd__V1__##name

struct rig {
    struct store *stores[SHARDS];
    struct service *service;
    struct desk desk;
    struct arena arena;  /* of all that a test asks */
    struct arena answer; /* of the last answer */
};

/* The first member's address is the call's. */
struct visit {
    struct service_call call;
    struct arena arena; /* bounded as a face's is */
    bool done;
};

static struct rig *rig_open(int shard_count, bool stepped)
{
    static struct rig rig;
    struct service_options options = {
        .clock = clock_real(),
        .limits = limits_default(),
        .stores = rig.stores,
        .shard_count = shard_count,
        .restart_grace_ms = 10000,
        .stepped = stepped,
        .version = "test",
    };
    struct error error = ERROR_NONE;

    for (int i = 0; i < shard_count; i++)
        assert_int_equal(store_mem_open(&rig.stores[i]), STATUS_OK);
    desk_init(&rig.desk);
    arena_init(&rig.arena, SIZE_MAX);
    arena_init(&rig.answer, 0);
    assert_int_equal(service_open(&options, &rig.service, &error), STATUS_OK);
    return &rig;
}

static struct rig *rig_new(int shard_count)
{
    return rig_open(shard_count, false);
}

static void rig_free(struct rig *self)
{
    service_close(self->service);
    mailbox_drain(&self->desk.mailbox);
    desk_deinit(&self->desk);
    arena_deinit(&self->answer);
    arena_deinit(&self->arena);
}

static void done(struct service_call *call)
{
    struct rig *rig = call->owner;

    ((struct visit *)call)->done = true;
    rig->desk.answered++;
}

typedef void handler(struct service *self, struct service_call *call);

static struct visit *send(struct rig *self, handler *handle, const ProtobufCMessage *request)
{
    struct visit *visit = ARENA_NEW(&self->arena, struct visit);

    arena_init(&visit->arena, 65536);
    visit->call = (struct service_call){.arena = &visit->arena,
                                        .request = request,
                                        .mailbox = &self->desk.mailbox,
                                        .done = done,
                                        .owner = self};
    handle(self->service, &visit->call);
    return visit;
}

/* The response, or NULL with the error in *ret_error (may be NULL: it must go well). What it says
 * is good until the next `ask`. */
static const void *ask(struct rig *self, handler *handle, const ProtobufCMessage *request,
                       struct error *ret_error)
{
    struct visit *visit = send(self, handle, request);

    desk_wait(&self->desk, self->desk.answered + (visit->done ? 0 : 1));
    assert_true(visit->done);
    arena_deinit(&self->answer);
    self->answer = visit->arena;
    if (ret_error != NULL)
        *ret_error = visit->call.error;
    else if (visit->call.error.status != STATUS_OK)
        fail_msg("%s: %s", status_name(visit->call.error.status), visit->call.error.message);
    return visit->call.error.status == STATUS_OK ? visit->call.response : NULL;
}

static char *say(struct rig *self, const char *text)
{
    return arena_string(&self->arena, slice_of_string(text));
}

#define NEW(rig, Name, name)                                                                       \
    ((PB(Name) *)message_new(&(rig)->arena, &ackd__v1__##name##__descriptor))

static void *message_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = arena_alloc(arena, descriptor->sizeof_message);

    protobuf_c_message_init(descriptor, message);
    return message;
}

static void create_queue(struct rig *self, const char *name)
{
    PB(CreateQueueRequest) *request = NEW(self, CreateQueueRequest, create_queue_request);

    request->name = say(self, name);
    ask(self, service_queue_create, &request->base, NULL);
}

static PB(PublishRequest) *publish_request(struct rig *self, const char *queue, size_t count)
{
    PB(PublishRequest) *request = NEW(self, PublishRequest, publish_request);

    request->queue = say(self, queue);
    request->tasks = ARENA_ARRAY(&self->arena, count, PB(NewTask) *);
    request->n_tasks = count;
    for (size_t i = 0; i < count; i++)
        request->tasks[i] = NEW(self, NewTask, new_task);
    return request;
}

static PB(LeaseRequest) *lease_request(struct rig *self, const char *queue, int32_t max_tasks)
{
    PB(LeaseRequest) *request = NEW(self, LeaseRequest, lease_request);

    request->queue = say(self, queue);
    request->max_tasks = max_tasks;
    return request;
}

/* Leases one task and returns its token. */
static char *take(struct rig *self, const char *queue)
{
    const PB(LeaseResponse) *response =
        ask(self, service_lease, &lease_request(self, queue, 1)->base, NULL);

    assert_int_equal(response->n_tasks, 1);
    return say(self, response->tasks[0]->lease_token);
}

static void add_ack(struct rig *self, PB(AckItem) *item, char *token, size_t result_size)
{
    item->lease_token = token;
    item->has_result_case = ACKD__V1__ACK_ITEM__HAS_RESULT_RESULT;
    item->result.len = result_size;
    item->result.data = arena_alloc(&self->arena, result_size);
}

static int64_t count_of(struct rig *self, const char *queue, const char *what)
{
    PB(GetQueueRequest) *request = NEW(self, GetQueueRequest, get_queue_request);
    const PB(GetQueueResponse) *response;

    request->name = say(self, queue);
    response = ask(self, service_queue_get, &request->base, NULL);
    return strcmp(what, "leased") == 0 ? response->queue->counts->leased
           : strcmp(what, "done") == 0 ? response->queue->counts->done
                                       : response->queue->counts->ready;
}

/* ---- tests ---- */

static void test_an_ack_too_large_leaves_its_task_leased(void **state)
{
    struct rig *rig = rig_new(1);
    const PB(LeaseResponse) *leased;
    const PB(AckResponse) *acked;
    PB(LeaseRequest) *lease;
    PB(AckRequest) *ack;
    char *token;

    (void)state;
    create_queue(rig, "q");
    ask(rig, service_publish, &publish_request(rig, "q", 1)->base, NULL);
    token = take(rig, "q");

    lease = lease_request(rig, "q", 0);
    lease->n_acks = 1;
    lease->acks = ARENA_NEW(&rig->arena, PB(AckItem) *);
    lease->acks[0] = NEW(rig, AckItem, ack_item);
    add_ack(rig, lease->acks[0], token, (1 << 20) + 1);
    leased = ask(rig, service_lease, &lease->base, NULL); /* carried by a lease */
    assert_int_equal(leased->ack_outcomes[0]->error->status, STATUS_TOO_LARGE);
    assert_string_equal(leased->ack_outcomes[0]->error->field, "acks[0].result");
    assert_int_equal(count_of(rig, "q", "leased"), 1);

    ack = NEW(rig, AckRequest, ack_request);
    ack->n_items = 1;
    ack->items = lease->acks;
    acked = ask(rig, service_ack, &ack->base, NULL); /* and by itself */
    assert_int_equal(acked->outcomes[0]->error->status, STATUS_TOO_LARGE);
    assert_int_equal(count_of(rig, "q", "leased"), 1);

    ack->items[0]->result.len = 1 << 20;
    acked = ask(rig, service_ack, &ack->base, NULL);
    assert_null(acked->outcomes[0]->error);
    assert_int_equal(count_of(rig, "q", "done"), 1);
    rig_free(rig);
}

static void test_a_reply_has_room_for_all_that_was_leased(void **state)
{
    struct rig *rig = rig_new(1);
    PB(PublishRequest) *publish = publish_request(rig, "q", 2000);
    const PB(LeaseResponse) *response;
    PB(LeaseRequest) *lease = lease_request(rig, "q", 2000);

    (void)state;
    create_queue(rig, "q");
    publish->dataset = arena_alloc(&rig->arena, DATASET_NAME_BYTES_MAX + 1);
    memset(publish->dataset, 'd', DATASET_NAME_BYTES_MAX);
    for (size_t i = 0; i < publish->n_tasks; i++) {
        PB(NewTask) *task = publish->tasks[i];

        task->task_id = arena_printf(&rig->arena, "%0256zu", i);
        task->n_attributes = 64;
        task->attributes = ARENA_ARRAY(&rig->arena, 64, PB(NewTask__AttributesEntry) *);
        for (int k = 0; k < 64; k++) { /* as many bytes of overhead as can be */
            task->attributes[k] = NEW(rig, NewTask__AttributesEntry, new_task__attributes_entry);
            task->attributes[k]->key = arena_printf(&rig->arena, "%c", '0' + k);
            task->attributes[k]->value = say(rig, "");
        }
        task->payload.len = 15 << 10;
        task->payload.data = arena_alloc(&rig->arena, task->payload.len);
    }
    ask(rig, service_publish, &publish->base, NULL);
    lease->max_bytes = LEASE_REPLY_BYTES_MAX;
    response = ask(rig, service_lease, &lease->base, NULL);
    assert_true(response->n_tasks >= 1900);
    for (size_t i = 0; i < response->n_tasks; i++)
        assert_int_equal(response->tasks[i]->n_attributes, 64);
    assert_int_equal(count_of(rig, "q", "leased"), response->n_tasks);
    rig_free(rig);
}

static void test_items_find_their_shards_and_come_back_in_order(void **state)
{
    struct rig *rig = rig_new(SHARDS);
    const PB(AckResponse) *response;
    PB(AckRequest) *ack = NEW(rig, AckRequest, ack_request);
    bool seen[SHARDS] = {false};

    (void)state;
    ack->n_items = 14;
    ack->items = ARENA_ARRAY(&rig->arena, ack->n_items, PB(AckItem) *);
    for (int i = 0; i < 14; i++)
        ack->items[i] = NEW(rig, AckItem, ack_item);
    for (int i = 0; i < 12; i++) {
        char *name = arena_printf(&rig->arena, "queue-%d", i);
        struct lease_token token;

        create_queue(rig, name);
        ask(rig, service_publish, &publish_request(rig, name, 1)->base, NULL);
        ack->items[i]->lease_token = take(rig, name);
        assert_true(token_read(slice_of_string(ack->items[i]->lease_token), &token));
        seen[token.place.queue >> 26] = true;
    }
    for (int i = 0; i < SHARDS; i++)
        assert_true(seen[i]); /* queues are spread */
    for (int i = 12; i < 14; i++) {
        struct lease_token token = {.place = {.queue = i == 12 ? UINT32_MAX : 9, .seq = 1},
                                    .fence = 1};
        char text[TOKEN_BYTES_MAX];

        token_write(&token, text); /* of a shard that is not here; of no queue */
        ack->items[i]->lease_token = say(rig, text);
    }
    ack->items[5]->lease_token = say(rig, "no token");
    response = ask(rig, service_ack, &ack->base, NULL);
    assert_int_equal(response->n_outcomes, 14);
    for (int i = 0; i < 14; i++) {
        const PB(ErrorDetail) *error = response->outcomes[i]->error;

        if (i == 5)
            assert_string_equal(error->field, "items[5].lease_token");
        else if (i >= 12)
            assert_int_equal(error->status, STATUS_LEASE_LOST);
        else
            assert_null(error);
    }
    rig_free(rig);
}

static void test_a_queue_keeps_its_shard_after_a_start_and_may_move_when_made_anew(void **state)
{
    struct rig *rig = rig_new(SHARDS);
    PB(DeleteQueueRequest) *delete = NEW(rig, DeleteQueueRequest, delete_queue_request);
    PB(ListQueuesRequest) *list = NEW(rig, ListQueuesRequest, list_queues_request);
    const PB(ListQueuesResponse) *response;

    (void)state;
    for (int i = 0; i < 9; i++)
        create_queue(rig, arena_printf(&rig->arena, "queue-%d", i));
    delete->name = say(rig, "queue-4");
    ask(rig, service_queue_delete, &delete->base, NULL);
    for (int i = 0; i < 5; i++) {
        create_queue(rig, "queue-4");
        ask(rig, service_publish, &publish_request(rig, "queue-4", 1)->base, NULL);
        ask(rig, service_queue_delete, &delete->base, NULL);
    }
    list->page_size = 3;
    for (int page = 0, at = 0; page < 3; page++) {
        response = ask(rig, service_queue_list, &list->base, NULL);
        for (size_t i = 0; i < response->n_queues; i++, at++) {
            at += at == 4; /* the deleted one */
            assert_string_equal(response->queues[i]->name,
                                arena_printf(&rig->arena, "queue-%d", at));
        }
        assert_int_equal(response->next_page_token[0] == '\0', page == 2);
        list->page_token = say(rig, response->next_page_token);
    }
    rig_free(rig);
}

static void test_page_tokens_from_anywhere_are_harmless(void **state)
{
    struct rig *rig = rig_new(1);

    (void)state;
    create_queue(rig, "q");
    ask(rig, service_publish, &publish_request(rig, "q", 3)->base, NULL);
    for (size_t size = 0; size <= 400; size++) {
        PB(ListResultsRequest) *results = NEW(rig, ListResultsRequest, list_results_request);
        PB(ListTasksRequest) *tasks = NEW(rig, ListTasksRequest, list_tasks_request);
        char *token = arena_alloc(&rig->arena, size + 1);
        struct error error;

        memset(token, size % 2 == 0 ? '_' : 'A', size); /* bytes of ff, and of 00 */
        results->queue = tasks->queue = say(rig, "q");
        results->page_token = tasks->page_token = token;
        ask(rig, service_result_list, &results->base, &error);
        assert_true(error.status == STATUS_OK || error.status == STATUS_INVALID);
        ask(rig, service_task_list, &tasks->base, &error);
        assert_true(error.status == STATUS_OK || error.status == STATUS_INVALID);
    }
    rig_free(rig);
}

static void test_closing_answers_whoever_waits(void **state)
{
    struct rig *rig = rig_new(SHARDS);
    struct visit *visits[20];

    (void)state;
    create_queue(rig, "q");
    for (int i = 0; i < 20; i++) {
        PB(LeaseRequest) *lease = lease_request(rig, "q", 1);

        lease->wait_ms = 60000;
        visits[i] = send(rig, service_lease, &lease->base);
    }
    service_cancel(&visits[7]->call);
    desk_wait(&rig->desk, rig->desk.answered + 1);
    assert_true(visits[7]->done);
    assert_int_equal(visits[7]->call.error.status, STATUS_CANCELED);
    service_drain(rig->service);
    assert_false(service_is_ready(rig->service));
    service_close(rig->service);
    mailbox_drain(&rig->desk.mailbox);
    for (int i = 0; i < 20; i++) {
        assert_true(visits[i]->done);
        assert_int_equal(visits[i]->call.error.status, i == 7 ? STATUS_CANCELED : STATUS_OK);
        arena_deinit(&visits[i]->arena);
    }
    rig->service = NULL;
    rig_free(rig);
}

static void test_session_ids_that_are_none_are_refused(void **state)
{
    static const char *const ids[] = {"",
                                      "0",
                                      "0000000000000000",
                                      "1",
                                      "ffffffffffffffff",
                                      "g",
                                      " 000000000000001",
                                      "000000000000000A",
                                      "00000000000000001"};
    struct rig *rig = rig_new(SHARDS);

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        PB(HeartbeatRequest) *request = NEW(rig, HeartbeatRequest, heartbeat_request);
        struct error error;

        request->session_id = say(rig, ids[i]);
        ask(rig, service_session_heartbeat, &request->base, &error);
        assert_int_equal(error.status, strcmp(ids[i], "ffffffffffffffff") == 0
                                           ? STATUS_SESSION_NOT_FOUND
                                           : STATUS_INVALID);
    }
    rig_free(rig);
}

static void test_a_stepped_service_does_nothing_until_it_is_stepped(void **state)
{
    struct rig *rig = rig_open(1, true);
    PB(CreateQueueRequest) *request = NEW(rig, CreateQueueRequest, create_queue_request);
    struct visit *visit;

    request->name = say(rig, "jobs");
    visit = send(rig, service_queue_create, &request->base);
    mailbox_drain(&rig->desk.mailbox);
    assert_false(visit->done);

    assert_true(service_step(rig->service));
    mailbox_drain(&rig->desk.mailbox);
    assert_true(visit->done);
    assert_int_equal(visit->call.error.status, STATUS_OK);
    arena_deinit(&visit->arena);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_ack_too_large_leaves_its_task_leased),
        cmocka_unit_test(test_a_reply_has_room_for_all_that_was_leased),
        cmocka_unit_test(test_items_find_their_shards_and_come_back_in_order),
        cmocka_unit_test(test_a_queue_keeps_its_shard_after_a_start_and_may_move_when_made_anew),
        cmocka_unit_test(test_page_tokens_from_anywhere_are_harmless),
        cmocka_unit_test(test_closing_answers_whoever_waits),
        cmocka_unit_test(test_session_ids_that_are_none_are_refused),
        cmocka_unit_test(test_a_stepped_service_does_nothing_until_it_is_stepped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
