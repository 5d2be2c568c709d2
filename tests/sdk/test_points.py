# SPDX-License-Identifier: Apache-2.0
"""A worker is evicted at every point of a task's life: each task has one result, and none was acked
before it.

The worker is held at the point while the signal comes: SIGTERM, and it must drain and exit 0; or
SIGKILL. Then another worker does what is left. See points.h for the points that the worker knows;
`acking` and `acked` (with the broker, but the answer has not come) are seen by a proxy (gate.py).
"""
import signal

import pytest
from gate import Gate
from probe import publish, queue_now
from processes import wait_until
from sinks import BrokerSink, FileSink, PostgresSink

OPTIONS = {"session_ms": 1000, "prefetch": 4}
TASKS = 3
PAYLOADS = [f"echo 1 content of {i}" for i in range(TASKS)]
SIGNALS = [signal.SIGTERM, signal.SIGKILL]


@pytest.fixture
def sink(request, broker, tmp_path):
    if request.param == "postgres":
        return PostgresSink(request.getfixturevalue("postgres"))
    return FileSink(tmp_path / "out") if request.param == "file" else BrokerSink(broker)


def matrix(*rows):
    """Cases (sink, point, signal) with names for people."""
    cases = [(sink, point, number) for sinks, points in rows for sink in sinks.split()
             for point in points.split() for number in SIGNALS]
    return pytest.mark.parametrize("sink, point, number", cases, indirect=["sink"], ids=[
        f"{sink}-{point}-{number.name}" for sink, point, number in cases])


class Held:
    """A worker that waits at a point."""

    def __init__(self, probe, point: str, tmp_path, sink, **options):
        self.gate = tmp_path / "gate"
        self.worker = probe(**OPTIONS, **options, sink=sink.option, hold=point, gate=self.gate)
        self.worker.await_line("at")
        wait_until(lambda: any(words[0] == point for words in self.worker.lines("at")),
                   f"the worker is at `{point}`")

    def evict(self, number: signal.Signals) -> int:
        """Its exit code. SIGTERM first, and then it may go on."""
        self.worker.process.signal(number)
        if number == signal.SIGTERM:
            self.gate.touch()
        return self.worker.end()


def expect_sink_before_ack(broker, sink) -> None:
    """What is done at the broker is in the sink."""
    done = queue_now(broker)["done"]
    assert len(sink.results()) >= done


def finish(broker, probe, sink, ids) -> list[str]:
    """Another worker does the rest, if there is any; all is right at the end. Returns what it
    computed."""
    wait_until(lambda: queue_now(broker)["leased"] == 0, "all leases have come back")
    expect_sink_before_ack(broker, sink)
    begun = []
    if queue_now(broker)["done"] < len(ids):
        rescuer = probe(**OPTIONS, sink=sink.option)
        wait_until(lambda: queue_now(broker)["done"] == len(ids), "all are done")
        rescuer.drain()
        assert rescuer.end() == 0
        begun = rescuer.begun()
    assert sink.results() == dict(zip(ids, PAYLOADS))
    assert not sink.problems()
    now = queue_now(broker)
    assert (now["done"], now["ready"], now["dead"], now["failures"]) == (TASKS, 0, 0, 0)
    return begun


@matrix(("broker", "starting leased running"), ("file", "leased"),
        ("file postgres", "committing committed"))
def test_it_is_evicted(broker, queue, probe, tmp_path, sink, point, number):
    ids = publish(broker, *PAYLOADS)
    held = Held(probe, point, tmp_path, sink)
    if point == "committed":
        assert sink.missing(ids[:1]) == []
    assert queue_now(broker)["done"] == 0
    code = held.evict(number)
    computed = {words[0] for words in held.worker.lines("end")}
    kept = set(sink.results())
    drains = number == signal.SIGTERM and point != "starting"
    assert code == (0 if drains else -number)
    if drains:  # at once, all of it, and not by the session's end
        now = queue_now(broker)
        assert (now["leased"], now["losses"], now["sessions"]) == (0, 0, 0)
        assert now["done"] == len(kept) and kept == computed
    again = finish(broker, probe, sink, ids)
    assert set(again) == set(ids) - kept  # a result that is there is not computed again


