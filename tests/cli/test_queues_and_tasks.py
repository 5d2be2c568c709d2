# SPDX-License-Identifier: Apache-2.0
"""Queues, tasks, leases by hand, dead letters, sessions, admin: every command once and its refusals."""
import base64
import json
import time

import pytest
from processes import wait_until


def fill(ackctl, count: int, name: str = "q", *options) -> None:
    ackctl.queue(name, *options)
    ackctl.ok("publish", name, "-f", "lines", "--dataset", "d",
              stdin="".join(f"task {i}\n" for i in range(1, count + 1)))


def lease(ackctl, count: int = 1, name: str = "q") -> list[dict]:
    return ackctl.ok("lease", name, "-n", count, "-o", "json").json().get("tasks", [])


def fail(ackctl, error: str, count: int = 1) -> None:
    """Dead-letters so many tasks with this error."""
    tokens = [task["leaseToken"] for task in lease(ackctl, count)]
    ackctl.ok("nack", *tokens, "--error", error, "--permanent")


# Queues

def test_a_queue_is_made_shown_listed_and_deleted(ackctl):
    assert "queue q made" in ackctl.ok("queue", "create", "q", "--lease", "90s").err
    assert "was there already" in ackctl.ok("queue", "create", "q", "--lease", "90s").err
    shown = ackctl.ok("queue", "show", "q").out
    assert "--lease             1 min 30 s" in shown and "--late-results      salvage" in shown
    assert ackctl.ok("queue", "list").out.splitlines()[1].split() == [
        "q", "open", "0", "0", "0", "0", "0", "0"]
    assert ackctl.ok("queue", "list", "--names").out == "q\n"
    assert ackctl.ok("queue", "list", "-o", "json").json()["name"] == "q"
    ackctl.ok("queue", "delete", "q", "--yes")
    assert "no queues yet" in ackctl.ok("queue", "list").err
    assert ackctl("queue", "delete", "q", "--yes").code == 1


def test_another_config_is_refused_and_the_way_to_change_it_is_told(ackctl):
    ackctl.queue()
    ended = ackctl("queue", "create", "q", "--max-failures", "2")
    assert ended.code == 1 and "ackctl queue update q" in ended.err


@pytest.mark.parametrize("options, field, value", [
    (["--lease", "2h"], "leaseMs", "7200000"),
    (["--max-failures", "3"], "maxFailures", 3),
    (["--max-losses", "7"], "maxLosses", 7),
    (["--backoff-min", "0", "--backoff-max", "1h"], "backoffMaxMs", "3600000"),
    (["--dedup-retention", "1d"], "dedupRetentionMs", "86400000"),
    (["--result-retention", "1w"], "resultRetentionMs", "604800000"),
    (["--task-ttl", "1.5h"], "taskTtlMs", "5400000"),
    (["--max-leased", "10"], "maxLeased", "10"),
    (["--late-results", "refuse"], "lateResults", "LATE_RESULTS_REFUSE"),
])
def test_every_setting_can_be_changed(ackctl, options, field, value):
    ackctl.queue()
    ackctl.ok("queue", "update", "q", *options)
    config = ackctl.ok("queue", "show", "q", "-o", "json").json()["queue"]["config"]
    assert config[field] == value


def test_dedup_is_set_when_the_queue_is_made(ackctl):
    ackctl.queue("q", "--dedup", "off")
    assert "--dedup             off" in ackctl.ok("queue", "show", "q").out
    assert ackctl("queue", "update", "q", "--dedup", "on").code == 2


def test_a_queue_that_is_not_there_is_told_with_the_way_to_make_it(ackctl):
    for line in (["queue", "show", "x"], ["queue", "pause", "x"], ["list", "x"], ["lease", "x"],
                 ["watch", "x"], ["stats", "x"], ["dead", "list", "x"], ["results", "export", "x"],
                 ["work", "x", "--", "true"]):
        ended = ackctl(*line)
        assert ended.code == 1, line
        assert "ackctl queue create x" in ended.err, line


def test_a_bad_name_is_refused_with_the_broker_s_sentence(ackctl):
    ended = ackctl("queue", "create", "Not A Name")
    assert ended.code == 1 and "name" in ended.err and not ended.out


def test_a_paused_queue_hands_out_nothing(ackctl):
    fill(ackctl, 1)
    assert "paused" in ackctl.ok("queue", "pause", "q").err
    ended = ackctl.ok("lease", "q")
    assert not ended.out and "paused" in ended.err
    ackctl.ok("queue", "resume", "q")
    assert len(lease(ackctl)) == 1


