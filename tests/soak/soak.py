# SPDX-License-Identifier: Apache-2.0
"""soak.py [--seconds S] [--seed N] [--dir DIR] -- a broker under mixed load for a long time.

Epochs of load (epoch.py) follow one another on one store, while workers are evicted. For the first
two fifths of the time the broker is stopped or killed every few seconds. Then it lives on, and the
first half of that life is compared with the second: memory flat, p99 of publish and lease flat. All
along: the file bounded by what was live, nothing acknowledged lost, nothing done again, counters
equal a scan after every epoch. The seed decides what is done when; the load is never twice the
same.
"""
import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / folder) for folder in ("support", "crash", "kill", "scenario")]

from broker import Broker  # noqa: E402
from epoch import TICK_S, Epoch  # noqa: E402
from meter import Meter, mib, paces  # noqa: E402
from processes import BUILD, Process  # noqa: E402

RESTARTING = 0.4  # of the time
RESTART_S = (0.5, 3.0)  # between two
EVICT_S = (0.7, 3.0)
SAMPLE_S = 0.25
PROGRESS_S = 10
EPOCH_S = (4, 30)
EPOCHS = 5  # about, but for long runs
# Done leases are remembered, up to a number of them: so many are done at first, so that memory has
# no more to grow by that is meant to.
REMEMBERED = 210_000


class Soak:
    def __init__(self, directory: Path, seconds: float, seed: int):
        self._dice = random.Random(seed)
        self._seed = seed
        self._directory = directory
        self._seconds = seconds
        self._epoch_s = min(max(seconds / EPOCHS, EPOCH_S[0]), EPOCH_S[1])
        self._broker = Broker(directory, "--restart-grace-ms", "500ms")
        self._meter = Meter(self._broker)
        self._began = self._told_at = time.monotonic()
        self._steady_since = 0.0
        self._probe: Process | None = None
        self.tally: Counter[str] = Counter()

    def run(self) -> list[str]:
        """What is wrong."""
        with self._broker:
            self._probe = Process([sys.executable, Path(__file__).with_name("probe.py"),
                                   self._broker.port], self._directory / "probe.log",
                                  stdout=self._directory / "probe.out")
            try:
                return (self._live(RESTARTING * self._seconds, restarts=True)
                        or self._live(self._seconds, restarts=False) or self._judge())
            finally:
                self._probe.kill()

    def _live(self, until: float, restarts: bool) -> list[str]:
        if not restarts:
            self._remember()
            until = max(until, self._age() + self._epoch_s)
        while self._age() < until:
            if wrong := self._run_epoch(min(self._epoch_s, until - self._age()), restarts):
                return wrong
        return []

    def _age(self) -> float:
        return time.monotonic() - self._began

    def _remember(self) -> None:
        command = [BUILD / "cli/ackctl", "bench", "drain", "--url", self._broker.url,
                   "--tasks", str(REMEMBERED), "--payload", "16", "--rounds", "1"]
        bench = Process(command, self._directory / "bench.log")
        while (code := bench.exit_code()) is None:
            self._sample(is_steady=False)
            time.sleep(TICK_S)
        assert code == 0, bench.log_end()
        self._steady_since = time.time()

    def _run_epoch(self, seconds: float, restarts: bool) -> list[str]:
        number = self.tally["epochs"]
        self.tally["epochs"] += 1
        one = Epoch(self._broker, number, seconds, f"{self._seed}/{number}", self._directory)
        try:
            one.begin()
            self._load(one, seconds, restarts)
            wrong = one.seen() or one.end()
            self._sample(is_steady=False)
        finally:
            one.stop()
        self.tally.update(one.tally)
        return wrong

    def _load(self, one: Epoch, seconds: float, restarts: bool) -> None:
        until = time.monotonic() + seconds
        evict_at, restart_at, sample_at = self._later(EVICT_S), self._later(RESTART_S), 0.0
        while time.monotonic() < until and not one.seen():
            if one.tick(evict=time.monotonic() >= evict_at):
                evict_at = self._later(EVICT_S)
            if restarts and time.monotonic() >= restart_at:
                self._restart()
                restart_at = self._later(RESTART_S)
            if time.monotonic() >= sample_at:
                self._sample(is_steady=not restarts)
                one.look_who_joined()
                sample_at = time.monotonic() + SAMPLE_S
            time.sleep(TICK_S)

    def _later(self, span: tuple[float, float]) -> float:
        return time.monotonic() + self._dice.uniform(*span)

    def _restart(self) -> None:
        if self._dice.random() < 0.5:
            self._broker.kill()
            self.tally["killed"] += 1
        else:
            code = self._broker.stop()
            assert code == 0, f"ackd ended with {code}:\n{self._broker.process.log_end()}"
            self.tally["stopped"] += 1
        self._broker.start()

    def _sample(self, is_steady: bool) -> None:
        sample = self._meter.take(is_steady)
        if time.monotonic() - self._told_at >= PROGRESS_S:
            self._told_at = time.monotonic()
            print(f"{self._age():5.0f} s: epoch {self.tally['epochs']}, {sample.done} requests, "
                  f"memory {mib(sample.anonymous)}, live {mib(sample.used)}, "
                  f"file {mib(sample.file)}", flush=True)

    def _judge(self) -> list[str]:
        found = paces(self._directory / "probe.out", self._steady_since, self._meter.middle())
        self._print_table(found)
        return self._meter.judge(found)

    def _print_table(self, found: dict[str, tuple[float, float]]) -> None:
        first, second = self._meter.memory()
        live, file = self._meter.store()
        print(", ".join(f"{count} {name.replace('_', ' ')}"
                        for name, count in self.tally.items()))
        rows = [("", "first half", "second half"),
                ("memory, at most", mib(first), mib(second))]
        rows += [(f"p99 of {what}", f"{before:.1f} ms", f"{after:.1f} ms")
                 for what, (before, after) in found.items()]
        rows += [("", "most live", "file"), ("store", mib(live), f"{mib(file)}, "
                                             f"{file / live:.2f} of it")]
        for row in rows:
            print("  {:18} {:>14} {:>14}".format(*row))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600, help="how long (default 600)")
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    parser.add_argument("--dir", type=Path, help="where the store lies meanwhile")
    wanted = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ackd-soak-", dir=wanted.dir) as directory:
        soak = Soak(Path(directory), wanted.seconds, wanted.seed)
        wrong = soak.run()
    for sentence in wrong:
        print(f"WRONG: seed {wanted.seed}: {sentence}", flush=True)
    print(f"{wanted.seconds:g} s of load, {len(wrong)} wrong; {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
