# SPDX-License-Identifier: Apache-2.0
"""mixed.py -- clients that do all that can be done to a queue, and what must hold of it afterwards.

Tasks with and without IDs, in two datasets, from some bytes to 64 KiB; workers that ack with and
without results, fail, release, are preempted, save checkpoints, let leases expire or vanish with
their sessions; and a keeper that purges, cancels, redrives and deletes dead letters, pauses the
queue and reads results and lists.

Nobody could say of each task what became of it. So the account keeps numbers, each at least and at
most, since what was not answered may have happened or not; and whatever carries bytes carries their
checksum. A task that was seen done must not come again.
"""
import base64
import itertools
import math
import random
import threading
import time
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from clients import Client, Load
from history import Span
from script import Refused

CONFIG = {"maxFailures": 2, "backoffMinMs": "50", "backoffMaxMs": "400", "leaseMs": "1500",
          "maxLosses": 4, "resultRetentionMs": "3000", "dedupRetentionMs": "1000"}
SESSION_MS = 1500
WAIT_MS = 300
DATASETS = ("day", "night")
PURGED = "night"
SIZES = ((30, 40), (300, 30), (2000, 18), (6000, 8), (65536, 4))  # bytes and how many in a hundred
PUBLISH_MAX, LEASE_MAX = 40, 30  # tasks of a call
OPEN_TASKS_MAX = 2500
PAGE = 200
KEEPER_PAUSE_S = 0.1
RESULTS_SHARE = 0.7

# What becomes of a lease, and how many in a hundred.
FATES = (("ack", 80), ("fail", 6), ("fail for good", 1), ("release", 4), ("preempt", 4),
         ("save and keep", 3), ("leave", 2))
NACKS = {"fail": {"reason": "NACK_REASON_FAILED", "error": "it hurts"},
         "fail for good": {"reason": "NACK_REASON_FAILED", "error": "never", "permanent": True},
         "release": {"reason": "NACK_REASON_RELEASED"},
         "preempt": {"reason": "NACK_REASON_PREEMPTED"}}


class Account:
    """What happened to one queue, by what its clients were told."""

    def __init__(self, load: Load):
        self.load = load
        self.least: Counter[str] = Counter()
        self.most: dict[str, float] = defaultdict(float)
        self.done_at: dict[str, float] = {}  # of tasks whose ack was confirmed: when
        self.some_ids: list[str] = []  # for the keeper to cancel
        self._lock = threading.Lock()

    def add(self, what: str, count: float, is_sure: bool = True) -> None:
        with self._lock:
            self.most[what] += count
            if is_sure:
                self.least[what] += count

    def judge(self, counts: dict, datasets: list[dict]) -> list[str]:
        """What is wrong with a queue that is drained and has no dead letters."""
        told = {name: int(value) for name, value in counts.items()}
        wrong = [f"{told.get(what, 0)} tasks are {what}, not from {self.least[what]} to "
                 f"{self.most[what]:g}" for what in ("published", "done", "purged")
                 if not self.least[what] <= told.get(what, 0) <= self.most[what]]
        wrong += [f"{told[what]} tasks are still {what}"
                  for what in ("ready", "delayed", "leased", "dead") if told.get(what)]
        if told.get("published", 0) != told.get("done", 0) + told.get("purged", 0):
            wrong.append(f"not all that was published is done or purged: {told}")
        for what in told:
            if (of_all := sum(int(each["counts"].get(what, 0)) for each in datasets)) != told[what]:
                wrong.append(f"{told[what]} tasks are {what}, and {of_all} in its datasets")
        return [f"queue {self.load.queue}: {sentence}" for sentence in wrong]


class MixedClient(Client):
    def __init__(self, account: Account, name: str, seed: str):
        super().__init__(account.load, name, seed)
        self.account = account

    def blames(self, sentence: str) -> None:
        self.history.wrong.append(f"{self.load.queue}: {sentence}")


