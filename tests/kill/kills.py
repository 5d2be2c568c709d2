# SPDX-License-Identifier: Apache-2.0
"""kills.py [--kills N] [--seed S] -- a broker under full load is killed again and again.

Eight publishers and eight workers load it while it dies by SIGKILL, at named points of a commit or
of a reply, or at any time. After so many kills the load is drained and the history that the clients
wrote is checked (checker.py), then all begins anew on an empty store. The seed decides where and
after how much of the load the broker dies; the load itself is never twice the same.

Points (tests/crash/shim.h): mid-write, before-flush, after-flush, before-meta, after-meta,
before-reply and mid-reply, each at its k-th passing since the start, which may be within the start
itself; and `random`, after a random time. A point at which the broker never died is a failure.
"""
import argparse
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "support"), str(TESTS / "crash")]

from account import account_of, is_drained, queue_of  # noqa: E402
from checker import Checker  # noqa: E402
from clients import QUEUE, Client, Load, Publisher, Worker  # noqa: E402
from history import History  # noqa: E402
from power_cut import SHIM  # noqa: E402
from processes import BUILD, Process, free_port, scratch_directory, wait_until  # noqa: E402
from script import Wire  # noqa: E402

PUBLISHERS = 8
WORKERS = 8
KILLS_A_ROUND = 25
# With the most passings that are waited for: a checkpoint comes but once a second.
POINTS = {"mid-write": 120, "before-flush": 120, "after-flush": 120, "before-meta": 3,
          "after-meta": 3, "before-reply": 120, "mid-reply": 120, "random": 0}
RANDOM_S = 0.6
OVERDUE_S = 5  # a point that was not passed often enough by then
SYNC_US = 500  # as a fast disk; in memory all commits would be over before load gathers
TOLD_MAX = 10  # sentences of a round


class Victim:
    """The broker: one after the other, on one data directory and one port."""

    def __init__(self, directory: Path):
        self.port = free_port()
        self._directory = directory
        self.process: Process | None = None

    def start(self, point: str = "random", passings: int = 0) -> None:
        environment = {"ACKD_SHIM_DIR": str(self._directory / "data"),
                       "ACKD_SHIM_SYNC_US": str(SYNC_US), "LD_PRELOAD": str(SHIM)}
        if passings:
            environment["ACKD_SHIM_KILL"] = f"{point}:{passings}"
        self.process = Process(
            [BUILD / "broker/daemon/ackd", "--data-dir", self._directory / "data", "--listen",
             f"127.0.0.1:{self.port}", "--restart-grace-ms", "500ms"], self._directory / "log",
            env=os.environ | environment)

    def dies_within(self, seconds: float) -> bool:
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        assert code == -signal.SIGKILL, f"ackd ended with {code}:\n{self.process.log_end()}"
        return True

    def listens(self) -> bool:
        code = self.process.exit_code()
        assert code is None, f"ackd ended with {code}:\n{self.process.log_end()}"
        try:
            Wire(self.port).socket.close()
            return True
        except OSError:
            return False


class Round:
    """Some kills of one broker, and what they came to."""

    def __init__(self, directory: Path, seed: str):
        self._dice = random.Random(seed)
        self._victim = Victim(directory)
        self._load = Load(self._victim.port)
        self.publishers = [Publisher(self._load, i, f"{seed} p{i}") for i in range(PUBLISHERS)]
        self.workers = [Worker(self._load, i, f"{seed} w{i}") for i in range(WORKERS)]
        self.deaths: Counter[str] = Counter()
        self.tally: Counter[str] = Counter()

    @property
    def clients(self) -> list[Client]:
        return self.publishers + self.workers

    def run(self, points: list[str]) -> list[str]:
        """What is wrong."""
        try:
            self._make_queue()
            for client in self.clients:
                client.start()
            for point in points:
                self._kill_at(point)
                if wrong := self._seen():
                    return wrong
            self._drain()
            return self._judge()
        finally:
            self._load.stop()
            self._victim.process.kill()

    def _make_queue(self) -> None:
        self._start()
        Wire(self._victim.port).ask("QueueService/Create", name=QUEUE, config={
            "maxLosses": 10000, "lateResults": "LATE_RESULTS_SALVAGE"})
        self._victim.process.signal(signal.SIGTERM)
        self._victim.process.wait()

    def _seen(self) -> list[str]:
        """What clients themselves call wrong, who have perhaps ended by that."""
        return [sentence for client in self.clients for sentence in client.history.wrong]

    def _start(self) -> None:
        self._victim.start()
        wait_until(self._victim.listens, "ackd listens")

    def _kill_at(self, point: str) -> None:
        """Starts it, and sees it die."""
        if point == "random":
            self._victim.start()
            if self._victim.dies_within(self._dice.uniform(0, RANDOM_S)):
                raise AssertionError("ackd was killed by somebody else")
        else:
            self._victim.start(point, self._dice.randint(1, POINTS[point]))
            if self._victim.dies_within(OVERDUE_S):
                self.deaths[point] += 1
                return
        self._victim.process.kill()
        self.deaths["random"] += 1

    def _drain(self) -> None:
        """Ends the load in order: all that was published gets done."""
        self._start()
        self._load.stop_publishing()
        for publisher in self.publishers:
            publisher.join()
        wire = Wire(self._victim.port)
        wait_until(lambda: is_drained(queue_of(wire, QUEUE)), "all tasks are done or dead")
        self._load.stop()
        for worker in self.workers:
            worker.join()

    def _judge(self) -> list[str]:
        history = History.joined([client.history for client in self.clients])
        checker = Checker(history)
        wrong = checker.check(account_of(Wire(self._victim.port), QUEUE, checker))
        self.tally["calls"] = sum(client.calls for client in self.clients)
        self.tally["unknown"] = sum(client.unknown for client in self.clients)
        self.tally["tasks"] = len(checker.ledgers)
        self.tally["leases"] = len(history.leases)
        self.tally.update(f"{settle.verb} {settle.outcome}" for settle in history.settles)
        return wrong


def choose_points(count: int, dice: random.Random) -> list[str]:
    """Each as often as the others, in any order."""
    points = [point for _, point in zip(range(count), itertools.cycle(POINTS))]
    dice.shuffle(points)
    return points


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    began = time.monotonic()
    points = choose_points(wanted.kills, random.Random(wanted.seed))
    deaths: Counter[str] = Counter()
    tally: Counter[str] = Counter()
    failed = 0
    for number, at in enumerate(range(0, wanted.kills, KILLS_A_ROUND)):
        with scratch_directory() as directory:
            one = Round(Path(directory), f"{wanted.seed}/{number}")
            wrong = one.run(points[at:at + KILLS_A_ROUND])
        deaths += one.deaths
        tally += one.tally
        failed += len(wrong)
        for sentence in wrong[:TOLD_MAX]:
            print(f"WRONG: round {number} of seed {wanted.seed}: {sentence}", flush=True)
    print(", ".join(f"{count} {name}" for name, count in sorted(tally.items())))
    print("killed " + ", ".join(f"{deaths[point]} {point}" for point in POINTS))
    if missed := [point for point in set(points) if not deaths[point]]:
        failed += 1
        print(f"WRONG: it never died at {', '.join(missed)}")
    print(f"{deaths.total()} kills, {failed} promises broken; {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
