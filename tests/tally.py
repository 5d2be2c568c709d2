# SPDX-License-Identifier: Apache-2.0
"""tally.py LOG [REPORTS] -- prints each runner's closing lines from meson's testlog.json, and the sum.

A test program of meson's holds many cases: cmocka, pytest and Node's runner say how many, in their
closing lines. A program that ends badly without such a line (a crash, a timeout) counts as one
failed case, one without a runner as one case. In the folder REPORTS each report of a sanitizer is a
failed case: most processes that the tests start end in ways where exit codes tell nothing. Exits 1
unless something passed and nothing failed.
"""
import json
import re
import sys
from collections import Counter
from pathlib import Path

# Runner -> (a closing line, the kind that the line counts; None: each of its words says).
CLOSING_LINES = (
    (re.compile(r"^\[ +PASSED +\] (\d+) test.*", re.M), "passed"),
    (re.compile(r"^\[ +FAILED +\] (\d+) test.*", re.M), "failed"),
    (re.compile(r"^\[ +SKIPPED +\] (\d+) test.*", re.M), "skipped"),
    (re.compile(r"^# pass (\d+)", re.M), "passed"),
    (re.compile(r"^# fail (\d+)", re.M), "failed"),
    (re.compile(r"^# skipped (\d+)", re.M), "skipped"),
    (re.compile(r"^(?=.*\d+ (?:passed|failed|skipped|errors?))=* ?(?:\d+ \w+(?:, )?)+ in [\d.]+s.*",
                re.M), None),
)
PYTEST_WORDS = {"passed": "passed", "failed": "failed", "error": "failed", "errors": "failed",
                "skipped": "skipped", "xfailed": "skipped"}
# A sanitizer's report: its first line, and its last.
REPORT = re.compile(r"^(?:==\d+==)?(?:WARNING|ERROR|FATAL): \w+: (.+?)(?: \(pid=\d+\))?$", re.M)
SUMMARY = re.compile(r"^SUMMARY: \w+: (.+)$", re.M)


def main(log: str, folder: str | None = None) -> int:
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for program in programs(Path(log)):
        lines, counts = closing(program)
        print(f"{program['name']}: {program['result']} in {program['duration']:.1f} s")
        for line in lines:
            print(f"    {line}")
        for kind, number in counts.items():
            total[kind] += number
    for what, number in reports(folder).items():
        print(f"{number} x reported by the sanitizer: {what}")
        total["failed"] += number
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"\n{total['passed']} passed, {total['failed']} failed{skipped}")
    return 0 if total["passed"] and not total["failed"] else 1


def programs(log: Path) -> list[dict]:
    if not log.exists():
        return []
    with open(log, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def closing(program: dict) -> tuple[list[str], dict[str, int]]:
    output = program.get("stdout", "") + "\n" + program.get("stderr", "")
    lines, counts = [], {"passed": 0, "failed": 0, "skipped": 0}
    for pattern, kind in CLOSING_LINES:
        for match in pattern.finditer(output):
            lines.append(match.group(0).strip())
            for number, word in [(match.group(1), kind)] if kind else words(match.group(0)):
                counts[word] += int(number)
    ended_well = program["result"] in ("OK", "SKIP", "EXPECTEDFAIL")
    if not ended_well and not counts["failed"]:
        counts["failed"] = 1
    elif not lines:
        counts["skipped" if program["result"] == "SKIP" else "passed"] = 1
    return lines, counts


def reports(folder: str | None) -> Counter[str]:
    """Each report by its last line, or by its first where a process ended before the last; a file
    with neither by the end of what it says."""
    found = Counter()
    for path in sorted(Path(folder).iterdir()) if folder else ():
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        begun, ended = REPORT.findall(text), SUMMARY.findall(text)
        found.update(max(ended, begun, text.splitlines()[-1:], key=len))
    return found


def words(line: str) -> list[tuple[str, str]]:
    return [(number, PYTEST_WORDS[word]) for number, word in re.findall(r"(\d+) (\w+)", line)
            if word in PYTEST_WORDS]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
