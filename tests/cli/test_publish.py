# SPDX-License-Identifier: Apache-2.0
"""publish: from datasets to tasks, once each, whatever happens in between."""
import base64
import json
import re
import signal
import threading
import time

import pytest
from busy import Busy
from faulty_proxy import FaultyProxy
from processes import wait_until


def dry(ackctl, *arguments, stdin="") -> list[dict]:
    """The tasks that would be published."""
    tasks = ackctl.ok("publish", "q", "--dry-run", "-o", "json", *arguments, stdin=stdin).rows()
    for task in tasks:
        task["payload"] = base64.b64decode(task.get("payload", "")).decode()
    return tasks


def rows(first: int, last: int) -> str:
    return "".join(f'{{"id":"row-{i}","text":"number {i}"}}\n' for i in range(first, last + 1))


# From rows to tasks, without a broker

def test_a_row_is_a_task_and_its_place_and_content_are_its_id(offline):
    offline.write("pages.jsonl", '{"a": 1.50}\n{"a": 2}\n')
    tasks = dry(offline, "pages.jsonl")
    assert [task["payload"] for task in tasks] == ['{"a": 1.50}', '{"a": 2}']
    assert re.fullmatch(r"pages\.jsonl:000001:[0-9a-f]{8}", tasks[0]["taskId"])
    assert re.fullmatch(r"pages\.jsonl:000002:[0-9a-f]{8}", tasks[1]["taskId"])


def test_ids_stay_the_same_where_rows_do(offline):
    offline.write("x.jsonl", '{"a":1}\n{"a":2}\n{"a":3}\n')
    before = [task["taskId"] for task in dry(offline, "x.jsonl")]
    assert before == [task["taskId"] for task in dry(offline, "x.jsonl")]
    offline.write("x.jsonl", '{"a":1}\n{"a":9}\n{"a":3}\n{"a":4}\n')
    after = [task["taskId"] for task in dry(offline, "x.jsonl")]
    assert before[0] == after[0] and before[1] != after[1] and before[2] == after[2]


def test_made_ids_count_rows_and_not_lines(offline):
    for text, form in (("\n\nx\n", "lines"), ("a\n\nx\n", "csv")):
        (task,) = dry(offline, "-f", form, stdin=text)
        assert task["taskId"].startswith("stdin:000001:")


def test_the_dataset_is_part_of_made_ids_where_it_is_not_the_file(offline):
    offline.write("x.jsonl", "1\n")
    assert dry(offline, "x.jsonl", "--dataset", "d")[0]["taskId"].startswith("d/x.jsonl:000001:")
    assert dry(offline, "--dataset", "d", stdin="1\n")[0]["taskId"].startswith("d:000001:")
    assert dry(offline, stdin="1\n")[0]["taskId"].startswith("stdin:000001:")


def test_odd_file_names_make_ids_that_the_broker_takes(offline):
    for name in ("@x.jsonl", "tab\there.jsonl", "x" * 240 + ".jsonl"):
        offline.write(name, "1\n")
        task_id = dry(offline, name, "--dataset", "@d\n")[0]["taskId"]
        assert task_id.isprintable() and task_id[0] != "@" and len(task_id.encode()) <= 256


@pytest.mark.parametrize("row, field, task_id", [
    ('{"id":"a b"}', "id", "a b"),
    ('{"id":17}', "id", "17"),
    ('{"id":12345678901234567890123}', "id", "1.2345678901234568e+22"),
    ('{"meta":{"id":"deep"}}', "meta.id", "deep"),
    ('{"meta.id":"flat","meta":{"id":"deep"}}', "meta.id", "flat"),
])
def test_the_id_may_be_a_field(offline, row, field, task_id):
    assert dry(offline, "--id", field, stdin=row)[0]["taskId"] == task_id


