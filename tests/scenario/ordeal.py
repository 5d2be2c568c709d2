# SPDX-License-Identifier: Apache-2.0
"""ordeal.py -- a dataset is worked off while workers are evicted and the broker is killed.

run() drives it: ticks the fleet, evicts a worker every few seconds, kills the broker when a third
and when two thirds of the tasks are done and starts it again after a moment, until all workers have
seen the end of the queue. audit() then says every count that must hold, and whether it does.
"""
import http.client
import time
from dataclasses import dataclass, field

from broker import Broker
from fleet import Fleet

TICK_S = 0.05
POLL_S = 0.2
# All that a dataset tells, as integers: its Counts, then its own fields.
COUNTS = ("published", "ready", "delayed", "leased", "done", "dead")
EVENTS = ("deliveries", "failures", "preemptions", "losses", "salvaged", "usefulLeaseMs",
          "wastedLeaseMs")


@dataclass
class Ordeal:
    broker: Broker
    fleet: Fleet
    queue: str
    dataset: str
    tasks: int
    evict_every_s: float
    broker_kills: int = 2
    broker_down_s: float = 1.0
    on_event: object = print
    on_progress: object = lambda counts: None
    broker_killed: int = 0
    joined: set = field(default_factory=set)  # workers that had a session when last asked
    counts: dict = field(default_factory=lambda: dict.fromkeys(COUNTS + EVENTS, 0))

    def run(self, timeout_s: float) -> None:
        start = last_eviction = time.monotonic()
        last_poll = 0.0
        while not self.fleet.finished():
            now = time.monotonic()
            if now >= start + timeout_s:
                raise AssertionError(f"not done within {timeout_s:g} s: {self.counts}")
            self.fleet.tick()
            if now >= last_poll + POLL_S:
                last_poll = now
                self._poll()
            if self._eviction_is_due(now - last_eviction) and self.fleet.evict(self.joined):
                last_eviction = now
            if self._broker_is_due():
                self._restart_broker()
            time.sleep(TICK_S)
        self._poll()

    def _poll(self) -> None:
        try:
            self.counts = dataset_counts(self.broker, self.queue, self.dataset)
            sessions = self.broker.call("SessionService/List", queue=self.queue)
        except (OSError, http.client.HTTPException):
            return  # it is just being killed
        self.joined = {each["worker"] for each in sessions.get("sessions", [])}
        self.on_progress(self.counts)

    def _eviction_is_due(self, since_last_s: float) -> bool:
        return since_last_s >= self.evict_every_s and self.counts["done"] < self.tasks

    def _broker_is_due(self) -> bool:
        if self.broker_killed == self.broker_kills:
            return False
        share = (self.broker_killed + 1) / (self.broker_kills + 1)
        return self.counts["done"] >= share * self.tasks

    def _restart_broker(self) -> None:
        self.broker.kill()
        self.broker_killed += 1
        self.on_event("the broker is killed: SIGKILL")
        down_until = time.monotonic() + self.broker_down_s
        while time.monotonic() < down_until:
            self.fleet.tick()
            time.sleep(TICK_S)
        self.broker.start()
        self.on_event("the broker is back")

    def audit(self, wanted_ids: set[str], result_ids: list[str]) -> list[tuple[bool, str]]:
        """(holds, the sentence) for every count. `result_ids` come from the sink itself."""
        counts = self.counts
        printed = [line["task_id"] for line in self.fleet.printed()]
        open_tasks = counts["ready"] + counts["delayed"] + counts["leased"]
        ended = (counts["done"] + counts["failures"] + counts["preemptions"] + counts["losses"])
        return [
            (counts["published"] == len(wanted_ids), f"{counts['published']} tasks were published"),
            (counts["done"] == len(wanted_ids), f"{counts['done']} are done"),
            (open_tasks == 0, f"{open_tasks} are open"),
            (counts["dead"] == 0 and counts["failures"] == 0,
             f"{counts['dead']} are dead, {counts['failures']} attempts failed"),
            (len(result_ids) == len(set(result_ids)), "no result is there twice"),
            (set(result_ids) == wanted_ids, f"{len(set(result_ids))} task IDs have a result"),
            (set(printed) == wanted_ids, f"workers computed {len(set(printed))} of the tasks"),
            # A salvaged ack ends a delivery that was counted as lost, and may cut short a newer.
            (abs(counts["deliveries"] - ended) <= counts["salvaged"],
             f"{counts['deliveries']} deliveries, of which {ended} ended as done, failed, returned "
             f"or lost ({counts['salvaged']} salvaged)"),
            (self.broker_killed == self.broker_kills,
             f"the broker was killed {self.broker_killed} times"),
            (self.fleet.terminated > 0 and self.fleet.killed > 0,
             f"workers were evicted {self.fleet.terminated} times by SIGTERM, "
             f"{self.fleet.killed} times by SIGKILL"),
            (not self.fleet.problems, "; ".join(self.fleet.problems) or
             "every worker ended as it should"),
        ]

    def redone(self) -> int:
        """Computations that were not the first of their task."""
        printed = [line["task_id"] for line in self.fleet.printed()]
        return len(printed) - len(set(printed))


def dataset_counts(broker: Broker, queue: str, dataset: str) -> dict[str, int]:
    found = broker.call("DatasetService/Get", queue=queue, dataset=dataset)["dataset"]
    counts = {name: int(found["counts"].get(name, 0)) for name in COUNTS}
    return counts | {name: int(found.get(name, 0)) for name in EVENTS}


def broker_results(broker: Broker, queue: str) -> list[str]:
    """The task IDs of all results that the broker keeps, page by page."""
    ids, token = [], ""
    while True:
        page = broker.call("ResultService/List", queue=queue, pageToken=token, idsOnly=True)
        ids += [result["taskId"] for result in page.get("results", [])]
        token = page.get("nextPageToken", "")
        if not token:
            return ids
