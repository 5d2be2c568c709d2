# SPDX-License-Identifier: Apache-2.0
"""Backups beside a broker at work: whole or without a name, complete, paced, and cheap enough."""
import base64
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from broker import Broker, Refused
from processes import BUILD, wait_until
from small_disk import small_disk

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in ("crash", "kill")]

from account import account_of, is_drained, queue_of  # noqa: E402
from checker import Checker  # noqa: E402
from clients import QUEUE, Load, Publisher, Worker  # noqa: E402
from history import DUPLICATE, OK, REPEATED, SALVAGED, History, now_ms  # noqa: E402
from script import Wire  # noqa: E402

MIB = 1 << 20
PUBLISHERS = WORKERS = 2
CHUNK = 1000


def check(directory: Path) -> subprocess.CompletedProcess:
    return subprocess.run([BUILD / "broker/daemon/ackd", "--check", "--data-dir", directory],
                          capture_output=True, text=True, check=False)


def fill(broker: Broker, mib: int, queue: str = "ballast") -> None:
    """So much that lies there and does not change."""
    broker.call("QueueService/Create", name=queue)
    payload = base64.b64encode(os.urandom(64 << 10)).decode()
    for _ in range(mib):
        broker.call("TaskService/Publish", queue=queue, tasks=[{"payload": payload}] * 16)


def file_bytes(broker: Broker) -> int:
    return int(broker.call("AdminService/Stats")["shards"][0]["fileBytes"])


def tree_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("data.mdb"))


def backups(broker: Broker) -> list[str]:
    parent = broker.directory / "data/backups"
    return sorted(path.name for path in parent.iterdir()) if parent.exists() else []


class Backup(threading.Thread):
    """One that is asked for while the test goes on."""

    def __init__(self, broker: Broker, name: str):
        super().__init__(daemon=True)
        self.began_ms = now_ms()
        self.reply: dict | None = None
        self.refusal: Refused | None = None
        self._broker = broker
        self._name = name
        self.start()
        wait_until(lambda: f"{name}.partial" in backups(broker) or not self.is_alive(),
                   "the copy has begun")

    def run(self) -> None:
        try:
            self.reply = self._broker.call("AdminService/Backup", name=self._name)
        except Refused as refusal:
            self.refusal = refusal
        except OSError:
            pass  # the broker is gone


class FullLoad:
    """Clients that keep a history. Use it with `with`; at the end all is drained and checked."""

    def __init__(self, broker: Broker):
        self._broker = broker
        self._load = Load(broker.port)
        self.publishers = [Publisher(self._load, i, f"p{i}") for i in range(PUBLISHERS)]
        self.workers = [Worker(self._load, i, f"w{i}") for i in range(WORKERS)]

    @property
    def history(self) -> History:
        return History.joined([each.history for each in self.publishers + self.workers])

    def __enter__(self) -> "FullLoad":
        self._broker.call("QueueService/Create", name=QUEUE, config={"maxLosses": 10000})
        for client in self.publishers + self.workers:
            client.start()
        wait_until(lambda: len(self.history.settles) > 3000, "the load is on")
        return self

    def __exit__(self, failed, *_):
        self._load.stop_publishing()
        for publisher in self.publishers:
            publisher.join()
        wire = Wire(self._broker.port)
        try:
            if not failed:
                wait_until(lambda: is_drained(queue_of(wire, QUEUE)), "all tasks are done")
        finally:
            self._load.stop()
            for worker in self.workers:
                worker.join()
        if not failed:
            checker = Checker(self.history)
            assert checker.check(account_of(wire, QUEUE, checker)) == []


def confirmed_before(history: History, time_ms: float) -> tuple[set[str], set[str]]:
    """The tasks whose publish, and those whose ack, had been confirmed by then."""
    stored = {each.task_id for each in history.publishes
              if each.outcome in (OK, DUPLICATE) and each.span.ended < time_ms}
    done = {each.task_id for each in history.settles if each.verb == "ack"
            and each.outcome in (OK, REPEATED, SALVAGED) and each.span.ended < time_ms}
    return stored, done


def test_a_backup_under_full_load_has_all_that_was_confirmed_before_it_began(tmp_path):
    with Broker(tmp_path / "one", "--backup-rate", "16MiB", "--restart-grace-ms", "0") as broker:
        fill(broker, 16)
        with FullLoad(broker) as load:
            backup = Backup(broker, "b")
            backup.join()
            stored, done = confirmed_before(load.history, backup.began_ms)
    assert backup.reply["path"] == "backups/b" and backups(broker) == ["b"]
    copy = broker.directory / "data/backups/b"
    checked = check(copy)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    with Broker(tmp_path / "two", "--data-dir", str(copy), "--restart-grace-ms", "0") as restored:
        assert len(stored) > 1000 and len(done) > 500
        for at in range(0, len(stored), CHUNK):
            ids = sorted(stored)[at:at + CHUNK]
            reply = restored.call("TaskService/Publish", queue=QUEUE, brief=True,
                                  tasks=[{"taskId": task_id} for task_id in ids])
            assert reply.get("stored", 0) == 0, "a confirmed task is not in the copy"
        assert served_at_all(restored).isdisjoint(done), "a done task is served by the copy"


