# SPDX-License-Identifier: Apache-2.0
"""guard.py -- what a task costs the broker in instructions, beside what it cost when last recorded.

    guard.py [WORKLOAD...]             counts, and prints a table; exits 1 if a figure is off
    guard.py --record                  counts, and writes figures.json
    guard.py --profile [WORKLOAD...]   which functions they are, a task; with --inclusive
                                       together with what they call

guard_load, a whole broker in one thread, runs each workload under callgrind, which counts the
instructions of its counted rounds and nothing before or after. The same code counts the same to a
few parts in a thousand, however busy the machine is; so a change of 5 % is one of the code. Fewer
instructions fail as well: a figure that nobody records is one that can be lost again unseen.

What decides the count besides the code is pinned or named:
  * glibc chooses memcpy and the like by processor. GLIBC_TUNABLES makes it choose what every x86-64
    has. Above all without ERMS, since callgrind counts `rep movsb` as an instruction a byte.
  * The compiler, the C library and with it the distribution's libraries: figures.json has a set of
    figures for each. Where there is none, nothing is compared.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
FIGURES = Path(__file__).with_name("figures.json")
TOLERANCE_PERCENT = 5.0
COUNTED_FUNCTION = "box_turn_counted"
PROFILE_LINES = 60
TIMEOUT_S = 120

# Nothing else is set: the environment lies on the stack and moves it.
ENVIRONMENT = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-SSSE3,"
                      "-SSE4_1,-SSE4_2,-BMI2",
}


class Guard:
    """The workloads of one build."""

    def __init__(self, build: Path):
        self.build = build
        self.program = build / "tests/guard/guard_load"

    def workloads(self) -> dict[str, str]:
        """Name -> what it does."""
        output = subprocess.run([self.program], check=True, capture_output=True, text=True).stdout
        return dict(line.split("\t") for line in output.splitlines())

    def reason_not_to_count(self) -> str | None:
        if not self._made_with()["plain"]:
            return "sanitizers, coverage or slow asserts are part of this build"
        if shutil.which("valgrind") is None:
            return "valgrind is not installed"
        return None

    def platform(self) -> str:
        made_with = self._made_with()
        return (f"{made_with['compiler']}, {os.confstr('CS_GNU_LIBC_VERSION')}, "
                f"{made_with['machine']}, {made_with['buildtype']}")

    def _made_with(self) -> dict:
        return json.loads((self.build / "tests/guard/build.json").read_text(encoding="utf-8"))

    def run(self, workload: str, under: list = ()) -> tuple[int, str]:
        """How many tasks it counted, and what was said on the way."""
        shared_memory = Path("/dev/shm")  # flushes cost no instructions, but time
        where = shared_memory if os.access(shared_memory, os.W_OK) else None
        with tempfile.TemporaryDirectory(prefix="ackd-guard-", dir=where) as folder:
            ended = subprocess.run([*under, self.program, workload, f"{folder}/store"],
                                   capture_output=True, text=True, timeout=TIMEOUT_S,
                                   env=ENVIRONMENT, check=False)
        if ended.returncode != 0:
            raise RuntimeError(f"{workload}: {ended.stderr.strip() or ended.returncode}")
        return int(ended.stdout), ended.stderr

    def count(self, workload: str, profile: Path | None = None) -> tuple[int, int]:
        """Instructions and tasks; the profile is kept where one is named."""
        with tempfile.TemporaryDirectory(prefix="ackd-guard-") as folder:
            output = profile or Path(folder) / "callgrind.out"
            tasks, _ = self.run(workload, [
                shutil.which("valgrind"), "--tool=callgrind", f"--callgrind-out-file={output}",
                f"--toggle-collect={COUNTED_FUNCTION}"])
            total = re.search(r"^totals: (\d+)", output.read_text(encoding="utf-8"), re.M)
        return int(total.group(1)), tasks

    def instructions_a_task(self, workload: str) -> int:
        instructions, tasks = self.count(workload)
        return round(instructions / tasks)


def recorded(platform: str, path: Path = FIGURES) -> dict[str, int]:
    """Workload -> instructions a task; empty where nothing was recorded."""
    return json.loads(path.read_text(encoding="utf-8")).get(platform, {}) if path.exists() else {}


def record(platform: str, figures: dict[str, int], path: Path = FIGURES) -> None:
    every = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    every[platform] = figures
    path.write_text(json.dumps(every, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def change_percent(counted: int, before: int) -> float:
    return 100.0 * (counted - before) / before


def complaint(workload: str, counted: int, before: int | None) -> str | None:
    """What is wrong with a figure, and what to do; None: it is as recorded."""
    if before is None:
        return (f"{workload}: {counted:,} instructions a task, and nothing is recorded to compare "
                "them with: './dev guard --record' does so.")
    change = change_percent(counted, before)
    if abs(change) <= TOLERANCE_PERCENT:
        return None
    compared = (f"{workload}: {counted:,} instructions a task, {abs(change):.1f} % "
                f"{'more' if change > 0 else 'fewer'} than the recorded {before:,} "
                f"(allowed are {TOLERANCE_PERCENT:g} %).")
    if change > 0:
        return (f"{compared} './dev guard --profile {workload}' shows where they go; if they are "
                "worth it, './dev guard --record' records them.")
    return (f"{compared} Keep what was won: './dev guard --record' records it, so that losing it "
            "again is seen.")


def print_table(texts: dict[str, str], counted: dict[str, int], before: dict[str, int]) -> None:
    print(f"{'workload':<16}{'instructions a task':>20}{'recorded':>12}{'change':>10}")
    for workload, figure in counted.items():
        known = before.get(workload)
        beside = f"{known:>12,}{change_percent(figure, known):>+8.1f} %" if known else " " * 22
        print(f"{workload:<16}{figure:>20,}{beside}   {texts[workload]}")


def print_profile(guard: Guard, workload: str, inclusive: bool) -> None:
    """The functions that take most, each with or without what it calls."""
    folder = guard.build / "guard"
    folder.mkdir(exist_ok=True)
    profile = folder / f"callgrind.out.{workload}"
    instructions, tasks = guard.count(workload, profile)
    print(f"\n{workload}: {instructions / tasks:,.0f} instructions a task; of them")
    listed = subprocess.run(
        ["callgrind_annotate", "--auto=no", "--threshold=100",
         f"--inclusive={'yes' if inclusive else 'no'}", profile],
        check=True, capture_output=True, text=True).stdout
    lines = re.findall(r"^ *([\d,]+) \( *([\d.]+)%\)  ([^:]+:.*)$", listed, re.M)
    shown = {}  # with what they call, the parts of a function that were inlined repeat it
    for number, percent, what in lines:
        if percent != "100.0":  # of main and what it calls
            shown.setdefault(shortened(what), (int(number.replace(",", "")) / tasks, percent))
    for what, (a_task, percent) in list(shown.items())[:PROFILE_LINES]:
        print(f"{a_task:>10,.1f} {percent:>6} %  {what}")
    print(f"all of it, with callers and lines: callgrind_annotate or kcachegrind {profile}")


def shortened(what: str) -> str:
    """'../broker/base/arena.c:arena_alloc [/.../guard_load]' -> 'arena_alloc  broker/base/arena.c';
    of a library without sources its name instead."""
    place, _, rest = what.partition(":")
    function, _, binary = rest.partition(" [")
    if place == "???":
        place = Path(binary.rstrip("]")).name
    return f"{function}  {re.sub(r'^.*[.][.]/', '', place)}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev guard")
    parser.add_argument("--build-dir", type=Path, default=SOURCE / "build")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--record", action="store_true", help="write what is counted to the record")
    how.add_argument("--profile", action="store_true", help="which functions they are")
    parser.add_argument("--inclusive", action="store_true",
                        help="in a profile: each function with what it calls")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD")
    arguments = parser.parse_args()
    guard = Guard(arguments.build_dir.resolve())
    texts = guard.workloads()
    for unknown in set(arguments.workloads) - set(texts):
        parser.error(f"there is no workload '{unknown}', but {', '.join(texts)}")
    reason = guard.reason_not_to_count()
    if reason:
        sys.exit(f"nothing to count: {reason}")

    chosen = arguments.workloads or list(texts)
    if arguments.profile:
        for workload in chosen:
            print_profile(guard, workload, arguments.inclusive)
        return 0
    before = recorded(guard.platform())
    counted = {workload: guard.instructions_a_task(workload) for workload in chosen}
    print_table(texts, counted, before)
    if arguments.record:
        kept = {workload: before[workload] for workload in texts if workload in before}
        record(guard.platform(), kept | counted)
        return 0
    complaints = [complaint(workload, counted[workload], before.get(workload))
                  for workload in chosen]
    if not before:
        complaints = [f"nothing is recorded for {guard.platform()}"]
    print(*filter(None, complaints), sep="\n", file=sys.stderr)
    return 1 if before and any(complaints) else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head`
    sys.exit(main())
