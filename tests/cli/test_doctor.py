# SPDX-License-Identifier: Apache-2.0
"""`ackctl doctor`: what it finds at brokers that are well, ill, and not there."""
import base64
import http.server
import threading

import pytest
from broker import Broker, Refused
from conftest import Ackctl
from faulty_proxy import FaultyProxy
from processes import free_port


@pytest.fixture
def broker_with(tmp_path):
    """broker_with("--store", "mem"): a broker with these flags, and ackctl for it."""
    started = []

    def start(*flags: str) -> tuple[Broker, Ackctl]:
        broker = Broker(tmp_path / "another", *flags).__enter__()
        started.append(broker)
        return broker, Ackctl(tmp_path, broker.url)

    yield start
    for broker in started:
        broker.__exit__()


def findings(ended) -> dict[str, str]:
    return {row["check"]: row["finding"] for row in ended.rows()}


def test_a_broker_that_is_well_is_told_to_be(ackctl):
    ended = ackctl.ok("doctor", "-o", "json")
    assert set(findings(ended).values()) == {"ok"}
    assert len(ended.rows()) == 11
    shown = ackctl.ok("doctor").out
    assert len(shown.splitlines()) == 11 and "ok         reachable" in shown


def test_quiet_says_nothing_of_what_is_well(ackctl):
    assert ackctl.ok("doctor", "-q").out == ""


def test_where_no_broker_is_that_is_said_and_nothing_else_is_looked_at(ackctl):
    ended = ackctl("doctor", "-o", "json", "--url", f"http://127.0.0.1:{free_port()}")
    assert ended.code == 3
    found = findings(ended)
    assert found.pop("reachable") == "bad"
    assert set(found.values()) == {"not looked"}


def test_every_finding_that_is_not_well_has_an_advice(ackctl):
    ackctl.queue("q")
    ackctl.ok("publish", "q", "-f", "lines", stdin="a\n")
    for row in ackctl.ok("doctor", "-o", "json").rows():
        assert ("advice" in row) == (row["finding"] in ("warning", "bad")), row


def test_work_without_workers_is_found_and_so_is_a_paused_queue(ackctl):
    ackctl.queue("q")
    ackctl.ok("publish", "q", "-f", "lines", stdin="a\n")
    ended = ackctl.ok("doctor", "-o", "json")
    assert findings(ended)["workers"] == "warning"
    assert "such as q" in [row["text"] for row in ended.rows() if row["check"] == "workers"][0]


def test_a_store_that_is_nearly_full_is_told_of_before_publish_is_refused(broker_with):
    broker, ackctl = broker_with("--map-size", "16MiB")
    broker.call("QueueService/Create", name="q")
    payload = base64.b64encode(bytes(20000)).decode()
    findings_on_the_way = []
    try:
        while True:
            broker.call("TaskService/Publish", queue="q", tasks=[{"payload": payload}] * 20)
            findings_on_the_way.append(findings(ackctl("doctor", "-o", "json"))["room"])
    except Refused as refused:
        assert refused.http_status == 429 or "full" in str(refused)
    assert findings_on_the_way[0] == "ok" and "warning" in findings_on_the_way
    ended = ackctl("doctor", "-o", "json")
    row, = [row for row in ended.rows() if row["check"] == "room"]
    assert row["finding"] in ("warning", "bad") and "--map-size" in row["advice"]


def test_a_store_in_memory_is_warned_of(broker_with):
    _, ackctl = broker_with("--store", "mem")
    assert findings(ackctl.ok("doctor", "-o", "json"))["durable"] == "warning"


def test_something_else_at_the_address_is_told_from_a_broker(ackctl):
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def do_POST(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    other = http.server.HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    try:
        ended = ackctl("doctor", "-o", "json", "--url", f"http://127.0.0.1:{other.server_port}")
    finally:
        other.shutdown()
    assert ended.code == 1
    assert findings(ended)["reachable"] == findings(ended)["ready"] == "bad"
    assert findings(ended)["room"] == "not looked"
    caller, = [row for row in ended.rows() if row["check"] == "caller"]
    assert caller["finding"] == "bad" and "token" not in caller["advice"]


def test_work_without_workers_is_found_however_many_queues_there_are(broker, ackctl):
    for number in range(101):
        broker.call("QueueService/Create", name=f"q{number:03}")
    ackctl.ok("publish", "q100", "-f", "lines", stdin="a\n")
    row, = [row for row in ackctl.ok("doctor", "-o", "json").rows() if row["check"] == "workers"]
    assert row["finding"] == "warning" and "such as q100" in row["text"]


def test_a_name_that_begins_like_this_machines_is_not_taken_for_it(ackctl, broker):
    # Any *.localhost is this machine to curl, but a name of the network may begin so as well.
    url = broker.url.replace("127.0.0.1", "localhost.localhost")
    assert findings(ackctl.ok("doctor", "-o", "json", "--url", url))["tls"] == "warning"


def test_a_clock_is_not_doubted_for_the_time_that_the_call_took(broker, ackctl):
    with FaultyProxy(broker.port) as proxy:
        proxy.delay_reply_of("AdminService/Whoami", 2.5)
        rows = ackctl.ok("doctor", "-o", "json", "--url", proxy.url).rows()
    row, = [row for row in rows if row["check"] == "clock"]
    assert (row["finding"], row["text"]) == (
        "ok", "the broker's clock is as good as equal to this one's")


@pytest.mark.parametrize("path, shown", [("caf\udce9.pem", "caf?.pem"),
                                         ("x" + "é" * 200, "x" + "é" * 149 + "?")],
                         ids=["no UTF-8", "cut"])
def test_a_path_that_is_no_utf8_or_is_cut_hides_no_finding_from_programs(ackctl, path, shown):
    ended = ackctl("doctor", "-o", "json", "--ca-file", path,
                   "--url", f"https://127.0.0.1:{free_port()}")
    row, = [row for row in ended.rows() if row["check"] == "ca"]
    assert row["finding"] == "bad"
    assert row["text"] == f"{shown} can't be read, or holds no certificate in PEM"
