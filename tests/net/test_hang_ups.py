# SPDX-License-Identifier: Apache-2.0
"""Clients that vanish, in every phase of a call: nothing of them stays, and nothing is lost."""
import os

import pytest
from power_cut import SHIM
from processes import wait_until
from proxy import reset
from raw_http import RawClient, request

LEASE = "/ackd.v1.TaskService/Lease"
PUBLISH = "/ackd.v1.TaskService/Publish"
LIST = "/ackd.v1.QueueService/List"
SOON_S = 5  # less than every timeout of the broker
SYNC_US = 100_000
LEAVING = [pytest.param(lambda raw: reset(raw.socket), id="reset"),
           pytest.param(lambda raw: raw.socket.close(), id="closed")]
ENDING = [*LEAVING, pytest.param(lambda raw: raw.end(), id="half-closed")]


def wait_until_gone(broker) -> None:
    wait_until(lambda: broker.gauge("ackd_connections") == 1, "the connection is gone", SOON_S)
    assert broker.gauge("ackd_request_memory_bytes") == 0
    assert broker.gauge("ackd_requests_in_flight") == 1  # the one that asks


def waiters(broker) -> int:
    return broker.gauge('ackd_shard_waiters{shard="0"}')


@pytest.mark.parametrize("leave", ENDING)
@pytest.mark.parametrize("part", ["head", "body", "chunk"])
def test_while_it_sends_a_request(broker, leave, part):
    with RawClient(broker.port) as raw:
        if part == "chunk":
            raw.send(b"POST /ackd.v1.QueueService/List HTTP/1.1\r\nHost: a\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n5\r\n{")
        else:
            raw.send(request(LIST, b"{}" + b" " * 100_000)[:30 if part == "head" else 50_000])
        wait_until(lambda: broker.gauge("ackd_connections") == 2, "it is there")
        leave(raw)
        wait_until_gone(broker)


@pytest.mark.parametrize("leave", ENDING)
def test_while_its_long_poll_waits(broker, leave):
    """The next task goes to somebody else at once, not to the one who has gone."""
    with RawClient(broker.port) as raw:
        raw.send(request(LEASE, b'{"queue":"q","maxTasks":1,"waitMs":"60000"}'))
        wait_until(lambda: waiters(broker) == 1, "it waits")
        leave(raw)
        wait_until_gone(broker)
    broker.call("TaskService/Publish", queue="q", tasks=[{"taskId": "a"}])
    [task] = broker.call("TaskService/Lease", queue="q", maxTasks=1)["tasks"]
    assert (task["taskId"], task["deliveries"]) == ("a", 1)


@pytest.mark.parametrize("leave", ENDING)
def test_while_its_long_poll_waits_and_half_a_request_lies_behind_it(broker, leave):
    with RawClient(broker.port) as raw:
        raw.send(request(LEASE, b'{"queue":"q","maxTasks":1,"waitMs":"60000"}') +
                 request(LIST, b"{}")[:-1])
        wait_until(lambda: waiters(broker) == 1, "it waits")
        leave(raw)
        wait_until_gone(broker)


@pytest.mark.skipif(os.environ.get("ACKD_SANITIZE", "none") != "none",
                    reason="the sanitizers' library would have to come before the shim")
@pytest.mark.parametrize("leave", ENDING)
def test_while_its_batch_commits(broker_with, tmp_path, leave):
    """Whether it was stored it can't know; asking again tells, and stores nothing twice."""
    broker = broker_with(environment={"LD_PRELOAD": str(SHIM), "ACKD_SHIM_SYNC_US": str(SYNC_US),
                                      "ACKD_SHIM_DIR": str(tmp_path)})
    broker.call("QueueService/Create", name="q")
    with RawClient(broker.port) as raw, RawClient(broker.port) as other:
        raw.send(request(PUBLISH, b'{"queue":"q","tasks":[{"taskId":"a"},{"taskId":"b"}]}'))
        for _ in range(2):  # the second is read behind the publish, whichever the first was
            assert other.call("/healthz", verb="GET").status == 200
        leave(raw)
        other.socket.close()
        reply = broker.call("TaskService/Publish", queue="q",
                            tasks=[{"taskId": name} for name in "abc"])
        assert (reply.get("stored", 0), reply.get("duplicates", 0)) == (1, 2)
        wait_until_gone(broker)
    tasks = broker.call("TaskService/Lease", queue="q", maxTasks=9)["tasks"]
    assert sorted(task["taskId"] for task in tasks) == ["a", "b", "c"]


@pytest.mark.parametrize("leave", LEAVING)
def test_while_half_of_its_reply_is_written(broker, leave):
    """What it was leased comes back when the lease ends, and once."""
    broker.call("TaskService/Publish", queue="q",
                tasks=[{"payload": "A" * 1_000_000}] * 20)
    with RawClient(broker.port) as raw:
        raw.send(request(LEASE, b'{"queue":"q","maxTasks":20,"leaseMs":"1000"}'))
        assert raw.socket.recv(1000)
        leave(raw)
        wait_until_gone(broker)
    reply = broker.call("TaskService/Lease", queue="q", maxTasks=20, waitMs=10_000)
    assert {task["losses"] for task in reply["tasks"]} == {1}


@pytest.mark.parametrize("leave", ENDING)
def test_between_two_requests(broker, leave):
    with RawClient(broker.port) as raw:
        assert raw.call("/healthz", verb="GET").status == 200
        leave(raw)
        wait_until_gone(broker)


@pytest.mark.parametrize("leave", LEAVING)
def test_right_after_many_pipelined_requests(broker, leave):
    with RawClient(broker.port) as raw:
        raw.send(request(LIST, b"{}") * 2000)
        leave(raw)
        wait_until_gone(broker)
