# SPDX-License-Identifier: Apache-2.0
"""witness.py -- what the workers did, by their own lines (see tests/sdk/points.h), and how long
tasks took from an eviction to their next lease."""
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from kubelet import Eviction


@dataclass
class Witness:
    leases: dict[str, list[tuple[float, str]]] = field(
        default_factory=lambda: defaultdict(list))  # task -> when (s) and by whom, in order
    begun: Counter[str] = field(default_factory=Counter)  # task -> computations
    computed: Counter[str] = field(default_factory=Counter)  # those that came to an end

    @classmethod
    def of(cls, directory: Path) -> "Witness":
        self = cls()
        for output in directory.glob("*.out"):
            self.read(output.stem, output.read_text(errors="replace"))
        for leases in self.leases.values():
            leases.sort()
        return self

    def read(self, worker: str, text: str) -> None:
        """Its last line may have been cut off by a SIGKILL."""
        for line in text[:text.rfind("\n") + 1].splitlines():
            match line.split():
                case ["at", "leased", task_id, time_ms]:
                    self.leases[task_id].append((int(time_ms) / 1000, worker))
                case ["begin", task_id, *_]:
                    self.begun[task_id] += 1
                case ["end", task_id]:
                    self.computed[task_id] += 1

    def redone(self) -> int:
        """Computations that were not the first of their task."""
        return self.computed.total() - len(self.computed)

    def cut_off(self) -> int:
        return self.begun.total() - self.computed.total()

    def lags_s(self, evictions: list[Eviction]) -> dict[str, list[float]]:
        """By kind of eviction: until the next lease of each task that the worker held and that was
        leased again."""
        held = defaultdict(list)  # worker -> (lease, next lease)
        for leases in self.leases.values():
            for (begin, worker), (again, _) in zip(leases, leases[1:]):
                held[worker].append((begin, again))
        found = defaultdict(list)
        for eviction in evictions:
            found[eviction.kind] += [again - eviction.at for begin, again in held[eviction.worker]
                                     if begin <= eviction.at < again]
        return found
