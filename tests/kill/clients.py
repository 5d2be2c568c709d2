# SPDX-License-Identifier: Apache-2.0
"""clients.py -- publishers and workers that put a broker under load and write its history.

Each is a thread with a connection of its own, kept as long as it holds, and works in batches. What
a kill leaves unknown is mostly asked again, as a good client would, and at times given up. Half of
the workers hold their leases by a session, half by deadline and renew; now and then one gives tasks
back, or leaves them, and at times acks them long after.
"""
import base64
import random
import threading
import time
from dataclasses import dataclass

from history import (DUPLICATE, OK, REFUSED, REPEATED, SALVAGED, UNKNOWN, Beat, History, Lease,
                     Publish, Settle, Span, now_ms)
from script import Lost, Refused, Wire

QUEUE = "load"
LEASE_MS = 1500
SESSION_MS = 1500
WAIT_MS = 200  # of a long poll
BATCH_MAX = 100
OPEN_TASKS_MAX = 6000  # then the publishers wait for the workers
REUSED_MAX = 2000  # old task IDs that a publisher may publish again
RECONNECT_S = 0.005  # a closed port says so at once
LEAVE_UNKNOWN = 0.2  # how often nobody asks again
WAKE_UP = 0.03  # how often, in a cycle, somebody acks what had been left


class Load:
    """What all clients share: where the broker is, how much is open, and what is wanted."""

    def __init__(self, port: int, queue: str = QUEUE):
        self.port = port
        self.queue = queue
        self.is_publishing = True
        self.is_over = False
        self._open = 0
        self._changed = threading.Condition()

    def add(self, tasks: int) -> None:
        """So many more are open; fewer, if negative."""
        with self._changed:
            self._open += tasks
            self._changed.notify_all()

    def set_open(self, tasks: int) -> None:
        """So many are, by what the broker says."""
        self.add(tasks - self._open)

    def wait_for_room(self, open_max: int = OPEN_TASKS_MAX) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._open < open_max or not self.is_publishing,
                                   timeout=0.5)

    def stop_publishing(self) -> None:
        self.is_publishing = False
        self.add(0)

    def stop(self) -> None:
        self.stop_publishing()
        self.is_over = True


class Client(threading.Thread):
    """Runs `cycle` until `wants_more` says no. Subclasses write into `history`."""

    def __init__(self, load: Load, name: str, seed: str):
        super().__init__(name=name, daemon=True)
        self.history = History()
        self.dice = random.Random(seed)
        self.load = load
        self.calls = 0
        self.unknown = 0
        self._wire: Wire | None = None

    def run(self) -> None:
        try:
            while self.wants_more():
                self.cycle()
        except Exception as error:  # a reply that no broker should give
            self.history.wrong.append(f"{self.name}: {type(error).__name__}: {error}")

    def wants_more(self) -> bool:
        raise NotImplementedError

    def cycle(self) -> None:
        raise NotImplementedError

    def ask(self, method: str, **fields) -> tuple[dict | None, Span]:
        """None: no answer. Raises Refused."""
        wire = self._connected()
        began = now_ms()
        self.calls += 1
        try:
            return wire.ask(method, **fields), Span.since(began)
        except Lost:
            wire.socket.close()
            self._wire = None
            self.unknown += 1
            return None, Span.open_since(began)

    def _connected(self) -> Wire:
        while self._wire is None:
            try:
                self._wire = Wire(self.load.port)
            except OSError:  # between a kill and the next start
                if self.load.is_over:
                    raise
                time.sleep(RECONNECT_S)
        return self._wire


