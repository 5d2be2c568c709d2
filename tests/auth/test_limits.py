# SPDX-License-Identifier: Apache-2.0
"""test_limits.py -- what one caller, and one address, may ask at once and in a second.

Others go on, what is refused says when to try again, and every refusal is counted by its limit.
"""
import contextlib
import socket
import threading
import time
from pathlib import Path

import pytest
from broker import Broker
from conftest import Caller
from processes import free_port, wait_until
from prometheus import Metrics
from raw_http import RawClient, request
from test_bodies import head

PUBLISH = "/ackd.v1.TaskService/Publish"


def limited(broker, limit: str) -> int:
    text = getattr(broker, "admin", Caller(broker.port)).get("/metrics").text
    return int(Metrics(text)("ackd_limited_total", limit=limit))


def is_limited(reply, flag_bound: int) -> bool:
    """A reply is either what was asked for or a refusal as it should be."""
    if reply.status == 200:
        return False
    assert (reply.status, reply.code) == (429, "resource_exhausted"), reply.text
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    debug = reply.json()["details"][0]["debug"]
    assert (debug["status"], int(debug["limit"])) == ("STATUS_RATE_LIMITED", flag_bound)
    return True


@contextlib.contextmanager
def connected_from(address: str, port: int):
    with socket.create_connection(("127.0.0.1", port), 30, (address, 0)) as client:
        client.sendall(request("/healthz", verb="GET"))
        yield client.recv(4096).decode()


def test_an_address_has_its_connections_and_another_its_own(broker_with):
    broker = broker_with("--max-connections-per-address", "3", kind=Broker)
    with contextlib.ExitStack() as stack:
        for address in ("127.0.0.2", "127.0.0.3"):
            for _ in range(3):
                assert " 200 OK" in stack.enter_context(connected_from(address, broker.port))
        with connected_from("127.0.0.2", broker.port) as refused:
            headers, body = refused.split("\r\n\r\n")
            assert " 429 " in headers and "Retry-After: 1" in headers
            assert f"Content-Length: {len(body)}" in headers and "resource_exhausted" in body
        assert limited(broker, "connections_per_address") == 1
    wait_until(lambda: broker.gauge("ackd_connections") == 1, "they are gone")
    with connected_from("127.0.0.2", broker.port) as reply:
        assert " 200 OK" in reply
    assert limited(broker, "connections_per_address") == 1


def test_an_ipv6_address_is_bounded_like_any_other(broker_with):
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    port = free_port()
    broker = broker_with("--max-connections-per-address", "1", "--listen", f"[::1]:{port}",
                         kind=Broker)
    with socket.create_connection(("::1", port), 30) as first:
        first.sendall(request("/healthz", verb="GET"))
        assert " 200 OK" in first.recv(4096).decode()
        with socket.create_connection(("::1", port), 30) as second:
            assert " 429 " in second.recv(4096).decode()
    assert limited(broker, "connections_per_address") == 1


def test_a_caller_has_its_requests_a_second_and_another_its_own(broker_with):
    broker = broker_with("--max-requests-per-second", "20")
    broker.admin.ok("QueueService/Create", name="a")
    first, second = broker.with_grants("read:a"), broker.token("read:a", name="second")
    begun = time.monotonic()
    replies = [first.call("QueueService/Get", name="a") for _ in range(40)]
    most = 20 + 20 * (time.monotonic() - begun) + 1
    passed = sum(not is_limited(reply, 20) for reply in replies)
    assert 20 <= passed <= most and passed < 40
    assert broker.caller(second).call("QueueService/Get", name="a").status == 200
    assert limited(broker, "requests_per_second") == 40 - passed
    wait_until(lambda: first.call("QueueService/Get", name="a").status == 200, "it may again")
    [line] = [line for line in broker.log_lines() if line["event"] == "caller_limited"][:1]
    assert line["caller"].startswith("token:") and line["limit"] == "requests_per_second"


def test_refused_permissions_are_counted_too(broker_with):
    broker = broker_with("--max-requests-per-second", "5")
    worker = broker.with_grants("work:a")
    statuses = [worker.call("QueueService/Pause", name="a").status for _ in range(20)]
    assert set(statuses) == {403, 429} and statuses[:5] == [403] * 5


def test_work_in_hand_is_kept_and_ended_when_nothing_new_may_be_asked(broker_with):
    broker = broker_with("--max-requests-per-second", "20", "--max-bytes-per-second", "10000")
    broker.admin.ok("QueueService/Create", name="a")
    worker = broker.with_grants("publish,work:a")
    worker.ok("TaskService/Publish", queue="a", tasks=[{}])
    session = worker.ok("SessionService/Open", queue="a", worker="w")["sessionId"]
    (task,) = worker.ok("TaskService/Lease", queue="a", maxTasks=1, sessionId=session)["tasks"]
    worker.ok("TaskService/Publish", queue="a", tasks=[{"payload": "A" * 60_000}])
    reply = worker.call("TaskService/Lease", queue="a")
    assert is_limited(reply, 10_000) and int(reply.headers["Retry-After"]) >= 4
    worker.ok("SessionService/Heartbeat", sessionId=session)
    worker.ok("TaskService/Ack", items=[{"leaseToken": task["leaseToken"]}])
    replies = [worker.call("SessionService/Heartbeat", sessionId=session) for _ in range(80)]
    assert 20 < sum(not is_limited(reply, 20) for reply in replies) < 80  # within its bounds


