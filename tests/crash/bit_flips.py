# SPDX-License-Identifier: Apache-2.0
"""bit_flips.py [--records N] [--all] -- bits are flipped in N records of a broker's store, one at
a time: in the first 64 bytes of each record and 32 others, or with --all in every byte.

  data.mdb   of a broker that ended in order: all records, the mark of the log among them
  wal        of one that was killed: its head, the last record, some before it

A broker opened on the spoilt file does not start and says why, or stops with exit 1 when it comes
to the record, or its check tells of it. In any case nothing spoilt is served: every task that can
be leased is as it was published. The log's last record alone may be spoilt without a word: it then
looks as if its writing had been cut off, and the broker knows what it knew before it.
"""
import argparse
import itertools
import os
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from judge import Opener, is_served_whole, judge, look  # noqa: E402
from mdb_file import Record, records_of  # noqa: E402
from model import LEASED, Queue  # noqa: E402
from power_cut import Recorded, record, write_sparse  # noqa: E402
from processes import BUILD, scratch_directory  # noqa: E402
from wal_file import FILE_HEAD, MARK_KEY, log_records  # noqa: E402

SEED = 3
HEAD_BYTES, OTHER_BYTES = 64, 32  # of a record, without --all
STOPPED = "the opener ended with 1: ['opener: storage failed']"
STEPS = 150  # calls of each client: leaves some hundred records
MAP_SIZE = "64MiB"  # so that the log has some records at any time
LOG_RECORDS = 5  # of the log, the last among them
FILES = ("data.mdb", "wal")


@dataclass(frozen=True)
class Target:
    """Bytes of one file, each of which must tell when a bit of it flips."""
    file: str
    name: str  # for people
    offset: int
    size: int
    is_last: bool = False  # of the log


def choose_records(file: bytes, count: int) -> list[Record]:
    """The mark, and from all tables in turn, so that each is met."""
    tables: dict[str, list[Record]] = {}
    for each in records_of(file):
        if each.size:
            tables.setdefault(each.table, []).append(each)
    dice = random.Random(SEED)
    for records in tables.values():
        dice.shuffle(records)
        records.sort(key=lambda each: each.key == MARK_KEY)
    chosen = []
    while len(chosen) < count and any(tables.values()):
        chosen += [records.pop() for records in tables.values() if records]
    return chosen[:count]


def targets_in_data(data_file: bytes, count: int) -> list[Target]:
    return [Target("data.mdb", f"{each.table}, key {each.key.hex()}", each.offset, each.size)
            for each in choose_records(data_file, count)]


def targets_in_log(files: dict[str, bytes]) -> list[Target]:
    records = log_records(files["wal"], files["data.mdb"])
    stride = len(records) // LOG_RECORDS
    return [Target("wal", "head", 0, FILE_HEAD.size)] + [
        Target("wal", f"record {each.number}", each.offset, each.size, each is records[-1])
        for each in records[::-stride][:LOG_RECORDS]]


def read_files(directory: Path) -> dict[str, bytes]:
    return {name: (directory / "shard-0" / name).read_bytes() for name in FILES}


