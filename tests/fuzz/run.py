# SPDX-License-Identifier: Apache-2.0
"""run.py -- feeds the targets of tests/fuzz to libFuzzer; `./dev fuzz` builds them first.

Each target begins with its corpus in the repository and what earlier runs have found worth keeping
(<build>/fuzz/corpus/TARGET). What ends a target (a crash, a leak, a run that takes too long) is
kept in <build>/fuzz/found/TARGET; put into tests/fuzz/corpus/TARGET it is a test of `./dev test`.
"""
import argparse
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
OPTIONS = ("-max_len=32768", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1",
           "-reload=0", "-use_value_profile=0")
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
END_GRACE_S = 60  # beyond a target's time: the sanitizers' own end takes some


def targets() -> dict[str, str]:
    """Target -> what it feeds, as its file says."""
    found = {}
    for path in sorted(SOURCE.glob("*.c")):
        text = path.read_text(encoding="utf-8")
        if "int LLVMFuzzerTestOneInput" in text:
            found[path.stem] = re.search(rf" \* {path.name} -- (.*(?:\n \* .*)*)", text).group(1)
    return {name: " ".join(says.replace("\n * ", " ").split()) for name, says in found.items()}


class Fuzzing:
    """One target's run."""

    def __init__(self, target: str, build: Path, seconds: int):
        self.target = target
        self.found = build / "fuzz/found" / target
        corpus = build / "fuzz/corpus" / target
        for folder in (self.found, corpus):
            folder.mkdir(parents=True, exist_ok=True)
        words = SOURCE / "dict" / f"{target}.dict"
        self.command = [build / "tests/fuzz" / f"fuzz_{target}", f"-max_total_time={seconds}",
                        f"-artifact_prefix={self.found}/", *OPTIONS,
                        *([f"-dict={words}"] if words.exists() else []),
                        corpus, SOURCE / "corpus" / target]
        self.log = build / "fuzz" / f"{target}.log"
        self.seconds = seconds
        self.end = ""

    def run(self) -> bool:
        with open(self.log, "wb") as log:
            try:
                end = subprocess.run(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     env={**SANITIZERS, **os.environ}, check=False,
                                     timeout=self.seconds + END_GRACE_S).returncode
            except subprocess.TimeoutExpired:
                end = None
        self.end = "it did not end" if end is None else f"it ended with {end}"
        return end == 0

    def figures(self) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace")
        executions = re.search(r"stat::number_of_executed_units: (\d+)", text)
        covered = re.findall(r"cov: (\d+)", text)
        return (f"{int(executions.group(1)) if executions else 0:>12,} inputs"
                f"{int(covered[-1]) if covered else 0:>8,} edges")

    def complaint(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        telling = [line for line in lines
                   if re.match(r"found at|ackd: bug|SUMMARY|.*ERROR|.*runtime error|Test unit", line)]
        return "\n".join(f"    {line}" for line in telling or [self.end, *lines[-3:]])


def fuzz(names: list[str], build: Path, seconds: int) -> int:
    speech = threading.Lock()

    def run(name: str) -> bool:
        fuzzing = Fuzzing(name, build, seconds)
        well = fuzzing.run()
        with speech:
            print(f"{name:<12}{'ok' if well else 'FAILED':<8}{seconds:>6} s{fuzzing.figures()}")
            if not well:
                print(f"{fuzzing.complaint()}\n    see {fuzzing.log}\n    as a test: "
                      f"cp {fuzzing.found}/... {SOURCE / 'corpus' / name}/")
            sys.stdout.flush()
        return well

    with ThreadPoolExecutor(max_workers=2) as pool:
        ends = list(pool.map(run, names))
    print(f"\n{sum(ends)} passed, {len(ends) - sum(ends)} failed")
    return 0 if all(ends) else 1


def main() -> int:
    known = targets()
    parser = argparse.ArgumentParser(
        prog="./dev fuzz", description="Feeds targets to libFuzzer, two at a time.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="targets:\n" + "\n".join(f"  {name:<12}{says}" for name, says in known.items()))
    parser.add_argument("target", nargs="*", choices=[*known, "all", []], metavar="TARGET",
                        help="one or more of those below, or all; none: lists them")
    parser.add_argument("--seconds", type=int, default=60, help="for each (%(default)s)")
    parser.add_argument("--build-dir", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.target or not arguments.build_dir:
        parser.print_help()
        return 0
    names = list(known) if "all" in arguments.target else arguments.target
    return fuzz(names, arguments.build_dir, arguments.seconds)


if __name__ == "__main__":
    sys.exit(main())
