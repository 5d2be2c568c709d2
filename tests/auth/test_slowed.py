# SPDX-License-Identifier: Apache-2.0
"""test_slowed.py -- refused logins are answered later the more there were; who is known is not."""
import contextlib
import signal
import time

import pytest
from conftest import generate
from processes import wait_until
from raw_http import RawClient, request

LIST = "/ackd.v1.QueueService/List"
HELD_MAX = 256  # at once; one more has the oldest answered


def wrong() -> bytes:
    return request("/metrics", b"", f"Authorization: Bearer {generate()}", verb="GET")


def refuse_some(broker, count: int) -> float:
    """So many refused logins of one address; how long the last one took."""
    for _ in range(count):
        begun = time.monotonic()
        with RawClient(broker.port) as raw:
            raw.send(wrong())
            assert raw.reply().status == 401
    return time.monotonic() - begun


@pytest.fixture
def suspicious(broker_with):
    """A broker that answers this address' refused logins after two seconds."""
    broker = broker_with()
    refuse_some(broker, 9)
    return broker


def test_the_first_five_are_free_and_then_each_takes_twice_as_long(broker_with):
    broker = broker_with()
    assert refuse_some(broker, 5) < 1.5  # a fifth that is not takes two seconds
    assert 0.12 <= refuse_some(broker, 1)
    assert 0.24 <= refuse_some(broker, 1)
    assert 0.49 <= refuse_some(broker, 1)


def test_a_right_token_is_served_at_once_and_so_is_another_address(suspicious):
    with RawClient(suspicious.port) as raw:
        raw.send(wrong())
        begun = time.monotonic()
        with RawClient(suspicious.port) as known:
            reply = known.call(LIST, b"{}", f"Authorization: Bearer {suspicious.admin_token}")
            assert reply.status == 200
        with RawClient(suspicious.port) as open_to_all:
            assert open_to_all.call("/healthz", verb="GET").status == 200
        with RawClient(suspicious.port) as tokenless:
            assert tokenless.call("/metrics", verb="GET").status == 401
        assert suspicious.caller(generate()).call("QueueService/List").status == 401
        assert time.monotonic() - begun < 1.9
        reply = raw.reply()
        assert reply.status == 401 and reply.headers["connection"] == "close"
        assert time.monotonic() - begun > 1.9 and raw.is_closed()


def test_so_many_are_held_back_and_one_more_has_the_oldest_answered(suspicious):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(suspicious.port)) for _ in range(HELD_MAX + 1)]
        text = wrong()
        begun = time.monotonic()
        for client in clients:
            client.send(text)
        assert clients[0].reply().status == 401
        assert time.monotonic() - begun < 1.9
        assert clients[-1].reply().status == 401
        assert time.monotonic() - begun > 1.9


def test_who_leaves_meanwhile_leaves_nothing_behind(suspicious):
    def rows() -> dict[str, str]:
        lines = suspicious.admin.get("/metrics").text.splitlines()
        return dict(line.split(" ") for line in lines if line.startswith("ackd_connections "))
    for end in (lambda raw: raw.socket.close(), lambda raw: raw.end()):
        with RawClient(suspicious.port) as raw:
            raw.send(wrong())
            time.sleep(0.1)  # so that it is held; where not, the test shows less
            end(raw)
            wait_until(lambda: rows() == {"ackd_connections": "1"}, "it is gone", 1.5)
    assert suspicious.stop() == 0  # which finds what was left


def test_what_is_sent_behind_a_refused_login_is_thrown_away(suspicious):
    with RawClient(suspicious.port) as raw:
        raw.send(wrong() + b"x" * (4 << 20))
        assert raw.reply().status == 401


def test_a_broker_that_stops_holds_nothing_back(suspicious):
    with RawClient(suspicious.port) as raw:
        raw.send(wrong())
        wait_until(lambda: "ackd_connections 2\n" in suspicious.admin.get("/metrics").text,
                   "it has come")
        begun = time.monotonic()
        suspicious.process.signal(signal.SIGTERM)
        assert raw.reply().status == 401
        assert time.monotonic() - begun < 1.9
    assert suspicious.process.wait() == 0
