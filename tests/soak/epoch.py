# SPDX-License-Identifier: Apache-2.0
"""epoch.py -- one life of three queues under load: made, loaded, drained, judged, deleted.

  load-N    the clients of tests/kill, whose whole history is checked (kill/checker.py)
  mixed-N   all else that can be done to a queue, checked by numbers (mixed.py)
  fleet-N   workers of the SDK, processes that are evicted again and again (scenario/fleet.py)

A soak of hours is many epochs on one store, so that the histories stay small and the store sees
queues come and go.
"""
import random
from collections import Counter
from pathlib import Path

from account import account_of, is_drained, queue_of
from broker import Broker
from checker import Checker
from clients import Client, Load, Publisher, Worker
from fleet import Fleet
from history import History
from mixed import CONFIG, Account, Keeper, MixedPublisher, MixedWorker
from processes import BUILD, wait_until
from script import Wire

PUBLISHERS = WORKERS = MIXED_PUBLISHERS = MIXED_WORKERS = 2
FLEET_SIZE = 2
FLEET_TASKS_A_S = 10  # less than its workers do while they are evicted
DRAIN_S = 60  # a deadline
TOLD_MAX = 10
TICK_S = 0.05


class Epoch:
    def __init__(self, broker: Broker, number: int, seconds: float, seed: str, directory: Path):
        self._broker = broker
        self._dice = random.Random(seed)
        self.load = Load(broker.port, f"load-{number}")
        self.mixed = Load(broker.port, f"mixed-{number}")
        self._fleet_queue = f"fleet-{number}"
        self._fleet_tasks = max(4, int(seconds * FLEET_TASKS_A_S))
        self._account = Account(self.mixed)
        self._loaders = ([Publisher(self.load, i, f"{seed} p{i}") for i in range(PUBLISHERS)]
                         + [Worker(self.load, i, f"{seed} w{i}") for i in range(WORKERS)])
        self.keeper = Keeper(self._account, f"{seed} keeper")
        self._mixers = (
            [MixedPublisher(self._account, i, f"{seed} m{i}") for i in range(MIXED_PUBLISHERS)]
            + [MixedWorker(self._account, i, f"{seed} x{i}") for i in range(MIXED_WORKERS)]
            + [self.keeper])
        self.fleet = Fleet([BUILD / "tests/scenario/worker", broker.url, self._fleet_queue,
                            "{name}"], directory / self._fleet_queue, size=FLEET_SIZE,
                           rng=self._dice, on_event=lambda sentence: None)
        self._joined: set[str] = set()
        self.tally: Counter[str] = Counter()

    @property
    def clients(self) -> list[Client]:
        return self._loaders + self._mixers

    @property
    def queues(self) -> tuple[str, str, str]:
        return self.load.queue, self.mixed.queue, self._fleet_queue

    def begin(self) -> None:
        self._broker.call("QueueService/Create", name=self.load.queue,
                          config={"maxLosses": 10000, "lateResults": "LATE_RESULTS_SALVAGE"})
        self._broker.call("QueueService/Create", name=self.mixed.queue, config=CONFIG)
        self._broker.call("QueueService/Create", name=self._fleet_queue,
                          config={"maxLosses": 10000})
        self._broker.call("TaskService/Publish", queue=self._fleet_queue, dataset="fleet", tasks=[
            {"taskId": task_id, "payload": ""} for task_id in sorted(self._fleet_ids())])
        for client in self.clients:
            client.start()

    def tick(self, evict: bool = False) -> bool:
        """Looks after the workers' processes; evicts one, if there is one that can be."""
        self.fleet.tick()
        return evict and self.fleet.evict(self._joined)

    def look_who_joined(self) -> None:
        sessions = self._broker.call("SessionService/List", queue=self._fleet_queue)
        self._joined = {each["worker"] for each in sessions.get("sessions", [])}

    def seen(self) -> list[str]:
        """What clients themselves call wrong, who have perhaps ended by that."""
        return self.fleet.problems + [sentence for client in self.clients
                                      for sentence in client.history.wrong]

    def end(self) -> list[str]:
        """Drains the queues while the broker stays up, judges and deletes them: what is wrong."""
        for load in (self.load, self.mixed):
            load.stop_publishing()
        for client in self.clients:
            if isinstance(client, (Publisher, MixedPublisher)):
                client.join()
        wire = Wire(self._broker.port)
        wait_until(lambda: self._is_drained(wire), "all tasks are done or dead", DRAIN_S)
        self.stop()
        if wrong := self.seen():
            return wrong
        wrong = self._judge(wire)
        for queue in self.queues:
            wire.ask("QueueService/Delete", name=queue)
        return wrong

    def stop(self) -> None:
        self.load.stop()
        self.mixed.stop()
        for client in self.clients:
            if client.ident:
                client.join()
        self.fleet.__exit__()

    def _fleet_ids(self) -> set[str]:
        return {f"f{number}" for number in range(self._fleet_tasks)}

    def _is_drained(self, wire: Wire) -> bool:
        self.fleet.tick()
        mixed = queue_of(wire, self.mixed.queue)
        return (is_drained(queue_of(wire, self.load.queue)) and is_drained(mixed)
                and not int(mixed["counts"].get("dead", 0)) and self.fleet.finished())

    def _judge(self, wire: Wire) -> list[str]:
        history = History.joined([client.history for client in self._loaders])
        checker = Checker(history)
        mixed = queue_of(wire, self.mixed.queue)
        datasets = wire.ask("DatasetService/List", queue=self.mixed.queue).get("datasets", [])
        wrong = self._account.judge(mixed["counts"], datasets) + self._judge_fleet(wire)
        # The broker's check in it is of all queues.
        wrong += checker.check(account_of(wire, self.load.queue, checker))
        self.tally.update(
            tasks=len(checker.ledgers) + int(mixed["counts"]["published"]) + self._fleet_tasks,
            leases=len(history.leases) + int(mixed["deliveries"]),
            calls=sum(client.calls for client in self.clients),
            unknown=sum(client.unknown for client in self.clients),
            evicted=self.fleet.evictions(), purged=int(mixed["counts"].get("purged", 0)),
            failures=int(mixed.get("failures", 0)), lost_leases=int(mixed.get("losses", 0)),
            results_read=self.keeper.results_read)
        return wrong[:TOLD_MAX]

    def _judge_fleet(self, wire: Wire) -> list[str]:
        counts = {name: int(count)
                  for name, count in queue_of(wire, self._fleet_queue)["counts"].items()}
        reply = wire.ask("ResultService/List", queue=self._fleet_queue, idsOnly=True,
                         taskIds=sorted(self._fleet_ids()))
        results = {result["taskId"] for result in reply.get("results", [])}
        wrong = []
        if counts != {"published": self._fleet_tasks, "done": self._fleet_tasks}:
            wrong.append(f"of the fleet's {self._fleet_tasks} tasks are {counts}")
        if results != self._fleet_ids():
            wrong.append(f"the fleet's results are of {len(results)} of its tasks")
        return wrong
