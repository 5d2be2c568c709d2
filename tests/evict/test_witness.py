# SPDX-License-Identifier: Apache-2.0
"""The evictions' own parts: would they notice if something went wrong?"""
import sys
from types import SimpleNamespace

import pytest
from evictions import Line
from kubelet import Eviction, Kubelet, dice_of, quantile
from processes import wait_until
from witness import Witness

LINES = """\
at leased t1 1000
at leased t2 1000
begin t1 1
end t1
begin t2 1
at leased t3 12"""


def test_a_witness_counts_whole_lines():
    witness = Witness()
    witness.read("w1", LINES)
    witness.read("w2", "at leased t2 3500\nbegin t2 2\nend t2\nbegin t1 2\nend t1\n")
    assert (witness.redone(), witness.cut_off()) == (1, 1)
    assert "t3" not in witness.leases


def test_a_lag_is_from_the_eviction_of_the_holder_to_the_next_lease():
    witness = Witness()
    witness.read("w1", "at leased a 1000\nat leased b 1000\nat leased c 2500\n")
    witness.read("w2", "at leased a 2250\nat leased b 1500\nat leased c 9000\n")
    lags = witness.lags_s([Eviction("kill", "w1", 2.0), Eviction("drain", "w2", 2.0)])
    assert lags["kill"] == [0.25] and lags["drain"] == []


def test_a_quantile_is_one_of_the_values():
    assert quantile([3, 1, 2], 0.5) == 2 and quantile(list(range(100)), 0.99) == 99


DRAINS = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
HOLDS = "print('at leased t 1', flush=True); "


@pytest.mark.parametrize("script, kind, problem", [
    (DRAINS + HOLDS + "signal.pause()", "drain", ""),
    (DRAINS + HOLDS + "signal.pause()", "kill", ""),
    (IGNORES + HOLDS + "signal.pause()", "cut-short", ""),
    (IGNORES + HOLDS + "signal.pause()", "drain", "had not drained"),
    ("import signal; " + HOLDS + "signal.pause()", "drain", "ended with -15 after drain"),
    ("print(flush=True); import signal; signal.pause()", "drain", ""),  # nothing was lost
    (DRAINS.replace("exit(0)", "exit(1)") + HOLDS + "signal.pause()", "drain", "ended with 1"),
])
def test_a_worker_that_does_not_end_as_it_should_is_a_problem(tmp_path, script, kind, problem):
    with Kubelet([sys.executable, "-c", script], tmp_path, size=1, notice_s=0.3,
                 replace_after_s=600, rng=dice_of(1, "")) as fleet:
        fleet.tick()
        worker, = fleet.running()
        wait_until((tmp_path / f"{worker.name}.out").read_text, "it is up")
        fleet._evict(worker, kind)

        def is_gone():
            fleet.tick()
            return not fleet.running()
        wait_until(is_gone, "it has ended")
        assert problem in "".join(fleet.problems) and bool(problem) == bool(fleet.problems)


@pytest.mark.parametrize("kind", ["kill", "freeze"])
def test_a_fleet_leaves_while_one_is_being_evicted(tmp_path, kind):
    script = DRAINS + HOLDS + "signal.pause()"
    with Kubelet([sys.executable, "-c", script], tmp_path, size=3, replace_after_s=0,
                 frozen_s=0.3, rng=dice_of(1, "")) as fleet:
        fleet.tick()
        wait_until(lambda: all((tmp_path / f"{worker.name}.out").read_text()
                               for worker in fleet.running()), "all are up")
        fleet._evict(fleet.running()[1], kind)

        def have_left():
            fleet.tick()
            return fleet.drain_all()
        wait_until(have_left, "all have left")
        assert fleet.started == 3 and not fleet.problems


def line_with(done: list[str], results: dict[str, str], problems=(), **counts) -> Line:
    """A queue of the tasks a and b."""
    numbers = dict(published=2, done=len(done)) | counts
    calls = {
        "TaskService/List": lambda **_: {"tasks": [{"taskId": each} for each in "ab"
                                                   if each not in done]},
        "TaskService/Get": lambda **_: {"task": {"state": "TASK_STATE_DONE"}},
        "QueueService/Get": lambda **_: {"queue": {"counts": numbers}},
    }
    broker = SimpleNamespace(call=lambda method, **request: calls[method](**request))
    sink = SimpleNamespace(results=lambda: results, problems=lambda: list(problems),
                           missing=lambda ids: [each for each in ids if each not in results])
    return Line("q", sink, SimpleNamespace(problems=[]), broker, {"a": "1", "b": "2"})


def test_what_is_done_and_not_in_the_sink_is_a_breach():
    assert line_with(["a"], {"a": "1"}).breaches() == []
    assert line_with(["a", "b"], {"a": "1"}).breaches() == ["b is done, and not in the sink"]


def test_a_judge_is_content_with_one_right_result_a_task():
    assert line_with(["a", "b"], {"a": "1", "b": "2"}).judge() == []


@pytest.mark.parametrize("results, more", [
    ({"a": "1"}, {}),
    ({"a": "1", "b": "1"}, {}),
    ({"a": "1", "b": "2", "c": "3"}, {}),
    ({"a": "1", "b": "2"}, {"problems": ["b: UPDATE of its row"]}),
    ({"a": "1", "b": "2"}, {"dead": 1}),
    ({"a": "1", "b": "2"}, {"failures": 1}),
    ({"a": "1", "b": "2"}, {"sessions": 1}),
    ({"a": "1", "b": "2"}, {"published": 3}),
])
def test_a_judge_finds_what_is_off(results, more):
    assert len(line_with(["a", "b"], results, **more).judge()) == 1
