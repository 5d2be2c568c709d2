# SPDX-License-Identifier: Apache-2.0
"""test_rights.py -- who is known may do what its grants say, on the queues they name, and no more.

The worst way in is the one that names no queue: a lease token or a session's ID of queue b in the
hands of a worker of queue a.
"""
import pytest

# Method -> the rights of which one is enough, what it is about, and a request.
QUEUE, BROKER, HELD, LIST = "queue", "broker", "held", "list"
METHODS = {
    "QueueService/Create": ("admin", QUEUE, {"name": "Q"}),
    "QueueService/Get": ("publish work read admin", QUEUE, {"name": "Q"}),
    "QueueService/List": ("publish work read admin", LIST, {}),
    "QueueService/Update": ("admin", QUEUE, {"name": "Q"}),
    "QueueService/Delete": ("admin", QUEUE, {"name": "Q"}),
    "QueueService/Pause": ("admin", QUEUE, {"name": "Q"}),
    "QueueService/Resume": ("admin", QUEUE, {"name": "Q"}),
    "QueueService/Purge": ("admin", QUEUE, {"name": "Q"}),
    "TaskService/Publish": ("publish admin", QUEUE, {"queue": "Q", "tasks": [{}]}),
    "TaskService/Lease": ("work admin", QUEUE, {"queue": "Q"}),
    "TaskService/Renew": ("work admin", HELD, {"items": [{"leaseToken": "x"}]}),
    "TaskService/Ack": ("work admin", HELD, {"items": [{"leaseToken": "x"}]}),
    "TaskService/Nack": ("work admin", HELD, {"items": [{"leaseToken": "x", "reason": 1}]}),
    "TaskService/SaveCheckpoint": ("work admin", HELD, {"leaseToken": "x"}),
    "TaskService/Get": ("read admin", QUEUE, {"queue": "Q", "taskId": "t"}),
    "TaskService/List": ("read admin", QUEUE, {"queue": "Q"}),
    "TaskService/Cancel": ("admin", QUEUE, {"queue": "Q", "taskIds": ["t"]}),
    "SessionService/Open": ("work admin", QUEUE, {"queue": "Q"}),
    "SessionService/Heartbeat": ("work admin", HELD, {"sessionId": "00000000000000ff"}),
    "SessionService/Close": ("work admin", HELD, {"sessionId": "00000000000000ff"}),
    "SessionService/List": ("read admin", LIST, {}),
    "DeadLetterService/List": ("read admin", QUEUE, {"queue": "Q"}),
    "DeadLetterService/Redrive": ("admin", QUEUE, {"queue": "Q", "selection": {"all": True}}),
    "DeadLetterService/Delete": ("admin", QUEUE, {"queue": "Q", "selection": {"all": True}}),
    "ResultService/Get": ("read admin", QUEUE, {"queue": "Q", "taskId": "t"}),
    "ResultService/List": ("read work admin", QUEUE, {"queue": "Q"}),
    "DatasetService/List": ("read admin", QUEUE, {"queue": "Q"}),
    "DatasetService/Get": ("read admin", QUEUE, {"queue": "Q"}),
    "AdminService/Stats": ("read admin", BROKER, {}),
    "AdminService/Backup": ("admin", BROKER, {}),
    "AdminService/Check": ("admin", BROKER, {}),
    "AdminService/Whoami": ("publish work read admin", LIST, {}),
    "TokenService/Create": ("admin", BROKER, {"name": "n", "grants": ["read:a"]}),
    "TokenService/List": ("admin", BROKER, {}),
    "TokenService/Rotate": ("admin", BROKER, {"tokenId": "aaaaaaaaaaaa"}),
    "TokenService/Revoke": ("admin", BROKER, {"tokenId": "aaaaaaaaaaaa"}),
}
RIGHTS = ("publish", "work", "read", "admin")


