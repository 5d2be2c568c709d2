# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as ackd reads and writes it: what works, however it arrives."""
import time

import pytest
from processes import wait_until
from raw_http import RawClient, request

LIST = "/ackd.v1.QueueService/List"
GET_MISSING = "/ackd.v1.QueueService/Get"
GETS_ANSWERED = 'ackd_requests_total{service="TaskService",method="Get",code="OK"}'
BODY_MAX = 64 << 10  # with --max-batch-bytes 64KiB; the broker allows as much again for framing


@pytest.mark.parametrize("piece", [1, 2, 7, 64])
def test_a_request_may_come_in_pieces_of_any_size(raw, piece):
    for _ in range(2):
        raw.send(request(LIST, b"{}", "X-Note: a  b c"), piece)
        assert raw.reply().status == 200


@pytest.mark.parametrize("piece", [1, 5, None])
def test_a_body_may_come_in_chunks(raw, piece):
    head = request(LIST, b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
    raw.send(head + b"1;note=x\r\n{\r\n1\r\n}\r\n0\r\n\r\n", piece)
    assert raw.reply().status == 200


def test_blank_lines_before_a_request_are_skipped(raw):
    raw.send(b"\r\n\r\n" + request("/healthz", verb="GET"))
    assert raw.reply().body == b"ok\n"


def test_an_absolute_target_leads_to_its_path(raw):
    raw.send(b"GET http://other.example/healthz?full=1 HTTP/1.1\r\nHost: ackd\r\n\r\n")
    assert raw.reply().status == 200


def test_pipelined_requests_are_answered_in_order(raw):
    names = [f"missing-{i}" for i in range(500)]
    raw.send(b"".join(request(GET_MISSING, b'{"name":"%s"}' % name.encode()) for name in names))
    for name in names:
        assert name in raw.reply().json()["message"]


def test_pipelined_requests_that_come_behind_a_long_poll_wait_for_it(broker, raw):
    broker.call("QueueService/Create", name="behind-poll")
    raw.send(request("/ackd.v1.TaskService/Lease",
                     b'{"queue":"behind-poll","maxTasks":1,"waitMs":"300"}') +
             request("/healthz", verb="GET"))
    assert "situation" in raw.reply().json()
    assert raw.reply().body == b"ok\n"


def test_head_says_what_get_would_without_the_body(raw):
    got = raw.call("/", verb="GET")
    head = raw.call("/", verb="HEAD")
    assert head.status == 200
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.body))
    assert raw.call("/healthz", verb="GET").body == b"ok\n"


@pytest.mark.parametrize("path, allow", [("/healthz", "GET, HEAD, OPTIONS"),
                                         (LIST, "POST, OPTIONS"), ("*", "GET, HEAD, OPTIONS")])
def test_options_names_the_methods(raw, path, allow):
    reply = raw.call(path, verb="OPTIONS")
    assert (reply.status, reply.headers["allow"], reply.body) == (204, allow, b"")


