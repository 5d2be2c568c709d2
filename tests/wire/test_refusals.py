# SPDX-License-Identifier: Apache-2.0
"""What each RPC refuses: with its code, the field at fault, the limit and the value."""
import base64
import json

import pytest
from broker import Refused
from raw_http import RawClient

LONG_ID = "x" * 257
LONG_NAME = "q" * 129
MANY = 10001


def refusal(broker, method: str, body: dict) -> tuple[str, dict]:
    with pytest.raises(Refused) as caught:
        broker.call(method, **body)
    [detail] = caught.value.details
    assert detail["type"] == "ackd.v1.ErrorDetail"
    assert detail["debug"]["message"] == caught.value.message
    assert base64.b64decode(detail["value"] + "==")
    return caught.value.code, detail["debug"]


@pytest.fixture(scope="module")
def ready(broker):
    """The broker with a queue q, and a queue held in which the task `a` is leased."""
    for name in ("q", "held"):
        broker.call("QueueService/Create", name=name)
    broker.call("TaskService/Publish", queue="held", tasks=[{"taskId": "a"}])
    broker.call("TaskService/Lease", queue="held", maxTasks=1)
    return broker


NOT_FOUND = {
    "QueueService/Get": {"name": "none"},
    "QueueService/Update": {"name": "none"},
    "QueueService/Delete": {"name": "none"},
    "QueueService/Pause": {"name": "none"},
    "QueueService/Resume": {"name": "none"},
    "QueueService/Purge": {"name": "none"},
    "TaskService/Publish": {"queue": "none", "tasks": [{}]},
    "TaskService/Lease": {"queue": "none", "maxTasks": 1},
    "TaskService/Get": {"queue": "none", "taskId": "a"},
    "TaskService/List": {"queue": "none"},
    "TaskService/Cancel": {"queue": "none", "taskIds": ["a"]},
    "SessionService/Open": {"queue": "none"},
    "SessionService/List": {"queue": "none"},
    "DeadLetterService/List": {"queue": "none"},
    "DeadLetterService/Redrive": {"queue": "none", "selection": {"all": True}},
    "DeadLetterService/Delete": {"queue": "none", "selection": {"all": True}},
    "ResultService/Get": {"queue": "none", "taskId": "a"},
    "ResultService/List": {"queue": "none"},
    "DatasetService/List": {"queue": "none"},
    "DatasetService/Get": {"queue": "none"},
}


@pytest.mark.parametrize("method", NOT_FOUND)
def test_a_queue_that_is_not_there_is_named(ready, method):
    code, detail = refusal(ready, method, NOT_FOUND[method])
    assert (code, detail["status"]) == ("not_found", "STATUS_QUEUE_NOT_FOUND")
    assert "none" in detail["message"]


OTHERS_NOT_FOUND = [
    ("TaskService/Get", {"queue": "q", "taskId": "zzz"}, "STATUS_TASK_NOT_FOUND"),
    ("ResultService/Get", {"queue": "q", "taskId": "zzz"}, "STATUS_NOT_FOUND"),
    ("DatasetService/Get", {"queue": "q", "dataset": "zzz"}, "STATUS_NOT_FOUND"),
    ("SessionService/Heartbeat", {"sessionId": "0000000000000abc"}, "STATUS_SESSION_NOT_FOUND"),
    ("SessionService/Close", {"sessionId": "0000000000000abc"}, "STATUS_SESSION_NOT_FOUND"),
    ("TaskService/Lease", {"queue": "q", "maxTasks": 1, "sessionId": "0000000000000abc"},
     "STATUS_SESSION_NOT_FOUND"),
]


@pytest.mark.parametrize("method, body, status", OTHERS_NOT_FOUND)
def test_what_is_not_there_is_said_to_be_missing(ready, method, body, status):
    code, detail = refusal(ready, method, body)
    assert (code, detail["status"]) == ("not_found", status)


