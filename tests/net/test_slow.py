# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow, or silent: each costs the broker a bounded time and bounded memory.

The limits, as `ackd --help` names them: a head must be whole --header-timeout after its first byte;
a body may take --body-timeout and a second more for each KiB that has come; a connection without a
request is closed after --idle-timeout; a client that takes nothing of its replies for
--write-timeout is left, and so is one that takes less than 1 KiB/s beyond that time. What requests
take while they are read is bounded by --max-request-memory, what calls take while they are served
by the same again, and so is what replies take that nobody takes; beyond it a connection may hold
64 KiB.
"""
import socket
import threading
import time

import pytest
from processes import wait_until
from proxy import REPLY, REQUEST, Fault, Proxy
from raw_http import RawClient, request
from state import peak_growth_bytes, rss_bytes

LIST = "/ackd.v1.QueueService/List"
LEASE = "/ackd.v1.TaskService/Lease"
PUBLISH = "/ackd.v1.TaskService/Publish"
GET = request("/ackd.v1.TaskService/Get", b'{"queue":"q","taskId":"t"}')
MIB = 1 << 20
BASE = 24 * MIB  # what any load leaves behind in the allocator
SHORT = ("--header-timeout", "400ms", "--body-timeout", "400ms", "--idle-timeout", "400ms",
         "--write-timeout", "400ms")
MANY = 300


@pytest.fixture
def hasty(broker_with):
    """A broker of short patience, with a queue q."""
    running = broker_with(*SHORT)
    running.call("QueueService/Create", name="q")
    return running


def drip(raw: RawClient, data: bytes, pause_s: float) -> float:
    """Sends byte by byte until the broker has had enough of it; how long that took."""
    began = time.monotonic()
    raw.socket.settimeout(pause_s)
    for at in range(len(data)):
        if not raw.send(data[at:at + 1]):
            break
        try:
            if raw.socket.recv(1, socket.MSG_PEEK):  # a reply, which can only be a refusal
                break
        except TimeoutError:
            continue  # this is the pause
    raw.socket.settimeout(30)
    return time.monotonic() - began


def connections(broker) -> int:
    return broker.gauge("ackd_connections") - 1  # but the one that asks


@pytest.mark.parametrize("what", ["head", "blank lines", "body", "chunks"])
def test_a_request_that_drips_is_refused_though_it_never_stops(hasty, what):
    data = {"head": b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 50,
            "blank lines": b"\r\n" * 500,
            "body": request(LIST, b"{}" + b" " * 500),
            "chunks": b"POST " + LIST.encode() + b" HTTP/1.1\r\nHost: a\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 100}[what]
    head = data.index(b"\r\n\r\n") + 4 if what in ("body", "chunks") else 0
    with RawClient(hasty.port) as raw:
        raw.send(data[:head])
        took_s = drip(raw, data[head:], pause_s=0.02)
        reply = raw.reply()
        assert (reply.status, reply.headers["connection"]) == (408, "close")
        assert 0.3 < took_s < 5
        assert raw.is_closed()
    wait_until(lambda: connections(hasty) == 0, "it is gone")


def test_a_body_that_keeps_the_pace_may_take_its_time(broker_with):
    with RawClient(broker_with("--body-timeout", "200ms").port) as raw:
        whole = request(LIST, b"{}" + b" " * 4000)
        for at in range(0, len(whole), 500):
            assert raw.send(whole[at:at + 500])
            time.sleep(0.08)  # this is the slowness: 0.6 s in all
        assert raw.reply().status == 200


def test_many_slow_senders_cost_little_and_others_are_served(broker_with):
    """Each has sent nearly all that it may: 16 KiB of a head, or 64 KiB of a body."""
    running = broker_with("--max-request-memory", "8MiB")
    before = rss_bytes(running)
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"A: %s\r\n" % (b"x" * 16000)
    body = request(LIST, b" " * 65536)[:-1]
    clients = [RawClient(running.port) for _ in range(2 * MANY)]
    for at, each in enumerate(clients):
        each.send(head if at % 2 else body)
    wait_until(lambda: running.gauge("ackd_request_memory_bytes") == MANY * 65535, "it has come")
    assert running.call("QueueService/List") == {}
    with RawClient(running.port) as large:  # memory is short: small requests alone are taken
        assert large.call(LIST, b" " * 65537).status == 503
    # The values of fields that mean nothing are not kept.
    assert peak_growth_bytes(running, before) < MANY * 65536 * 1.25 + 8 * MIB
    for each in clients:
        each.socket.close()
    wait_until(lambda: running.gauge("ackd_request_memory_bytes") == 0, "it is given back", 5)


def test_large_bodies_that_stand_still_take_no_more_than_the_limit(broker_with):
    running = broker_with("--max-request-memory", "16MiB")
    before = rss_bytes(running)
    clients = [RawClient(running.port) for _ in range(60)]
    for each in clients:
        each.socket.settimeout(1)
        each.send(request(LIST, b" " * 4 * MIB)[:-1])  # those refused are closed while they send
    held = running.gauge("ackd_request_memory_bytes")
    assert 0 < held <= 16 * MIB
    assert peak_growth_bytes(running, before) < 2 * 16 * MIB
    assert running.call("QueueService/List") == {}
    for each in clients:
        each.socket.close()


def put_large_task(running) -> None:
    running.call("QueueService/Create", name="q")
    running.call("TaskService/Publish", queue="q",
                 tasks=[{"taskId": "t", "payload": "A" * 1_000_000}])


def test_many_who_take_no_replies_hold_no_more_than_the_limit(broker_with):
    """Each asks for megabytes and reads nothing: some are left, the small ones' replies go on."""
    running = broker_with("--max-request-memory", "32MiB")
    put_large_task(running)
    before = rss_bytes(running)
    clients = [RawClient(running.port) for _ in range(MANY // 2)]
    for each in clients:
        each.send(GET * 20)
    wait_until(lambda: running.gauge("ackd_replies_dropped_total") > 0, "the limit is reached")
    wait_until(lambda: running.gauge("ackd_requests_in_flight") == 1, "all are answered")
    assert 16 * MIB < running.gauge("ackd_reply_memory_bytes") <= 34 * MIB
    assert running.call("QueueService/Get", name="q")["queue"]["name"] == "q"
    # What is being made, what is not taken, the packed reply between the two, and as much again for
    # the allocator's holes between blocks of these sizes. All replies together would be 450 MiB.
    assert peak_growth_bytes(running, before) < 4 * 32 * MIB + BASE
    task = running.call("TaskService/Get", queue="q", taskId="t")["task"]
    assert len(task["payload"]) == 1_000_000
    for each in clients:
        each.socket.close()
    wait_until(lambda: running.gauge("ackd_reply_memory_bytes") == 0, "it is given back", 5)


def test_who_takes_a_byte_now_and_then_is_left(broker_with):
    running = broker_with("--write-timeout", "300ms")
    put_large_task(running)
    with RawClient(running.port) as raw:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.send(GET * 20)
        began = time.monotonic()

        def is_left() -> bool:
            raw.socket.recv(16)
            return connections(running) == 0

        wait_until(is_left, "it is left", 15)
        assert time.monotonic() - began > 0.3


def test_who_takes_replies_slowly_but_steadily_gets_them_whole(broker_with):
    """Though its kernel and the broker's take much at once, and then nothing for a while."""
    running = broker_with("--write-timeout", "500ms")
    put_large_task(running)
    with RawClient(running.port) as raw:
        raw.send(GET * 10)
        for _ in range(10):
            assert raw.reply().status == 200
            time.sleep(0.25)  # this is the slowness: 2.5 s in all


@pytest.mark.parametrize("way, after", [(REQUEST, 0), (REQUEST, 40), (REQUEST, 600), (REPLY, 0),
                                        (REPLY, 50)])
@pytest.mark.parametrize("kind", ["drop", "stall"])
def test_a_peer_that_falls_silent_is_left_in_time(hasty, kind, way, after):
    """Half-open: no byte comes any more, and no closing."""
    fault = Fault(kind, way, after)
    with Proxy(hasty.port, lambda: fault) as proxy, RawClient(proxy.port) as raw:
        raw.send(request(LIST, b"{}" + b" " * 800))
        wait_until(lambda: proxy.last is not None and proxy.last.has_tripped, "it falls silent")
        wait_until(lambda: connections(hasty) == 0, "it is left", 5)
        assert hasty.gauge("ackd_request_memory_bytes") == 0


def test_a_silent_peer_is_left_with_the_reply_that_it_does_not_take(broker_with):
    running = broker_with(*SHORT)
    put_large_task(running)
    with (Proxy(running.port, lambda: Fault("stall", REPLY, 1000)) as proxy,
          RawClient(proxy.port) as raw):
        raw.send(GET * 20)
        wait_until(lambda: proxy.last is not None and proxy.last.has_tripped, "it falls silent")
        wait_until(lambda: connections(running) == 0, "it is left", 5)
        assert running.gauge("ackd_reply_memory_bytes") == 0


def test_a_silent_peer_s_long_poll_ends_in_time_and_takes_no_task_twice(hasty):
    with Proxy(hasty.port, lambda: Fault("drop", REPLY, 0)) as proxy, RawClient(proxy.port) as raw:
        raw.send(request(LEASE, b'{"queue":"q","maxTasks":1,"waitMs":"300","leaseMs":"1000"}'))
        wait_until(lambda: proxy.last is not None and proxy.last.has_tripped, "its time is over")
        hasty.call("TaskService/Publish", queue="q", tasks=[{"taskId": "a"}])
        [task] = hasty.call("TaskService/Lease", queue="q", maxTasks=1)["tasks"]
        assert task["deliveries"] == 1
        wait_until(lambda: connections(hasty) == 0, "it is left", 5)


def test_a_request_that_comes_byte_by_byte_in_time_is_served(broker):
    fault = Fault("trickle", REQUEST, 0, pause_s=0)
    with Proxy(broker.port, lambda: fault) as proxy, RawClient(proxy.port) as raw:
        assert raw.call(PUBLISH, b'{"queue":"q","tasks":[{"taskId":"a"}]}').json()["stored"] == 1


def test_slow_and_silent_clients_do_not_slow_the_others(hasty):
    """While a hundred of them come and go, every call of another is answered soon."""
    slowest_s, stop = [0.0], threading.Event()

    def call_on() -> None:
        with RawClient(hasty.port) as raw:
            while not stop.is_set():
                began = time.monotonic()
                assert raw.call(LIST, b"{}").status == 200
                slowest_s[0] = max(slowest_s[0], time.monotonic() - began)

    caller = threading.Thread(target=call_on)
    caller.start()
    try:
        for _ in range(100):
            with RawClient(hasty.port) as raw:
                raw.send(request(LIST, b"{}")[:-1])
    finally:
        stop.set()
        caller.join()
    assert slowest_s[0] < 2
