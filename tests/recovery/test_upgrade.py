# SPDX-License-Identifier: Apache-2.0
"""Stores of every format that this ackd must read, made by the ackd of their time (fixture.py)
and kept here; and formats that it does not know."""
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from broker import Broker
from processes import BUILD

sys.path += [str(Path(__file__).resolve().parents[1] / "crash"), str(Path(__file__).parent)]

from fixture import FILES, lacks, load  # noqa: E402
from judge import Opener, goes_on, judge  # noqa: E402
from mdb_file import records_of  # noqa: E402
from model import DONE, Queue  # noqa: E402

FIXTURES = sorted(Path(__file__).parent.glob("format-*"))
META_KEY = b"\1shard"  # table and key
FORMAT_AT = 6  # in the meta record: crc32c(4) version(1) type(1) format(4)
FORMAT = 4
CRC32C = 0x82F63B78
COUNTER_OF = {"ATTEMPT_END_FAILED": "failures", "ATTEMPT_END_PREEMPTED": "preemptions",
              "ATTEMPT_END_LOST": "losses", "ATTEMPT_END_EXPIRED": "losses"}


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name)
def kept(request) -> tuple[dict[str, bytes], list[Queue], int]:
    return load(request.param)


def place(files: dict[str, bytes], data: Path) -> Path:
    (data / "shard-0").mkdir(parents=True)
    for name, content in files.items():
        (data / "shard-0" / name).write_bytes(content)
    return data


def files_in(data: Path) -> dict[str, bytes]:
    return {name: (data / "shard-0" / name).read_bytes() for name in FILES}


def test_a_fixture_has_something_of_everything(kept):
    assert lacks(kept[1]) == ""


def test_every_task_lease_session_dead_letter_and_result_is_found(kept, tmp_path):
    files, queues, at_ms = kept
    opener = Opener(BUILD / "tests/crash/opener")
    assert opener.open(place(files, tmp_path), at_ms) == ""
    wrong, found = judge(opener, {queue.name: [queue] for queue in queues})
    assert wrong == ""
    assert goes_on(opener, found) == "", "the workers of then can't go on"
    opener.close()
    opener.end()


def test_ackd_itself_starts_on_it_and_its_check_finds_nothing(kept, tmp_path):
    files, queues, _ = kept
    place(files, tmp_path / "data")
    with Broker(tmp_path) as broker:
        assert "problemCount" not in broker.call("AdminService/Check")
        for queue in queues:
            told = broker.call("QueueService/Get", name=queue.name)["queue"]
            for name in ("published", "done", "purged"):
                assert int(told["counts"].get(name, 0)) == queue.counts().get(name, 0), queue.name
            tasks = broker.call("TaskService/List", queue=queue.name, pageSize=1000)["tasks"]
            assert {task["taskId"] for task in tasks} == {
                task.task_id for task in queue.tasks.values() if task.state != DONE}
        assert broker.stop() == 0
    after = (tmp_path / "data/shard-0/data.mdb").read_bytes()
    assert format_of(after) == FORMAT, "an older ackd could start on it again"


def test_a_history_says_what_the_counters_say(tmp_path):
    files, queues, _ = load(FIXTURES[-1])
    place(files, tmp_path / "data")
    with Broker(tmp_path) as broker:
        for queue in queues:
            for task in queue.tasks.values():
                if task.state != DONE:
                    told = broker.call("TaskService/Get", queue=queue.name, taskId=task.task_id)
                    assert counted(told["task"]) == {
                        "failures": task.failures, "preemptions": task.preemptions,
                        "losses": task.losses}, told


def counted(told: dict) -> dict:
    counts = {"failures": 0, "preemptions": 0, "losses": 0}
    for attempt in told.get("attempts", []):
        if attempt.get("end") == "ATTEMPT_END_REDRIVEN":
            counts |= {"failures": 0, "losses": 0}
        if (name := COUNTER_OF.get(attempt.get("end"))):
            counts[name] += 1
    return counts


def meta_record(file: bytes):
    return next(each for each in records_of(file) if each.key == META_KEY)


def format_of(file: bytes) -> int:
    return struct.unpack_from("<I", file, meta_record(file).offset + FORMAT_AT)[0]


def of_format(file: bytes, number: int) -> bytes:
    record = meta_record(file)
    changed = bytearray(file)
    struct.pack_into("<I", changed, record.offset + FORMAT_AT, number)
    value = changed[record.offset + 4:record.offset + record.size]
    struct.pack_into("<I", changed, record.offset, crc32c(META_KEY[1:] + value))
    return bytes(changed)


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CRC32C if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize("number, age", [(1, "an older"), (5, "a newer")])
def test_another_format_is_refused_with_what_to_do_and_left_as_it_is(tmp_path, number, age):
    spoilt = ended(load(FIXTURES[-1])[0], tmp_path / "ended")
    spoilt["data.mdb"] = of_format(spoilt["data.mdb"], number)
    place(spoilt, tmp_path / "data")
    sentence = (f"format {number}, of {age} ackd, and this one reads formats 2 to 4: start the "
                "ackd that wrote it, or restore a backup made by this one")
    with pytest.raises(AssertionError, match=sentence):
        with Broker(tmp_path):
            pass
    checked = subprocess.run([BUILD / "broker/daemon/ackd", "--check", "--data-dir",
                              tmp_path / "data"], capture_output=True, text=True, check=False)
    assert checked.returncode == 1 and "the store has a format that is not read" in checked.stdout
    assert files_in(tmp_path / "data") == spoilt


def ended(files: dict[str, bytes], directory: Path) -> dict[str, bytes]:
    """As after a broker that was stopped in order: the log has nothing that LMDB lacks."""
    place(files, directory / "data")
    with Broker(directory) as broker:
        assert broker.stop() == 0
    return files_in(directory / "data")