class MixedPublisher(MixedClient):
    def __init__(self, account: Account, number: int, seed: str):
        super().__init__(account, f"mixed publisher {number}", seed)
        self._numbers = itertools.count()
        self._prefix = f"m{number}-"

    def wants_more(self) -> bool:
        return self.load.is_publishing

    def cycle(self) -> None:
        self.load.wait_for_room(OPEN_TASKS_MAX)
        has_ids = self.dice.random() < 0.5
        tasks = [self._task(has_ids) for _ in range(self.dice.randint(1, PUBLISH_MAX))]
        reply, _ = self.ask("TaskService/Publish", queue=self.load.queue, tasks=tasks,
                            dataset=self.dice.choice(DATASETS))
        if reply is None:
            self.account.add("published", len(tasks), is_sure=False)
            return
        if reply.get("stored", 0) != len(tasks):
            self.blames(f"of {len(tasks)} new tasks not all are stored: {reply}")
        self.account.add("published", len(tasks))
        self.account.some_ids = [each["taskId"] for each in reply["outcomes"][:3]]

    def _task(self, has_id: bool) -> dict:
        data = sealed(some_bytes(self.dice))
        task = {"payload": base64_of(data), "priority": self.dice.choice((0, 0, 0, 5)),
                "attributes": {"bytes": str(len(data))},
                "delayMs": 200 if self.dice.random() < 0.05 else 0}
        return task | ({"taskId": f"{self._prefix}{next(self._numbers)}"} if has_id else {})


@dataclass
class Settled:
    """What the next call is to tell."""
    acks: list[dict] = field(default_factory=list)
    acked: list[str] = field(default_factory=list)  # their task IDs
    nacks: list[dict] = field(default_factory=list)


class MixedWorker(MixedClient):
    def __init__(self, account: Account, number: int, seed: str):
        super().__init__(account, f"mixed worker {number}", seed)
        self._has_sessions = number % 2 == 0
        self._session = ""
        self._settled = Settled()

    def wants_more(self) -> bool:
        return not self.load.is_over or bool(self._settled.acks)

    def cycle(self) -> None:
        if not self.load.is_publishing:
            self._close_session()
        elif self._has_sessions and not self._session:
            self._open_session()
        for task in self._lease():
            self._look_at(task)
            self._decide(task)
        if self.dice.random() < 0.02 and self.load.is_publishing:
            self._session = ""  # it vanishes, and what it has with it
            self._settled = Settled()
        elif self._session and self.dice.random() < 0.3:
            self._tell_session("Heartbeat", self._session)

    def _lease(self) -> list[dict]:
        settled, self._settled = self._settled, Settled()
        count = 0 if self.load.is_over else self.dice.randint(1, LEASE_MAX)
        try:
            reply, span = self.ask(
                "TaskService/Lease", queue=self.load.queue, maxTasks=count, acks=settled.acks,
                nacks=settled.nacks, waitMs=0 if settled.acks or settled.nacks else WAIT_MS,
                **({"sessionId": self._session} if self._session else {}))
        except Refused as refusal:
            if "session" not in str(refusal):
                raise
            self._session, reply, span = "", None, None
        if reply is None:
            self.account.add("done", len(settled.acks), is_sure=False)
            return []
        self._enter(settled.acked, reply.get("ackOutcomes", []), span)
        tasks = reply.get("tasks", [])
        for task in tasks:
            done_at = self.account.done_at.get(task["taskId"], math.inf)
            if span.began > done_at:
                self.blames(f"{task['taskId']} was done, and {span.began - done_at:.0f} ms later "
                            "it is handed out")
        return tasks

    def _enter(self, acked: list[str], outcomes: list[dict], span: Span) -> None:
        done = [task_id for task_id, outcome in zip(acked, outcomes) if "error" not in outcome]
        self.account.add("done", len(done))
        self.account.done_at.update(dict.fromkeys(done, span.ended))

    def _look_at(self, task: dict) -> None:
        payload = base64.b64decode(task.get("payload", ""))
        if not is_sealed(payload) or task["attributes"].get("bytes") != str(len(payload)):
            self.blames(f"{task['taskId']} is not as it was published")
        if "checkpoint" in task and not is_sealed(base64.b64decode(task["checkpoint"])):
            self.blames(f"{task['taskId']} has a checkpoint that nobody saved")

    def _decide(self, task: dict) -> None:
        fate = choose(self.dice, FATES) if self.load.is_publishing else "ack"
        token = task["leaseToken"]
        if fate == "ack":
            result = sealed(f"{task['taskId']} ".encode() + some_bytes(self.dice))
            self._settled.acked.append(task["taskId"])
            self._settled.acks.append({"leaseToken": token} | (
                {"result": base64_of(result)} if self.dice.random() < RESULTS_SHARE else {}))
        elif fate in NACKS:
            checkpoint = sealed(some_bytes(self.dice))
            self._settled.nacks.append({"leaseToken": token} | NACKS[fate] | (
                {"checkpoint": base64_of(checkpoint)} if fate == "preempt" else {}))
        elif fate == "save and keep":
            self._save(token)

    def _save(self, token: str) -> None:
        try:
            self.ask("TaskService/SaveCheckpoint", leaseToken=token,
                     data=base64_of(sealed(some_bytes(self.dice))))
        except Refused as refusal:
            if "lease" not in str(refusal):
                raise

    def _open_session(self) -> None:
        reply, _ = self.ask("SessionService/Open", queue=self.load.queue, worker=self.name,
                            sessionMs=SESSION_MS)
        self._session = (reply or {}).get("sessionId", "")

    def _close_session(self) -> None:
        """So that nothing it has left is kept any longer."""
        session, self._session = self._session, ""
        if session:
            self._tell_session("Close", session)

    def _tell_session(self, what: str, session: str) -> None:
        try:
            self.ask(f"SessionService/{what}", sessionId=session)
        except Refused:  # it has expired
            self._session = ""


