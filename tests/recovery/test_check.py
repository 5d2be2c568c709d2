# SPDX-License-Identifier: Apache-2.0
"""`ackd --check` on a directory that no broker uses."""
import subprocess
import sys
from pathlib import Path

from broker import Broker
from processes import BUILD

sys.path.append(str(Path(__file__).resolve().parents[1] / "crash"))

from mdb_file import records_of  # noqa: E402
from wal_file import log_records  # noqa: E402


def check(directory: Path, *flags: str) -> subprocess.CompletedProcess:
    return subprocess.run([BUILD / "broker/daemon/ackd", "--check", "--data-dir", directory,
                           *flags], capture_output=True, text=True, check=False)


def make(directory: Path, *flags: str) -> Path:
    """A data directory with ten tasks, of which one is done."""
    with Broker(directory, *flags) as broker:
        broker.call("QueueService/Create", name="q")
        broker.call("TaskService/Publish", queue="q",
                    tasks=[{"taskId": f"t{number}"} for number in range(10)])
        [task] = broker.call("TaskService/Lease", queue="q", maxTasks=1)["tasks"]
        broker.call("TaskService/Ack", items=[{"leaseToken": task["leaseToken"]}])
        assert broker.stop() == 0
    return directory / "data"


def test_a_sound_directory_is_read_and_left_as_it_is(tmp_path):
    data = make(tmp_path)
    before = files_in(data)
    checked = check(data)
    assert checked.returncode == 0 and checked.stdout.endswith(" records read, 0 problems\n")
    assert int(checked.stdout.split()[0]) > 20
    assert files_in(data) == before


def files_in(data: Path) -> dict[str, bytes]:
    return {name: (data / "shard-0" / name).read_bytes() for name in ("data.mdb", "wal")}


def test_what_a_killed_broker_has_in_its_log_alone_is_read_too(tmp_path):
    data = make(tmp_path)
    before = int(check(data).stdout.split()[0])
    with Broker(tmp_path) as broker:
        for turn in range(10):  # a checkpoint of what came before may fall in between
            broker.call("TaskService/Publish", queue="q",
                        tasks=[{"taskId": f"u{turn}-{number}"} for number in range(100)])
            broker.kill()
            files = files_in(data)
            if log_records(files["wal"], files["data.mdb"]):
                break
            broker.start()
        else:
            raise AssertionError("all of it is in data.mdb")
    checked = check(data)
    assert checked.returncode == 0 and checked.stdout.endswith(" records read, 0 problems\n")
    assert int(checked.stdout.split()[0]) >= before + 100


def test_a_log_that_is_missing_or_damaged_is_told(tmp_path):
    data = make(tmp_path)
    log = data / "shard-0/wal"
    content = log.read_bytes()
    log.unlink()
    checked = check(data)
    assert checked.returncode == 1 and "lacks its file wal" in checked.stderr
    assert not log.exists()
    log.write_bytes(content[:17] + b"?" + content[18:])
    checked = check(data)
    assert checked.returncode == 1 and "wal" in checked.stderr and "is damaged" in checked.stderr


def test_every_shard_that_is_there_is_read(tmp_path):
    data = make(tmp_path, "--shards", "3")
    path = data / "shard-2/data.mdb"
    path.write_bytes(path.read_bytes()[:8192] if path.stat().st_size > 8192 else b"")
    checked = check(data)
    assert checked.returncode == 1 and "shard-2 is damaged" in checked.stderr


def test_a_flipped_bit_is_told_with_its_shard_table_and_key(tmp_path):
    data = make(tmp_path)
    path = data / "shard-0/data.mdb"
    file = bytearray(path.read_bytes())
    record = next(each for each in records_of(bytes(file)) if each.table == "id")
    file[record.offset + record.size - 1] ^= 1
    path.write_bytes(file)
    checked = check(data)
    assert checked.returncode == 1
    assert f"shard 0, table id, key {record.key.hex()}: the record can't be read" in checked.stdout


def test_a_broker_checks_what_it_has_confirmed_a_moment_ago(tmp_path):
    def records() -> int:
        return int(broker.call("AdminService/Check")["records"])

    with Broker(tmp_path) as broker:
        broker.call("QueueService/Create", name="q")
        broker.call("TaskService/Publish", queue="q", tasks=[{"taskId": "first"}])
        for number in range(10):
            before = records()
            broker.call("TaskService/Publish", queue="q", tasks=[{"taskId": f"t{number}"}])
            assert records() == before + 2, "the task and its ID"


def test_a_broker_that_runs_is_not_checked_from_outside(tmp_path):
    with Broker(tmp_path) as broker:
        checked = check(tmp_path / "data")
        assert checked.returncode == 1 and str(broker.process.pid) in checked.stderr


def test_what_is_no_store_is_refused_and_nothing_is_made(tmp_path):
    checked = check(tmp_path / "nothing")
    assert checked.returncode == 1 and "No such file" in checked.stderr
    assert not (tmp_path / "nothing").exists()
    checked = check(tmp_path)
    assert checked.returncode == 1 and "there is no store to check" in checked.stderr
    assert not (tmp_path / "shard-0").exists()
    assert check(tmp_path, "--store", "mem").returncode == 2
