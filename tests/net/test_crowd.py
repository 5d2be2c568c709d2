# SPDX-License-Identifier: Apache-2.0
"""Ten thousand connections at once, and one more than there may be."""
import contextlib
import resource
import time

import pytest
from broker import Broker
from processes import wait_until
from raw_http import RawClient, request
from state import growth_bytes, rss_bytes

CROWD = 10_000
SPARE = 200  # files that broker and test need beside
IDLE_BYTES_MAX = 4096  # of a connection that waits for its next request
ROOM = 300
LIST = request("/ackd.v1.QueueService/List", b"{}")


@pytest.fixture
def many_files():
    """As many open files as CROWD needs, here and in the broker, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CROWD + SPARE:
        pytest.skip(f"{CROWD} connections need a hard limit of {CROWD + SPARE} open files; it is "
                    f"{hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CROWD + SPARE), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_idle_connections_are_cheap_and_each_is_served(many_files, broker_with):
    running = broker_with("--idle-timeout", "10m")
    before = rss_bytes(running)
    with contextlib.ExitStack() as open_ones:
        crowd = [open_ones.enter_context(RawClient(running.port)) for _ in range(CROWD)]
        wait_until(lambda: running.gauge("ackd_connections") == CROWD + 1, "all are accepted")
        assert growth_bytes(running, before) < CROWD * IDLE_BYTES_MAX
        for each in crowd:
            each.send(LIST)
        assert {each.reply().status for each in crowd} == {200}
        began = time.monotonic()
        assert running.call("QueueService/List") == {}
        assert time.monotonic() - began < 1
        served = rss_bytes(running)
        for each in crowd[::2]:
            assert each.call("/healthz", verb="GET").status == 200
        assert growth_bytes(running, served) <= 1 << 20
    wait_until(lambda: running.gauge("ackd_connections") == 1, "all are gone")
    assert running.stop() == 0


def is_served(client: RawClient) -> bool:
    try:
        client.send(LIST)
        reply = client.reply()
    except (EOFError, ConnectionResetError):  # refused while it was sending
        return False
    assert reply.status in (200, 503)
    return reply.status == 200


def test_beyond_the_limit_each_is_told_so_and_the_others_are_served(broker_with):
    running = broker_with("--max-connections", str(ROOM))
    with contextlib.ExitStack() as open_ones:
        room = [open_ones.enter_context(RawClient(running.port)) for _ in range(ROOM - 1)]
        assert all(is_served(each) for each in room)
        last = wait_for_room(running, open_ones)
        for _ in range(ROOM):
            with RawClient(running.port) as one_more:
                reply = one_more.reply()
                assert (reply.status, reply.headers["connection"]) == (503, "close")
                assert reply.headers["retry-after"] == "1"
                assert reply.json()["code"] == "unavailable"
                assert one_more.is_closed()
        assert all(is_served(each) for each in room)
        last.socket.close()
        wait_for_room(running, open_ones)
        assert is_served(room[0])


def wait_for_room(running: Broker, open_ones: contextlib.ExitStack) -> RawClient:
    """A connection that is served: the broker may not have seen yet that another was closed."""
    def serve_one() -> RawClient | None:
        client = open_ones.enter_context(RawClient(running.port))
        return client if is_served(client) else None

    return wait_until(serve_one, "there is room")


def test_a_crowd_that_comes_at_once_is_served_in_the_end(broker_with):
    """More at a time than the listener's backlog and a loop's inbox hold."""
    running = broker_with("--io-threads", "2")
    for _ in range(3):
        with contextlib.ExitStack() as open_ones:
            crowd = [open_ones.enter_context(RawClient(running.port)) for _ in range(1500)]
            for each in crowd:
                each.send(LIST)
            refused = sum(each.reply().status != 200 for each in crowd)
            assert refused == running.gauge("ackd_connections_refused_total") == 0
    wait_until(lambda: running.gauge("ackd_connections") == 1, "all are gone")
