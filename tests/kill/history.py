# SPDX-License-Identifier: Apache-2.0
"""history.py -- what the clients of a broker asked of it, item by item, and what came of it.

Times are the machine's, in ms, and the broker runs on the same machine: a call took effect, if at
all, between its `began` and its `ended`. Where no answer came, the outcome is UNKNOWN, and the call
may have taken effect at any time after it began, or never.
"""
import math
import time
from collections import defaultdict
from dataclasses import dataclass, field

# Outcomes.
OK = "ok"
REFUSED = "refused"
UNKNOWN = "unknown"
DUPLICATE = "duplicate"  # of a publish: the task was there
REPEATED = "repeated"    # of an ack: it had succeeded before
SALVAGED = "salvaged"    # of an ack: by an old lease, and it counts


@dataclass(frozen=True, slots=True)
class Span:
    began: float
    ended: float

    @staticmethod
    def since(began: float) -> "Span":
        return Span(began, now_ms())

    @staticmethod
    def open_since(began: float) -> "Span":
        return Span(began, math.inf)


@dataclass(frozen=True, slots=True)
class Publish:
    span: Span
    task_id: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Lease:
    span: Span
    task_id: str
    fence: int
    deadline_ms: int  # 0: as long as its session
    session: str = ""


@dataclass(frozen=True, slots=True)
class Settle:
    """An ack, nack or renew of one lease."""
    span: Span
    verb: str
    task_id: str
    fence: int
    outcome: str
    deadline_ms: int = 0  # of a renew


@dataclass(frozen=True, slots=True)
class Beat:
    """A session was opened, or heard."""
    span: Span
    session_ms: int


@dataclass
class History:
    """One client's; `joined` makes one of many."""
    publishes: list[Publish] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    settles: list[Settle] = field(default_factory=list)
    beats: dict[str, list[Beat]] = field(default_factory=lambda: defaultdict(list))
    closes: dict[str, Span] = field(default_factory=dict)  # of sessions, well or unknown
    wrong: list[str] = field(default_factory=list)  # seen by the client itself

    @staticmethod
    def joined(histories: list["History"]) -> "History":
        whole = History()
        for each in histories:
            whole.publishes += each.publishes
            whole.leases += each.leases
            whole.settles += each.settles
            whole.wrong += each.wrong
            whole.closes |= each.closes
            whole.beats |= each.beats  # a session has one client
        return whole


def now_ms() -> float:
    return time.time() * 1000
