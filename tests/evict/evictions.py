# SPDX-License-Identifier: Apache-2.0
"""evictions.py [--evictions N] [--sink NAME|all] [--seed S] -- workers lose machine after machine.

Fleets of small workers, one a sink, work off queues that are never empty, while their machines are
taken away (kubelet.py), the broker dies by SIGKILL, PostgreSQL dies too, and connections to it are
cut at a commit. After each eviction what the broker calls done must be in the sink; at the end each
task has exactly one result, with the right content, and every worker has ended as it should.

The seed decides who is evicted and how, and what dies when; the work itself is never twice the
same.
"""
import argparse
import base64
import contextlib
import itertools
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / folder) for folder in ("support", "scenario", "sdk")]

from broker import Broker  # noqa: E402
from kubelet import KINDS, Kubelet, dice_of, quantile  # noqa: E402
from postgres import Postgres  # noqa: E402
from postgres_proxy import PostgresProxy  # noqa: E402
from processes import BUILD, scratch_directory, wait_until  # noqa: E402
from sinks import BrokerSink, FileSink, PostgresSink  # noqa: E402
from witness import Witness  # noqa: E402

SINKS = ("broker", "file", "postgres")
WORKERS = 15  # in all
EVICTIONS_A_SECOND = 4
SESSION_MS = 2000
RESTART_GRACE_MS = 3000  # so long sessions live at least after a start of the broker
NOTICE_S = 15.0
TASK_MS_MAX = 500
READY_MIN = 40  # of a queue; with less more are published
PUBLISHED_AT_ONCE = 60
DEATH_EVERY = 20  # evictions; of the broker or of PostgreSQL, in turns
DOWN_S_MAX = 1.0
CUT_CHANCE = 0.03  # of a commit in PostgreSQL
TICK_S = 0.02
DRAINED_WITHIN_S = 60
TOLD_MAX = 20


@dataclass
class Line:
    """One queue with its fleet and its sink."""
    queue: str
    sink: BrokerSink | FileSink | PostgresSink
    fleet: Kubelet
    broker: Broker
    payloads: dict[str, str] = field(default_factory=dict)  # of every task published
    verified: set[str] = field(default_factory=set)  # done, and in the sink

    def publish(self, dice) -> None:
        """More tasks, if there are few. Tasks have IDs, so what is unknown is published again."""
        if self.counts()["ready"] >= READY_MIN:
            return
        begin = len(self.payloads)
        more = {f"{self.queue}-{number:06}": f"echo {dice.randint(5, TASK_MS_MAX)} {dice.random()}"
                for number in range(begin, begin + PUBLISHED_AT_ONCE)}
        self.broker.call("TaskService/Publish", queue=self.queue, tasks=[
            {"taskId": task_id, "payload": base64.b64encode(payload.encode()).decode()}
            for task_id, payload in more.items()])
        self.payloads |= more

    def counts(self) -> dict[str, int]:
        queue = self.broker.call("QueueService/Get", name=self.queue)["queue"]
        numbers = queue.pop("counts", {}) | queue
        return {name: int(numbers.get(name, 0)) for name in (
            "published", "ready", "delayed", "leased", "done", "dead", "failures", "preemptions",
            "losses", "deliveries", "salvaged", "sessions")}

    def breaches(self) -> list[str]:
        """Tasks that are done and not in the sink."""
        done = [task_id for task_id in self.payloads.keys() - self.verified - self._open()]
        missing = self.sink.missing(done)
        self.verified |= set(done) - set(missing)
        return [f"{task_id} is done, and not in the sink" for task_id in missing
                if self._is_done(task_id)]

    def judge(self) -> list[str]:
        """At the end: all that must hold, and does not."""
        counts, results = self.counts(), self.sink.results()
        expected = dict(published=len(self.payloads), done=len(self.payloads), ready=0, delayed=0,
                        leased=0, dead=0, failures=0, sessions=0)
        wrong = [f"{counts[name]} are counted as {name}, not {count}"
                 for name, count in expected.items() if counts[name] != count]
        wrong += [f"{task_id} has no result" for task_id in self.payloads.keys() - results.keys()]
        wrong += [f"{task_id} has a result, and was never published"
                  for task_id in results.keys() - self.payloads.keys()]
        wrong += [f"{task_id} has the result {results[task_id]!r}, not {payload!r}"
                  for task_id, payload in self.payloads.items()
                  if results.get(task_id, payload) != payload]
        return wrong + self.sink.problems() + self.fleet.problems

    def _open(self) -> set[str]:
        """One page: they are never so many."""
        page = self.broker.call("TaskService/List", queue=self.queue, pageSize=1000)
        assert not page.get("nextPageToken"), "more tasks are open than one page holds"
        return {task["taskId"] for task in page.get("tasks", [])}

    def _is_done(self, task_id: str) -> bool:
        task = self.broker.call("TaskService/Get", queue=self.queue, taskId=task_id)["task"]
        return task["state"] == "TASK_STATE_DONE"