def filled(request: dict, queue: str) -> dict:
    return {key: queue if value == "Q" else value for key, value in request.items()}


@pytest.fixture(scope="module")
def callers(broker):
    kept = {(right, queues): broker.with_grants(f"{right}:{queues}")
            for right in RIGHTS for queues in ("zone-*", "other-*", "*")}
    for name in ("zone-1", "other-1"):
        broker.admin.ok("QueueService/Create", name=name)
    return kept


def test_every_method_is_in_the_table(broker):
    there = {line.strip()[len("/ackd.v1."):] for line in broker.nobody.get("/api").text.splitlines()
             if line.strip().startswith("/ackd.v1.")}
    assert there - {"SERVICE/METHOD"} == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_takes_its_right(callers, method):
    rights, about, request = METHODS[method]
    for right in RIGHTS:
        own = callers[right, "*" if about == BROKER else "zone-*"]
        reply = own.call(method, **filled(request, "zone-none"))
        if right in rights.split():
            assert reply.code not in ("permission_denied", "unauthenticated"), (right, reply.text)
        else:
            assert (reply.status, reply.code) == (403, "permission_denied"), (right, reply.text)
            assert rights.split()[0] in reply.message


@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if row[1] == QUEUE])
def test_a_right_is_for_the_queues_of_its_pattern(callers, method):
    request = filled(METHODS[method][2], "zone-1")
    for right in RIGHTS:
        reply = callers[right, "other-*"].call(method, **request)
        assert reply.code == "permission_denied", (right, reply.text)
        if right in METHODS[method][0].split():
            assert "zone-1" in reply.message


@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if row[1] == BROKER])
def test_what_concerns_the_broker_takes_all_queues(callers, method):
    reply = callers["admin", "zone-*"].call(method, **METHODS[method][2])
    assert reply.code == "permission_denied" and "(*)" in reply.message


@pytest.fixture
def held(broker):
    """Workers of a and of b, and what the one of b holds: a lease token, and a session."""
    a, b = broker.with_grants("work:a"), broker.with_grants("work:b")
    broker.admin.ok("TaskService/Publish", queue="b", tasks=[{"payload": "eA=="}])
    session = b.ok("SessionService/Open", queue="b", worker="w")["sessionId"]
    (task,) = b.ok("TaskService/Lease", queue="b", maxTasks=1, sessionId=session)["tasks"]
    yield a, b, task["leaseToken"], session
    b.call("TaskService/Ack", items=[{"leaseToken": task["leaseToken"]}])
    b.call("SessionService/Close", sessionId=session)


ITEMS = {"TaskService/Ack": {"result": "eA=="}, "TaskService/Nack": {"reason": 1},
         "TaskService/Renew": {}}


@pytest.mark.parametrize("method", ITEMS)
def test_a_lease_of_another_queue_can_not_be_settled(broker, held, method):
    a, b, token, _ = held
    before = broker.admin.ok("QueueService/Get", name="b")["queue"]["counts"]
    reply = a.ok(method, items=[{"leaseToken": token, **ITEMS[method]}])
    assert reply["outcomes"][0]["error"]["status"] == "STATUS_PERMISSION_DENIED"
    assert broker.admin.ok("QueueService/Get", name="b")["queue"]["counts"] == before
    assert "error" not in b.ok("TaskService/Ack", items=[{"leaseToken": token}])["outcomes"][0]


def test_a_lease_of_another_queue_can_not_be_settled_along_with_a_lease(broker, held):
    a, b, token, _ = held
    for carried in ({"acks": [{"leaseToken": token, "committed": True}]},
                    {"nacks": [{"leaseToken": token, "reason": 1}]}):
        reply = a.ok("TaskService/Lease", queue="a", **carried)
        (outcome,) = reply.get("ackOutcomes", []) + reply.get("nackOutcomes", [])
        assert outcome["error"]["status"] == "STATUS_LEASE_LOST"
    assert "error" not in b.ok("TaskService/Ack", items=[{"leaseToken": token}])["outcomes"][0]