@matrix(("broker file", "acking acked"))
@pytest.mark.parametrize("end", ["passes", "is-cut"])
def test_it_is_evicted_while_an_ack_is_under_way(broker, queue, probe, sink, point, number, end):
    ids = publish(broker, *PAYLOADS)
    with Gate(broker.port) as gate:
        gate.hold(point)
        worker = probe(url=gate.url, **OPTIONS, sink=sink.option)
        assert gate.reached.wait(30)
        expect_sink_before_ack(broker, sink)
        assert (queue_now(broker)["done"] > 0) == (point == "acked")
        worker.process.signal(number)
        if number == signal.SIGKILL:
            assert worker.end() == -number
        gate.let_pass() if end == "passes" else gate.cut()
        if number == signal.SIGTERM:
            assert worker.end() == 0
            assert queue_now(broker)["leased"] == 0
        elif end == "passes":  # its last words count
            wait_until(lambda: queue_now(broker)["done"] > 0, "the ack has arrived")
    kept = set(sink.results())
    assert set(finish(broker, probe, sink, ids)) == set(ids) - kept


@pytest.mark.parametrize("number", SIGNALS)
def test_it_is_evicted_while_it_waits_for_tasks(broker, queue, probe, number):
    worker = probe(**OPTIONS)
    wait_until(lambda: queue_now(broker)["sessions"] == 1, "it has joined")
    ids = publish(broker, *PAYLOADS[:1])
    worker.await_line("end")  # and polls again
    worker.process.signal(number)
    assert worker.end() == (0 if number == signal.SIGTERM else -number)
    more = publish(broker, *PAYLOADS[1:], prefix="later")
    wait_until(lambda: queue_now(broker)["leased"] == 0, "nothing is leased to it")
    sink = BrokerSink(broker)
    assert probe(**OPTIONS, stop_when_empty=1).end() == 0
    assert sink.results() == dict(zip(ids + more, PAYLOADS))


def test_tasks_that_are_leased_to_it_in_that_moment_come_back_at_once(broker, queue, probe):
    """Its long poll is cut while the answer to it is on its way."""
    for turn in range(1, 13):
        worker = probe(session_ms=60000)
        wait_until(lambda: queue_now(broker)["sessions"] == 1, "it has joined")
        steps = [worker.drain, lambda: publish(broker, *["work 1"] * turn, prefix=f"turn{turn}-")]
        for step in steps if turn % 3 else reversed(steps):
            step()
        assert worker.end() == 0
        now = queue_now(broker)
        assert (now["leased"], now["sessions"], now["losses"]) == (0, 0, 0)


@pytest.mark.parametrize("returns", [True, False])
def test_a_drain_without_a_broker_ends_within_the_grace(broker, queue, probe, tmp_path, returns):
    """With it back in time, what was finished is acked; else it is another's later."""
    ids = publish(broker, *PAYLOADS)
    sink = BrokerSink(broker)
    held = Held(probe, "running", tmp_path, sink, grace_ms=6000 if returns else 1000)
    broker.kill()
    broker._command += ["--restart-grace-ms", "1s"]
    held.worker.drain()
    held.gate.touch()
    held.worker.await_line("end")
    if returns:
        broker.start()
    assert held.worker.process.wait(12) == (0 if returns else 1)
    assert held.worker.status() == ("OK" if returns else "TIMEOUT")
    if not returns:
        broker.start()
    computed = set(held.worker.begun())
    assert set(finish(broker, probe, sink, ids)) == set(ids) - (computed if returns else set())


def test_a_sink_that_does_not_answer_holds_no_drain_up(broker, queue, probe, tmp_path):
    """It leaves within the grace, and what it held is another's at once."""
    ids = publish(broker, *PAYLOADS)
    sink = FileSink(tmp_path / "out")
    worker = probe(**OPTIONS, grace_ms=1000, sink=sink.option, hold="committing",
                   gate=tmp_path / "never")
    wait_until(lambda: any(words[0] == "committing" for words in worker.lines("at")), "it commits")
    worker.drain()
    assert worker.process.wait(8) == 1
    assert worker.status() == "TIMEOUT"
    assert queue_now(broker)["leased"] == 0
    assert finish(broker, probe, sink, ids) == ids


def test_a_worker_that_was_stopped_at_its_commit_changes_no_result(broker, queue, probe, tmp_path,
                                                                   postgres):
    """A zombie: when it wakes up, another has done its task; the row stays as it is."""
    ids = publish(broker, *PAYLOADS)
    sink = PostgresSink(postgres)
    held = Held(probe, "committing", tmp_path, sink)
    held.worker.process.signal(signal.SIGSTOP)
    wait_until(lambda: queue_now(broker)["losses"] > 0, "its session expires")
    finish(broker, probe, sink, ids)
    held.gate.touch()
    held.worker.process.signal(signal.SIGCONT)
    wait_until(lambda: any(words[0] == "committed" for words in held.worker.lines("at")),
               "it commits")
    held.worker.drain()
    assert held.worker.end() == 0
    assert sink.results() == dict(zip(ids, PAYLOADS))
    assert not sink.problems()
    assert queue_now(broker)["done"] == TASKS
