# SPDX-License-Identifier: Apache-2.0
"""test_bodies.py -- no body is read of a caller that is not known, or that no right allows in."""
import json
import time

import pytest
from conftest import generate
from processes import memory_bytes
from raw_http import RawClient, request

PUBLISH = "/ackd.v1.TaskService/Publish"
LARGE = 30 << 20


def head(path: str, token: str | None, *fields: str, size: int | str = LARGE, verb="POST") -> bytes:
    lines = [f"{verb} {path} HTTP/1.1", "Host: ackd", "Content-Type: application/json", *fields]
    lines.append("Transfer-Encoding: chunked" if size == "chunked" else f"Content-Length: {size}")
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def publish(size: int) -> bytes:
    frame = json.dumps({"queue": "a", "tasks": [{"attributes": {"k": ""}}]})
    return frame.encode() + b" " * (size - len(frame))


@pytest.mark.parametrize("size", [LARGE, 10, "chunked"])
@pytest.mark.parametrize("who, status", [("nobody", 401), ("wrong", 401), ("reader", 403)])
def test_a_refused_callers_head_is_answered_at_once(broker, who, status, size):
    token = {"nobody": None, "wrong": generate(), "reader": broker.token("read:*")}[who]
    with RawClient(broker.port) as raw:
        raw.send(head(PUBLISH, token, size=size))
        reply = raw.reply()
        assert reply.status == status and reply.headers["connection"] == "close"
        assert ("www-authenticate" in reply.headers) == (status == 401)
        assert raw.is_closed()


def test_nobody_is_told_to_go_on_before_the_refusal(broker):
    with RawClient(broker.port) as raw:
        raw.send(head(PUBLISH, generate(), "Expect: 100-continue"))
        assert raw.reply().status == 401
    with RawClient(broker.port) as raw:
        body = publish(100)
        raw.send(head(PUBLISH, broker.token("publish:a"), "Expect: 100-continue", size=100))
        assert raw.reply().status == 100
        raw.send(body)
        assert raw.reply().status == 200


@pytest.mark.parametrize("piece", [None, 1, 7, 211])
def test_a_known_callers_body_is_read_however_it_is_cut(broker, piece):
    body = publish(300)
    whole = head(PUBLISH, broker.token("publish:a"), size=len(body)) + body
    with RawClient(broker.port) as raw:
        for _ in range(2):  # the connection stays
            raw.send(whole, piece)
            assert raw.reply().status == 200
        raw.send(whole + whole)
        assert [raw.reply().status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("path, status", [("/", 405), ("/healthz", 405), ("/none", 404),
                                          ("/metrics", 405), ("/ackd.v1.TaskService/None", 404)])
def test_what_takes_no_body_reads_none(broker, path, status):
    with RawClient(broker.port) as raw:
        raw.send(head(path, None))
        assert raw.reply().status == status
        assert raw.is_closed()


def test_a_page_that_was_sent_a_body_is_answered_without_it(broker):
    for path, token in (("/healthz", None), ("/metrics", broker.token("read:*"))):
        with RawClient(broker.port) as raw:
            raw.send(head(path, token, verb="GET") + b"x" * 100_000)
            assert raw.reply().status == 200
            assert raw.is_closed()


def test_bodies_of_strangers_take_no_memory(broker_with):
    broker = broker_with()
    before = memory_bytes(broker.process.pid, "RssAnon")
    clients = [RawClient(broker.port) for _ in range(8)]
    for client in clients:
        client.send(head(PUBLISH, None) + b" " * (1 << 20))
    assert [client.reply().status for client in clients] == [401] * len(clients)
    assert memory_bytes(broker.process.pid, "RssAnon") - before < 4 << 20
    for client in clients:
        client.socket.close()


def test_a_refusal_without_a_body_keeps_the_connection(broker):
    with RawClient(broker.port) as raw:
        for _ in range(2):
            assert raw.call("/metrics", verb="GET").status == 401
        assert raw.call("/healthz", verb="GET").status == 200


@pytest.mark.parametrize("known_s, status", [(0, 200), (5.2, 401)])
def test_who_called_is_known_for_a_body_of_seconds_and_asked_again_after_a_longer_one(
        broker, known_s, status):
    token = broker.token("publish:a")
    body = publish(300)
    with RawClient(broker.port) as raw:
        raw.send(head(PUBLISH, token, "Expect: 100-continue", size=len(body)))
        assert raw.reply().status == 100
        broker.admin.ok("TokenService/Revoke", tokenId=token.split("_")[1])
        time.sleep(known_s)
        raw.send(body)
        assert raw.reply().status == status
    assert broker.caller(token).call("TaskService/Publish", queue="a").status == 401
