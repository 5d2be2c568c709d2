# SPDX-License-Identifier: Apache-2.0
"""bit_flips.py [--records N] [--all] -- bits are flipped in N records of a broker's store, one at
a time: in the first 64 bytes of each record and 32 others, or with --all in every byte.

A broker opened on the spoilt file does not start and says why, or stops with exit 1 when it comes
to the record, or its check tells of it. In any case nothing spoilt is served: every task that can
be leased is as it was published.
"""
import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from judge import Opener, is_served_whole  # noqa: E402
from mdb_file import Record, records_of  # noqa: E402
from model import LEASED, Queue  # noqa: E402
from power_cut import Recorded, record  # noqa: E402
from processes import BUILD, scratch_directory  # noqa: E402

SEED = 3
HEAD_BYTES, OTHER_BYTES = 64, 32  # of a record, without --all
STOPPED = "the opener ended with 1: ['opener: storage failed']"
STEPS = 150  # calls of each client: leaves some hundred records


def choose_records(file: bytes, count: int) -> list[Record]:
    """From all tables in turn, so that each is met."""
    tables: dict[str, list[Record]] = {}
    for each in records_of(file):
        if each.size:
            tables.setdefault(each.table, []).append(each)
    dice = random.Random(SEED)
    for records in tables.values():
        dice.shuffle(records)
    chosen = []
    while len(chosen) < count and any(tables.values()):
        chosen += [records.pop() for records in tables.values() if records]
    return chosen[:count]


class Spoiler:
    def __init__(self, file: bytes, now_ms: int, queues: list[Queue], directory: Path):
        self._file = bytearray(file)
        self._now_ms = now_ms
        self._queues = queues
        self._data = directory
        self._path = directory / "shard-0/data.mdb"
        self._path.parent.mkdir(parents=True)
        self._opener = Opener(BUILD / "tests/crash/opener")

    def end(self) -> None:
        self._opener.end()

    def flip(self, offset: int, bit: int) -> tuple[str, str]:
        """How it was noticed, and what is wrong."""
        self._file[offset] ^= 1 << bit
        try:
            self._path.write_bytes(self._file)
            if refused := self._opener.open(self._data, self._now_ms):
                return "start refused", "" if len(refused) > 20 else "refused without a sentence"
            return self._look()
        except AssertionError as error:
            self._opener = Opener(BUILD / "tests/crash/opener")
            return ("stopped", "") if str(error) == STOPPED else ("ended", str(error))
        finally:
            self._file[offset] ^= 1 << bit

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


def flip_share(recorded: Recorded, records: list[Record], is_all: bool, share: int,
               of: int) -> tuple:
    tally: Counter[str] = Counter()
    stories = []
    queues = [client.queue for client in recorded.clients]
    file = (recorded.root / "data/shard-0/data.mdb").read_bytes()
    with scratch_directory() as directory:
        spoiler = Spoiler(file, recorded.started_ms, queues, Path(directory) / "data")
        for each in records[share::of]:
            dice = random.Random(each.offset)
            for byte in choose_bytes(each.size, is_all, dice):
                how, wrong = spoiler.flip(each.offset + byte, dice.randrange(8))
                tally[how] += 1
                if wrong:
                    stories.append(f"table {each.table}, key {each.key.hex()}, byte {byte} of "
                                   f"{each.size}: {how}; {wrong}")
        spoiler.end()
    return tally, stories


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--all", action="store_true", help="every byte of each")
    wanted = parser.parse_args()
    began = time.monotonic()
    processes = os.cpu_count() or 1
    tally: Counter[str] = Counter()
    stories = []
    with tempfile.TemporaryDirectory() as directory:
        recorded = record(Path(directory), SEED, STEPS)
        file = (recorded.root / "data/shard-0/data.mdb").read_bytes()
        records = choose_records(file, wanted.records)
        with ProcessPoolExecutor(processes) as pool:
            for job in [pool.submit(flip_share, recorded, records, wanted.all, share,
                                         processes)
                        for share in range(processes)]:
                found, told = job.result()
                tally.update(found)
                stories += told
    for story in stories[:20]:
        print(f"SILENT: {story}")
    tables = Counter(each.table for each in records)
    print(f"{len(records)} records ({', '.join(f'{n} {name}' for name, n in tables.items())})")
    print(f"{sum(tally.values())} flips: {', '.join(f'{n} {how}' for how, n in tally.items())}; "
          f"{len(stories)} silent; {time.monotonic() - began:.0f} s")
    return 1 if stories else 0


if __name__ == "__main__":
    sys.exit(main())
