# SPDX-License-Identifier: Apache-2.0
"""What goes over TLS once hands are shaken: large, slow, many, cut short."""
import base64
import contextlib
import hashlib
import json
import os
import socket
import ssl
import subprocess

import pytest
from processes import wait_until
from raw_http import RawClient, request
from tls_broker import LIST, client_context, shake_hands

SANITIZED = os.environ.get("ACKD_SANITIZE", "none") != "none"
CROWD = 200 if SANITIZED else 1000
MIB = 1 << 20


def publish(broker, queue: str, payloads: list[bytes]) -> None:
    broker.call("QueueService/Create", name=queue)
    broker.call("TaskService/Publish", queue=queue,
                tasks=[{"payload": base64.b64encode(each).decode()} for each in payloads])


def lease_request(queue: str, count: int) -> bytes:
    return request("/ackd.v1.TaskService/Lease",
                   json.dumps({"queue": queue, "maxTasks": count, "leaseMs": "600000"}).encode())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_bodies_arrive_whole_both_ways(broker, authority, version):
    queue = f"large-{version.name.lower().replace('_', '-')}"
    payloads = [os.urandom(size) for size in (1, 16383, 16384, 16385, 65535, 65536, 700_000)]
    context = client_context(authority)
    context.maximum_version = version
    publish(broker, queue, payloads)
    with broker.connect(context) as client:
        client.send(lease_request(queue, len(payloads)))
        tasks = client.reply().json()["tasks"]
    assert [base64.b64decode(each["payload"]) for each in tasks] == payloads


@pytest.mark.parametrize("piece", [1, 7, 1400, 20000])
def test_records_in_pieces_are_put_together(broker, piece):
    """Pieces of the sealed bytes, which know no record's bounds."""
    with RawClient(broker.port) as raw:
        session, incoming, outgoing = shake_hands(broker, raw, piece)
        body = json.dumps({"name": "no-such-queue", "pad": "x" * 3000}).encode()
        session.write(request("/ackd.v1.QueueService/Get", body) + LIST)
        raw.send(outgoing.read(), piece)
        reply = b""
        while reply.count(b"HTTP/1.1 ") < 2:
            try:
                reply += session.read(65536)
            except ssl.SSLWantReadError:
                incoming.write(raw.socket.recv(65536))
    assert b"HTTP/1.1 200" in reply or b"HTTP/1.1 4" in reply


def test_pipelined_requests_are_all_answered(broker):
    with broker.connect() as client:
        client.send(LIST * 200)
        assert [client.reply().status for _ in range(200)] == [200] * 200


