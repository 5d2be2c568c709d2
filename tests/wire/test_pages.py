# SPDX-License-Identifier: Apache-2.0
"""The plain GETs: health, metrics, the autoscalers' numbers."""
import pytest
from prometheus import read_metrics

@pytest.mark.parametrize("path, body", [("/healthz", b"ok\n"), ("/readyz", b"ready\n")])
def test_a_broker_that_works_is_healthy_and_ready(raw, path, body):
    reply = raw.call(path, verb="GET")
    assert (reply.status, reply.body) == (200, body)


def test_a_page_of_text_names_what_is_here(raw):
    text = raw.call("/api", verb="GET").body.decode()
    for path in ("/healthz", "/readyz", "/metrics", "/v1/queues/NAME/scale",
                 "/ackd.v1.TaskService/Publish", "/ackd.v1.AdminService/Check"):
        assert path in text


@pytest.mark.parametrize("path", ["/nope", "/healthz/", "//", "/v1/queues/a", "/v1/queues//scale",
                                  "/v1/queues/a/scale/", "/%2e"])
def test_a_page_that_is_not_there_is_not_found(raw, path):
    reply = raw.call(path, verb="GET")
    assert (reply.status, reply.json()["code"]) == (404, "not_found")


def test_a_page_is_read_with_get(raw):
    reply = raw.call("/metrics", b"x", verb="POST")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_scale_gives_a_queues_numbers_as_numbers(broker, raw):
    broker.call("QueueService/Create", name="scaled")
    broker.call("TaskService/Publish", queue="scaled",
                tasks=[{}, {}, {}, {"delayMs": 60000}])
    broker.call("TaskService/Lease", queue="scaled", maxTasks=1)
    broker.call("QueueService/Pause", name="scaled")
    reply = raw.call("/v1/queues/scaled/scale", verb="GET")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json() == {"queue": "scaled", "ready": 2, "leased": 1, "delayed": 1, "backlog": 3,
                            "paused": True}


def test_scale_of_a_queue_that_is_not_there_is_not_found(raw):
    reply = raw.call("/v1/queues/none/scale", verb="GET")
    assert (reply.status, reply.json()["code"]) == (404, "not_found")


def test_metrics_count_requests_tasks_and_traffic(broker, raw):
    broker.call("QueueService/Create", name="measured")
    list_fine = {"service": "QueueService", "method": "List", "code": "OK"}
    get_missing = {"service": "QueueService", "method": "Get", "code": "QUEUE_NOT_FOUND"}
    before = read_metrics(raw)
    raw.call("/ackd.v1.QueueService/List", b"{}")
    raw.call("/ackd.v1.QueueService/Get", b'{"name":"none"}')
    broker.call("TaskService/Publish", queue="measured", tasks=[{"taskId": "a"}, {}])
    [task] = broker.call("TaskService/Lease", queue="measured", maxTasks=1)["tasks"]
    broker.call("TaskService/Ack", items=[{"leaseToken": task["leaseToken"]}])
    after = read_metrics(raw)
    for labels in (list_fine, get_missing):
        assert after("ackd_requests_total", **labels) == 1 + before.get(
            "ackd_requests_total", 0, **labels)
    assert after("ackd_queue_tasks", queue="measured", state="ready") == 1
    assert after("ackd_queue_published_total", queue="measured") == 2
    assert after("ackd_queue_done_total", queue="measured") == 1
    for name in ("ackd_received_bytes_total", "ackd_sent_bytes_total",
                 "ackd_connections_accepted_total"):
        assert after(name) > before(name)
    assert after("ackd_requests_in_flight") == 1  # this one
    assert after("process_resident_memory_bytes") > 1 << 20