def test_purge_removes_what_is_not_leased(ackctl):
    fill(ackctl, 5)
    lease(ackctl)
    assert "4 tasks removed" in ackctl.ok("queue", "purge", "q", "-y").err
    assert ackctl.counts()["ready"] == 0 and ackctl.counts()["leased"] == 1


# Tasks

def test_tasks_are_listed_and_shown(ackctl):
    fill(ackctl, 3)
    listed = ackctl.ok("list", "q", "--with-payload").out.splitlines()
    assert len(listed) == 4 and "task 1" in listed[1] and "ready" in listed[1]
    task_id = listed[1].split()[0]
    shown = ackctl.ok("get", "q", task_id)
    assert "payload       task 1" in shown.out and "dataset       d" in shown.out
    assert ackctl.ok("get", "q", task_id, "--payload").out == "task 1"
    assert ackctl.ok("get", "q", task_id, "-o", "json").json()["task"]["taskId"] == task_id


def test_a_list_is_as_long_as_asked_for_and_says_that_there_is_more(ackctl):
    fill(ackctl, 1500)
    assert len(ackctl.ok("list", "q", "-o", "json").rows()) == 100
    ended = ackctl.ok("list", "q", "-o", "json", "--limit", "1200")
    assert len({row["taskId"] for row in ended.rows()}) == 1200 and "raise --limit" in ended.err
    ended = ackctl.ok("list", "q", "-o", "json", "--limit", "5000")
    assert len(ended.rows()) == 1500 and not ended.err


def test_tasks_are_listed_by_state_and_dataset(ackctl):
    fill(ackctl, 4)
    lease(ackctl, 1)
    assert len(ackctl.ok("list", "q", "--state", "leased", "-o", "json").rows()) == 1
    assert len(ackctl.ok("list", "q", "--state", "ready", "-o", "json").rows()) == 3
    assert len(ackctl.ok("list", "q", "--dataset", "d", "-o", "json").rows()) == 4
    assert not ackctl.ok("list", "q", "--dataset", "e", "-o", "json").rows()


def test_control_characters_of_strangers_do_not_reach_the_terminal(ackctl):
    ackctl.queue()
    ackctl.ok("publish", "q", "--files", ackctl.write("x.bin", b"\x1b[2J\x07evil\xc2\x9b\n"))
    out = ackctl.ok("list", "q", "--with-payload").out
    assert "evil" in out and "\x1b" not in out and "\x07" not in out and "\x9b" not in out


def test_a_cancelled_task_is_a_dead_letter_and_unknown_ones_are_named(ackctl):
    ackctl.queue()
    ackctl.ok("publish", "q", "--id", "id", stdin='{"id":"a"}\n{"id":"b"}\n')
    ended = ackctl("cancel", "q", "a", "nope")
    assert ended.code == 1 and "nope: " in ended.err and "1 cancelled, 1 refused" in ended.err
    assert ackctl.counts()["dead"] == 1
    assert "cancelled" in ackctl.ok("dead", "list", "q").out


# Leases

def test_a_script_leases_renews_and_acks_with_a_result(ackctl):
    fill(ackctl, 1)
    (task,) = lease(ackctl)
    assert base64.b64decode(task["payload"]) == b"task 1" and task["fence"] == "1"
    assert "1 renewed" in ackctl.ok("renew", task["leaseToken"], "--lease", "5m").err
    assert "1 acked" in ackctl.ok("ack", task["leaseToken"], "--result", "fine").err
    assert "1 acked" in ackctl.ok("ack", task["leaseToken"], "--result", "fine").err
    assert ackctl.ok("results", "get", "q", task["taskId"]).out == "fine"
    assert ackctl.counts()["done"] == 1


def test_a_result_may_come_from_a_file_or_stdin(ackctl):
    fill(ackctl, 2)
    first, second = lease(ackctl, 2)
    ackctl.write("result.bin", b"\x00\x01")
    ackctl.ok("ack", first["leaseToken"], "--result-file", "result.bin")
    ackctl.ok("ack", second["leaseToken"], "--result-file", "-", stdin="piped")
    ackctl.ok("results", "get", "q", first["taskId"], "--out", "out.bin")
    assert (ackctl.directory / "out.bin").read_bytes() == b"\x00\x01"
    assert ackctl.ok("results", "get", "q", second["taskId"]).out == "piped"
    ended = ackctl("ack", first["leaseToken"], "--result-file", "gone")
    assert ended.code == 1 and "gone can't be read" in ended.err