# method, request, status, field, limit, value
BROKEN_RULES = [
    ("QueueService/Create", {}, "INVALID", "name", None, None),
    ("QueueService/Create", {"name": LONG_NAME}, "INVALID", "name", 128, 129),
    ("QueueService/Create", {"name": "Upper"}, "INVALID", "name", None, None),
    ("QueueService/Create", {"name": ".dot"}, "INVALID", "name", None, None),
    ("QueueService/Create", {"name": "a b"}, "INVALID", "name", None, None),
    *[("QueueService/Create", {"name": "x", "config": {name: value}}, "INVALID", field, limit,
       value)
      for name, field, limit, value in [
          ("leaseMs", "config.lease_ms", 1000, 999),
          ("leaseMs", "config.lease_ms", 43200000, 43200001),
          ("maxFailures", "config.max_failures", 1, 0),
          ("maxFailures", "config.max_failures", 1000, 1001),
          ("maxLosses", "config.max_losses", 10000, 10001),
          ("backoffMinMs", "config.backoff_min_ms", 0, -1),
          ("backoffMaxMs", "config.backoff_max_ms", 86400000, 86400001),
          ("dedupRetentionMs", "config.dedup_retention_ms", 31536000000, 31536000001),
          ("resultRetentionMs", "config.result_retention_ms", 315360000000, 315360000001),
          ("taskTtlMs", "config.task_ttl_ms", 0, -1),
          ("maxLeased", "config.max_leased", 100000000, 100000001)]],
    ("QueueService/Create", {"name": "x", "config": {"lateResults": 9}}, "INVALID",
     "config.late_results", None, 9),
    ("QueueService/Create", {"name": "x", "config": {"backoffMinMs": 5, "backoffMaxMs": 4}},
     "INVALID", "config.backoff_min_ms", 4, 5),
    ("QueueService/List", {"pageSize": 1001}, "INVALID", "page_size", 1000, 1001),
    ("QueueService/List", {"pageSize": -1}, "INVALID", "page_size", 1, -1),
    ("QueueService/List", {"pageToken": "%%%"}, "INVALID", "page_token", None, None),
    ("TaskService/Publish", {"queue": "q"}, "INVALID", "tasks", 1, 0),
    ("TaskService/Publish", {"queue": "q", "tasks": [{}] * MANY}, "TOO_LARGE", "tasks", 10000,
     MANY),
    ("TaskService/Publish", {"queue": "q", "tasks": [{}], "dataset": "d" * 257}, "TOO_LARGE",
     "dataset", 256, 257),
    ("TaskService/Publish", {"queue": "q", "tasks": [{}], "dataset": "a\u0007"}, "INVALID",
     "dataset", None, None),
    ("TaskService/Lease", {"queue": "q", "maxTasks": MANY}, "INVALID", "max_tasks", 10000, MANY),
    ("TaskService/Lease", {"queue": "q", "maxTasks": -1}, "INVALID", "max_tasks", 0, -1),
    ("TaskService/Lease", {"queue": "q", "waitMs": 60001}, "INVALID", "wait_ms", 60000, 60001),
    ("TaskService/Lease", {"queue": "q", "leaseMs": 999}, "INVALID", "lease_ms", 1000, 999),
    ("TaskService/Lease", {"queue": "q", "maxBytes": 33554433}, "INVALID", "max_bytes", 33554432,
     33554433),
    ("TaskService/Lease", {"queue": "q", "sessionId": "what"}, "INVALID", "session_id", None, None),
    ("TaskService/Lease", {"queue": "q", "acks": [{}] * 5001, "nacks": [{}] * 5000}, "TOO_LARGE",
     "acks", 10000, MANY),
    ("TaskService/Renew", {}, "INVALID", "items", 1, 0),
    ("TaskService/Ack", {}, "INVALID", "items", 1, 0),
    ("TaskService/Ack", {"items": [{}] * MANY}, "TOO_LARGE", "items", 10000, MANY),
    ("TaskService/Nack", {}, "INVALID", "items", 1, 0),
    ("TaskService/SaveCheckpoint", {"leaseToken": "what"}, "INVALID", "lease_token", None, None),
    ("TaskService/Get", {"queue": "q"}, "INVALID", "task_id", None, None),
    ("TaskService/Get", {"queue": "q", "taskId": LONG_ID}, "TOO_LARGE", "task_id", 256, 257),
    ("TaskService/List", {"queue": "q", "pageSize": 1001}, "INVALID", "page_size", 1000, 1001),
    ("TaskService/List", {"queue": "q", "state": 9}, "INVALID", "state", None, 9),
    ("TaskService/Cancel", {"queue": "q"}, "INVALID", "task_ids", 1, 0),
    ("SessionService/Open", {"queue": "q", "sessionMs": 999}, "INVALID", "session_ms", 1000, 999),
    ("SessionService/Open", {"queue": "q", "sessionMs": 3600001}, "INVALID", "session_ms", 3600000,
     3600001),
    ("SessionService/Open", {"queue": "q", "worker": "w" * 257}, "INVALID", "worker", 256, 257),
    ("SessionService/Open", {"queue": "q", "node": "n" * 254}, "INVALID", "node", 253, 254),
    ("SessionService/Open", {"queue": "q", "pod": "p" * 254}, "INVALID", "pod", 253, 254),
    ("SessionService/Open", {"queue": "q", "podNamespace": "s" * 64}, "INVALID", "pod_namespace",
     63, 64),
    ("SessionService/Open", {"queue": "q", "pod": "p\n"}, "INVALID", "pod", 253, 2),
    ("SessionService/Heartbeat", {"sessionId": "what"}, "INVALID", "session_id", None, None),
    ("SessionService/Heartbeat", {"sessionId": "0000000000000001", "progress": ["what"]}, "INVALID",
     "progress[0]", None, None),
    ("SessionService/Heartbeat", {"sessionId": "0000000000000001", "progress": ["t"] * MANY},
     "TOO_LARGE", "progress", 10000, MANY),
    ("TaskService/List", {"queue": "q", "minStalledMs": -1}, "INVALID", "min_stalled_ms", 0, -1),
    ("TaskService/List", {"queue": "q", "minStalledMs": 1, "state": "TASK_STATE_DEAD"}, "INVALID",
     "state", None, 5),
    ("DeadLetterService/Redrive", {"queue": "q"}, "INVALID", "selection", None, None),
    ("DeadLetterService/Delete", {"queue": "q", "selection": {}}, "INVALID", "selection", None,
     None),
    ("DeadLetterService/Delete", {"queue": "q", "selection": {"taskIds": ["a"] * MANY}},
     "TOO_LARGE", "selection.task_ids", 10000, MANY),
    ("ResultService/List", {"queue": "q", "taskIds": ["a"] * MANY}, "TOO_LARGE", "task_ids", 10000,
     MANY),
    ("AdminService/Backup", {"name": "../up"}, "INVALID", "name", None, None),
]


