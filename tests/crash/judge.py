# SPDX-License-Identifier: Apache-2.0
"""judge.py -- whether a broker started on what a crash left knows all that it had confirmed.

A broker is anything with `ask_all`: a process of the opener, or a real one over its wire. What is
found wrong is told in sentences; no sentence, nothing wrong.
"""
import base64
import bisect
import contextlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from model import DONE, LEASED, READY, Queue, Told
from script import Client, Refused, Wire

Call = tuple[str, dict]


class Opener:
    """The opener (opener.c): a broker without sockets, for one directory after the other."""

    is_graced = False  # its clock stands still

    def __init__(self, program: Path):
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=self._log)

    def open(self, directory: Path, now_ms: int) -> str:
        """Why it did not open; empty if it did."""
        [(status, text)] = self._exchange([f"open {directory} {now_ms}"])
        return text if status else ""

    def close(self) -> None:
        self._exchange(["close"])

    def ask_all(self, calls: Sequence[Call]) -> list[dict | None]:
        """None: refused."""
        lines = [f"call /ackd.v1.{method} {json.dumps(fields)}" for method, fields in calls]
        return [None if status else json.loads(text) for status, text in self._exchange(lines)]

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait()

    def _exchange(self, lines: list[str]) -> list[tuple[int, str]]:
        with contextlib.suppress(BrokenPipeError):  # it ended: the lines that don't come tell
            self._process.stdin.write("".join(line + "\n" for line in lines).encode())
            self._process.stdin.flush()
        replies = [self._process.stdout.readline().decode() for _ in lines]
        if not all(replies):
            code = self._process.wait()
            self._log.seek(0)
            last = self._log.read().decode(errors="replace").splitlines()[-1:]
            raise AssertionError(f"the opener ended with {code}: {last}")
        return [(int(status), text) for status, _, text in
                (reply.rstrip("\n").partition(" ") for reply in replies)]


class WireBroker:
    """A broker that listens."""

    is_graced = True

    def __init__(self, port: int):
        self._wire = Wire(port)

    def ask_all(self, calls: Sequence[Call]) -> list[dict | None]:
        return [self._ask(method, fields) for method, fields in calls]

    def _ask(self, method: str, fields: dict) -> dict | None:
        try:
            return self._wire.ask(method, **fields)
        except Refused:
            return None


class Promises:
    """What was confirmed to one client before each point of a recording."""

    def __init__(self, client: Client, sent: dict[int, list[tuple[int, int]]]):
        self._book = client.book
        self._points = [-1] + [self._point(entry, sent) for entry in client.book[1:]]
        assert self._points == sorted(self._points)

    def allowed(self, moment: int) -> list[Queue]:
        """The queue as confirmed before the moment, and as after the call in flight then."""
        last = bisect.bisect_left(self._points, moment) - 1
        return [entry.queue for entry in self._book[last:last + 2]]

    @property
    def name(self) -> str:
        return self._book[0].queue.name

    @staticmethod
    def _point(entry, sent) -> int:
        """The index of the event by which the reply's last byte was sent."""
        steps = sent[entry.port]
        return steps[bisect.bisect_left(steps, (entry.received, 0))][1]


def judge(broker, allowed: dict[str, list[Queue]]) -> tuple[str, list[list[Queue]]]:
    """What is wrong, and of each queue all that it may be: checkpoints are seen by leases alone."""
    [check] = broker.ask_all([("AdminService/Check", {})])
    wrong = "" if check is not None and "problemCount" not in check else f"check says {check}; "
    found = []
    for name, queues in allowed.items():
        told = look(broker, name)
        differences = [queue.differs(told) for queue in queues]
        fitting = [queue for queue, difference in zip(queues, differences) if not difference]
        if fitting:
            found.append(fitting)
            wrong += misses_done(broker, fitting[0])
        else:
            wrong += f"queue {name} is as after none of its {len(queues)} calls: {differences}; "
    return wrong, found


def look(broker, name: str) -> Told:
    queue, tasks, results, sessions = broker.ask_all([
        ("QueueService/Get", {"name": name}),
        ("TaskService/List", {"queue": name, "pageSize": 1000, "withPayload": True}),
        ("ResultService/List", {"queue": name, "pageSize": 1000}),
        ("SessionService/List", {"queue": name})])
    return Told(
        queue["queue"] if queue else None,
        {task["taskId"]: task for task in (tasks or {}).get("tasks", [])},
        {result["taskId"]: base64.b64decode(result.get("data", ""))
         for result in (results or {}).get("results", [])},
        frozenset(session["sessionId"] for session in (sessions or {}).get("sessions", [])),
        broker.is_graced)


def misses_done(broker, queue: Queue) -> str:
    """Done tasks are in no list: they are asked for one by one."""
    done = queue.of(DONE)
    replies = broker.ask_all([("TaskService/Get", {"queue": queue.name, "taskId": task.task_id})
                              for task in done])
    return "".join(f"task {task.task_id} is {reply and reply['task'].get('state')}, not done; "
                   for task, reply in zip(done, replies)
                   if reply is None or reply["task"].get("state") != DONE)


def goes_on(broker, found: list[list[Queue]]) -> str:
    """What goes wrong when the workers come back: they give back what they hold, ack again what
    they had acked, and take every task. Changes what it looks at."""
    wrong = ""
    for queues in found:
        if queues[0].exists:
            wrong += settles_again(broker, queues[0]) + serves(broker, queues)
    [check] = broker.ask_all([("AdminService/Check", {})])
    return wrong + ("" if "problemCount" not in check else f"afterwards, check says {check}; ")


def settles_again(broker, queue: Queue) -> str:
    held, done = queue.of(LEASED), queue.of(DONE)
    replies = broker.ask_all(
        [("TaskService/Nack", {"items": [{"leaseToken": task.token,
                                          "reason": "NACK_REASON_RELEASED"}]}) for task in held]
        + [("TaskService/Ack", {"items": [{"leaseToken": task.token}]}) for task in done]
        + [("QueueService/Resume", {"name": queue.name})])
    wrong = ""
    for task, reply in zip(held + done, replies):
        outcome = (reply or {}).get("outcomes", [{"error": "refused"}])[0]
        if "error" in outcome or (task.state == DONE and not outcome.get("repeated")):
            wrong += f"the lease of {task.task_id} ({task.state}) does not hold: {outcome}; "
    return wrong


def serves(broker, queues: list[Queue]) -> str:
    [reply] = broker.ask_all([("TaskService/Lease", {"queue": queues[0].name, "maxTasks": 1000})])
    waiting = {task.task_id: task for task in queues[0].of(READY, LEASED)}
    leases = {lease["taskId"]: lease for lease in (reply or {}).get("tasks", [])}
    if leases.keys() != waiting.keys():
        return f"leased {sorted(leases)}, not {sorted(waiting)}; "
    return "".join(f"task {each} came back otherwise; " for each, lease in leases.items()
                   if not any(is_served_whole(queue.tasks[each], lease) for queue in queues))


def is_served_whole(task, lease: dict) -> bool:
    checkpoint = base64.b64decode(lease["checkpoint"]) if "checkpoint" in lease else None
    return (base64.b64decode(lease.get("payload", "")) == task.payload
            and checkpoint == task.checkpoint and int(lease["fence"]) == task.fence + 1)