def test_leases_print_as_a_table_and_an_empty_queue_says_why(ackctl):
    fill(ackctl, 2)
    lines = ackctl.ok("lease", "q", "-n", "2").out.splitlines()
    assert lines[0].split() == ["TASK", "TOKEN", "FENCE", "UNTIL", "PAYLOAD"] and len(lines) == 3
    assert "2 leased" in ackctl.ok("lease", "q", "--wait", "100ms").err
    tokens = [line.split()[1] for line in lines[1:]]
    ackctl.ok("ack", *tokens)
    assert "all are done" in ackctl.ok("lease", "q").err


def test_an_old_token_is_refused_and_the_others_of_the_line_are_not(ackctl):
    fill(ackctl, 2)
    first, second = lease(ackctl, 2)
    ackctl.ok("nack", first["leaseToken"], "--reason", "released")
    ended = ackctl("ack", first["leaseToken"], second["leaseToken"])
    assert ended.code == 1 and first["leaseToken"] in ended.err
    assert "1 acked, 1 refused" in ended.err and ackctl.counts()["done"] == 1


def test_nack_gives_back_with_reason_delay_error_and_checkpoint(ackctl):
    fill(ackctl, 1)
    (task,) = lease(ackctl)
    ackctl.write("progress", "page 7")
    ackctl.ok("nack", task["leaseToken"], "--reason", "preempted", "--checkpoint-file", "progress")
    (task,) = lease(ackctl)
    assert base64.b64decode(task["checkpoint"]) == b"page 7" and task["preemptions"] == 1
    ackctl.ok("nack", task["leaseToken"], "--error", "bad page", "--delay", "1h")
    shown = ackctl.ok("get", "q", task["taskId"]).out
    assert "delayed" in shown and "last error    bad page" in shown


# Dead letters

def test_dead_letters_are_grouped_by_the_last_line_of_their_error(ackctl):
    fill(ackctl, 6, "q", "--max-failures", "1")
    fail(ackctl, "Traceback:\n  line 7\nValueError: bad image", 3)
    fail(ackctl, "Traceback:\n  line 9\nValueError: bad image\n", 1)
    fail(ackctl, "out of memory", 1)
    groups = ackctl.ok("dead", "list", "q", "-o", "json").rows()
    assert [(group["count"], group["error"]) for group in groups] == [
        (4, "ValueError: bad image"), (1, "out of memory")]
    assert "4  failures" in ackctl.ok("dead", "list", "q").out
    assert len(ackctl.ok("dead", "list", "q", "--each").out.splitlines()) == 6
    assert len(ackctl.ok("dead", "list", "q", "--each", "-o", "json", "--error", "image").rows()) == 4
    assert "no dead letters" in ackctl.ok("dead", "list", "q", "--reason", "losses").err


def test_dead_letters_are_redriven_by_error_id_or_all(ackctl):
    fill(ackctl, 6)
    fail(ackctl, "disk full", 2)
    fail(ackctl, "no route to host", 4)
    assert "2 made ready again" in ackctl.ok("dead", "redrive", "q", "--error", "disk").err
    (letter, *_) = ackctl.ok("dead", "list", "q", "--each", "-o", "json").rows()
    ended = ackctl("dead", "redrive", "q", letter["task"]["taskId"], "nope")
    assert ended.code == 1 and "1 of the IDs are no dead letters" in ended.err
    assert ackctl.ok("dead", "redrive", "q", "--all", "-o", "json").json() == {"redriven": "3"}
    assert ackctl.counts()["ready"] == 6 and ackctl.counts()["dead"] == 0


def test_dead_letters_are_deleted_by_reason_and_by_id(ackctl):
    fill(ackctl, 3)
    fail(ackctl, "x", 2)
    (letter, _) = ackctl.ok("dead", "list", "q", "--each", "-o", "json").rows()
    assert "1 deleted" in ackctl.ok("dead", "delete", "q", letter["task"]["taskId"]).err
    ended = ackctl.ok("dead", "delete", "q", "--reason", "failures", "--yes")
    assert "1 deleted" in ended.err and ackctl.counts()["dead"] == 0


# History