@pytest.mark.parametrize("row, options, message", [
    ('{"a":1}', ["--id", "id"], 'stdin:1: the row has no field "id"'),
    ('{"id":null}', ["--id", "id"], 'stdin:1: the row has no field "id"'),
    ('{"id":[1]}', ["--id", "id"], "stdin:1: the field \"id\" is no string or number"),
    ('{"id":""}', ["--id", "id"], "stdin:1: the task ID is empty"),
    ('{"id":"@x"}', ["--id", "id"], "stdin:1: the task ID begins with @"),
    ('{"id":"a\\nb"}', ["--id", "id"], "stdin:1: the task ID has control characters"),
    (json.dumps({"id": "x" * 257}), ["--id", "id"], "too long (limit 256 bytes, was 257)"),
    ("[1]", ["--id", "id"], "stdin:1: the row is no JSON object"),
    ("word", ["--id", "id", "--format", "lines"], "stdin:1: the row has no fields"),
    ('{"a":1}', ["--payload", "text"], 'stdin:1: the row has no field "text"'),
    ('{"a":1}\n\n{"a":}', [], "stdin:3:6: not JSON"),
    ("a,b\n1,2\n3", ["--format", "csv"], "stdin:3: 1 fields, but the header has 2"),
])
def test_a_bad_row_is_named_by_line_and_ends_the_run(offline, row, options, message):
    ended = offline("publish", "q", "--dry-run", *options, stdin=row)
    assert ended.code == 1 and message in ended.err


def test_payload_and_attributes_are_picked_from_the_row(offline):
    row = '{"text":"hello","lang":"en","n":3,"nothing":null,"list":[1, 2]}'
    (task,) = dry(offline, "--payload", "text", "--attr", "lang", "--attr", "n", "--attr",
                  "nothing", "--attr", "absent", "--attr", "list", "--attr", "run=a=b", stdin=row)
    assert task["payload"] == "hello"
    assert task["attributes"] == {"lang": "en", "n": "3", "list": "[1,2]", "run": "a=b"}
    assert dry(offline, "--payload", "list", stdin=row)[0]["payload"] == "[1,2]"


def test_csv_rows_become_objects_and_lines_stay_lines(offline):
    offline.write("t.csv", '\ufeffname,"what, else"\r\n"A ""B""","one\r\ntwo"\r\n')
    (task,) = dry(offline, "t.csv")
    assert json.loads(task["payload"]) == {"name": 'A "B"', "what, else": "one\r\ntwo"}
    offline.write("t.txt", "one\n\n two \r\n")
    assert [task["payload"] for task in dry(offline, "t.txt")] == ["one", " two "]


def test_files_are_tasks_by_content_or_path_and_their_path_is_the_id(offline):
    for name in ("scans/b.png", "scans/a.png", "scans/deep/c.png", "scans/note.txt"):
        offline.write(name, f"<{name}>")
    tasks = dry(offline, "--files", "scans/*.png")
    assert [(task["taskId"], task["payload"]) for task in tasks] == [
        ("scans/a.png", "<scans/a.png>"), ("scans/b.png", "<scans/b.png>")]
    tasks = dry(offline, "--files", "scans", "--path")
    assert [task["payload"] for task in tasks] == ["scans/a.png", "scans/b.png",
                                                   "scans/deep/c.png", "scans/note.txt"]


def test_a_pattern_that_matches_nothing_is_told(offline):
    ended = offline("publish", "q", "--dry-run", "--files", "*.nothing")
    assert ended.code == 1 and "--files *.nothing matches no file" in ended.err


def test_rows_are_joined_by_their_numbers(offline):
    lines = "1\n2\n}\n4\n5\n6\n7\n"
    ended = offline("publish", "q", "--dry-run", "--skip-invalid", "--rows-per-task", "3", "-o",
                    "json", stdin=lines)
    tasks = ended.rows()
    assert [base64.b64decode(task["payload"]).decode() for task in tasks] == [
        "1\n2\n", "4\n5\n6\n", "7\n"]
    assert [task["taskId"].rsplit(":", 1)[0] for task in tasks] == [
        "stdin:000001-000002", "stdin:000004-000006", "stdin:000007"]


def test_a_missing_file_is_told(offline):
    ended = offline("publish", "q", "--dry-run", "gone.jsonl")
    assert ended.code == 1 and "gone.jsonl can't be read: No such file" in ended.err


# With a broker

def test_publishing_again_stores_nothing_twice_and_says_so(ackctl):
    ackctl.queue()
    ackctl.write("d.jsonl", rows(1, 2500))
    assert "2,500 stored" in ackctl.ok("publish", "q", "d.jsonl").err
    ackctl.write("d.jsonl", rows(1, 3000))
    ended = ackctl.ok("publish", "q", "d.jsonl")
    assert "500 stored, 2,500 were there already" in ended.err
    assert ackctl.counts()["ready"] == 3000


