# SPDX-License-Identifier: Apache-2.0
"""model.py -- what a client may rely on: its queue as the broker's replies made it.

A plain second telling of DESIGN's rules, from outside. A `Queue` is a value: each step of a script
makes the next one, and all of them are kept.
"""
import base64
from dataclasses import dataclass, field, replace

READY, DELAYED, LEASED, DONE, DEAD = (f"TASK_STATE_{name}" for name in
                                      ("READY", "DELAYED", "LEASED", "DONE", "DEAD"))
FOR_EVER_MS = 1 << 62
COUNTED = {READY: "ready", DELAYED: "delayed", LEASED: "leased", DONE: "done", DEAD: "dead"}


@dataclass(frozen=True)
class Task:
    task_id: str
    payload: bytes
    attributes: tuple = ()
    dataset: str = ""
    priority: int = 0
    state: str = READY
    fence: int = 0
    failures: int = 0
    preemptions: int = 0
    losses: int = 0
    due_ms: tuple[int, int] | None = None  # between these; None: none
    session: str = ""
    token: str = ""  # of the current lease, or of the one that closed it
    checkpoint: bytes | None = None
    result: bytes | None = None
    last_error: str = ""

    def leased(self, lease: dict, session: str) -> "Task":
        deadline = int(lease.get("deadlineUnixMs", 0))
        return replace(self, state=LEASED, fence=self.fence + 1, token=lease["leaseToken"],
                       session=session, due_ms=(deadline, deadline) if deadline else None)

    def waiting(self, state: str = READY, due_ms=None, **changes) -> "Task":
        return replace(self, state=state, due_ms=due_ms, session="", token="", **changes)

    def done(self, result: bytes | None) -> "Task":
        return replace(self, state=DONE, due_ms=None, session="", checkpoint=None, result=result)

    def differs(self, told: dict, is_graced: bool = False) -> str:
        """What of TaskService.List's or Get's answer is otherwise; empty: nothing. `is_graced`:
        leases may have been made longer, as a start does."""
        expected = {
            "state": self.state, "payload": self.payload, "attributes": dict(self.attributes),
            "dataset": self.dataset, "priority": self.priority, "fence": self.fence,
            "failures": self.failures, "preemptions": self.preemptions, "losses": self.losses,
            "deliveries": self.fence, "session": self.session,
            "hasCheckpoint": self.checkpoint is not None, "lastError": self.last_error}
        found = {
            "state": told["state"], "payload": base64.b64decode(told.get("payload", "")),
            "attributes": told.get("attributes", {}), "dataset": told.get("dataset", ""),
            "priority": told.get("priority", 0), "fence": int(told.get("fence", 0)),
            "failures": told.get("failures", 0), "preemptions": told.get("preemptions", 0),
            "losses": told.get("losses", 0), "deliveries": told.get("deliveries", 0),
            "session": told.get("sessionId", ""), "hasCheckpoint": told.get("hasCheckpoint", False),
            "lastError": told.get("lastError", "")}
        wrong = [f"{name} is {shown(found[name])}, not {shown(expected[name])}"
                 for name in expected if found[name] != expected[name]]
        low, high = self.due_ms or (0, 0)
        if is_graced and self.state == LEASED and self.due_ms:
            high = FOR_EVER_MS
        if self.state in (LEASED, DELAYED) and not low <= int(told.get("dueUnixMs", 0)) <= high:
            wrong.append(f"due at {told.get('dueUnixMs')}, not {low} to {high}")
        return "".join(f"task {self.task_id}: {each}; " for each in wrong)


def shown(value) -> str:
    return f"{len(value)} bytes {value[:12]!r}" if isinstance(value, bytes) else repr(value)


@dataclass(frozen=True)
class Queue:
    name: str
    exists: bool = False
    paused: bool = False
    tasks: dict[str, Task] = field(default_factory=dict)
    sessions: frozenset[str] = frozenset()
    purged: int = 0  # tasks that were deleted

    def with_tasks(self, *tasks: Task, **changes) -> "Queue":
        return replace(self, tasks=self.tasks | {task.task_id: task for task in tasks}, **changes)

    def without(self, *ids: str) -> "Queue":
        left = {each: task for each, task in self.tasks.items() if each not in ids}
        return replace(self, tasks=left, purged=self.purged + len(ids))

    def of(self, *states: str) -> list[Task]:
        return [task for task in self.tasks.values() if task.state in states]

    def counts(self) -> dict[str, int]:
        found = {name: len(self.of(state)) for state, name in COUNTED.items()}
        found |= {"published": len(self.tasks) + self.purged, "purged": self.purged}
        return {name: count for name, count in found.items() if count}

    def differs(self, told: "Told") -> str:
        """What a broker tells of this queue that is otherwise; empty: nothing."""
        if not self.exists or told.queue is None:
            return "" if not self.exists and told.queue is None else (
                f"queue {self.name} is {'there' if told.queue else 'gone'}; ")
        open_tasks = {task.task_id: task for task in self.tasks.values() if task.state != DONE}
        wrong = "".join(f"task {each} is missing; " for each in open_tasks.keys() - told.tasks)
        wrong += "".join(f"task {each} is there; " for each in told.tasks.keys() - open_tasks)
        wrong += "".join(open_tasks[each].differs(task, told.is_graced)
                         for each, task in told.tasks.items() if each in open_tasks)
        results = {task.task_id: task.result for task in self.of(DONE) if task.result is not None}
        if results != told.results:
            wrong += f"results of {sorted(told.results)}, not of {sorted(results)}; "
        counts = {name: int(count) for name, count in told.queue.get("counts", {}).items()}
        if counts != self.counts():
            wrong += f"counts {counts}, not {self.counts()}; "
        if told.sessions != self.sessions:
            wrong += f"sessions {set(told.sessions)}, not {set(self.sessions)}; "
        if told.queue.get("paused", False) != self.paused:
            wrong += f"paused {told.queue.get('paused', False)}; "
        return wrong


@dataclass(frozen=True)
class Told:
    """What a broker says of one queue."""
    queue: dict | None
    tasks: dict[str, dict]
    results: dict[str, bytes]
    sessions: frozenset[str]
    is_graced: bool = False  # its clock goes on: leases got more time when it started
