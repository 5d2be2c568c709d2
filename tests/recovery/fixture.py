# SPDX-License-Identifier: Apache-2.0
"""fixture.py DIR -- makes a store of this ackd's format and a listing of what is in it.

    ACKD_BUILD_DIR=build python3 tests/recovery/fixture.py tests/recovery/format-N

Run once for each format, when it is new, and kept: brokers to come must read it (test_upgrade.py).

  data.mdb.xz    the store of a broker that was killed, and its log, which has what was committed
  wal.xz         last (formats 2 and 3 have no log: their brokers were stopped in order)
  listing.json   each queue as its client's replies made it (crash/model.py): tasks with state,
                 fence, counters and lease token, sessions, checkpoints, results, dead letters;
                 bytes as the word that is repeated, and their size
"""
import dataclasses
import itertools
import json
import lzma
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "support"), str(TESTS / "crash")]

from broker import Broker  # noqa: E402
from model import COUNTED, LEASED, Queue, Task  # noqa: E402
from script import Client, now_ms  # noqa: E402
from wal_file import log_records  # noqa: E402

CLIENTS, STEPS = 3, 130
LOG_RECORDS = 10  # at least
FILES = ("data.mdb", "wal")
BYTES = ("payload", "checkpoint", "result")
WORD_BYTES = 4
FIELDS = ("checkpoint", "result", "session", "dataset", "attributes", "priority", "failures",
          "preemptions", "losses", "last_error")


class PlainClient(Client):
    """Its bytes are a word again and again, so that the fixture is small and can be read."""

    def _bytes(self) -> bytes:
        word = "".join(self._dice.choices("abcdefghij", k=WORD_BYTES)).encode()
        return repeat(word, self._dice.choice((1, 30, 200, 200, 900, 5000)))


def repeat(word: bytes, size: int) -> bytes:
    return (word * (size // WORD_BYTES + 1))[:size]


def lacks(queues: list[Queue]) -> str:
    """What a fixture should have and this one has not; empty: nothing."""
    tasks = [task for queue in queues for task in queue.tasks.values()]
    states = {task.state for task in tasks}
    missing = [state for state in COUNTED if state not in states]
    missing += [name for name in FIELDS if not any(getattr(task, name) for task in tasks)]
    missing += [name for name in BYTES  # in chunks
                if max(len(getattr(task, name) or b"") for task in tasks) < 5000]
    if not any(task.state == LEASED and not task.session for task in tasks):
        missing.append("a lease without a session")
    missing += [name for name in ("purged", "sessions", "paused")
                if not any(getattr(queue, name) for queue in queues)]
    return ", ".join(missing)


def save(directory: Path, files: dict[str, bytes], queues: list[Queue], at_ms: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / f"{name}.xz").write_bytes(
            lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    listing = {"at_unix_ms": at_ms, "queues": [as_json(queue) for queue in queues]}
    (directory / "listing.json").write_text(json.dumps(listing, indent=1, sort_keys=True) + "\n")


def load(directory: Path) -> tuple[dict[str, bytes], list[Queue], int]:
    """The files, the queues, and the time at which they were so."""
    listing = json.loads((directory / "listing.json").read_text())
    files = {path.stem: lzma.decompress(path.read_bytes()) for path in directory.glob("*.xz")}
    return (files, [as_queue(queue) for queue in listing["queues"]], listing["at_unix_ms"])


def as_json(queue: Queue) -> dict:
    tasks = []
    for task in queue.tasks.values():
        fields = dataclasses.asdict(task)
        fields |= {name: [fields[name][:WORD_BYTES].decode(), len(fields[name])]
                   for name in BYTES if fields[name] is not None}
        tasks.append({name: value for name, value in fields.items() if value or name == "task_id"})
    return dataclasses.asdict(queue) | {"tasks": tasks, "sessions": sorted(queue.sessions)}


def as_queue(fields: dict) -> Queue:
    return Queue(**fields | {
        "tasks": {task["task_id"]: as_task(task) for task in fields["tasks"]},
        "sessions": frozenset(fields["sessions"])})


def as_task(fields: dict) -> Task:
    values = {name: repeat(value[0].encode(), value[1]) if name in BYTES else value
              for name, value in fields.items()}
    values["attributes"] = tuple(map(tuple, values.get("attributes", ())))
    if due := values.get("due_ms"):
        values["due_ms"] = tuple(due)
    return Task(**{"payload": b""} | values)


def make() -> tuple[dict[str, bytes], list[Queue], int]:
    made = (make_one(seed) for seed in itertools.count(1))
    return next(each for each in made if not lacks(each[1]) and is_in_use(each[0]))


def is_in_use(files: dict[str, bytes]) -> bool:
    return len(log_records(files["wal"], files["data.mdb"])) >= LOG_RECORDS


def make_one(seed: int) -> tuple[dict[str, bytes], list[Queue], int]:
    clients = [PlainClient(f"q{number}", seed * 100 + number) for number in range(CLIENTS)]
    with tempfile.TemporaryDirectory(prefix="ackd-fixture-") as directory:
        with Broker(Path(directory)) as broker:
            for client in clients:
                client.connect(broker.port)
                client.run(STEPS)
            at_ms = now_ms()
        shard = Path(directory) / "data/shard-0"
        return ({name: (shard / name).read_bytes() for name in FILES},
                [client.queue for client in clients], at_ms)


if __name__ == "__main__":
    made = make()
    save(Path(sys.argv[1]), *made)
    assert load(Path(sys.argv[1])) == made
    for each in made[1]:
        print(each.name, {name: len(each.of(state)) for state, name in COUNTED.items()},
              f"{len(each.sessions)} sessions")
