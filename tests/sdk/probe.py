# SPDX-License-Identifier: Apache-2.0
"""probe.py -- a worker-probe under test, and what it says (see worker_probe.c)."""
import base64
import signal
from pathlib import Path

from processes import BUILD, Process, wait_until


class Probe:
    """One worker process on the queue "q"."""

    def __init__(self, url: str, log: Path, environment: dict[str, str] | None = None, **options):
        self.log = log
        log.touch()
        variables = {"ACKD_URL": url} | (environment or {})
        self.process = Process(
            ["env", *(f"{name}={value}" for name, value in variables.items()),
             BUILD / "tests/sdk/worker-probe", "q",
             *(f"{name}={value}" for name, value in options.items())], log)

    def lines(self, kind: str) -> list[list[str]]:
        """The words of each line that begins with `kind`, without it."""
        text = self.log.read_text(errors="replace")
        whole = text[:text.rfind("\n") + 1].splitlines()
        return [line.split()[1:] for line in whole if line.split()[:1] == [kind]]

    def begun(self) -> list[str]:
        return [words[0] for words in self.lines("begin")]

    def await_line(self, kind: str, count: int = 1) -> list[str]:
        """The words of the `count`th line of that kind, once it is there."""
        lines = wait_until(lambda: len(found := self.lines(kind)) >= count and found,
                           f"{count} lines `{kind}` in\n{self.log.read_text(errors='replace')}")
        return lines[count - 1]

    def drain(self) -> None:
        self.process.signal(signal.SIGTERM)

    def end(self) -> int:
        """The exit code, once it has ended."""
        return self.process.wait()

    def stats(self) -> dict[str, int]:
        (words,) = self.lines("stats")
        return {name: int(value) for name, value in (word.split("=") for word in words)}

    def drained(self) -> bool:
        (words,) = self.lines("drained")
        return words == ["1"]

    def status(self) -> str:
        (words,) = self.lines("run")
        return words[0]


def publish(broker, *payloads: str, prefix: str = "t", **task) -> list[str]:
    """Publishes a task a payload; returns their IDs, t000, t001, ..."""
    ids = [f"{prefix}{i:03}" for i in range(len(payloads))]
    reply = broker.call("TaskService/Publish", queue="q", tasks=[
        {"taskId": task_id, "payload": base64.b64encode(payload.encode()).decode(), **task}
        for task_id, payload in zip(ids, payloads)])
    assert int(reply.get("stored", 0)) == len(payloads)
    return ids


def queue_now(broker) -> dict:
    """The queue's counters as numbers, those of `counts` among them."""
    queue = broker.call("QueueService/Get", name="q")["queue"]
    numbers = {**queue.pop("counts", {}), **queue}
    names = ("ready", "delayed", "leased", "done", "dead", "deliveries", "failures", "preemptions",
             "losses", "salvaged", "sessions")
    return {name: int(numbers.get(name, 0)) for name in names}


def results(broker) -> dict[str, str]:
    """Task ID -> result, of all tasks of the queue."""
    found, token = {}, ""
    while True:
        page = broker.call("ResultService/List", queue="q", pageSize=1000, pageToken=token)
        for result in page.get("results", []):
            assert result["taskId"] not in found
            found[result["taskId"]] = base64.b64decode(result.get("data", "")).decode()
        token = page.get("nextPageToken", "")
        if not token:
            return found


def fence(broker, task_id: str) -> int:
    task = broker.call("TaskService/Get", queue="q", taskId=task_id)["task"]
    return int(task.get("fence", 0))