class Publisher(Client):
    def __init__(self, load: Load, number: int, seed: str):
        super().__init__(load, f"publisher {number}", seed)
        self._prefix = f"p{number}-"
        self._next = 0
        self._confirmed: list[str] = []
        self._pending: list[str] = []

    def wants_more(self) -> bool:
        return self.load.is_publishing or bool(self._pending)

    def cycle(self) -> None:
        if not self._pending:
            self.load.wait_for_room()
            if not self.load.is_publishing:
                return
            self._pending = self._choose()
        reply, span = self.ask("TaskService/Publish", queue=self.load.queue, tasks=[
            {"taskId": task_id, "payload": payload_of(task_id)} for task_id in self._pending])
        if reply is None:
            self._enter(span, {task_id: UNKNOWN for task_id in self._pending})
            if self.dice.random() < LEAVE_UNKNOWN:
                self._pending = []
            return
        outcomes = {each["taskId"]: outcome_of(each) for each in reply["outcomes"]}
        assert sorted(outcomes) == sorted(self._pending), "other tasks are answered than were sent"
        self._enter(span, outcomes)
        self.load.add(sum(outcome == OK for outcome in outcomes.values()))
        self._confirmed = list(dict.fromkeys(self._confirmed + self._pending))[-REUSED_MAX:]
        self._pending = []

    def _choose(self) -> list[str]:
        """New tasks, and at times a few old ones among them."""
        count = self.dice.randint(1, BATCH_MAX)
        old = self.dice.sample(self._confirmed, min(3, len(self._confirmed)))
        new = [f"{self._prefix}{self._next + i}" for i in range(count)]
        self._next += count
        return new + (old if self.dice.random() < 0.2 else [])

    def _enter(self, span: Span, outcomes: dict[str, str]) -> None:
        self.history.publishes += [Publish(span, *item) for item in outcomes.items()]