def test_get_tells_what_became_of_each_delivery(ackctl, broker):
    fill(ackctl, 1)
    session = broker.call("SessionService/Open", queue="q", worker="w7", node="gke-spot-1")
    (task,) = broker.call("TaskService/Lease", queue="q", sessionId=session["sessionId"],
                          maxTasks=1)["tasks"]
    ackctl.ok("nack", task["leaseToken"], "--error", "no such page", "--permanent")
    ackctl.ok("dead", "redrive", "q", "--all")
    lease(ackctl)
    lines = ackctl.ok("get", "q", task["taskId"]).out.splitlines()
    header = next(i for i, line in enumerate(lines) if line.split()[:2] == ["FENCE", "BEGAN"])
    failed, redriven, goes_on = lines[header + 1:]
    assert "failed, dead: failures" in failed and "no such page" in failed
    assert failed.split()[0] == "1" and "w7" in failed and "gke-spot-1" in failed
    assert "redriven" in redriven and redriven.split()[0] == "-"
    assert "goes on" in goes_on and goes_on.split()[0] == "2"
    attempts = ackctl.ok("get", "q", task["taskId"], "-o", "json").json()["task"]["attempts"]
    assert [each.get("end") for each in attempts] == [
        "ATTEMPT_END_FAILED", "ATTEMPT_END_REDRIVEN", None]


def test_a_task_without_a_history_has_no_table_of_it(ackctl):
    fill(ackctl, 1)
    (task,) = ackctl.ok("list", "q", "-o", "json").rows()
    assert "FENCE" not in ackctl.ok("get", "q", task["taskId"]).out


def test_list_finds_what_is_held_and_does_not_move(ackctl, broker):
    fill(ackctl, 2)
    stuck, moves = (task["leaseToken"] for task in lease(ackctl, 2))
    wait_until(lambda: ackctl.ok("list", "q", "--stuck", "50ms", "-o", "json").out.count("\n") == 2,
               "both are still for 50 ms")
    since = time.monotonic()
    broker.call("TaskService/Renew", items=[{"leaseToken": stuck},
                                            {"leaseToken": moves, "progress": True}])
    found = ackctl.ok("list", "q", "--stuck", "50ms", "-o", "json").rows()
    assert len(found) == 1 or time.monotonic() - since > 0.05
    assert ackctl.ok("list", "q", "--stuck", "1h").out == ""
    ended = ackctl("list", "q", "--stuck", "1h", "--state", "ready")
    assert ended.code == 1 and "only if it is LEASED" in ended.err


# The broker

def test_stats_tell_of_the_broker_and_of_datasets(ackctl):
    fill(ackctl, 3)
    assert "ackd 0." in ackctl.ok("stats").out and "lmdb" in ackctl.ok("stats").out
    assert ackctl.ok("stats", "-o", "json").json()["shards"][0]["store"] == "lmdb"
    assert ackctl.ok("stats", "q").out.splitlines()[1].split()[:3] == ["d", "0", "3"]
    assert ackctl.ok("stats", "q", "-o", "json").json()["name"] == "d"
    ackctl.queue("empty")
    assert "nothing was published" in ackctl.ok("stats", "empty").err


def test_sessions_are_listed(ackctl, broker):
    ackctl.queue()
    assert "no worker" in ackctl.ok("sessions").err
    broker.call("SessionService/Open", queue="q", worker="pod-7", node="gke-spot-1", pod="ocr-x7",
                podNamespace="books")
    assert ackctl.ok("sessions").out.splitlines()[1].split()[:4] == [
        "pod-7", "books/ocr-x7", "gke-spot-1", "q"]
    assert "pod-7" in ackctl.ok("sessions").out and "pod-7" in ackctl.ok("sessions", "q").out
    assert ackctl.ok("sessions", "-o", "json").json()["worker"] == "pod-7"


def test_backup_prints_where_the_copy_is_and_check_finds_no_problems(ackctl, broker):
    fill(ackctl, 10)
    ended = ackctl.ok("backup", "before-the-change")
    assert (broker.directory / "data" / ended.out.strip()).is_dir()
    assert "0 problems" in ackctl.ok("check").err
    assert int(ackctl.ok("check", "-o", "json").json()["records"]) > 0


def test_quiet_and_verbose(ackctl):
    ackctl.queue()
    assert ackctl.ok("queue", "pause", "q", "-q").err == ""
    assert "QueueService.Get: OK" in ackctl.ok("queue", "show", "q", "-v").err


def test_everything_json_is_json(ackctl):
    fill(ackctl, 1)
    for line in (["queue", "create", "r"], ["queue", "list"], ["queue", "show", "q"],
                 ["queue", "update", "q", "--max-failures", "2"], ["queue", "pause", "q"],
                 ["queue", "resume", "q"], ["stats"], ["stats", "q"], ["list", "q"], ["lease", "q"],
                 ["dead", "list", "q"], ["sessions"], ["check"], ["backup"], ["version"],
                 ["watch", "r", "--until-done"], ["results", "export", "q"],
                 ["queue", "purge", "q", "-y"]):
        for row in ackctl.ok(*line, "-o", "json").out.splitlines():
            assert isinstance(json.loads(row), dict), line
