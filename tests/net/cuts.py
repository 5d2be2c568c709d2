# SPDX-License-Identifier: Apache-2.0
"""cuts.py [--faults N] [--seed S] [--short] -- connections break at every byte, and under load.

First a client's calls, in protobuf, one at a time, alone and in pairs: its connection is cut, and
reset, after byte n of the requests and of the replies, for every n (--short: cut and reset take
turns, and each byte sees one). Each time it asks the same again on a new connection. Then
publishers and workers (tests/kill) load the broker over connections of which each has a fault of
its own, until N of them have taken place. In the end all is drained, and what the clients were told
is checked (tests/kill/checker.py), with one thing more: a lease that the broker gave in a reply
that nobody got is a lease.

No connection, call or memory may be left behind: the broker's own numbers are as before.
"""
import argparse
import contextlib
import itertools
import random
import sys
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "support"), str(TESTS / "crash"), str(TESTS / "kill")]

from account import account_of, is_drained, queue_of  # noqa: E402
from broker import Broker  # noqa: E402
from calls import Call, Caller  # noqa: E402
from checker import Checker  # noqa: E402
from clients import QUEUE, Load, Publisher, Worker  # noqa: E402
from history import History, Span, now_ms  # noqa: E402
from processes import scratch_directory, wait_until  # noqa: E402
from proxy import KINDS, REPLY, REQUEST, Fault, Proxy  # noqa: E402
from raw_http import RawClient, Reply  # noqa: E402
from script import Wire  # noqa: E402
from state import growth_bytes, rss_bytes  # noqa: E402

PUBLISHERS, WORKERS = 3, 3
TOLD_MAX = 10
FAR_BYTES = 20_000  # within which a connection's random fault is
TRICKLE_MAX = 500
PAUSE_S = 0.05
SOON_S = 5  # less than the broker's own timeouts: a client that has gone is not waited for
IDLE_FLAGS = ("--idle-timeout", "500ms", "--body-timeout", "500ms", "--header-timeout", "500ms",
              "--write-timeout", "500ms")
# A read leaves nothing behind; a task and its result leave records of so much, at most.
READ_GROWTH_BYTES = 1 << 20
TASK_GROWTH_BYTES = 2048
GROWTH_BYTES = 8 << 20

# Name -> what is sent at once, in order; what stands in one list is pipelined.
SCRIPTS = {
    "publish": [["publish"]],
    "lease with acks": [["lease"]],
    "ack": [["ack"]],
    "heartbeat": [["heartbeat"]],
    "reading a task": [["read_task"]],
    "reading a result": [["read_result"]],
    "publish, then lease on the same connection": [["publish"], ["lease"]],
    "ack and publish in one piece": [["ack", "publish"]],
}
READS = ("heartbeat", "reading a task", "reading a result")


class Overheard(RawClient):
    """Reads replies from bytes that are there already."""

    def __init__(self, data: bytes):
        self._input = data

    def _read_more(self) -> None:
        raise EOFError


class EveryByte:
    """The first part, on a broker of its own."""

    def __init__(self, broker: Broker, is_short: bool):
        self._broker = broker
        self._is_short = is_short
        self._fault: Fault | None = None
        self._proxy = Proxy(broker.port, lambda: self._fault)
        self.caller = Caller(broker.port)
        self.breaks = Counter()

    def run(self) -> list[str]:
        self.caller.settle_all()
        with self._proxy:
            for name, steps in SCRIPTS.items():
                before = rss_bytes(self._broker)
                for way, kinds in itertools.product((REQUEST, REPLY), self._turns()):
                    self._break_everywhere(name, steps, way, kinds)
                grown = growth_bytes(self._broker, before)
                if name in READS and grown > READ_GROWTH_BYTES:
                    return [f"{name}: the broker has grown by {grown} bytes"]
        return []

    def _turns(self) -> list[tuple[str, ...]]:
        """What breaks a byte in each round over all of them."""
        return [("cut", "reset")] if self._is_short else [("cut",), ("reset",)]

    def _break_everywhere(self, name: str, steps: list[list[str]], way: str,
                          kinds: tuple[str, ...]) -> None:
        for after, kind in enumerate(itertools.cycle(kinds)):
            self._fault = Fault(kind, way, after)
            calls = [[getattr(self.caller, what)() for what in step] for step in steps]
            self._try(calls)
            if not self._proxy.last.has_tripped:
                return
            self.breaks[f"{name}, in the {way}"] += 1
            self._fault = None
            self._try(calls)

    def _try(self, calls: list[list[Call]]) -> None:
        """Once, on a new connection."""
        flat = [call for step in calls for call in step]
        began = now_ms()
        heard = self._send(calls)
        if self._fault is None:
            assert len(heard) == len(flat), "no fault, and no answer"
        said = replies_in(bytes(self._proxy.last.said))
        for at, call in enumerate(flat):
            if at < len(heard):
                call.enter(Span.since(began), heard[at])
            else:
                call.enter(Span.open_since(began), None)
                if at < len(said):
                    call.overheard(Span.since(began), said[at])

    def _send(self, calls: list[list[Call]]) -> list[Reply]:
        heard = []
        with contextlib.suppress(EOFError, OSError), RawClient(self._proxy.port) as raw:
            for step in calls:
                raw.send(b"".join(call.data for call in step))
                for _ in step:
                    heard.append(raw.reply())
        return heard


