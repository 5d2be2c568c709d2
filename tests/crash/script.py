# SPDX-License-Identifier: Apache-2.0
"""script.py -- clients of a real broker that keep a book of what it confirmed, and when.

Each client has a queue of its own and waits for each reply before the next call, so that after a
power cut its queue must be exactly as after its last confirmed call, or as after the next one.
Several clients at once make the broker commit their calls together.
"""
import base64
import contextlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from model import DEAD, DELAYED, DONE, LEASED, READY, Queue, Task
from processes import wait_until
from raw_http import RawClient, request

HOUR_MS = 3_600_000
LONG_LEASE_MS = 11 * HOUR_MS


class Lost(Exception):
    """No answer came: whether the call took place is unknown."""


class Refused(Exception):
    """The broker answered with an error: the call did not take place."""


class Wire(RawClient):
    """A connection that knows how many bytes have come in by the last reply's end."""

    def __init__(self, port: int):
        super().__init__(port)
        self.port = self.socket.getsockname()[1]
        self._came = 0

    @property
    def received(self) -> int:
        return self._came - len(self._input)

    def ask(self, method: str, **fields) -> dict:
        try:
            self.socket.sendall(request(f"/ackd.v1.{method}", json.dumps(fields).encode()))
            reply = self.reply()
        except (OSError, EOFError) as error:
            raise Lost(str(error)) from error
        if reply.status >= 500 and not reply.body:
            raise Lost(f"{method}: {reply.status} without a word")
        if reply.status != 200:
            raise Refused(f"{method}: {reply.body.decode(errors='replace')}")
        return reply.json()

    def _read_more(self) -> None:
        before = len(self._input)
        super()._read_more()
        self._came += len(self._input) - before


