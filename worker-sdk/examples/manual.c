/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manual.c -- leases by hand: every step that a worker does for you, one call each.
 *
 *     ./manual QUEUE
 *
 * Makes the queue, publishes four tasks, takes them under a lease of ten seconds without a session,
 * and ends each in another way: acks one with its result, gives one back unfinished, fails one for
 * good, and renews the lease of the last before it acks it. Then it asks the broker how things
 * stand.
 *
 * Without a session nobody keeps the leases but you: renew in time, or the task goes to another.
 */
#include <ackd/ackd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const ids[] = {"apple", "bread", "cheese", "dates"};
enum { TASKS = sizeof ids / sizeof ids[0] };

/* Every call ends here if it did not work out. */
static void need(enum ackd_status status, const char *what, const struct ackd_error *error)
{
    if (status == ACKD_OK)
        return;
    fprintf(stderr, "manual: %s: %s\n", what, error->message);
    exit(1);
}

static void publish(struct ackd_client *client, const char *queue)
{
    struct ackd_new_task tasks[TASKS] = {0};
    struct ackd_publish_reply *reply;
    struct ackd_error error;

    for (int i = 0; i < TASKS; i++) {
        tasks[i].id = ids[i];
        tasks[i].payload = (struct ackd_bytes){ids[i], strlen(ids[i])};
    }
    need(ackd_client_publish(client, queue, "food", tasks, TASKS, &reply, &error), "publish",
         &error);
    printf("published: %d stored, %d there already\n", (int)reply->stored, (int)reply->duplicates);
    ackd_publish_reply_free(reply);
}

static struct ackd_lease_reply *lease(struct ackd_client *client, const char *queue)
{
    struct ackd_lease_request request;
    struct ackd_lease_reply *reply;
    struct ackd_error error;

    ackd_lease_request_init(&request);
    request.queue = queue;
    request.max_tasks = TASKS;
    request.wait_ms = 1000;
    request.lease_ms = 10000;
    need(ackd_client_lease(client, &request, &reply, &error), "lease", &error);
    for (size_t i = 0; i < reply->task_count; i++)
        printf("leased: %s, delivery %d\n", reply->tasks[i].task.id,
               reply->tasks[i].task.deliveries);
    return reply;
}

static void ack(struct ackd_client *client, const struct ackd_leased_task *leased,
                const char *result)
{
    const struct ackd_ack item = {leased->lease_token, true, {result, strlen(result)}, false};
    struct ackd_ack_reply *reply;
    struct ackd_error error;

    need(ackd_client_ack(client, &item, 1, &reply, &error), "ack", &error);
    printf("acked: %s: %s\n", leased->task.id, ackd_status_text(reply->outcomes[0].status));
    ackd_ack_reply_free(reply);
}

static void nack(struct ackd_client *client, const struct ackd_leased_task *leased,
                 enum ackd_nack_reason reason, const char *why)
{
    struct ackd_nack item = {.lease_token = leased->lease_token, .reason = reason, .error = why};
    struct ackd_nack_reply *reply;
    struct ackd_error error;

    item.permanent = reason == ACKD_NACK_FAILED;
    need(ackd_client_nack(client, &item, 1, &reply, &error), "nack", &error);
    printf("given back: %s: %s\n", leased->task.id, ackd_status_text(reply->outcomes[0].status));
    ackd_nack_reply_free(reply);
}

static void renew(struct ackd_client *client, const struct ackd_leased_task *leased)
{
    struct ackd_renew_reply *reply;
    struct ackd_error error;

    need(ackd_client_renew(client, &leased->lease_token, 1, 60000, &reply, &error), "renew",
         &error);
    printf("renewed: %s: %s\n", leased->task.id,
           reply->outcomes[0].deadline_unix_ms > leased->deadline_unix_ms ? "later" : "not later");
    ackd_renew_reply_free(reply);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "manual";
    struct ackd_lease_reply *leased;
    struct ackd_client *client;
    struct ackd_queue *queue;
    struct ackd_error error;

    need(ackd_client_open(NULL, &client, &error), "open", &error); /* ACKD_URL, or the default */
    need(ackd_client_create_queue(client, name, NULL, NULL, NULL, &error), "create", &error);
    publish(client, name);

    leased = lease(client, name);
    if (leased->task_count == TASKS) {
        ack(client, &leased->tasks[0], "red");
        nack(client, &leased->tasks[1], ACKD_NACK_RELEASED, NULL);
        nack(client, &leased->tasks[2], ACKD_NACK_FAILED, "it smells");
        renew(client, &leased->tasks[3]);
        ack(client, &leased->tasks[3], "sweet");
    }
    ackd_lease_reply_free(leased);

    need(ackd_client_get_queue(client, name, &queue, &error), "get", &error);
    printf("now: %d ready, %d done, %d dead\n", (int)queue->ready, (int)queue->done,
           (int)queue->dead);
    ackd_queue_free(queue);
    ackd_client_close(client);
    return 0;
}
