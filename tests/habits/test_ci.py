# SPDX-License-Identifier: Apache-2.0
"""test_ci.py -- .ci/run: no step fails without a word in the closing lines."""
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
COUNTED = {"test": "40 passed, 0 failed, 2 skipped", "test --asan": "30 passed, 0 failed"}


@pytest.fixture
def run_ci(tmp_path):
    """run_ci(failing) -> exit code and output, with a ./dev that only speaks: `failing` is
    habit -> what it says before it fails."""
    def run(failing):
        (tmp_path / ".ci").mkdir()
        script = (SOURCE / ".ci/run").read_text(encoding="utf-8")
        (tmp_path / ".ci/run").write_text(script, encoding="utf-8")
        cases = [f'"{habit}") echo "{says}"; exit {1 if habit in failing else 0} ;;'
                 for habit, says in (COUNTED | failing).items()]
        dev = tmp_path / "dev"
        dev.write_text("\n".join(["#!/bin/bash", 'case "$*" in', *cases, "esac\n"]),
                       encoding="utf-8")
        dev.chmod(0o755)
        ended = subprocess.run(["bash", tmp_path / ".ci/run"], capture_output=True, text=True,
                               check=False)
        assert ended.stderr == ""
        return ended.returncode, ended.stdout.splitlines()
    return run


def test_where_all_is_well_the_last_line_sums_up(run_ci):
    code, lines = run_ci({})
    assert (code, lines[-1]) == (0, "70 passed, 0 failed, 2 skipped")
    assert not [line for line in lines if line.startswith("failed")]


def test_a_step_whose_cases_fail_is_named_and_the_steps_after_it_run(run_ci):
    code, lines = run_ci({"test": "39 passed, 10 failed"})
    assert code == 1
    assert lines[-2:] == ["failed: ./dev test", "69 passed, 10 failed, 0 skipped"]
    assert "== ./dev fuzz all --seconds 30" in lines


@pytest.mark.parametrize("habit, says", (
    ("build --clang", "error: unused variable"),
    ("soak --seconds 60", "WRONG: seed 1: memory grows"),
    ("test --tsan", "1255 passed, 0 failed"),
))
def test_a_step_that_fails_without_a_failed_case_counts_as_one(run_ci, habit, says):
    code, lines = run_ci({habit: says})
    assert code == 1
    assert lines[-2] == f"failed: ./dev {habit}"
    assert ", 1 failed," in lines[-1]


def test_every_step_that_fails_is_named(run_ci):
    code, lines = run_ci({"build --clang": "", "image --test": "3 passed, 1 failed"})
    assert code == 1
    assert lines[-3:] == ["failed: ./dev build --clang", "failed: ./dev image --test",
                          "73 passed, 2 failed, 2 skipped"]