@pytest.mark.parametrize("method, body, status, field, limit, value", BROKEN_RULES,
                         ids=lambda value: str(value)[:40])
def test_a_broken_rule_is_refused_with_its_field_limit_and_value(ready, method, body, status, field,
                                                                 limit, value):
    code, detail = refusal(ready, method, body)
    assert (code, detail["status"]) == ("invalid_argument", f"STATUS_{status}")
    assert detail["field"] == field
    if limit is not None:
        assert int(detail.get("limit", 0)) == limit
    if value is not None:
        assert int(detail.get("value", 0)) == value


# A task, and what its outcome says.
BAD_TASKS = [
    ({"taskId": LONG_ID}, "TOO_LARGE", "task_id", 256, 257),
    ({"taskId": "@mine"}, "INVALID", "task_id", None, None),
    ({"taskId": "a\nb"}, "INVALID", "task_id", None, None),
    ({"payload": base64.b64encode(b"x" * 1048577).decode()}, "TOO_LARGE", "payload", 1048576,
     1048577),
    ({"attributes": {f"k{i}": "" for i in range(65)}}, "TOO_LARGE", "attributes", 64, 65),
    ({"attributes": {"k" * 129: ""}}, "INVALID", "attributes", 128, 129),
    ({"attributes": {"": "v"}}, "INVALID", "attributes", None, None),
    ({"attributes": {"k": "v" * 1025}}, "TOO_LARGE", "attributes", 1024, 1025),
    ({"priority": 10}, "INVALID", "priority", 9, 10),
    ({"delayMs": 31536000001}, "INVALID", "delay_ms", 31536000000, 31536000001),
]


@pytest.mark.parametrize("task, status, field, limit, value", BAD_TASKS,
                         ids=lambda value: str(value)[:30])
def test_a_bad_task_is_refused_and_spoils_no_other(ready, task, status, field, limit, value):
    reply = ready.call("TaskService/Publish", queue="q", tasks=[{}, task, {}])
    assert (reply["stored"], reply["refused"]) == (2, 1)
    error = reply["outcomes"][1]["error"]
    assert (error["status"], error["field"]) == (f"STATUS_{status}", f"tasks[1].{field}")
    if limit is not None:
        assert (int(error["limit"]), int(error["value"])) == (limit, value)


def test_a_token_that_is_none_is_refused_for_its_item(ready):
    for method in ("Renew", "Ack", "Nack"):
        item = {"leaseToken": "what"} | ({"reason": 1} if method == "Nack" else {})
        [outcome] = ready.call(f"TaskService/{method}", items=[item])["outcomes"]
        assert outcome["error"]["status"] == "STATUS_INVALID", method
        assert outcome["error"]["field"] == "items[0].lease_token"


def test_a_queue_that_exists_with_another_config_is_refused(ready):
    code, detail = refusal(ready, "QueueService/Create",
                           {"name": "q", "config": {"maxFailures": 7}})
    assert (code, detail["status"]) == ("already_exists", "STATUS_QUEUE_EXISTS")


def test_dedup_can_not_be_changed(ready):
    code, detail = refusal(ready, "QueueService/Update", {"name": "q", "config": {"dedup": False}})
    assert (code, detail["status"]) == ("invalid_argument", "STATUS_INVALID")
    assert detail["field"] == "config.dedup"


