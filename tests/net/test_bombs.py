# SPDX-License-Identifier: Apache-2.0
"""Small messages that would like to become large ones: what each may take is a factor of its size.

A body lies in memory once. Decoding may take 4 bytes of arena for each of it and 4 MiB; JSON's tree
as much before, and 16 MiB. A thread decodes one request at a time, and gives all of it back.
"""
import pytest
from messages import BYTES, FIXED32, FIXED64, GROUP_END, GROUP_START, message, tag, varint
from processes import wait_until
from raw_http import RawClient, request
from state import growth_bytes, peak_growth_bytes, rss_bytes

MIB = 1 << 20
FACTOR, BASE = 9, 24 * MIB
PUBLISH = "/ackd.v1.TaskService/Publish"
ACK = "/ackd.v1.TaskService/Ack"
LEASE = "/ackd.v1.TaskService/Lease"
PROTO = "Content-Type: application/proto"
SIZE = 8 * MIB


def filled(unit: bytes, size: int = SIZE) -> bytes:
    return unit * (size // len(unit))


def nested(field: int, depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = message((field, data))
    return data


ATTRIBUTE = message((3, message((1, "k"), (2, ""))))

# Path, body -> the statuses that may come of it.
PROTOBUF = {
    "empty tasks": (PUBLISH, filled(message((2, b""))), (400, 413)),
    "empty acks": (ACK, filled(message((1, b""))), (400, 413)),
    "empty acks and nacks of a lease": (LEASE, filled(message((6, b""), (7, b""))), (400, 413)),
    "empty task IDs": ("/ackd.v1.TaskService/Cancel", filled(message((2, b""))), (400, 413)),
    "tasks of empty attributes": (PUBLISH, filled(message((2, ATTRIBUTE * 60))), (400, 413)),
    "one task of very many attributes": (PUBLISH, message((2, filled(ATTRIBUTE))), (400, 413)),
    "one field a million times": (LEASE, filled(message((2, 1))), (400, 404, 413)),
    "one text a million times": (LEASE, filled(message((1, b"q"))), (400, 404, 413)),
    "unknown varints": (LEASE, filled(message((99, 1))), (400, 404, 413)),
    "unknown empty messages": (LEASE, filled(message((99, b""))), (400, 404, 413)),
    "unknown fixed numbers": (LEASE, filled(tag(98, FIXED32) + b"abcd" + tag(99, FIXED64) +
                                            b"abcdefgh"), (400, 404, 413)),
    "unknown groups within groups": (LEASE, filled(tag(99, GROUP_START)), (400,)),
    "unknown groups, all ended": (LEASE, filled(tag(99, GROUP_START), SIZE // 2) +
                                  filled(tag(99, GROUP_END), SIZE // 2), (400, 404, 413)),
    "messages within an unknown message": (LEASE, nested(99, 2000), (400, 404)),
    "messages within a task": (PUBLISH, nested(2, 2000), (400,)),
    "a length beyond the end": (PUBLISH, tag(2, BYTES) + varint(1 << 62), (400,)),
    "a length of 64 bits": (PUBLISH, tag(2, BYTES) + varint((1 << 64) - 1), (400,)),
    "a length of 32 bits": (PUBLISH, tag(2, BYTES) + varint((1 << 32) - 1) + b"x", (400,)),
    "a varint without end": (LEASE, tag(2, 0) + b"\xff" * SIZE, (400,)),
    "varints of ten bytes": (LEASE, filled(tag(2, 0) + b"\xff" * 9 + b"\x01"), (400, 404, 413)),
    "field 0": (LEASE, b"\0" * SIZE, (400,)),
    "fields of the largest number": (LEASE, filled(message(((1 << 29) - 1, 1))), (400, 404, 413)),
}

JSON = {
    "arrays within arrays": b"[" * SIZE,
    "objects within objects": filled(b'{"tasks":'),
    "arrays within arrays, all ended": b"[" * (SIZE // 2) + b"]" * (SIZE // 2),
    "empty tasks": b'{"queue":"q","tasks":[' + filled(b"{},") + b"{}]}",
    "empty texts": b'{"queue":"q","tasks":[' + filled(b'"",') + b'""]}',
    "numbers": b'{"queue":"q","tasks":[' + filled(b"0,") + b"0]}",
    "nulls": b'{"queue":"q","tasks":[' + filled(b"null,") + b"null]}",
    "different keys": b"{" + b",".join(b'"%d":0' % i for i in range(SIZE // 12)) + b"}",
    "one key again and again": b"{" + filled(b'"queue":"",') + b'"queue":""}',
    "attributes of many keys": b'{"queue":"q","tasks":[{"attributes":{' +
                               b",".join(b'"%d":""' % i for i in range(SIZE // 12)) + b"}}]}",
    "a number of a million digits": b'{"queue":"q","tasks":[{"priority":' + b"9" * SIZE + b"}]}",
    "a fraction of a million digits": b'{"priority":0.' + b"1" * SIZE + b"}",
    "a huge exponent": b'{"tasks":[{"priority":1e999999999}]}',
    "a number beyond 64 bits": b'{"tasks":[{"delayMs":92233720368547758080}]}',
    "a text of escapes": b'{"queue":"' + filled(b"\\u0041") + b'"}',
    "half a surrogate pair": b'{"queue":"\\ud800"}',
    "an escaped NUL": b'{"queue":"q\\u0000"}',
    "a text without end": b'{"queue":"' + b"x" * SIZE,
    "blanks": b" " * SIZE,
    "bytes that are no UTF-8": b'{"queue":"' + b"\xff" * SIZE + b'"}',
}


def check_cost(broker, path: str, body: bytes, statuses: tuple[int, ...], *fields: str) -> None:
    before = rss_bytes(broker)
    with RawClient(broker.port) as raw:
        reply = raw.call(path, body, *fields)
        assert reply.status in statuses, reply.body
        assert len(reply.body) < 4096
        assert peak_growth_bytes(broker, before) < len(body) * FACTOR + BASE
        assert raw.call("/healthz", verb="GET").status == 200


@pytest.mark.parametrize("name", PROTOBUF)
def test_protobuf_costs_a_factor_of_its_size(broker_with, name):
    path, body, statuses = PROTOBUF[name]
    check_cost(broker_with(), path, body, statuses, PROTO)


@pytest.mark.parametrize("name", JSON)
def test_json_costs_a_factor_of_its_size(broker_with, name):
    check_cost(broker_with(), PUBLISH, JSON[name], (400, 413))


def test_bombs_from_many_connections_at_once_cost_no_more_than_the_limit(broker_with):
    limit = 64 * MIB
    running = broker_with("--max-request-memory", "64MiB")
    before = rss_bytes(running)
    bomb = request(PUBLISH, filled(message((2, b"")), 2 * MIB), PROTO)
    clients = [RawClient(running.port) for _ in range(60)]
    for each in clients:
        each.socket.settimeout(30)
        each.send(bomb[:-1])
    for each in clients:
        each.send(bomb[-1:])
    for each in clients:
        with each:
            try:
                assert each.reply().status in (400, 413, 503)
            except EOFError:  # refused while it was sending
                pass
    assert peak_growth_bytes(running, before) < limit + 2 * MIB * FACTOR + BASE
    wait_until(lambda: running.gauge("ackd_request_memory_bytes") == 0, "it is given back")
    assert growth_bytes(running, before) < limit


def test_many_long_lists_at_once_cost_no_more_than_the_limit(broker_with):
    """Pages end early while others take what there is; who gets nothing at all may try again."""
    limit = 64 * MIB
    running = broker_with("--max-request-memory", "64MiB")
    running.call("QueueService/Create", name="q")
    for first in range(0, 60, 10):
        running.call("TaskService/Publish", queue="q",
                     tasks=[{"taskId": f"t{first + i}", "payload": "A" * 1_000_000}
                            for i in range(10)])
    before = rss_bytes(running)
    asked = request("/ackd.v1.TaskService/List", b'{"queue":"q","withPayload":true}')
    clients = [RawClient(running.port) for _ in range(30)]
    for each in clients:
        each.send(asked)
    statuses = []
    for each in clients:
        with each:
            try:
                reply = each.reply()
                statuses.append(reply.status)
                assert reply.status == 200 or reply.json()["code"] == "unavailable"
            except EOFError:  # its reply was dropped: it did not take it at once
                pass
    assert 200 in statuses and set(statuses) <= {200, 503}
    # What is being made, what is not taken, and one that goes from the one to the other.
    assert peak_growth_bytes(running, before) < 3 * limit + BASE
    wait_until(lambda: running.gauge("ackd_call_memory_bytes") < 65536, "it is given back")
    wait_until(lambda: running.gauge("ackd_reply_memory_bytes") == 0, "it is given back")
    with RawClient(running.port) as raw:  # alone, it gets what there is
        raw.send(asked)
        assert len(raw.reply().json()["tasks"]) > 20


def test_many_small_pipelined_requests_with_large_replies_cost_what_one_may_hold(broker_with):
    running = broker_with()
    running.call("QueueService/Create", name="q")
    running.call("TaskService/Publish", queue="q",
                 tasks=[{"taskId": "t", "payload": "A" * 1_000_000}])
    before = rss_bytes(running)
    with RawClient(running.port) as raw:
        raw.send(request("/ackd.v1.TaskService/Get", b'{"queue":"q","taskId":"t"}') * 300)
        wait_until(lambda: running.gauge("ackd_reply_memory_bytes") > 0, "replies are not taken")
        wait_until(lambda: running.gauge("ackd_requests_in_flight") == 1, "it stands still")
        assert peak_growth_bytes(running, before) < 16 * MIB
        for _ in range(300):
            assert raw.reply().status == 200
    assert peak_growth_bytes(running, before) < 16 * MIB


def test_many_tiny_pipelined_requests_wait_in_the_socket(broker_with):
    running = broker_with()
    before = rss_bytes(running)
    with RawClient(running.port) as raw:
        raw.socket.settimeout(0.5)
        try:
            while raw.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 10_000):
                pass
        except TimeoutError:
            pass  # the broker has stopped reading
        assert peak_growth_bytes(running, before) < 8 * MIB