def served_at_all(broker: Broker) -> set[str]:
    """The tasks that a broker has to give, until all leases of its past have ended."""
    served: set[str] = set()

    def take_all() -> bool:
        while tasks := broker.call("TaskService/Lease", queue=QUEUE, maxTasks=CHUNK).get("tasks"):
            served.update(task["taskId"] for task in tasks)
            broker.call("TaskService/Ack",
                        items=[{"leaseToken": task["leaseToken"]} for task in tasks])
        return is_drained(broker.call("QueueService/Get", name=QUEUE)["queue"])

    wait_until(take_all, "the copy is drained")
    return served


def test_a_backup_keeps_its_pace_while_the_store_rests(tmp_path):
    with Broker(tmp_path, "--backup-rate", "8MiB") as broker:
        fill(broker, 12)
        began = time.monotonic()
        broker.call("AdminService/Backup", name="b")
        assert time.monotonic() - began > 1.2


def test_a_slow_backup_hurries_once_the_store_has_grown_by_a_quarter_of_it(tmp_path):
    with Broker(tmp_path, "--backup-rate", "1MiB") as broker:
        fill(broker, 24)
        with FullLoad(broker):
            before = file_bytes(broker)
            began = time.monotonic()
            backup = Backup(broker, "b")
            backup.join()
            took_s, grown = time.monotonic() - began, file_bytes(broker) - before
    print(f"{before / MIB:.0f} MiB copied in {took_s:.1f} s; file grew by {grown / MIB:.1f} MiB")
    assert backup.reply and took_s < before / MIB, "it kept a pace that cost more and more"
    assert grown < before / 2


def test_a_backup_that_was_cut_off_has_no_name_and_starts_no_broker(tmp_path):
    with Broker(tmp_path / "one", "--backup-rate", "1MiB") as broker:
        fill(broker, 8)
        Backup(broker, "b")
        rest = broker.directory / "data/backups/b.partial"
        wait_until(lambda: tree_bytes(rest) > 0, "the copy has some of its bytes")
        broker.kill()
        assert backups(broker) == ["b.partial"]
        assert check(rest).returncode == 1
        with pytest.raises(AssertionError, match="is damaged .*restore a backup"):
            with Broker(tmp_path / "two", "--data-dir", str(rest)):
                pass
        broker.start()
        wait_until(lambda: backups(broker) == [], "what the broker that died left is removed")
        wait_until(lambda: begins(broker, "b"), "the same name is free again")
        assert broker.stop() == 0


def begins(broker: Broker, name: str) -> bool:
    backup = Backup(broker, name)
    backup.join(0.2)
    return backup.refusal is None


def test_a_backup_does_not_hold_up_the_end_of_the_broker(tmp_path):
    with Broker(tmp_path, "--backup-rate", "1MiB") as broker:
        fill(broker, 12)
        backup = Backup(broker, "b")
        began = time.monotonic()
        assert broker.stop() == 0
        assert time.monotonic() - began < 5
        backup.join()
        assert backup.refusal.code == "unavailable", backup.refusal
        assert backups(broker) == []


def test_a_second_backup_is_refused_while_one_is_under_way(tmp_path):
    with Broker(tmp_path, "--backup-rate", "4MiB") as broker:
        fill(broker, 8)
        first = Backup(broker, "b")
        with pytest.raises(Refused, match="under way already"):
            broker.call("AdminService/Backup", name="c")
        first.join()
        assert first.reply and backups(broker) == ["b"]
        broker.call("AdminService/Backup", name="c")
        assert backups(broker) == ["b", "c"]


def test_a_backup_that_finds_no_room_says_so_and_leaves_nothing(tmp_path):
    with small_disk(tmp_path / "data", "16m"), Broker(tmp_path) as broker:
        fill(broker, 9)
        with pytest.raises(Refused, match="no room") as refused:
            broker.call("AdminService/Backup", name="b")
        assert refused.value.code == "resource_exhausted" and backups(broker) == []
        broker.call("TaskService/Publish", queue="ballast", tasks=[{}])


def test_all_shards_are_copied_under_one_name(tmp_path):
    with Broker(tmp_path / "one", "--shards", "3") as broker:
        for number in range(6):
            broker.call("QueueService/Create", name=f"q{number}")
            broker.call("TaskService/Publish", queue=f"q{number}", tasks=[{"taskId": "t"}])
        broker.call("AdminService/Backup", name="b")
    copy = broker.directory / "data/backups/b"
    assert sorted(path.name for path in copy.iterdir()) == ["shard-0", "shard-1", "shard-2"]
    assert check(copy).returncode == 0
    with Broker(tmp_path / "two", "--shards", "3", "--data-dir", str(copy)) as restored:
        for number in range(6):
            found = restored.call("QueueService/Get", name=f"q{number}")["queue"]
            assert found["counts"]["ready"] == "1"