@dataclass(frozen=True)
class Entry:
    """A line of the book: what was asked, the queue after it, and the reply's place in the bytes
    that the connection has brought."""
    what: str
    queue: Queue
    port: int
    received: int


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Client:
    def __init__(self, name: str, seed: int):
        self.queue = Queue(name)
        self.book: list[Entry] = [Entry("nothing", self.queue, 0, 0)]
        self.wire: Wire | None = None
        self._dice = random.Random(seed)
        self._next_number = 0

    def connect(self, port: int) -> None:
        self.wire = Wire(port)

    def run(self, steps: int) -> None:
        """So many calls, chosen by the seed from what the queue's state allows."""
        for _ in range(steps):
            possible = [verb for verb in VERBS for _ in range(verb.weight) if verb.may(self.queue)]
            self._dice.choice(possible).call(self)

    def try_verb(self, verb: "Verb") -> bool:
        """One call; False if the queue's state does not allow it. If it raises, the client is as
        before, and trying again asks the same."""
        before = (self._dice.getstate(), self._next_number)
        if not verb.may(self.queue):
            return False
        try:
            verb.call(self)
            return True
        except (Lost, Refused):
            self._dice.setstate(before[0])
            self._next_number = before[1]
            raise

    # The calls. Each asks, and then enters into the book what the reply says.

    def create(self) -> None:
        self._ask("QueueService/Create", name=self.queue.name)
        self._enter("create", replace(self.queue, exists=True))

    def publish(self) -> None:
        dataset = self._dice.choice(("", "night", "day"))
        tasks, items = [], []
        asked_ms = now_ms()
        for _ in range(self._dice.choice((1, 1, 2, 3, 6))):
            task = self._new_task(dataset)
            delay_ms = HOUR_MS if self._dice.random() < 0.15 else 0
            tasks.append((task, delay_ms))
            items.append({"taskId": task.task_id, "payload": base64_of(task.payload),
                          "attributes": dict(task.attributes), "priority": task.priority,
                          "delayMs": delay_ms})
        self._ask("TaskService/Publish", queue=self.queue.name, tasks=items, dataset=dataset)
        self._enter(f"publish {len(tasks)}", self.queue.with_tasks(
            *(self._delayed(task, delay_ms, asked_ms) if delay_ms else task
              for task, delay_ms in tasks)))

    def publish_again(self) -> None:
        task = self._pick(READY, DELAYED, LEASED, DONE, DEAD)
        reply = self._ask("TaskService/Publish", queue=self.queue.name,
                          tasks=[{"taskId": task.task_id}])
        assert reply.get("duplicates") == 1, reply
        self._enter("publish again", self.queue)

    def lease(self) -> None:
        self._lease("lease", self.queue, self._dice.choice((1, 2, 4)))

    def lease_in_session(self) -> None:
        session = self._dice.choice(sorted(self.queue.sessions))
        self._lease("lease in a session", self.queue, self._dice.choice((1, 2)), session=session)

    def lease_and_settle(self) -> None:
        acked, nacked = self._two_leased()
        result = self._bytes()
        after = self.queue.with_tasks(acked.done(result),
                                      nacked.waiting(preemptions=nacked.preemptions + 1))
        self._lease("lease with an ack and a nack", after, 2,
                    acks=[{"leaseToken": acked.token, "result": base64_of(result)}],
                    nacks=[{"leaseToken": nacked.token, "reason": "NACK_REASON_PREEMPTED"}])

    def ack(self) -> None:
        tasks = self._some(LEASED)
        results = [self._bytes() if self._dice.random() < 0.7 else None for _ in tasks]
        items = [{"leaseToken": task.token} | ({} if result is None else
                                               {"result": base64_of(result)})
                 for task, result in zip(tasks, results)]
        self._check_outcomes(self._ask("TaskService/Ack", items=items))
        self._enter(f"ack {len(tasks)}", self.queue.with_tasks(
            *(task.done(result) for task, result in zip(tasks, results))))

    def ack_again(self) -> None:
        task = self._dice.choice([each for each in self.queue.of(DONE)])
        reply = self._ask("TaskService/Ack", items=[{"leaseToken": task.token}])
        assert reply["outcomes"][0].get("repeated"), reply
        self._enter("ack again", self.queue)

    def fail(self) -> None:
        task, asked_ms = self._pick(LEASED), now_ms()
        after = replace(task, failures=task.failures + 1, last_error="it hurts")
        self._nack(task, "NACK_REASON_FAILED", error="it hurts", delayMs=HOUR_MS)
        self._enter("nack, failed", self.queue.with_tasks(
            after.waiting(DEAD) if after.failures >= 5 else
            self._delayed(after.waiting(), HOUR_MS, asked_ms)))

    def fail_for_good(self) -> None:
        task = self._pick(LEASED)
        self._nack(task, "NACK_REASON_FAILED", error="never", permanent=True)
        self._enter("nack, failed for good", self.queue.with_tasks(
            task.waiting(DEAD, failures=task.failures + 1, last_error="never")))

    def preempt(self) -> None:
        task, checkpoint = self._pick(LEASED), self._bytes()
        self._nack(task, "NACK_REASON_PREEMPTED", checkpoint=base64_of(checkpoint))
        self._enter("nack with a checkpoint, preempted", self.queue.with_tasks(
            task.waiting(preemptions=task.preemptions + 1, checkpoint=checkpoint)))

    def release(self) -> None:
        task = self._pick(LEASED)
        self._nack(task, "NACK_REASON_RELEASED")
        self._enter("nack, released", self.queue.with_tasks(task.waiting()))

    def renew(self) -> None:
        task = self._pick_without_session()
        reply = self._ask("TaskService/Renew",
                          items=[{"leaseToken": task.token, "leaseMs": LONG_LEASE_MS + HOUR_MS}])
        self._check_outcomes(reply)
        deadline = int(reply["outcomes"][0]["deadlineUnixMs"])
        self._enter("renew", self.queue.with_tasks(replace(task, due_ms=(deadline, deadline))))

    def checkpoint(self) -> None:
        task = self._pick(LEASED)
        data = self._bytes() if self._dice.random() < 0.8 else b""
        self._ask("TaskService/SaveCheckpoint", leaseToken=task.token, data=base64_of(data))
        self._enter("checkpoint", self.queue.with_tasks(replace(task, checkpoint=data or None)))

    def cancel(self) -> None:
        task = self._pick(READY, DELAYED, LEASED)
        self._check_outcomes(self._ask("TaskService/Cancel", queue=self.queue.name,
                                       taskIds=[task.task_id]))
        self._enter("cancel", self.queue.with_tasks(task.waiting(DEAD)))

    def redrive(self) -> None:
        task = self._pick(DEAD)
        self._ask("DeadLetterService/Redrive", queue=self.queue.name,
                  selection={"taskIds": [task.task_id]})
        self._enter("redrive", self.queue.with_tasks(task.waiting(failures=0, losses=0)))

    def delete_dead(self) -> None:
        task = self._pick(DEAD)
        self._ask("DeadLetterService/Delete", queue=self.queue.name,
                  selection={"taskIds": [task.task_id]})
        self._enter("delete a dead letter", self.queue.without(task.task_id))

    def open_session(self) -> None:
        reply = self._ask("SessionService/Open", queue=self.queue.name, worker="w",
                          sessionMs=HOUR_MS)
        self._enter("open a session", replace(
            self.queue, sessions=self.queue.sessions | {reply["sessionId"]}))

    def close_session(self) -> None:
        session = self._dice.choice(sorted(self.queue.sessions))
        self._ask("SessionService/Close", sessionId=session)
        held = [task for task in self.queue.of(LEASED) if task.session == session]
        self._enter("close a session", self.queue.with_tasks(
            *(task.waiting(preemptions=task.preemptions + 1) for task in held),
            sessions=self.queue.sessions - {session}))

    def heartbeat(self) -> None:
        session = self._dice.choice(sorted(self.queue.sessions))
        self._ask("SessionService/Heartbeat", sessionId=session)
        self._enter("heartbeat", self.queue)

    def pause(self) -> None:
        self._ask("QueueService/Pause", name=self.queue.name)
        self._enter("pause", replace(self.queue, paused=True))

    def resume(self) -> None:
        self._ask("QueueService/Resume", name=self.queue.name)
        self._enter("resume", replace(self.queue, paused=False))

    def purge(self) -> None:
        gone = [task.task_id for task in self.queue.of(READY, DELAYED) if task.dataset == "night"]
        self._ask("QueueService/Purge", name=self.queue.name, dataset="night")
        self._enter(f"purge {len(gone)}", self.queue.without(*gone))

    def check(self) -> None:
        """Before one the broker makes a checkpoint of its store, so these come at any time. A
        refusal (another client's is under way, there is no room) changes as little as a check."""
        with contextlib.suppress(Refused):
            reply = self._ask("AdminService/Check")
            assert "problemCount" not in reply, reply
        self._enter("check", self.queue)

    def lose_a_lease(self) -> None:
        """Takes a task for the shortest time and waits until the broker has taken it back."""
        leased = self._lease("lease for a second", self.queue, 1, lease_ms=1000)
        if not leased:
            return
        self._wait_until_ready(leased[0])
        task = self.queue.tasks[leased[0]]
        self._enter("a lease is lost", self.queue.with_tasks(task.waiting(losses=task.losses + 1)))

    # What they share.

    def _ask(self, method: str, **fields) -> dict:
        return self.wire.ask(method, **fields)

    def _enter(self, what: str, queue: Queue) -> None:
        self.queue = queue
        self.book.append(Entry(what, queue, self.wire.port, self.wire.received))

    def _lease(self, what: str, before: Queue, count: int, session: str = "",
               lease_ms: int = LONG_LEASE_MS, **carried) -> list[str]:
        reply = self._ask("TaskService/Lease", queue=self.queue.name, maxTasks=count,
                          leaseMs=0 if session else lease_ms, sessionId=session, **carried)
        for outcome in reply.get("ackOutcomes", []) + reply.get("nackOutcomes", []):
            assert "error" not in outcome, outcome
        leases = reply.get("tasks", [])
        for lease in leases:
            self._check_lease(before.tasks[lease["taskId"]], lease)
        self._enter(f"{what}: {len(leases)}", before.with_tasks(
            *(before.tasks[lease["taskId"]].leased(lease, session) for lease in leases)))
        return [lease["taskId"] for lease in leases]

    @staticmethod
    def _check_lease(task: Task, lease: dict) -> None:
        assert task.state == READY, task
        assert int(lease["fence"]) == task.fence + 1, (task, lease)
        checkpoint = base64.b64decode(lease["checkpoint"]) if "checkpoint" in lease else None
        assert checkpoint == task.checkpoint, task

    def _nack(self, task: Task, reason: str, **fields) -> None:
        self._check_outcomes(self._ask("TaskService/Nack", items=[
            {"leaseToken": task.token, "reason": reason} | fields]))

    @staticmethod
    def _check_outcomes(reply: dict) -> None:
        assert all("error" not in outcome for outcome in reply["outcomes"]), reply

    def _wait_until_ready(self, task_id: str) -> None:
        def is_ready():
            reply = self._ask("TaskService/Get", queue=self.queue.name, taskId=task_id)
            return reply["task"]["state"] == READY
        wait_until(is_ready, "the lease has expired")

    @staticmethod
    def _delayed(task: Task, delay_ms: int, asked_ms: int) -> Task:
        return task.waiting(DELAYED, due_ms=(asked_ms + delay_ms - 5, now_ms() + delay_ms + 5),
                            failures=task.failures, last_error=task.last_error)

    def _new_task(self, dataset: str) -> Task:
        number = self._next_number
        self._next_number += 1
        attributes = (("n", str(number)),) if number % 3 == 0 else ()
        return Task(f"t{number}", self._bytes(), attributes, dataset, self._dice.choice((0, 0, 5)))

    def _bytes(self) -> bytes:
        """At times larger than a chunk."""
        return self._dice.randbytes(self._dice.choice((1, 30, 200, 200, 900, 5000)))

    def _pick(self, *states: str) -> Task:
        return self._dice.choice(self.queue.of(*states))

    def _pick_without_session(self) -> Task:
        return self._dice.choice(leased_alone(self.queue))

    def _some(self, state: str) -> list[Task]:
        tasks = self.queue.of(state)
        return self._dice.sample(tasks, self._dice.randint(1, min(3, len(tasks))))

    def _two_leased(self) -> list[Task]:
        return self._dice.sample(self.queue.of(LEASED), 2)