class Keeper(MixedClient):
    """What an operator does. While the queue is drained, it deletes what is dead."""

    def __init__(self, account: Account, seed: str):
        super().__init__(account, "keeper", seed)
        self.results_read = 0
        self._page_token = ""

    def wants_more(self) -> bool:
        return not self.load.is_over

    def cycle(self) -> None:
        habits = ((self._delete_dead,) if not self.load.is_publishing else
                  (self._read_results, self._read_results, self._redrive, self._redrive,
                   self._delete_dead, self._cancel, self._purge, self._pause, self._list))
        self.dice.choice(habits)()
        self._count_open()
        time.sleep(KEEPER_PAUSE_S)

    def _count_open(self) -> None:
        reply, _ = self.ask("QueueService/Get", name=self.load.queue)
        if reply is not None:
            self.load.set_open(sum(int(reply["queue"]["counts"].get(name, 0))
                                   for name in ("ready", "delayed", "leased")))

    def _read_results(self) -> None:
        reply, _ = self.ask("ResultService/List", queue=self.load.queue, pageSize=PAGE,
                            pageToken=self._page_token)
        for result in (reply or {}).get("results", []):
            data = base64.b64decode(result["data"])
            if not is_sealed(data) or not data[4:].startswith(f"{result['taskId']} ".encode()):
                self.blames(f"the result of {result['taskId']} is not as it was given")
            self.results_read += 1
        self._page_token = (reply or {}).get("nextPageToken", "")

    def _redrive(self) -> None:
        self.ask("DeadLetterService/Redrive", queue=self.load.queue, selection={"all": True})

    def _delete_dead(self) -> None:
        self._count_gone("deleted", "DeadLetterService/Delete", queue=self.load.queue,
                         selection={"all": True})

    def _purge(self) -> None:
        if self.dice.random() < 0.3:
            self._count_gone("purged", "QueueService/Purge", name=self.load.queue, dataset=PURGED)

    def _count_gone(self, told_as: str, method: str, **fields) -> None:
        reply, _ = self.ask(method, **fields)
        gone = math.inf if reply is None else int(reply.get(told_as, 0))
        self.account.add("purged", gone, is_sure=reply is not None)

    def _cancel(self) -> None:
        if self.account.some_ids:
            self.ask("TaskService/Cancel", queue=self.load.queue, taskIds=self.account.some_ids)

    def _pause(self) -> None:
        self.ask("QueueService/Pause", name=self.load.queue)
        while self.ask("QueueService/Resume", name=self.load.queue)[0] is None:
            pass

    def _list(self) -> None:
        for method in ("TaskService/List", "DeadLetterService/List", "DatasetService/List"):
            self.ask(method, queue=self.load.queue)


def choose(dice: random.Random, table) -> object:
    return dice.choices([each for each, _ in table], [weight for _, weight in table])[0]


def some_bytes(dice: random.Random) -> bytes:
    return dice.randbytes(choose(dice, SIZES))


def sealed(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big") + data


def is_sealed(data: bytes) -> bool:
    return zlib.crc32(data[4:]).to_bytes(4, "big") == data[:4]


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()
