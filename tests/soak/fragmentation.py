# SPDX-License-Identifier: Apache-2.0
"""fragmentation.py [--mib N] [--rounds R] [--seed S] -- fills a store with large payloads, drains
most of it in random order, and fills it again: the file must stay near what is live.

Payloads are of other sizes each round, so that what is freed never quite fits what comes. Live is
what the tasks that are not done have in payloads; the file never shrinks, so it is held against the
fullest moment.
"""
import argparse
import base64
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from broker import Broker  # noqa: E402

QUEUE = "q"
SIZES = ((20_000, 64_000), (1000, 30_000), (60_000, 200_000))  # bytes, from and to, a round each
DRAINED = 0.95
FILE_RATIO_MAX = 1.5
LEASE_BYTES = 8 << 20  # of a reply
BATCH_BYTES = 4 << 20
ACKS_A_CALL = 40


class Store:
    def __init__(self, broker: Broker, seed: int):
        self._broker = broker
        self._dice = random.Random(seed)
        self._held: dict[str, tuple[str, int]] = {}  # token and size, by task ID
        self._next = 0
        self.live = 0  # bytes of payload

    def fill(self, bytes_max: int, sizes: tuple[int, int]) -> None:
        while self.live < bytes_max:
            tasks, size = [], 0
            while size < BATCH_BYTES and self.live + size < bytes_max:
                payload = self._dice.randbytes(self._dice.randint(*sizes))
                tasks.append({"taskId": f"t{self._next}",
                              "payload": base64.b64encode(payload).decode()})
                self._next += 1
                size += len(payload)
            self._broker.call("TaskService/Publish", queue=QUEUE, tasks=tasks, brief=True)
            self.live += size

    def drain(self, share: float) -> None:
        """Acks so much of what is there, in random order."""
        self._hold_all()
        chosen = self._dice.sample(sorted(self._held), round(share * len(self._held)))
        for at in range(0, len(chosen), ACKS_A_CALL):
            held = [self._held.pop(task_id) for task_id in chosen[at:at + ACKS_A_CALL]]
            reply = self._broker.call("TaskService/Ack",
                                      items=[{"leaseToken": token} for token, _ in held])
            assert all("error" not in outcome for outcome in reply["outcomes"]), reply
            self.live -= sum(size for _, size in held)

    def _hold_all(self) -> None:
        while tasks := self._broker.call("TaskService/Lease", queue=QUEUE, maxTasks=10000,
                                         maxBytes=LEASE_BYTES, leaseMs=3_600_000).get("tasks"):
            self._held |= {task["taskId"]: (task["leaseToken"],
                                            len(base64.b64decode(task["payload"])))
                           for task in tasks}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=64, help="payloads of a full store (64)")
    parser.add_argument("--rounds", type=int, default=3, help="of filling (3)")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    began, failed = time.monotonic(), False
    with tempfile.TemporaryDirectory(prefix="ackd-soak-") as directory:
        with Broker(Path(directory)) as broker:
            broker.call("QueueService/Create", name=QUEUE)
            store = Store(broker, wanted.seed)
            for number in range(wanted.rounds):
                store.fill(wanted.mib << 20, SIZES[number % len(SIZES)])
                shard = broker.call("AdminService/Stats")["shards"][0]
                ratio = int(shard["fileBytes"]) / store.live
                print(f"full {number + 1}: payloads {store.live >> 20} MiB, pages in use "
                      f"{int(shard['usedBytes']) >> 20} MiB, file {int(shard['fileBytes']) >> 20} "
                      f"MiB, {ratio:.2f} of the payloads", flush=True)
                failed |= ratio > FILE_RATIO_MAX
                store.drain(DRAINED)
            check = broker.call("AdminService/Check")
            failed |= "problemCount" in check
    print(f"{'WRONG: the file outgrew its data' if failed else 'the file stays near its data'}; "
          f"{time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