def test_the_summary_can_be_read_by_programs(ackctl):
    ackctl.queue()
    assert ackctl.ok("publish", "q", "--id", "id", "-o", "json", stdin=rows(1, 3) + rows(3, 3)
                     ).json() == {"rows": 4, "tasks": 4, "stored": 3, "duplicates": 1,
                                  "confirmed": 0, "refused": 0, "invalid": 0}
    assert ackctl.ok("publish", "q", "-q", stdin=rows(7, 9)).err == ""


def test_tasks_come_in_the_files_order_with_dataset_priority_and_attributes(ackctl, broker):
    ackctl.queue()
    ackctl.write("low.jsonl", rows(1, 3))
    ackctl.write("high.csv", "id,text\nh,first\n")
    ackctl.ok("publish", "q", "low.jsonl", "--id", "id")
    ackctl.ok("publish", "q", "high.csv", "--id", "id", "--payload", "text", "-p", "9", "--attr",
              "kind=x")
    tasks = broker.call("TaskService/Lease", queue="q", maxTasks=10)["tasks"]
    assert [task["taskId"] for task in tasks] == ["h", "row-1", "row-2", "row-3"]
    assert tasks[0]["dataset"] == "high.csv" and tasks[1]["dataset"] == "low.jsonl"
    assert tasks[0]["attributes"] == {"kind": "x"} and tasks[0]["priority"] == 9
    assert base64.b64decode(tasks[0]["payload"]) == b"first"


def test_a_delay_delays(ackctl):
    ackctl.queue()
    ackctl.ok("publish", "q", "--delay", "1h", stdin="1\n")
    assert ackctl.counts()["delayed"] == 1 and ackctl.counts()["ready"] == 0


def test_the_datasets_name_of_files_is_their_folder(ackctl, broker):
    ackctl.queue()
    ackctl.write("data/scans/a.bin", b"\x00\xff")
    ackctl.ok("publish", "q", "--files", "data/scans/*.bin")
    (task,) = broker.call("TaskService/Lease", queue="q", maxTasks=10)["tasks"]
    assert task["dataset"] == "scans" and task["taskId"] == "data/scans/a.bin"
    assert base64.b64decode(task["payload"]) == b"\x00\xff"


def test_a_missing_queue_is_told_before_anything_is_read_or_made_on_demand(ackctl):
    ended = ackctl("publish", "q", "gone.jsonl")
    assert ended.code == 1 and "ackctl queue create q" in ended.err
    assert "queue q made" in ackctl.ok("publish", "q", "--create", stdin="1\n").err
    assert ackctl.counts()["ready"] == 1


def test_invalid_rows_end_the_run_after_those_before_them(ackctl):
    ackctl.queue()
    ackctl.write("d.jsonl", rows(1, 10) + "oops\n" + rows(11, 20))
    ended = ackctl("publish", "q", "d.jsonl")
    assert ended.code == 1 and "d.jsonl:11:4: not JSON" in ended.err
    assert "--skip-invalid" in ended.err and ackctl.counts()["ready"] == 10
    ended = ackctl("publish", "q", "d.jsonl", "--skip-invalid")
    assert ended.code == 1 and "10 stored, 10 were there already, 1 invalid row" in ended.err


def test_rows_that_the_broker_refuses_are_named_with_limit_and_value(ackctl):
    ackctl.queue()
    big = json.dumps({"text": "x" * (1 << 20)})
    ackctl.write("d.jsonl", rows(1, 5) + big + "\n" + rows(6, 9))
    ended = ackctl("publish", "q", "d.jsonl", "--skip-invalid")
    assert ended.code == 1
    assert re.search(r"d\.jsonl:6: task d\.jsonl:000006:\w+ refused: .*1048588.*1048576",
                     ended.err)
    assert "9 stored, 1 refused" in ended.err and ackctl.counts()["ready"] == 9
    assert ackctl("publish", "q", "d.jsonl").code == 1


def feed(child, text: str) -> None:
    child.stdin.write(text.encode())
    child.stdin.flush()


def read_line_with(child, text: str) -> str:
    while line := child.stderr.readline().decode():
        if text in line:
            return line
    raise AssertionError(f"it ended without saying {text!r}")


