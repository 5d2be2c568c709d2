# SPDX-License-Identifier: Apache-2.0
"""The scenario's own parts: would they notice if something went wrong?"""
import random
import sys
from types import SimpleNamespace

import pytest
from fleet import Fleet
from levenshtein import distance, plain
from ordeal import Ordeal
from processes import wait_until

DRAINS = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
READY_AND_WAIT = "print('{}', flush=True); signal.pause()"


@pytest.fixture
def fleet_of(tmp_path):
    fleets = []

    def make(script: str, **options) -> Fleet:
        fleet = Fleet([sys.executable, "-c", script], tmp_path / "workers", size=1,
                      replace_after_s=0, on_event=lambda _: None, **options)
        fleets.append(fleet)
        return fleet

    yield make
    for fleet in fleets:
        fleet.__exit__()


def run_until(fleet: Fleet, condition, what: str):
    def ticked():
        fleet.tick()
        return condition()
    wait_until(ticked, what)


def evict_one_that_waits(fleet: Fleet):
    started = len(fleet.printed())
    run_until(fleet, lambda: len(fleet.printed()) > started, "a worker is at work")
    assert fleet.evict({worker.name for worker in fleet.running()})


def test_an_evicted_worker_that_drains_is_replaced_and_no_problem(fleet_of):
    fleet = fleet_of(DRAINS + READY_AND_WAIT)
    evict_one_that_waits(fleet)
    run_until(fleet, lambda: fleet.started == 2, "the worker is replaced")
    assert fleet.terminated == 1 and len(fleet.drain_s) == 1 and not fleet.problems


def test_every_third_eviction_is_a_kill(fleet_of):
    fleet = fleet_of(DRAINS + READY_AND_WAIT)
    for _ in range(6):
        evict_one_that_waits(fleet)
    assert (fleet.terminated, fleet.killed) == (4, 2)


def test_a_worker_that_does_not_drain_is_killed_after_its_notice_and_a_problem(fleet_of):
    fleet = fleet_of(IGNORES + READY_AND_WAIT, notice_s=0.2)
    evict_one_that_waits(fleet)
    run_until(fleet, lambda: fleet.started == 2, "the worker is killed and replaced")
    assert "had not drained" in fleet.problems[0]


def test_a_worker_that_crashes_is_a_problem(fleet_of):
    fleet = fleet_of("raise SystemExit(3)")
    run_until(fleet, lambda: fleet.problems, "the crash is noticed")
    assert "ended with 3" in fleet.problems[0]


def test_a_worker_that_ends_well_by_itself_is_not_replaced(fleet_of):
    fleet = fleet_of("")
    run_until(fleet, fleet.finished, "the fleet is finished")
    assert fleet.started == 1 and not fleet.problems


def audited(printed, results, **counts) -> list[str]:
    """What an audit of two tasks, a and b, finds wrong."""
    fleet = SimpleNamespace(printed=lambda: [{"task_id": each} for each in printed], terminated=1,
                            killed=1, problems=[])
    ordeal = Ordeal(None, fleet, "q", "d", 2, 1, broker_kills=0)
    ordeal.counts = dict(published=2, ready=0, delayed=0, leased=0, done=2, dead=0, deliveries=3,
                         failures=0, preemptions=0, losses=1, salvaged=0) | counts
    return [sentence for holds, sentence in ordeal.audit({"a", "b"}, results) if not holds]


def test_an_audit_is_content_with_exact_counts():
    assert audited("aba", ["a", "b"]) == []


@pytest.mark.parametrize("printed, results, counts", [
    ("ab", ["a", "b", "b"], {}),
    ("ab", ["a"], {}),
    ("ab", ["a", "c"], {}),
    ("a", ["a", "b"], {}),
    ("ab", ["a", "b"], {"done": 1, "losses": 2}),
    ("ab", ["a", "b"], {"published": 3}),
    ("ab", ["a", "b"], {"leased": 1}),
    ("ab", ["a", "b"], {"failures": 1, "deliveries": 4}),
    ("ab", ["a", "b"], {"deliveries": 4}),
])
def test_an_audit_finds_every_count_that_is_off(printed, results, counts):
    assert len(audited(printed, results, **counts)) == 1


def slow_distance(wanted: str, found: str) -> int:
    row = list(range(len(found) + 1))
    for i, letter in enumerate(wanted, 1):
        above, row = row, [i]
        for j, other in enumerate(found, 1):
            row.append(min(row[-1] + 1, above[j] + 1, above[j - 1] + (letter != other)))
    return row[-1]


def test_the_distance_is_that_of_the_full_table():
    rng = random.Random(1)
    for _ in range(500):
        wanted, found = ("".join(rng.choices("abc", k=rng.randint(0, 12))) for _ in range(2))
        assert distance(wanted, found) == slow_distance(wanted, found), (wanted, found)


def test_line_breaks_and_typographic_quotes_are_no_errors():
    assert plain("a “b”\n\nc") == 'a "b" c'