class World:
    """Use it with `with`."""

    def __init__(self, directory: Path, sinks: list[str], seed: int):
        self._directory = directory
        self._names = sinks
        self._seed = seed
        self._dice = dice_of(seed, "world")
        self._running = contextlib.ExitStack()
        self._postgres: Postgres | None = None
        self.proxy: PostgresProxy | None = None
        self.lines: list[Line] = []
        self.deaths: Counter[str] = Counter()
        self.wrong: list[str] = []

    def __enter__(self) -> "World":
        self.broker = self._running.enter_context(Broker(
            self._directory / "broker", "--restart-grace-ms", f"{RESTART_GRACE_MS}ms"))
        for name in self._names:
            self._add_line(name)
        return self

    def __exit__(self, *_):
        self._running.close()

    def run(self, evictions: int) -> None:
        """So many, then all that was published is done and the fleets leave."""
        began, evicted = time.monotonic(), 0
        deaths = itertools.cycle(["broker"] + (["postgres"] if self._postgres else []))
        while evicted < evictions and not self.wrong:
            self._tick()
            for line in self.lines:
                line.publish(self._dice)
            line = self._dice.choice(self.lines)
            is_due = (time.monotonic() - began) * EVICTIONS_A_SECOND >= evicted
            if not is_due or not line.fleet.evict_one():
                continue
            evicted += 1
            self.wrong += line.breaches()
            if evicted % DEATH_EVERY == 0:
                self._die(next(deaths))
        self._await(lambda: all(line.counts()["done"] == len(line.payloads) for line in self.lines),
                    "all tasks are done")
        self._await(lambda: all([line.fleet.drain_all() for line in self.lines]),
                    "the fleets have left")

    def judge(self) -> list[str]:
        found = self.broker.call("AdminService/Check").get("problemCount", 0)
        checked = [f"the broker's check finds {found} problems"] if found else []
        return self.wrong + checked + [f"{line.queue}: {sentence}" for line in self.lines
                                       for sentence in line.judge()]

    def _add_line(self, name: str) -> None:
        sink = self._make_sink(name)
        command = ["env", f"ACKD_URL={self.broker.url}", BUILD / "tests/sdk/worker-probe", name,
                   "name={name}", "points=1", f"session_ms={SESSION_MS}", "concurrency=2",
                   "prefetch=3", f"sink={sink.option}"]
        fleet = Kubelet(command, self._directory / f"workers-{name}",
                        size=WORKERS // len(self._names), notice_s=NOTICE_S, replace_after_s=0.1,
                        rng=dice_of(self._seed, name), frozen_s=SESSION_MS * 1.5 / 1000)
        self.broker.call("QueueService/Create", name=name)
        self.lines.append(Line(name, sink, self._running.enter_context(fleet), self.broker))

    def _make_sink(self, name: str):
        if name == "broker":
            return BrokerSink(self.broker, name)
        if name == "file":
            return FileSink(self._directory / "results")
        self._postgres = self._running.enter_context(Postgres())
        self.proxy = self._running.enter_context(PostgresProxy(
            self._postgres.directory, self._postgres.user, CUT_CHANCE, self._seed))
        return PostgresSink(self._postgres, self.proxy.conninfo)

    def _tick(self) -> None:
        for line in self.lines:
            line.fleet.tick()
        time.sleep(TICK_S)

    def _await(self, condition, what: str) -> None:
        def ticked():
            self._tick()
            return condition()
        try:
            wait_until(ticked, what, DRAINED_WITHIN_S)
        except AssertionError as late:
            self.wrong.append(str(late))

    def _die(self, who: str) -> None:
        """And come back after a moment."""
        server = self.broker if who == "broker" else self._postgres
        death = "kill" if who == "broker" else self._dice.choice(["crash", "kill", "stop"])
        getattr(server, death)()
        until = time.monotonic() + self._dice.uniform(0, DOWN_S_MAX)
        while time.monotonic() < until:
            self._tick()
        server.start()
        self.deaths[who] += 1


def tell(world: World, seconds: float) -> None:
    evicted = [eviction for line in world.lines for eviction in line.fleet.evicted]
    kinds = Counter(eviction.kind for eviction in evicted)
    print(f"{len(evicted)} evictions in {seconds:.0f} s: "
          + ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS)
          + "; deaths of " + ", ".join(f"{who}: {count}" for who, count in world.deaths.items())
          + (f"; commits cut: {world.proxy.cuts.total()}" if world.proxy else ""))
    lags: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for line in world.lines:
        witness, counts = Witness.of(line.fleet.directory), line.counts()
        print(f"{line.queue}: {counts['done']} of {len(line.payloads)} tasks done, "
              f"{len(line.sink.results())} results, {counts['deliveries']} leases, "
              f"{counts['preemptions']} returned, {counts['losses']} lost, "
              f"{counts['salvaged']} salvaged; computed twice: {witness.redone()}, "
              f"cut off: {witness.cut_off()}")
        for kind, values in witness.lags_s(line.fleet.evicted).items():
            lags[kind] += values
    for kind, values in lags.items():
        print(f"{kind}: {len(values)} tasks leased again, p50 {quantile(values, .5):.2f} s, "
              f"p99 {quantile(values, .99):.2f} s after the eviction")
    drains = [seconds for line in world.lines for seconds in line.fleet.drain_s]
    print(f"drains: p50 {quantile(drains, .5):.2f} s, p99 {quantile(drains, .99):.2f} s, "
          f"longest {max(drains, default=0):.2f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evictions", type=int, default=1000)
    parser.add_argument("--sink", choices=[*SINKS, "all"], default="all")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    began = time.monotonic()
    sinks = list(SINKS) if wanted.sink == "all" else [wanted.sink]
    with (scratch_directory() as directory,
          World(Path(directory), sinks, wanted.seed) as world):
        world.run(wanted.evictions)
        wrong = world.judge()
        tell(world, time.monotonic() - began)
    for sentence in wrong[:TOLD_MAX]:
        print(f"WRONG: {sentence}")
    print(f"each task has exactly one result, none was acked before it: "
          f"{f'no, {len(wrong)} times' if wrong else 'yes'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
