# SPDX-License-Identifier: Apache-2.0
"""fleet.py -- worker processes on machines that can be taken away.

A fleet has a fixed number of places. A worker in a place runs until the queue is done (it exits 0
by itself) or until it is evicted, as a Spot node is reclaimed: SIGTERM, some seconds of notice,
SIGKILL; or SIGKILL at once. Its place gets a new worker after a moment.

Nothing here blocks: whoever owns the fleet calls tick() now and then. Whatever a worker does that
no rule explains (a crash, an exit code, a drain that takes longer than the notice) is a problem and
stands in `problems`.
"""
import json
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from processes import Process


@dataclass
class Worker:
    name: str
    process: Process
    evicted_by: signal.Signals | None = None
    evicted_at: float = 0.0


@dataclass
class Place:
    worker: Worker | None = None
    start_at: float = 0.0
    finished: bool = False


@dataclass
class Fleet:
    command: list  # of one worker; "{name}" in it becomes the worker's name
    directory: Path  # logs, and what the workers print
    size: int = 3
    notice_s: float = 15.0
    replace_after_s: float = 0.5
    rng: random.Random = field(default_factory=random.Random)
    on_event: object = print

    def __post_init__(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self.places = [Place() for _ in range(self.size)]
        self.started = 0
        self.terminated = 0  # SIGTERM first
        self.killed = 0  # SIGKILL at once
        self.drain_s: list[float] = []
        self.problems: list[str] = []

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_):
        for worker in self.running():
            worker.process.kill()

    def running(self) -> list[Worker]:
        return [place.worker for place in self.places if place.worker]

    def finished(self) -> bool:
        """Every worker has seen the end of the queue and left."""
        return all(place.finished for place in self.places)

    def tick(self) -> None:
        now = time.monotonic()
        for place in self.places:
            if place.worker:
                self._look_after(place, now)
            elif not place.finished and now >= place.start_at:
                self._start(place)

    def evict(self, joined: set[str]) -> bool:
        """Takes the machine of one of these workers away, every third time without notice. False if
        there is none to evict. `joined` are those known to have begun: SIGTERM would just end a
        process that has not come to the point where it drains."""
        candidates = [worker for worker in self.running() if worker.name in joined
                      and not worker.evicted_by and worker.process.exit_code() is None]
        if not candidates:
            return False
        worker = self.rng.choice(candidates)
        number = signal.SIGKILL if self.evictions() % 3 == 2 else signal.SIGTERM
        if not worker.process.signal(number):
            return False
        worker.evicted_by, worker.evicted_at = number, time.monotonic()
        if number == signal.SIGKILL:
            self.killed += 1
        else:
            self.terminated += 1
        self.on_event(f"{worker.name} is evicted: {number.name}")
        return True

    def evictions(self) -> int:
        return self.terminated + self.killed

    def printed(self) -> list[dict]:
        """All lines of JSON that the workers printed; one cut off by a SIGKILL is left out."""
        lines = []
        for output in self.directory.glob("*.out"):
            for line in output.read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    lines.append(json.loads(line))
        return lines

    def _start(self, place: Place) -> None:
        self.started += 1
        name = f"worker-{self.started}"
        command = [str(word).replace("{name}", name) for word in self.command]
        process = Process(command, self.directory / f"{name}.log",
                          stdout=self.directory / f"{name}.out")
        place.worker = Worker(name, process)

    def _look_after(self, place: Place, now: float) -> None:
        worker = place.worker
        code = worker.process.exit_code()
        if code is not None:
            self._ended(place, code, now)
        elif worker.evicted_by == signal.SIGTERM and now >= worker.evicted_at + self.notice_s:
            worker.process.kill()
            self.problems.append(f"{worker.name} had not drained {self.notice_s:g} s after SIGTERM")

    def _ended(self, place: Place, code: int, now: float) -> None:
        worker = place.worker
        place.worker, place.start_at = None, now + self.replace_after_s
        if not worker.evicted_by and code == 0:
            place.finished = True
        elif worker.evicted_by == signal.SIGTERM and code == 0:
            self.drain_s.append(now - worker.evicted_at)
        elif not (worker.evicted_by == signal.SIGKILL and code == -signal.SIGKILL):
            self.problems.append(f"{worker.name} ended with {code}:\n{worker.process.log_end()}")
