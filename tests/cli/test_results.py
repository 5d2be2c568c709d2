# SPDX-License-Identifier: Apache-2.0
"""results: one row a result, whole files or none."""
import base64
import csv
import os
import stat



def finish(ackctl, broker, results: list[bytes], dataset: str = "") -> None:
    """Makes queue q with one done task for each result, t0000, t0001, ..."""
    broker.call("QueueService/Create", name="q")
    for begin in range(0, len(results), 1000):
        part = range(begin, min(begin + 1000, len(results)))
        broker.call("TaskService/Publish", queue="q", dataset=dataset,
                    tasks=[{"taskId": f"t{i:04}"} for i in part])
        tasks = broker.call("TaskService/Lease", queue="q", maxTasks=1000)["tasks"]
        broker.call("TaskService/Ack", items=[
            {"leaseToken": task["leaseToken"], "result": base64.b64encode(results[i]).decode()}
            for i, task in zip(part, tasks)])


def test_results_export_as_jsonl_in_order_of_task_ids(ackctl, broker):
    finish(ackctl, broker, [b"plain", b'{"a": [1]}', b""], "d")
    rows = ackctl.ok("results", "export", "q").rows()
    assert [row["taskId"] for row in rows] == ["t0000", "t0001", "t0002"]
    assert [row["result"] for row in rows] == ["plain", '{"a": [1]}', ""]
    assert rows[0]["dataset"] == "d" and rows[0]["fence"] == 1
    assert rows[0]["storedAt"].endswith("Z")


def test_results_export_as_json_or_base64(ackctl, broker):
    finish(ackctl, broker, [b'{"a": [1]}', b"not json", b"\xff\x00"])
    ended = ackctl.ok("results", "export", "q", "--as", "json")
    assert ended.rows()[0]["result"] == {"a": [1]}
    assert base64.b64decode(ended.rows()[1]["resultBase64"]) == b"not json"
    assert "2 of them are not JSON" in ended.err
    rows = ackctl.ok("results", "export", "q", "--as", "base64").rows()
    assert [base64.b64decode(row["resultBase64"]) for row in rows] == [
        b'{"a": [1]}', b"not json", b"\xff\x00"]
    ended = ackctl.ok("results", "export", "q")
    assert "1 of them are not UTF-8 text" in ended.err and "result" not in ended.rows()[2]


def test_results_export_as_csv_that_others_read(ackctl, broker):
    texts = ['say "hi", twice', "two\nlines\r\n", "", "plain"]
    finish(ackctl, broker, [text.encode() for text in texts] + [b"\xfe"])
    ackctl.ok("results", "export", "q", "--format", "csv", "--out", "r.csv")
    with open(ackctl.directory / "r.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["result"] for row in rows] == texts + [""]
    assert base64.b64decode(rows[4]["resultBase64"]) == b"\xfe"
    assert rows[0]["taskId"] == "t0000" and rows[0]["fence"] == "1"


def test_what_was_exported_as_csv_can_be_published(ackctl, broker):
    finish(ackctl, broker, [b'a "quoted"\nline'])
    exported = ackctl.ok("results", "export", "q", "--format", "csv").out
    ackctl.queue("next")
    ackctl.ok("publish", "next", "-f", "csv", "--id", "taskId", "--payload", "result",
              stdin=exported)
    assert ackctl.ok("get", "next", "t0000", "--payload").out == 'a "quoted"\nline'


def test_many_pages_are_exported_once_each(ackctl, broker):
    finish(ackctl, broker, [f"result {i}".encode() for i in range(2500)])
    ended = ackctl.ok("results", "export", "q")
    rows = ended.rows()
    assert [row["result"] for row in rows] == [f"result {i}" for i in range(2500)]
    assert "2,500 results" in ended.err


def test_only_one_datasets_results(ackctl, broker):
    finish(ackctl, broker, [b"x"], "one")
    broker.call("TaskService/Publish", queue="q", dataset="two", tasks=[{"taskId": "u"}])
    (task,) = broker.call("TaskService/Lease", queue="q", maxTasks=1)["tasks"]
    broker.call("TaskService/Ack", items=[{"leaseToken": task["leaseToken"], "result": "eA=="}])
    rows = ackctl.ok("results", "export", "q", "--dataset", "two").rows()
    assert [row["taskId"] for row in rows] == ["u"]


def test_an_output_file_is_whole_or_as_it_was(ackctl, broker):
    finish(ackctl, broker, [b"x"])
    out = ackctl.write("r.jsonl", "before\n")
    assert ackctl("results", "export", "missing", "--out", "r.jsonl").code == 1
    assert out.read_text() == "before\n"
    ackctl.ok("results", "export", "q", "--out", "r.jsonl")
    assert '"t0000"' in out.read_text()
    assert not [name for name in os.listdir(ackctl.directory) if "part" in name]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(out.stat().st_mode) == 0o666 & ~mask


def test_a_directory_that_is_not_there_is_told(ackctl, broker):
    finish(ackctl, broker, [b"x"])
    ended = ackctl("results", "export", "q", "--out", "no/such/r.jsonl")
    assert ended.code == 1 and "no/such/r.jsonl can't be written" in ended.err


def test_a_result_that_is_not_there_is_told(ackctl):
    ackctl.queue()
    ended = ackctl("results", "get", "q", "nope")
    assert ended.code == 1 and ended.err.startswith("ackctl: ") and not ended.out
