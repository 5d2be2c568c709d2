# SPDX-License-Identifier: Apache-2.0
"""probe.py PORT -- how long a publish takes, and how long until a waiting worker has the task.

A process of its own, so that it measures the broker and not the load's own threads: one publishes
a task every few moments, another waits for it in a long poll. Prints a line for each answer that
came, `publish|lease UNIX_S MS`. The broker may go and come back.
"""
import base64
import random
import sys
import threading
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / folder) for folder in ("support", "crash")]

from script import Lost, Refused, Wire  # noqa: E402

QUEUE = "probe"
PAUSE_S = (0.005, 0.04)
WAIT_MS = 5000
RECONNECT_S = 0.02


def tell(what: str, began: float) -> None:
    now = time.time()
    print(f"{what} {now:.3f} {1000 * (now - began):.3f}\n", end="", flush=True)


def publish(wire: Wire) -> None:
    began = time.time()
    wire.ask("TaskService/Publish", queue=QUEUE,
             tasks=[{"payload": base64.b64encode(repr(began).encode()).decode()}])
    tell("publish", began)
    time.sleep(random.uniform(*PAUSE_S))


def lease(wire: Wire) -> None:
    tasks = wire.ask("TaskService/Lease", queue=QUEUE, maxTasks=10, waitMs=WAIT_MS,
                     leaseMs=1000).get("tasks", [])
    for task in tasks:
        tell("lease", float(base64.b64decode(task["payload"])))
    if tasks:
        wire.ask("TaskService/Ack", items=[{"leaseToken": task["leaseToken"]} for task in tasks])


def go_on(cycle, port: int) -> None:
    """For as long as the process lives; a call that is lost or refused is not told."""
    while True:
        try:
            with Wire(port) as wire:  # closed: a broker that stops waits a while for that
                wire.ask("QueueService/Create", name=QUEUE)
                while True:
                    cycle(wire)
        except (Lost, Refused, OSError):
            time.sleep(RECONNECT_S)


if __name__ == "__main__":
    threading.Thread(target=go_on, args=(lease, int(sys.argv[1])), daemon=True).start()
    go_on(publish, int(sys.argv[1]))