def slow_client(broker) -> socket.socket:
    """One whose kernel holds little."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(30)
    raw.connect(("127.0.0.1", broker.port))
    return broker.context.wrap_socket(raw, server_hostname="localhost")


def test_a_slow_reader_gets_a_large_reply_whole(broker):
    payloads = [os.urandom(900_000) for _ in range(12)]
    publish(broker, "slow", payloads)
    digest = hashlib.sha256()
    with slow_client(broker) as client:
        client.sendall(lease_request("slow", len(payloads)))
        broker.call("QueueService/List")  # others are served meanwhile
        reply = b""
        while b"\r\n\r\n" not in reply:
            reply += client.recv(512)
        head, body = reply.split(b"\r\n\r\n", 1)
        size = next(int(line.split(b": ")[1]) for line in head.split(b"\r\n")
                    if line.startswith(b"Content-Length"))
        while len(body) < size:
            body += client.recv(4096)
            broker.gauge("ackd_reply_memory_bytes") if len(body) < 20000 else None
    for each in json.loads(body)["tasks"]:
        digest.update(base64.b64decode(each["payload"]))
    assert digest.digest() == hashlib.sha256(b"".join(payloads)).digest()


def test_a_client_that_takes_nothing_is_left_and_its_memory_freed(broker_with):
    running = broker_with("--write-timeout", "400ms")
    publish(running, "left", [os.urandom(900_000) for _ in range(12)])
    with slow_client(running) as client:
        client.sendall(lease_request("left", 12))
        wait_until(lambda: running.gauge("ackd_reply_memory_bytes") > 8 * MIB, "the reply waits")
        wait_until(lambda: running.gauge("ackd_connections") == 1, "it is left")
        assert running.gauge("ackd_reply_memory_bytes") < MIB
    assert running.stop() == 0


def test_a_crowd_is_served_and_leaves_nothing_behind(broker_with):
    running = broker_with("--io-threads", "2")
    with contextlib.ExitStack() as open_ones:
        crowd = [open_ones.enter_context(running.connect()) for _ in range(CROWD)]
        assert running.gauge("ackd_connections") == CROWD + 1
        assert running.gauge("ackd_tls_handshakes") == 0
        for each in crowd:
            each.send(LIST)
        assert {each.reply().status for each in crowd} == {200}
    wait_until(lambda: running.gauge("ackd_connections") == 1, "all are gone")
    assert running.gauge("ackd_tls_handshakes_failed_total") == 0
    assert running.stop() == 0


def test_connections_cut_off_anywhere_cost_nothing(broker):
    """Without close_notify, within a record, within a call."""
    for size in range(1, 200, 9):
        with RawClient(broker.port) as raw:
            session, _, outgoing = shake_hands(broker, raw)
            session.write(LIST)
            raw.send(outgoing.read()[:size])
            if size % 2:
                raw.end()
    wait_until(lambda: broker.gauge("ackd_connections") == 1, "all are gone")


def test_a_record_that_was_tampered_with_ends_the_connection(broker):
    with RawClient(broker.port) as raw:
        session, incoming, outgoing = shake_hands(broker, raw)
        session.write(LIST)
        sealed = bytearray(outgoing.read())
        sealed[-5] ^= 1
        raw.send(bytes(sealed))
        incoming.write(raw.socket.recv(65536))
        with pytest.raises(ssl.SSLError, match="(?i)bad.record.mac"):
            session.read(1)
    assert broker.call("QueueService/List")["queues"]


def test_a_long_poll_of_a_client_that_left_takes_no_task(broker):
    broker.call("QueueService/Create", name="poll")

    def waiters() -> int:
        return int(broker.call("QueueService/Get", name="poll")["queue"].get("waiters", 0))

    with broker.connect() as client:
        client.send(request("/ackd.v1.TaskService/Lease",
                            b'{"queue":"poll","maxTasks":1,"waitMs":"60000"}'))
        wait_until(lambda: waiters() == 1, "it waits")
    wait_until(lambda: waiters() == 0, "it is gone")


def test_close_notify_ends_a_long_poll(broker):
    broker.call("QueueService/Create", name="notified")
    client = broker.connect()
    client.send(request("/ackd.v1.TaskService/Lease",
                        b'{"queue":"notified","maxTasks":1,"waitMs":"60000"}'))
    client.socket.setblocking(False)
    with contextlib.suppress(ssl.SSLError, OSError):
        client.socket.unwrap()  # says goodbye, and keeps the socket open
    wait_until(lambda: "waiters" not in broker.call("QueueService/Get", name="notified")["queue"],
               "it is gone")
    client.socket.close()


def test_curl_moves_large_bodies(broker, authority, tmp_path):
    body = tmp_path / "body"
    body.write_text(json.dumps({"queue": "q", "tasks": [
        {"payload": base64.b64encode(os.urandom(700_000)).decode()} for _ in range(8)]}))
    for version in ("1.2", "1.3"):
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--fail-with-body", "--tls-max", version,
             "--cacert", authority.certificate, "-H", "Content-Type: application/json",
             "--data-binary", f"@{body}",
             f"https://localhost:{broker.port}/ackd.v1.TaskService/Publish"],
            capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    assert broker.call("QueueService/Get", name="q")["queue"]["counts"]["published"] == "16"