def test_http_1_0_is_answered_and_closed(raw):
    raw.send(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert raw.reply().headers["connection"] == "close"
    assert raw.is_closed()


def test_http_1_0_is_kept_open_if_it_asks(raw):
    for _ in range(2):
        raw.send(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert raw.reply().headers["connection"] == "keep-alive"


def test_connection_close_is_obeyed_and_what_follows_is_not_read(raw):
    raw.send(request("/healthz", b"", "Connection: close", verb="GET") +
             request("/healthz", verb="GET"))
    assert raw.reply().headers["connection"] == "close"
    assert raw.is_closed()


def test_a_client_that_half_closes_gets_its_replies(raw):
    raw.send(request("/healthz", verb="GET") * 3)
    raw.end()
    assert [raw.reply().status for _ in range(3)] == [200] * 3
    assert raw.is_closed()


def test_a_client_that_waits_for_100_continue_gets_it(raw):
    whole = request(LIST, b"{}", "Expect: 100-continue")
    raw.send(whole[:-2])
    assert raw.reply().status == 100
    raw.send(whole[-2:])
    assert raw.reply().status == 200


def test_a_client_that_does_not_wait_for_100_continue_gets_none(raw):
    raw.send(request(LIST, b"{}", "Expect: 100-continue"))
    assert raw.reply().status == 200


def test_a_body_over_the_limit_is_refused_before_it_is_sent(broker_with):
    with RawClient(broker_with("--max-batch-bytes", "64KiB").port) as raw:
        whole = request(LIST, b"x" * (BODY_MAX * 2 + 1), "Expect: 100-continue")
        raw.send(whole[:whole.index(b"\r\n\r\n") + 4])
        reply = raw.reply()
        detail = reply.json()["details"][0]["debug"]
        assert (reply.status, detail["status"]) == (413, "STATUS_TOO_LARGE")
        assert int(detail["limit"]) == BODY_MAX * 2 and int(detail["value"]) == BODY_MAX * 2 + 1
        assert raw.is_closed()


def test_a_client_that_sends_its_large_body_anyway_can_read_the_refusal(broker_with):
    with RawClient(broker_with("--max-batch-bytes", "64KiB").port) as raw:
        raw.send(request(LIST, b"x" * (16 << 20)))
        assert raw.reply().status == 413


@pytest.mark.parametrize("size", [1, 1000, 65536])
def test_chunks_over_the_limit_are_refused_as_soon_as_they_pass_it(broker_with, size):
    chunk = b"%x\r\n%s\r\n" % (size, b"x" * size)
    with RawClient(broker_with("--max-batch-bytes", "64KiB").port) as raw:
        raw.send(request(LIST, b"", "Transfer-Encoding: chunked")
                 .replace(b"Content-Length: 0\r\n", b""))
        raw.send(chunk * ((BODY_MAX * 2) // size + 70000 // size + 1))
        assert raw.reply().status == 413


def test_large_requests_are_refused_while_others_take_the_memory_but_small_ones_pass(broker_with):
    running = broker_with("--max-request-memory", "1MiB")
    running.call("QueueService/Create", name="q")
    whole = request("/ackd.v1.TaskService/Publish",
                    b'{"queue":"q","tasks":[{"payload":"%s"}]}' % (b"A" * 600_000))
    with RawClient(running.port) as first, RawClient(running.port) as second:
        first.send(whole[:-1])
        wait_until(lambda: running.gauge("ackd_request_memory_bytes") > 590_000, "it has come")
        second.send(whole)
        reply = second.reply()
        assert (reply.status, reply.json()["code"]) == (503, "unavailable")
        assert reply.headers["retry-after"] == "1"
        assert running.call("TaskService/Publish", queue="q", tasks=[{}])["stored"] == 1
        first.send(whole[-1:])
        assert first.reply().json()["stored"] == 1
        wait_until(lambda: running.gauge("ackd_request_memory_bytes") == 0, "it is given back")
        assert first.call(LIST, b" " * 700_000 + b"{}").status == 200


def test_chunks_are_refused_too_when_they_take_too_much_memory(broker_with):
    running = broker_with("--max-request-memory", "1MiB")
    with RawClient(running.port) as raw:
        raw.send(request(LIST, b"", "Transfer-Encoding: chunked")
                 .replace(b"Content-Length: 0\r\n", b""))
        raw.send(b"10000\r\n%s\r\n" % (b" " * 65536) * 20)
        assert raw.reply().status == 503
        wait_until(lambda: running.gauge("ackd_request_memory_bytes") == 0, "it is given back")


def test_a_head_that_does_not_end_in_time_is_refused(broker_with):
    with RawClient(broker_with("--header-timeout", "150ms").port) as raw:
        raw.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        reply = raw.reply()
        assert (reply.status, reply.json()["code"]) == (408, "deadline_exceeded")
        assert raw.is_closed()


def test_a_body_that_does_not_come_is_refused(broker_with):
    with RawClient(broker_with("--body-timeout", "150ms").port) as raw:
        raw.send(request(LIST, b"{}")[:-1])
        assert raw.reply().status == 408


def test_an_idle_connection_is_closed_without_a_word(broker_with):
    running = broker_with("--idle-timeout", "150ms")
    with RawClient(running.port) as used, RawClient(running.port) as unused:
        assert used.call("/healthz", verb="GET").status == 200
        assert used.is_closed() and unused.is_closed()


def test_a_waiting_long_poll_is_not_idle(broker_with):
    running = broker_with("--idle-timeout", "100ms", "--header-timeout", "100ms")
    running.call("QueueService/Create", name="q")
    reply = running.call("TaskService/Lease", queue="q", maxTasks=1, waitMs=600)
    assert "tasks" not in reply


def served(running) -> RawClient | None:
    """A new connection that is served; None if it was refused, perhaps while it was sending."""
    client = RawClient(running.port)
    try:
        if client.call("/healthz", verb="GET").status == 200:
            return client
    except EOFError:
        pass
    client.socket.close()
    return None


def served_client(port: int) -> RawClient | None:
    """A connection that the broker serves; None if it has no room (yet)."""
    client = RawClient(port)
    try:
        if client.call("/healthz", verb="GET").status == 200:
            return client
    except (EOFError, ConnectionResetError):
        pass  # refused while it was sending
    client.socket.close()
    return None


def test_connections_over_the_limit_are_told_so(broker_with):
    running = broker_with("--max-connections", "3")

    def one_served():
        # The broker may not have seen yet that an earlier connection was closed.
        return wait_until(lambda: served_client(running.port), "there is room for a connection")

    clients = [one_served() for _ in range(3)]
    with RawClient(running.port) as one_more:
        reply = one_more.reply()
        assert (reply.status, reply.json()["code"]) == (503, "unavailable")
        assert reply.headers["retry-after"] == "1"
    clients.pop().socket.close()
    one_served()


def test_a_client_that_takes_no_replies_is_left_and_costs_little(broker_with):
    running = broker_with("--write-timeout", "300ms")
    with RawClient(running.port) as raw:
        raw.socket.settimeout(0.2)
        try:
            while raw.send(request("/", verb="GET") * 1000):
                pass
        except TimeoutError:
            pass  # the broker has stopped reading
        with RawClient(running.port) as other:
            sizes = [line for line in other.call("/metrics", verb="GET").body.decode().splitlines()
                     if line.startswith("process_resident_memory_bytes")]
        assert float(sizes[0].split()[1]) < 64 << 20
        wait_until(lambda: running.gauge("ackd_connections") == 1, "the client is left")


def test_a_client_that_takes_its_reply_slowly_gets_it_whole(broker_with):
    running = broker_with("--write-timeout", "3s")
    running.call("QueueService/Create", name="q")
    running.call("TaskService/Publish", queue="q", tasks=[{"payload": "A" * 1_000_000}] * 20)
    with RawClient(running.port) as raw:
        raw.send(request("/ackd.v1.TaskService/Lease", b'{"queue":"q","maxTasks":20}'))
        begun, taken = time.monotonic(), 0
        while taken < 15_000_000:
            data = raw.socket.recv(1 << 17)
            assert data, "the broker has left its client"
            taken += len(data)
            time.sleep(0.03)  # this is the slowness
        assert time.monotonic() - begun > 3


def fill_connection(running, raw: RawClient) -> None:
    """Asks for replies and takes none, until the broker has some that it can't send."""
    running.call("QueueService/Create", name="large")
    running.call("TaskService/Publish", queue="large",
                 tasks=[{"taskId": "t", "payload": "A" * 200_000}])
    sent, grown, asked = running.gauge("ackd_sent_bytes_total"), 200_000, 0
    while grown >= 200_000:
        raw.send(request("/ackd.v1.TaskService/Get", b'{"queue":"large","taskId":"t"}'))
        asked += 1
        wait_until(lambda: running.gauge(GETS_ANSWERED, 0) == asked, "the reply is made")
        before, sent = sent, running.gauge("ackd_sent_bytes_total")
        grown = sent - before


def test_a_call_that_times_out_after_its_client_should_have_been_left_is_the_last(broker_with):
    running = broker_with("--write-timeout", "500ms")
    running.call("QueueService/Create", name="q")
    with RawClient(running.port) as raw:
        fill_connection(running, raw)
        raw.send(request("/ackd.v1.TaskService/Lease", b'{"queue":"q","maxTasks":1,"waitMs":1000}')
                 + request("/ackd.v1.AdminService/Backup", b"{}", "Connect-Timeout-Ms: 1"))
        wait_until(lambda: running.gauge("ackd_connections") == 1, "the client is left")


def test_many_connections_are_served_on_several_threads(broker_with):
    running = broker_with("--io-threads", "4")
    clients = [RawClient(running.port) for _ in range(200)]
    for _ in range(3):
        for each in clients:
            each.send(request(LIST, b"{}"))
        assert {each.reply().status for each in clients} == {200}
    for each in clients:
        each.socket.close()
    wait_until(lambda: running.gauge("ackd_connections") == 1, "the connections are gone")
    assert running.stop() == 0