def test_an_old_lease_is_lost(ready):
    ready.call("QueueService/Create", name="old", config={"lateResults": "LATE_RESULTS_REFUSE"})
    ready.call("TaskService/Publish", queue="old", tasks=[{"taskId": "a"}])
    token = ready.call("TaskService/Lease", queue="old", maxTasks=1)["tasks"][0]["leaseToken"]
    ready.call("TaskService/Nack", items=[{"leaseToken": token, "reason": "NACK_REASON_RELEASED"}])
    ready.call("TaskService/Lease", queue="old", maxTasks=1)
    for method in ("Renew", "Ack", "Nack"):
        item = {"leaseToken": token} | ({"reason": 3} if method == "Nack" else {})
        [outcome] = ready.call(f"TaskService/{method}", items=[item])["outcomes"]
        assert outcome["error"]["status"] == "STATUS_LEASE_LOST", method
    code, detail = refusal(ready, "TaskService/SaveCheckpoint",
                           {"leaseToken": token, "data": "AA=="})
    assert (code, detail["status"]) == ("failed_precondition", "STATUS_LEASE_LOST")


# What the Connect protocol itself is particular about: request fields, body -> HTTP status, code.
CREATE = "/ackd.v1.QueueService/Create"
PROTOCOL = [
    (("Content-Type: text/plain",), b"{}", 415, "unimplemented"),
    (("Content-Type: application/grpc",), b"", 415, "unimplemented"),
    (("Content-Type: application/connect+json",), b"{}", 415, "unimplemented"),
    (("Content-Type:",), b"{}", 415, "unimplemented"),
    (("Content-Encoding: gzip",), b"{}", 404, "unimplemented"),
    (("Connect-Protocol-Version: 2",), b"{}", 400, "invalid_argument"),
    (("Connect-Timeout-Ms: 1s",), b"{}", 400, "invalid_argument"),
    (("Connect-Timeout-Ms: -5",), b"{}", 400, "invalid_argument"),
    (("Connect-Timeout-Ms: 12345678901",), b"{}", 400, "invalid_argument"),
    (("Connect-Timeout-Ms:",), b"{}", 400, "invalid_argument"),
    (("Connect-Timeout-Ms: 0",), b"{}", 504, "deadline_exceeded"),
    ((), b"", 400, "invalid_argument"),
    ((), b"not json", 400, "invalid_argument"),
    (("Content-Type: application/proto",), b"\xff\xff", 400, "invalid_argument"),
]


@pytest.mark.parametrize("fields, body, http_status, code", PROTOCOL)
def test_a_request_outside_the_protocol_is_refused_and_the_connection_stays(raw, fields, body,
                                                                            http_status, code):
    reply = raw.call(CREATE, body, *fields)
    assert (reply.status, reply.json()["code"]) == (http_status, code)
    assert reply.headers["content-type"] == "application/json"
    assert raw.call("/healthz", verb="GET").status == 200


@pytest.mark.parametrize("fields", [
    ("Content-Type: application/json; charset=utf-8",), ("Content-Type: Application/JSON",),
    ("Connect-Protocol-Version: 1",), ("Connect-Timeout-Ms: 9999999999",),
    ("Content-Encoding: identity",), ("Accept-Encoding: gzip", "User-Agent: x")])
def test_what_the_protocol_allows_is_served(raw, fields):
    assert raw.call("/ackd.v1.QueueService/List", b"{}", *fields).status == 200


def test_a_content_type_that_is_not_served_is_told_what_is(raw):
    reply = raw.call(CREATE, b"x", "Content-Type: text/plain")
    assert reply.headers["accept-post"] == "application/json, application/proto"


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE", "HEAD"])
def test_a_method_is_called_with_post(raw, verb):
    reply = raw.call(CREATE, verb=verb)
    assert (reply.status, reply.headers["allow"]) == (405, "POST, OPTIONS")


@pytest.mark.parametrize("path", ["/ackd.v1.QueueService/Nope", "/ackd.v1.Nope/Get",
                                  "/ackd.v2.X/Y"])
def test_a_method_that_is_not_there_is_unimplemented(raw, path):
    reply = raw.call(path, b"{}")
    assert (reply.status, reply.json()["code"]) == (404, "unimplemented")


def test_broken_json_is_refused_with_its_place(raw):
    reply = raw.call("/ackd.v1.TaskService/Publish",
                     b'{"queue":"q",\n "tasks":[{},{},{"payload":"**"}]}')
    detail = reply.json()["details"][0]["debug"]
    assert (detail["status"], detail["field"]) == ("STATUS_MALFORMED", "tasks[2].payload")


def test_a_refused_publish_stores_nothing_of_itself(ready):
    before = ready.call("QueueService/Get", name="q")["queue"]["counts"]
    body = json.dumps({"queue": "q", "tasks": [{"taskId": "stored?"}] * 3 + [{"priority": "high"}]})
    with RawClient(ready.port) as raw:
        assert raw.call("/ackd.v1.TaskService/Publish", body.encode()).status == 400
    assert ready.call("QueueService/Get", name="q")["queue"]["counts"] == before
