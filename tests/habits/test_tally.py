# SPDX-License-Identifier: Apache-2.0
"""test_tally.py -- tests/tally.py: what `./dev test` says at its end."""
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]

LEAK = """\
==================
WARNING: ThreadSanitizer: thread leak (pid=17)
  Thread T2 (tid=19, finished) created by main thread at:
    #0 pthread_create

SUMMARY: ThreadSanitizer: thread leak base/thread.c:18 in thread_start
==================
"""
RACE = LEAK.replace("thread leak", "data race")
CUT_SHORT = "==================\nWARNING: ThreadSanitizer: data race (pid=18)\n  Write of size"
CRASH = "ThreadSanitizer:DEADLYSIGNAL\n==20==ERROR: ThreadSanitizer: SEGV on unknown address 0x0\n"
CLOSING = "ThreadSanitizer: reported 2 warnings\n"


@pytest.fixture
def tally(tmp_path):
    """tally(programs, reports) -> exit code and output; a program is its name, result, output;
    without any list of them meson has written no log."""
    def run(programs, *reports):
        log, folder = tmp_path / "testlog.json", tmp_path / "reports"
        folder.mkdir()
        if programs is not None:
            log.write_text("".join(json.dumps({"name": name, "result": result, "duration": 1.0,
                                               "stdout": output}) + "\n"
                                   for name, result, output in programs), encoding="utf-8")
        for number, report in enumerate(reports):
            (folder / f"of.{number}").write_text(report, encoding="utf-8")
        ended = subprocess.run([sys.executable, SOURCE / "tests/tally.py", log, folder],
                               capture_output=True, text=True, check=False)
        assert ended.stderr == ""
        return ended.returncode, ended.stdout.splitlines()
    return run


WELL = ("unit-a", "OK", "[  PASSED  ] 5 test(s).\n")


def test_cases_of_every_runner_are_summed_up(tally):
    code, lines = tally([WELL, ("wire-b", "OK", "3 passed, 2 skipped in 1.20s\n"),
                         ("js-c", "OK", "# pass 4\n# fail 0\n"), ("bare-d", "OK", "")])
    assert (code, lines[-1]) == (0, "13 passed, 0 failed, 2 skipped")


def test_a_program_that_ends_without_a_word_is_a_failed_case(tally):
    code, lines = tally([WELL, ("wire-b", "TIMEOUT", "")])
    assert (code, lines[-1]) == (1, "5 passed, 1 failed")


@pytest.mark.parametrize("report, number, what", (
    (LEAK + CLOSING, 1, "thread leak base/thread.c:18 in thread_start"),
    (LEAK + LEAK + CLOSING, 2, "thread leak base/thread.c:18 in thread_start"),
    (CUT_SHORT, 1, "data race"),
    (CRASH, 1, "SEGV on unknown address 0x0"),
    ("something else\nat last\n", 1, "at last"),
))
def test_each_report_of_a_sanitizer_is_a_failed_case(tally, report, number, what):
    code, lines = tally([WELL], report)
    assert (code, lines[-1]) == (1, f"5 passed, {number} failed")
    assert f"{number} x reported by the sanitizer: {what}" in lines


def test_reports_of_several_processes_are_told_by_what_they_say(tally):
    code, lines = tally([WELL], LEAK, RACE, LEAK)
    assert (code, lines[-1]) == (1, "5 passed, 3 failed")
    assert [line.split(" ", 1)[0] for line in lines if "sanitizer" in line] == ["2", "1"]


def test_where_nothing_ran_nothing_passed(tally):
    code, lines = tally(None)
    assert (code, lines[-1]) == (1, "0 passed, 0 failed")


def test_what_is_not_to_be_reported_is_there():
    text = (SOURCE / "tests/tsan.suppressions").read_text(encoding="utf-8")
    names = re.findall(r"^[a-z_]+:(\w+)$", text, re.M)
    sources = "".join(path.read_text(encoding="utf-8")
                      for path in (SOURCE / "broker").rglob("*.c"))
    assert names and all(re.search(rf"^\w.*\b{name}\(", sources, re.M) for name in names)