class Spoiler:
    def __init__(self, files: dict[str, bytes], recorded: Recorded, directory: Path):
        self._files = {name: bytearray(content) for name, content in files.items()}
        self._now_ms = recorded.started_ms
        self._clients = recorded.clients
        self._queues = [client.queue for client in recorded.clients]
        self._data = directory
        (directory / "shard-0").mkdir(parents=True)
        self._opener = Opener(BUILD / "tests/crash/opener")

    def end(self) -> None:
        self._opener.end()

    def settle(self) -> dict[str, bytes]:
        """The files after a broker was started on them and ended in order. Unspoilt they have all
        that was confirmed, or no flip would prove anything."""
        self._write()
        assert self._opener.open(self._data, self._now_ms) == ""
        wrong, _ = judge(self._opener, {queue.name: [queue] for queue in self._queues})
        assert wrong == "", wrong
        self._opener.close()
        return read_files(self._data)

    def flip(self, target: Target, byte: int, bit: int) -> tuple[str, str]:
        """How it was noticed, and what is wrong."""
        file = self._files[target.file]
        file[target.offset + byte] ^= 1 << bit
        try:
            self._write()
            if refused := self._opener.open(self._data, self._now_ms):
                return "start refused", "" if len(refused) > 20 else "refused without a sentence"
            return self._look_at_the_last() if target.is_last else self._look()
        except AssertionError as error:
            self._opener = Opener(BUILD / "tests/crash/opener")
            return ("stopped", "") if str(error) == STOPPED else ("ended", str(error))
        finally:
            file[target.offset + byte] ^= 1 << bit

    def _write(self) -> None:
        for name, content in self._files.items():
            write_sparse(self._data / "shard-0" / name, content)

    def _look_at_the_last(self) -> tuple[str, str]:
        """Each queue is as confirmed, but for the calls of the log's last record."""
        wrong = ""
        for client in self._clients:
            told = look(self._opener, client.queue.name)
            if not any(not entry.queue.differs(told) for entry in client.book[-1:-4:-1]):
                wrong += f"queue {client.queue.name} is as after none of its last calls; "
        [check] = self._opener.ask_all([("AdminService/Check", {})])
        self._opener.close()
        return "taken for a cut", wrong + ("" if "problemCount" not in check else f"{check}; ")

    def _look(self) -> tuple[str, str]:
        [check] = self._opener.ask_all([("AdminService/Check", {})])
        wrong = "".join(self._served_wrongly(queue) for queue in self._queues)
        self._opener.close()
        if check is not None and "problemCount" not in check:
            wrong += "the check does not notice it; "
        return "told by the check", wrong

    def _served_wrongly(self, queue: Queue) -> str:
        held = queue.of(LEASED)
        replies = self._opener.ask_all(
            [("QueueService/Resume", {"name": queue.name})]
            + [("TaskService/Nack", {"items": [{"leaseToken": task.token,
                                                "reason": "NACK_REASON_RELEASED"}]})
               for task in held]
            + [("TaskService/Lease", {"queue": queue.name, "maxTasks": 1000})])
        leases = (replies[-1] or {}).get("tasks", [])
        return "".join(f"task {lease['taskId']} is served otherwise; " for lease in leases
                       if lease["taskId"] not in queue.tasks
                       or not self._is_whole(queue.tasks[lease["taskId"]], lease))

    @staticmethod
    def _is_whole(task, lease: dict) -> bool:
        """A checkpoint that can't be read is left out: the task then begins anew."""
        return is_served_whole(task, lease) or (
            "checkpoint" not in lease and is_served_whole(task.waiting(checkpoint=None), lease))


def choose_bytes(size: int, is_all: bool, dice: random.Random) -> list[int]:
    if is_all or size <= HEAD_BYTES + OTHER_BYTES:
        return list(range(size))
    return list(range(HEAD_BYTES)) + dice.sample(range(HEAD_BYTES, size), OTHER_BYTES)


def flip_share(recorded: Recorded, files: dict[str, bytes], targets: list[Target], is_all: bool,
               share: int, of: int) -> tuple:
    tally: Counter[tuple[str, str]] = Counter()
    stories = []
    with scratch_directory() as directory:
        spoiler = Spoiler(files, recorded, Path(directory) / "data")
        for each in targets[share::of]:
            dice = random.Random(each.offset)
            for byte in choose_bytes(each.size, is_all, dice):
                how, wrong = spoiler.flip(each, byte, dice.randrange(8))
                tally[each.file, how] += 1
                if wrong:
                    stories.append(f"{each.file}, {each.name}, byte {byte} of {each.size}: {how}; "
                                   f"{wrong}")
        spoiler.end()
    return tally, stories


def record_with_log(directory: Path) -> Recorded:
    """One that was not killed right after a checkpoint."""
    for seed in itertools.count(SEED):
        (directory / str(seed)).mkdir()
        recorded = record(directory / str(seed), seed, STEPS, map_size=MAP_SIZE)
        files = read_files(recorded.root / "data")
        if len(log_records(files["wal"], files["data.mdb"])) >= LOG_RECORDS:
            return recorded


def settled(recorded: Recorded, files: dict[str, bytes]) -> dict[str, bytes]:
    with scratch_directory() as directory:
        spoiler = Spoiler(files, recorded, Path(directory) / "data")
        try:
            return spoiler.settle()
        finally:
            spoiler.end()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--all", action="store_true", help="every byte of each")
    wanted = parser.parse_args()
    began = time.monotonic()
    processes = os.cpu_count() or 1
    tally: Counter[tuple[str, str]] = Counter()
    stories = []
    with tempfile.TemporaryDirectory() as directory:
        recorded = record_with_log(Path(directory))
        killed = read_files(recorded.root / "data")
        ended = settled(recorded, killed)
        work = [(ended, targets_in_data(ended["data.mdb"], wanted.records)),
                (killed, targets_in_log(killed))]
        with ProcessPoolExecutor(processes) as pool:
            for job in [pool.submit(flip_share, recorded, files, targets, wanted.all, share,
                                    processes)
                        for files, targets in work for share in range(processes)]:
                found, told = job.result()
                tally.update(found)
                stories += told
    for story in stories[:20]:
        print(f"SILENT: {story}")
    for (file, how), number in sorted(tally.items()):
        print(f"{file}: {number} {how}")
    print(f"{sum(tally.values())} flips in {sum(len(targets) for _, targets in work)} records; "
          f"{len(stories)} silent; {time.monotonic() - began:.0f} s")
    return 1 if stories else 0


if __name__ == "__main__":
    sys.exit(main())