def test_a_checkpoint_of_another_queue_can_not_be_saved(broker, held):
    a, b, token, _ = held
    reply = a.call("TaskService/SaveCheckpoint", leaseToken=token, data="eA==")
    assert reply.code == "permission_denied"
    assert b.call("TaskService/SaveCheckpoint", leaseToken=token, data="eA==").status == 200


def test_one_batch_of_two_queues_is_settled_for_the_own_one(broker, held):
    a, _, foreign, _ = held
    broker.admin.ok("TaskService/Publish", queue="a", tasks=[{"payload": "eA=="}])
    (task,) = a.ok("TaskService/Lease", queue="a", maxTasks=1)["tasks"]
    items = [{"leaseToken": foreign}, {"leaseToken": task["leaseToken"]}]
    refused, done = a.ok("TaskService/Ack", items=items)["outcomes"]
    assert refused["error"]["status"] == "STATUS_PERMISSION_DENIED" and "error" not in done


def test_a_session_of_another_queue_can_not_be_touched(broker, held):
    a, b, _, session = held
    for method in ("SessionService/Heartbeat", "SessionService/Close"):
        assert a.call(method, sessionId=session).code == "permission_denied"
    assert a.call("TaskService/Lease", queue="b", maxTasks=1).code == "permission_denied"
    reply = a.call("TaskService/Lease", queue="a", maxTasks=1, sessionId=session)
    assert reply.json()["details"][0]["debug"]["status"] == "STATUS_SESSION_NOT_FOUND"
    assert b.ok("SessionService/Heartbeat", sessionId=session)["leased"] == "1"


def test_lists_leave_out_what_is_not_the_callers(broker, callers):
    def names(caller):
        return {queue["name"] for queue in caller.ok("QueueService/List")["queues"]}
    assert names(callers["read", "zone-*"]) == {"zone-1"}
    assert names(callers["work", "other-*"]) == {"other-1"}
    assert names(callers["read", "*"]) >= {"a", "b", "zone-1", "other-1"}
    for queue in ("zone-1", "other-1"):
        broker.admin.ok("SessionService/Open", queue=queue, worker="w")

    def queues(caller, **request):
        return {session["queue"] for session in caller.ok("SessionService/List", **request)
                .get("sessions", [])}
    assert queues(callers["read", "zone-*"]) == {"zone-1"}
    assert queues(callers["read", "*"]) >= {"zone-1", "other-1"}
    reply = callers["read", "zone-*"].call("SessionService/List", queue="other-1")
    assert reply.code == "permission_denied"


def test_pages_take_the_right_to_read(broker, callers):
    assert callers["read", "*"].get("/metrics").status == 200
    assert callers["read", "zone-*"].get("/metrics").status == 403
    assert callers["work", "*"].get("/metrics").status == 403
    assert callers["read", "zone-*"].get("/v1/queues/zone-1/scale").status == 200
    assert callers["read", "zone-*"].get("/v1/queues/other-1/scale").status == 403
    assert callers["publish", "*"].get("/v1/queues/zone-1/scale").status == 403


@pytest.mark.parametrize("grant", ["", "read", "read:", ":a", "read:A", "write:a", "read,:a",
                                   "read:a b", "READ:a", "read:" + "a" * 129, "read:a:b"])
def test_what_is_no_grant_is_refused(broker, grant):
    reply = broker.admin.call("TokenService/Create", name="n", grants=[grant])
    assert reply.status == 400


def test_a_broker_without_authentication_makes_no_tokens(broker_with):
    from broker import Broker
    plain = broker_with(kind=Broker)
    from conftest import Caller
    reply = Caller(plain.port).call("TokenService/Create", name="n", grants=["read:*"])
    assert reply.code == "failed_precondition" and "--admin-token-file" in reply.message