class UnderLoad:
    """The second part."""

    def __init__(self, broker: Broker, seed: int, faults: int):
        self._dice = random.Random(seed)
        self._faults = faults
        self._proxy = Proxy(broker.port, self._choose)
        self.kinds = Counter()

    def run(self) -> History:
        with self._proxy:
            load = Load(self._proxy.port)
            clients = [Publisher(load, i, f"{self._dice.random()}") for i in range(PUBLISHERS)]
            clients += [Worker(load, i, f"{self._dice.random()}") for i in range(WORKERS)]
            for client in clients:
                client.start()
            wait_until(lambda: self._proxy.tripped >= self._faults or
                       not all(client.is_alive() for client in clients),
                       f"{self._faults} faults", 60 + self._faults)
            self._faults = 0  # the clients now get through, and end
            load.stop_publishing()
            for client in clients[:PUBLISHERS]:
                client.join()
            load.stop()
            for client in clients[PUBLISHERS:]:
                client.join()
        return History.joined([client.history for client in clients])

    def _choose(self) -> Fault | None:
        if self._faults == 0:
            return None
        kind, way = self._dice.choice(KINDS), self._dice.choice((REQUEST, REPLY))
        after, later = sorted(self._far_or_near() for _ in range(2))
        self.kinds[kind] += 1
        if kind == "trickle":
            return Fault(kind, way, after, 0, Fault("reset", way, min(after + TRICKLE_MAX, later)))
        return Fault(kind, way, after, PAUSE_S,
                     Fault("cut", way, later) if kind == "delay" else None)

    def _far_or_near(self) -> int:
        """Near places as often as far ones."""
        return int(FAR_BYTES ** self._dice.random()) - 1


def replies_in(data: bytes) -> list[Reply]:
    """The whole ones."""
    overheard, replies = Overheard(data), []
    while True:
        try:
            replies.append(overheard.reply())
        except EOFError:
            return replies


def judge(broker: Broker, drainer: Caller, others: History) -> list[str]:
    """Drains the broker, and says what is wrong."""
    def is_drained_by_now() -> bool:
        drainer.settle_all()
        with Wire(broker.port) as wire:  # one kept would be idle meanwhile, perhaps for too long
            return is_drained(queue_of(wire, QUEUE))

    wait_until(is_drained_by_now, "all tasks are done")
    checker = Checker(History.joined([others, drainer.history]))
    return checker.check(account_of(Wire(broker.port), QUEUE, checker))


def left_behind(broker: Broker, idle_connections: int) -> list[str]:
    """What the broker still has, of connections that are gone."""
    try:
        wait_until(lambda: broker.gauge("ackd_connections") <= idle_connections + 1,
                   "the connections are gone", SOON_S)
        wait_until(lambda: broker.gauge("ackd_request_memory_bytes") == 0, "memory is given back",
                   SOON_S)
        return []
    except AssertionError as error:
        return [str(error)]


def new_broker(directory: str, *flags: str) -> Broker:
    broker = Broker(Path(directory) / "broker", *flags)
    broker.__enter__()
    broker.call("QueueService/Create", name=QUEUE, config={
        "maxLosses": 10000, "lateResults": "LATE_RESULTS_SALVAGE"})
    return broker


def break_every_byte(is_short: bool) -> list[str]:
    with scratch_directory() as directory:
        broker = new_broker(directory)
        try:
            part = EveryByte(broker, is_short)
            before = rss_bytes(broker)
            wrong = part.run() + left_behind(broker, 1)
            grown = growth_bytes(broker, before)
            wrong += judge(broker, part.caller, History())
            tasks = len({each.task_id for each in part.caller.history.publishes})
            if grown > GROWTH_BYTES + tasks * TASK_GROWTH_BYTES:
                wrong.append(f"the broker has grown by {grown} bytes for {tasks} tasks")
            for name, count in part.breaks.items():
                print(f"{count:5} times: {name}")
            print(f"{part.breaks.total()} times cut or reset, {tasks} tasks; the broker grew by "
                  f"{grown >> 10} KiB", flush=True)
            return wrong
        finally:
            broker.__exit__()


def break_under_load(seed: int, faults: int) -> list[str]:
    with scratch_directory() as directory:
        broker = new_broker(directory, *IDLE_FLAGS)
        try:
            part = UnderLoad(broker, seed, faults)
            history = part.run()
            wrong = left_behind(broker, 0) + judge(broker, Caller(broker.port), history)
            print(", ".join(f"{count} {kind}" for kind, count in sorted(part.kinds.items())),
                  f"under load; {len(history.publishes)} publishes, {len(history.leases)} leases",
                  flush=True)
            return wrong
        finally:
            broker.__exit__()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true")
    wanted = parser.parse_args()
    began = time.monotonic()
    wrong = break_every_byte(wanted.short)
    if wanted.faults > 0:
        wrong += break_under_load(wanted.seed, wanted.faults)
    for sentence in wrong[:TOLD_MAX]:
        print(f"WRONG: seed {wanted.seed}: {sentence}", flush=True)
    print(f"{len(wrong)} promises broken; {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
