# SPDX-License-Identifier: Apache-2.0
"""meter.py -- what a broker needs over time, and whether it needs more and more.

Memory is the anonymous part of the resident: mapped files, the store above all, are the kernel's to
take back. The store's live data are its pages in use, all up to the last less those on the free
list; its file never shrinks, so what it should hold is the most that was live at once.
"""
import os
import time
from dataclasses import dataclass
from pathlib import Path

from broker import Broker
from processes import memory_bytes

MEMORY_RATIO_MAX, MEMORY_SLACK = 1.15, 2 << 20  # second half against first, and room for chance
FILE_RATIO_MAX = 1.5  # of the most live data
FILE_SLACK = 1 << 20  # small stores are mostly roots and spare pages
PACE_RATIO_MAX, PACE_SLACK_MS = 4, 50  # only gross growth counts: the machine has other work


@dataclass(frozen=True)
class Sample:
    at: float
    anonymous: int  # bytes, as all here
    used: int
    file: int
    done: int  # requests, since the broker's start


class Meter:
    def __init__(self, broker: Broker):
        self._broker = broker
        self.samples: list[Sample] = []
        self.steady: list[Sample] = []  # under load, in the broker's long life

    def take(self, is_steady: bool) -> Sample:
        stats = self._broker.call("AdminService/Stats")
        shard = stats["shards"][0]
        sample = Sample(time.time(), memory_bytes(self._broker.process.pid, "RssAnon"),
                        int(shard["usedBytes"]), int(shard["fileBytes"]), int(stats["requests"]))
        self.samples.append(sample)
        if is_steady:
            self.steady.append(sample)
        return sample

    def middle(self) -> float:
        """The time that parts the halves."""
        return self.steady[len(self.steady) // 2].at if self.steady else time.time()

    def memory(self) -> tuple[int, int]:
        """The most in each half."""
        middle = len(self.steady) // 2
        halves = self.steady[:middle], self.steady[middle:]
        first, second = (max(each.anonymous for each in half) for half in halves)
        return first, second

    def store(self) -> tuple[int, int]:
        """The most live data, and the file at the end."""
        return max(sample.used for sample in self.samples), self.samples[-1].file

    def judge(self, paces: dict[str, tuple[float, float]]) -> list[str]:
        wrong = []
        first, second = self.memory()
        # The address sanitizer keeps what is freed.
        is_sanitized = os.environ.get("ACKD_SANITIZE", "none") != "none"
        if not is_sanitized and second > first * MEMORY_RATIO_MAX + MEMORY_SLACK:
            wrong.append(f"memory grew from {mib(first)} to {mib(second)}")
        live, file = self.store()
        if file > live * FILE_RATIO_MAX + FILE_SLACK:
            wrong.append(f"the file has {mib(file)} for at most {mib(live)} of live data")
        for what, (before, after) in paces.items():
            if after > before * PACE_RATIO_MAX + PACE_SLACK_MS:
                wrong.append(f"the p99 of {what} grew from {before:.1f} to {after:.1f} ms")
        return wrong


def paces(output: Path, since: float, middle: float) -> dict[str, tuple[float, float]]:
    """Of what the probe measured: the p99 in ms before and after the middle."""
    halves: dict[str, tuple[list[float], list[float]]] = {"publish": ([], []), "lease": ([], [])}
    for line in output.read_text().splitlines():
        words = line.split()
        if len(words) == 3 and float(words[1]) >= since:
            halves[words[0]][float(words[1]) >= middle].append(float(words[2]))
    return {what: (p99(before), p99(after)) for what, (before, after) in halves.items()}


def p99(values: list[float]) -> float:
    return sorted(values)[len(values) * 99 // 100] if values else 0.0


def mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