def test_replies_and_chunked_bodies_are_counted_as_bytes(broker_with):
    broker = broker_with("--max-bytes-per-second", "50000")
    broker.admin.ok("QueueService/Create", name="a")
    publisher, worker = broker.with_grants("publish:a"), broker.token("work,read:a", name="w")
    body = b'{"queue":"a","tasks":[{"taskId":"t","payload":"%s"}]}' % (b"A" * 120_000)
    with RawClient(broker.port) as raw:
        raw.send(head(PUBLISH, publisher.authorization[7:], size="chunked"))
        raw.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert raw.reply().status == 200
    assert is_limited(publisher.call("TaskService/Publish", queue="a"), 50_000)
    worker = broker.caller(worker)
    assert worker.call("TaskService/Lease", queue="a", maxTasks=1).status == 200
    assert is_limited(worker.call("TaskService/Get", queue="a", taskId="t"), 50_000)
    assert limited(broker, "bytes_per_second") == 2


def test_a_large_body_over_the_rate_is_refused_by_its_head(broker_with):
    broker = broker_with("--max-bytes-per-second", "10000")
    broker.admin.ok("QueueService/Create", name="a")
    token = broker.token("publish:a")
    with RawClient(broker.port) as first, RawClient(broker.port) as second:
        first.send(head(PUBLISH, token, "Expect: 100-continue", size=1 << 20))
        assert first.reply().status == 100
        second.send(head(PUBLISH, token, size=1 << 20))
        reply = second.reply()
        assert reply.status == 429 and int(reply.headers["retry-after"]) == 60


def test_requests_of_a_caller_at_once_count_from_their_heads_on(broker_with):
    broker = broker_with("--max-requests-per-caller", "2")
    broker.admin.ok("QueueService/Create", name="a")
    caller = broker.with_grants("publish,read:a")
    slow = [RawClient(broker.port) for _ in range(2)]
    for each in slow:
        each.send(head(PUBLISH, caller.authorization[7:], "Expect: 100-continue", size=1000))
        assert each.reply().status == 100
    assert is_limited(caller.call("QueueService/Get", name="a"), 2)
    assert broker.admin.call("QueueService/List").status == 200
    for each in slow:
        each.socket.close()
    wait_until(lambda: caller.call("QueueService/Get", name="a").status == 200, "they are gone")
    assert limited(broker, "requests_per_caller") >= 1


def test_work_in_hand_is_kept_however_much_is_being_served(broker_with):
    broker = broker_with("--max-requests-per-caller", "2")
    broker.admin.ok("QueueService/Create", name="a")
    worker = broker.with_grants("publish,work:a")
    session = worker.ok("SessionService/Open", queue="a", worker="w")["sessionId"]
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            slow = stack.enter_context(RawClient(broker.port))
            slow.send(head(PUBLISH, worker.authorization[7:], "Expect: 100-continue", size=1000))
            assert slow.reply().status == 100
        assert is_limited(worker.call("TaskService/Lease", queue="a"), 2)
        worker.ok("SessionService/Heartbeat", sessionId=session)


def test_a_body_that_comes_slowly_is_let_in_and_charged_once(broker_with):
    """Its caller is asked again after five seconds: a token may have been revoked meanwhile."""
    broker = broker_with("--max-bytes-per-second", "10000")
    broker.admin.ok("QueueService/Create", name="a")
    body = b'{"queue":"a","tasks":[{"payload":"%s"}]}' % (b"A" * 100_000)
    with RawClient(broker.port) as raw:
        raw.send(head(PUBLISH, broker.token("publish:a"), size=len(body)) + body[:-1])
        time.sleep(5.5)  # this is the slowness
        raw.send(body[-1:])
        assert raw.reply().status == 200


def test_a_caller_has_its_long_polls_at_once(broker_with):
    broker = broker_with("--max-waiters-per-caller", "2")
    broker.admin.ok("QueueService/Create", name="a")
    worker, other = broker.with_grants("work:a"), broker.caller(broker.token("work:a", name="o"))
    waiting = [threading.Thread(target=worker.ok, args=["TaskService/Lease"],
                                kwargs={"queue": "a", "maxTasks": 1, "waitMs": 60_000}) for _ in range(2)]
    for each in waiting:
        each.start()
    wait_until(lambda: Metrics(broker.admin.get("/metrics").text)("ackd_queue_waiters", queue="a")
               == 2, "both wait")
    assert is_limited(worker.call("TaskService/Lease", queue="a", maxTasks=1, waitMs=1), 2)
    assert worker.call("TaskService/Lease", queue="a").status == 200  # it does not wait
    assert other.call("TaskService/Lease", queue="a", waitMs=1).status == 200
    broker.admin.ok("TaskService/Publish", queue="a", tasks=[{}, {}])
    for each in waiting:
        each.join()
    assert worker.call("TaskService/Lease", queue="a", waitMs=1).status == 200
    assert limited(broker, "waiters_per_caller") >= 1


def test_without_authentication_an_address_is_a_caller(broker_with):
    broker = broker_with("--max-requests-per-second", "5", kind=Broker)

    def status_from(address: str) -> str:
        with socket.create_connection(("127.0.0.1", broker.port), 30, (address, 0)) as client:
            client.sendall(request("/ackd.v1.QueueService/List", b"{}"))
            return client.recv(4096).decode().split(" ")[1]
    assert {status_from("127.0.0.5") for _ in range(20)} == {"200", "429"}
    assert status_from("127.0.0.6") == "200"
    for _ in range(20):
        assert Caller(broker.port).get("/healthz").status == 200


def test_no_limit_is_set_unless_asked_for(broker):
    text = broker.admin.get("/metrics").text
    metrics = Metrics(text)
    limits = metrics.values_of("ackd_limited_total", "limit")
    assert limits >= {"connections", "request_memory", "requests_per_second"}
    assert all(metrics("ackd_limited_total", limit=limit) == 0 for limit in limits)