def test_after_ctrl_c_the_same_command_publishes_what_is_missing(ackctl):
    ackctl.queue()
    child = ackctl.start("publish", "q", "-", "--dataset", "d", stdin=-1)
    feed(child, rows(1, 3500))
    wait_until(lambda: ackctl.counts()["ready"] >= 1000, "some rows are published")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130 and b"Run the same command again" in err
    stored = ackctl.counts()["ready"]
    assert 1000 <= stored < 5000
    ended = ackctl.ok("publish", "q", "-", "--dataset", "d", stdin=rows(1, 5000))
    assert f"{5000 - stored:,} stored, {stored:,} were there already" in ended.err
    assert ackctl.counts()["ready"] == 5000


def test_a_broker_killed_in_the_middle_and_back_later_loses_and_doubles_nothing(ackctl, broker):
    ackctl.queue()
    child = ackctl.start("publish", "q", "-", "--dataset", "d", "-o", "json", stdin=-1)
    feed(child, rows(1, 2500))
    wait_until(lambda: ackctl.counts()["ready"] >= 1000, "some rows are published")
    broker.kill()
    feeder = threading.Thread(target=lambda: (feed(child, rows(2501, 6000)), child.stdin.close()))
    feeder.start()
    assert "trying again for up to 5 min" in read_line_with(child, "broker not reached")
    broker.start()
    assert "the broker is back after" in read_line_with(child, "back")
    feeder.join()
    assert child.wait(30) == 0
    summary = json.loads(child.stdout.read())
    assert summary["stored"] + summary["confirmed"] == 6000 and summary["duplicates"] == 0
    assert ackctl.counts()["ready"] == 6000
    assert ackctl.ok("publish", "q", "-", "--dataset", "d", "-o", "json",
                     stdin=rows(1, 6000)).json()["stored"] == 0


def test_a_broker_that_stays_away_is_exit_3_and_the_rest_can_be_published_later(ackctl, broker):
    ackctl.queue()
    child = ackctl.start("publish", "q", "-", "--retry-for", "300ms", stdin=-1)
    feed(child, rows(1, 1500))
    wait_until(lambda: ackctl.counts()["ready"] >= 1000, "some rows are published")
    broker.kill()
    child.stdin.close()
    assert child.wait(30) == 3
    err = child.stderr.read().decode()
    assert "broker not reached" in err and "Run the same command again" in err
    broker.start()
    assert "500 stored, 1,000 were there already" in ackctl.ok(
        "publish", "q", stdin=rows(1, 1500)).err


def test_a_broker_that_asks_for_a_minute_is_waited_for_no_longer_than_said(offline):
    with Busy(taken="QueueService/Get") as busy:
        began = time.monotonic()
        ended = offline("publish", "q", "--url", busy.url, "--retry-for", "300ms", stdin=rows(1, 10))
        assert time.monotonic() - began < 10
    assert ended.code != 0 and busy.refused == 2


def test_a_lost_reply_is_repeated_and_its_rows_are_counted_apart(ackctl, broker):
    ackctl.queue()
    with FaultyProxy(broker.port) as proxy:
        proxy.lose_reply_of("TaskService/Publish")
        ended = ackctl.ok("publish", "q", "--url", proxy.url, "-o", "json", stdin=rows(1, 1500))
        assert proxy.lost.is_set()
    summary = ended.json()
    assert (summary["stored"], summary["confirmed"], summary["duplicates"]) == (500, 1000, 0)
    assert ackctl.counts()["ready"] == 1500


def test_without_dedup_a_lost_reply_is_not_repeated(ackctl, broker):
    ackctl.queue("q", "--dedup", "off")
    with FaultyProxy(broker.port) as proxy:
        proxy.lose_reply_of("TaskService/Publish")
        ended = ackctl("publish", "q", "--url", proxy.url, stdin=rows(1, 10))
    assert ended.code == 3 and "it may have been stored" in ended.err
    assert ackctl.counts()["ready"] == 10


def test_a_lower_limit_on_requests_is_met_by_smaller_ones(tmp_path, ackctl, broker):
    broker.stop()
    broker._command += ["--max-batch-items", "300"]
    broker.start()
    ackctl.queue()
    ackctl.ok("publish", "q", stdin=rows(1, 1500))
    assert ackctl.counts()["ready"] == 1500