def now_ms() -> int:
    return int(time.time() * 1000)


def leased_alone(queue: Queue) -> list[Task]:
    return [task for task in queue.of(LEASED) if not task.session]


@dataclass(frozen=True)
class Verb:
    call: Callable[[Client], None]
    weight: int
    may: Callable[[Queue], bool]


VERBS = (
    Verb(Client.create, 1, lambda queue: not queue.exists),
    Verb(Client.publish, 6, lambda queue: queue.exists and len(queue.tasks) < 40),
    Verb(Client.publish_again, 1, lambda queue: bool(queue.tasks)),
    Verb(Client.lease, 6, lambda queue: bool(queue.of(READY)) and not queue.paused),
    Verb(Client.lease_in_session, 3,
         lambda queue: bool(queue.of(READY) and queue.sessions) and not queue.paused),
    Verb(Client.lease_and_settle, 3, lambda queue: len(queue.of(LEASED)) >= 2),
    Verb(Client.ack, 4, lambda queue: bool(queue.of(LEASED))),
    Verb(Client.ack_again, 1, lambda queue: bool(queue.of(DONE))),
    Verb(Client.fail, 2, lambda queue: bool(queue.of(LEASED))),
    Verb(Client.fail_for_good, 1, lambda queue: bool(queue.of(LEASED))),
    Verb(Client.preempt, 2, lambda queue: bool(queue.of(LEASED))),
    Verb(Client.release, 1, lambda queue: bool(queue.of(LEASED))),
    Verb(Client.renew, 2, lambda queue: bool(leased_alone(queue))),
    Verb(Client.checkpoint, 3, lambda queue: bool(queue.of(LEASED))),
    Verb(Client.cancel, 1, lambda queue: bool(queue.of(READY, DELAYED, LEASED))),
    Verb(Client.redrive, 1, lambda queue: bool(queue.of(DEAD))),
    Verb(Client.delete_dead, 1, lambda queue: bool(queue.of(DEAD))),
    Verb(Client.open_session, 2, lambda queue: queue.exists and len(queue.sessions) < 2),
    Verb(Client.close_session, 1, lambda queue: bool(queue.sessions)),
    Verb(Client.heartbeat, 1, lambda queue: bool(queue.sessions)),
    Verb(Client.pause, 1, lambda queue: queue.exists and not queue.paused),
    Verb(Client.resume, 4, lambda queue: queue.paused),
    Verb(Client.purge, 1, lambda queue: any(task.dataset == "night"
                                            for task in queue.of(READY, DELAYED))),
    Verb(Client.check, 1, lambda queue: queue.exists),
    Verb(Client.lose_a_lease, 1, lambda queue: bool(queue.of(READY)) and not queue.paused),
)
