# SPDX-License-Identifier: Apache-2.0
"""kubelet.py -- a fleet whose machines are taken away in every way that a cloud knows.

  drain      SIGTERM, and all the notice that GKE gives (15 s): it must end by itself, with 0
  cut-short  SIGTERM, and SIGKILL a moment later: a preemption whose notice came late
  kill       SIGKILL: the machine is gone
  freeze     SIGSTOP until its session has expired, then it goes on: a machine that was moved, and
             whose worker doesn't know that its tasks are others' now
"""
import random
import signal
import time
from dataclasses import dataclass, field

from fleet import Fleet, Place, Worker

KINDS = {"drain": 55, "kill": 22, "cut-short": 15, "freeze": 8}  # of 100
CUT_SHORT_S = 0.15  # at most, from SIGTERM to SIGKILL


@dataclass
class Eviction:
    kind: str
    worker: str
    at: float  # time.monotonic()


@dataclass
class Fate:
    """What is still to happen to a worker."""
    kind: str
    at: float


@dataclass
class Kubelet(Fleet):
    frozen_s: float = 3.0
    evicted: list[Eviction] = field(default_factory=list)
    _fates: dict[str, Fate] = field(default_factory=dict)

    def evict_one(self) -> str | None:
        """The kind; None: all are being evicted already."""
        candidates = [worker for worker in self.running()
                      if worker.name not in self._fates and worker.process.exit_code() is None]
        if not candidates:
            return None
        kind, = self.rng.choices(list(KINDS), KINDS.values())
        worker = self.rng.choice(candidates)
        self._evict(worker, kind)
        self.evicted.append(Eviction(kind, worker.name, time.monotonic()))
        return kind

    def drain_all(self) -> bool:
        """The last workers leave, and nobody takes their places. To be called with each tick, for
        those that are just being evicted; true: nobody is left."""
        for place in self.places:
            if place.worker is None:
                place.finished = True
            elif place.worker.name not in self._fates:
                self._evict(place.worker, "drain")
        return not self.running()

    def _evict(self, worker: Worker, kind: str) -> None:
        number = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}.get(kind, signal.SIGTERM)
        now = time.monotonic()
        if not worker.process.signal(number):
            return  # it ended by itself: a problem, which tick() will see
        after_s = {"cut-short": self.rng.uniform(0, CUT_SHORT_S), "freeze": self.frozen_s}
        self._fates[worker.name] = Fate(kind, now + after_s.get(kind, self.notice_s))
        worker.evicted_at = now

    def _look_after(self, place: Place, now: float) -> None:
        worker = place.worker
        fate = self._fates.get(worker.name)
        if fate and now >= fate.at and worker.process.exit_code() is None:
            if fate.kind == "freeze":
                worker.process.signal(signal.SIGCONT)
                del self._fates[worker.name]
            else:
                worker.process.kill()
                if fate.kind == "drain":
                    self.problems.append(
                        f"{worker.name} had not drained {self.notice_s:g} s after SIGTERM")
        if worker.process.exit_code() is not None:
            self._ended(place, worker.process.exit_code(), now)

    def _ended(self, place: Place, code: int, now: float) -> None:
        worker = place.worker
        fate = self._fates.pop(worker.name, None)
        place.worker, place.start_at = None, now + self.replace_after_s
        kind = fate.kind if fate else "nothing"
        expected = {"drain": (0,), "cut-short": (0, -signal.SIGKILL), "kill": (-signal.SIGKILL,)}
        if kind == "drain":
            self.drain_s.append(now - worker.evicted_at)
        if code in expected.get(kind, ()):
            return
        if code == -signal.SIGTERM and fate and not self._has_leased(worker):
            return  # it had not come to the point where it drains, and held nothing
        self.problems.append(f"{worker.name} ended with {code} after {kind}:\n"
                             f"{self._output(worker)[-1000:]}{worker.process.log_end()}")

    def _has_leased(self, worker: Worker) -> bool:
        return "at leased " in self._output(worker)

    def _output(self, worker: Worker) -> str:
        return (self.directory / f"{worker.name}.out").read_text(errors="replace")


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def dice_of(seed: int, name: str) -> random.Random:
    return random.Random(f"{seed}/{name}")