@dataclass(frozen=True, slots=True)
class Held:
    lease: Lease
    token: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be told of a lease: `ack` or `nack`."""
    verb: str
    held: Held
    is_committed: bool  # of an ack: it may be salvaged

    def item(self) -> dict:
        rest = ({"reason": "NACK_REASON_PREEMPTED"} if self.verb == "nack" else
                {"committed": self.is_committed})
        return {"leaseToken": self.held.token} | rest


class Worker(Client):
    def __init__(self, load: Load, number: int, seed: str):
        super().__init__(load, f"worker {number}", seed)
        self._has_sessions = number % 2 == 0
        self._session = ""
        self._wishes: list[Wish] = []
        self._left: list[Held] = []

    def wants_more(self) -> bool:
        return not self.load.is_over or bool(self._wishes)

    def cycle(self) -> None:
        self._open_session()
        held = self._lease()
        mischief = self.dice.random() if self.load.is_publishing else 1
        if held and mischief < 0.03:
            self._vanish(held)
            return
        if held and mischief < 0.2:
            self._keep(held)
        nacks_some, is_committed = mischief < 0.3, self.dice.random() < 0.5
        self._wishes += [Wish("nack" if nacks_some and self.dice.random() < 0.2 else "ack",
                              each, is_committed) for each in held]
        if self._left and self.dice.random() < WAKE_UP:
            self._wishes += [Wish("ack", each, is_committed) for each in self._left]
            self._left = []
        if self._wishes and self.dice.random() < 0.3:
            self._settle_apart()

    def _lease(self) -> list[Held]:
        """Tells what it wishes, and takes more."""
        wishes, self._wishes = self._wishes, []
        acks, nacks = of_verb(wishes, "ack"), of_verb(wishes, "nack")
        count = 0 if self.load.is_over else self.dice.randint(1, BATCH_MAX)
        kept_by = ({"sessionId": self._session} if self._session else {"leaseMs": LEASE_MS})
        began = now_ms()
        try:
            reply, span = self.ask("TaskService/Lease", queue=self.load.queue, maxTasks=count,
                                   waitMs=0 if wishes else WAIT_MS,
                                   acks=[wish.item() for wish in acks],
                                   nacks=[wish.item() for wish in nacks], **kept_by)
        except Refused as refusal:
            assert self._session and "session" in str(refusal), refusal
            self._session = ""
            # The broker settles first, and a refusal has no outcomes.
            self._leave_unknown(Span.open_since(began), wishes)
            return []
        if reply is None:
            self._leave_unknown(span, wishes)
            return []
        self._enter(span, acks, reply.get("ackOutcomes", []))
        self._enter(span, nacks, reply.get("nackOutcomes", []))
        return [self._take(span, task) for task in reply.get("tasks", [])]

    def _take(self, span: Span, task: dict) -> Held:
        task_id = task["taskId"]
        if task.get("payload") != payload_of(task_id):
            self.history.wrong.append(f"{task_id}: its payload is another's: {task}")
        lease = Lease(span, task_id, int(task["fence"]), int(task.get("deadlineUnixMs", 0)),
                      self._session)
        self.history.leases.append(lease)
        return Held(lease, task["leaseToken"])

    def _settle_apart(self) -> None:
        for verb, method in (("ack", "TaskService/Ack"), ("nack", "TaskService/Nack")):
            wishes = of_verb(self._wishes, verb)
            self._wishes = [wish for wish in self._wishes if wish.verb != verb]
            if not wishes:
                continue
            reply, span = self.ask(method, items=[wish.item() for wish in wishes])
            if reply is None:
                self._leave_unknown(span, wishes)
            else:
                self._enter(span, wishes, reply["outcomes"])

    def _enter(self, span: Span, wishes: list[Wish], outcomes: list[dict]) -> None:
        assert len(wishes) == len(outcomes), "not each ack and nack has its outcome"
        self.history.settles += [settle(span, wish, outcome_of(outcome))
                                 for wish, outcome in zip(wishes, outcomes)]
        self.load.add(-sum(wish.verb == "ack" and "error" not in outcome
                           for wish, outcome in zip(wishes, outcomes)))

    def _leave_unknown(self, span: Span, wishes: list[Wish]) -> None:
        self.history.settles += [settle(span, wish, UNKNOWN) for wish in wishes]
        if self.dice.random() >= LEAVE_UNKNOWN:
            self._wishes += of_verb(wishes, "ack")  # a nack can't be repeated

    def _keep(self, held: list[Held]) -> None:
        """By a heartbeat, or a renew of each."""
        if self._session:
            self._beat("SessionService/Heartbeat", sessionId=self._session)
            return
        reply, span = self.ask("TaskService/Renew", items=[
            {"leaseToken": each.token, "leaseMs": 2 * LEASE_MS} for each in held])
        outcomes = reply["outcomes"] if reply else [None] * len(held)
        for each, outcome in zip(held, outcomes):
            self.history.settles.append(Settle(
                span, "renew", each.lease.task_id, each.lease.fence,
                UNKNOWN if outcome is None else outcome_of(outcome),
                int((outcome or {}).get("deadlineUnixMs", 0))))

    def _open_session(self) -> None:
        if self._has_sessions and not self._session and not self.load.is_over:
            self._beat("SessionService/Open", queue=self.load.queue, worker=self.name,
                       sessionMs=SESSION_MS)

    def _beat(self, method: str, **fields) -> None:
        try:
            reply, span = self.ask(method, **fields)
        except Refused:  # it has expired
            self._session = ""
            return
        if reply is not None:
            self._session = reply.get("sessionId", self._session)
            self.history.beats[self._session].append(Beat(span, SESSION_MS))

    def _vanish(self, held: list[Held]) -> None:
        """What it holds is given up with its session, or left to expire; but it may wake up."""
        self._left += held
        session, self._session = self._session, ""
        if session and self.dice.random() < 0.5:
            began = now_ms()
            self.history.closes[session] = Span.open_since(began)
            self.ask("SessionService/Close", sessionId=session)


def of_verb(wishes: list[Wish], verb: str) -> list[Wish]:
    return [wish for wish in wishes if wish.verb == verb]


def settle(span: Span, wish: Wish, outcome: str) -> Settle:
    return Settle(span, wish.verb, wish.held.lease.task_id, wish.held.lease.fence, outcome)


def outcome_of(outcome: dict) -> str:
    """Of an item of a batch."""
    status = outcome.get("error", {}).get("status")
    if status is None:
        return (SALVAGED if outcome.get("salvaged") else
                REPEATED if outcome.get("repeated") else OK)
    if status == "STATUS_DUPLICATE":
        return DUPLICATE
    assert status == "STATUS_LEASE_LOST", outcome
    return REFUSED


def payload_of(task_id: str) -> str:
    return base64.b64encode(f"{task_id} ".encode() * 8).decode()
