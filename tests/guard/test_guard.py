# SPDX-License-Identifier: Apache-2.0
"""test_guard.py -- no task costs more instructions than recorded, nor unnoticed fewer."""
import json

import pytest

import guard
from processes import BUILD

BUILT = guard.Guard(BUILD)
WORKLOADS = BUILT.workloads()
PLATFORM = BUILT.platform()


@pytest.fixture(name="figures")
def fixture_figures() -> dict[str, int]:
    reason = BUILT.reason_not_to_count()
    if reason:
        pytest.skip(reason)
    figures = guard.recorded(PLATFORM)
    if not figures:
        pytest.skip(f"nothing is recorded for {PLATFORM}: './dev guard --record' does so")
    return figures


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_task_costs_the_instructions_that_are_recorded(figures, workload):
    complaint = guard.complaint(workload, BUILT.instructions_a_task(workload),
                                figures.get(workload))
    if complaint:
        pytest.fail(complaint, pytrace=False)


def test_what_is_recorded_are_the_workloads_that_there_are(figures):
    assert set(figures) == set(WORKLOADS)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_workload_goes_well_without_callgrind(workload):
    tasks, said = BUILT.run(workload)
    assert tasks > 0
    assert said == ""


@pytest.mark.parametrize("counted", (9500, 10000, 10500))
def test_up_to_five_percent_are_no_complaint(counted):
    assert guard.complaint("publish", counted, 10000) is None


def test_more_instructions_are_a_complaint_that_says_what_to_do():
    complaint = guard.complaint("publish", 10600, 10000)
    assert "publish: 10,600 instructions a task, 6.0 % more than the recorded 10,000" in complaint
    assert "./dev guard --profile publish" in complaint and "./dev guard --record" in complaint


def test_fewer_instructions_are_a_complaint_as_well():
    complaint = guard.complaint("cycle-1", 9400, 10000)
    assert "cycle-1: 9,400 instructions a task, 6.0 % fewer than the recorded 10,000" in complaint
    assert "./dev guard --record" in complaint


def test_a_workload_without_a_record_is_a_complaint():
    assert "nothing is recorded" in guard.complaint("new", 1, None)


def test_recording_leaves_other_platforms_alone(tmp_path):
    path = tmp_path / "figures.json"
    guard.record("gcc 1", {"publish": 5}, path)
    guard.record("clang 2", {"publish": 7}, path)
    guard.record("gcc 1", {"publish": 6}, path)
    assert json.loads(path.read_text()) == {"gcc 1": {"publish": 6}, "clang 2": {"publish": 7}}
    assert guard.recorded("gcc 1", path) == {"publish": 6}
    assert guard.recorded("gcc 3", path) == {}
