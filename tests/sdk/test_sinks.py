# SPDX-License-Identifier: Apache-2.0
"""Results in files, in PostgreSQL, and in a sink of one's own: committed first, acked then."""
import urllib.parse

import pytest
from probe import publish, queue_now, results
from processes import wait_until


@pytest.fixture
def table(postgres):
    """An empty database for one test; returns a query function and its conninfo."""
    postgres.query("DROP TABLE IF EXISTS ackd_results")
    return postgres


def rows(postgres) -> dict[str, tuple[str, int]]:
    found = postgres.query("SELECT task_id, convert_from(result, 'UTF8'), fence FROM ackd_results")
    return {task_id: (result, int(fence)) for task_id, result, fence in found}


def test_files_are_named_by_task_and_whole(broker, queue, probe, tmp_path):
    names = ["plain", "a/b", "..", ".hidden", "ümlaut", "sp ace", "%41", "x" * 256, "é" * 128]
    broker.call("TaskService/Publish", queue="q",
                tasks=[{"taskId": name, "payload": "d29yayAx"} for name in names])
    assert probe(sink=f"file:{tmp_path / 'out'}", stop_when_empty=1).end() == 0
    found = {}
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            name = str(path.relative_to(tmp_path / "out")).replace("%/", "")
            found[urllib.parse.unquote(name)] = path.read_text()
    assert found == {name: name for name in names}
    assert results(broker) == {}  # the broker was told that they are committed, and got none
    assert queue_now(broker)["done"] == len(names)


def test_what_the_sink_has_is_acked_without_computing(broker, queue, probe, tmp_path):
    ids = publish(broker, *["work 1"] * 50)
    (tmp_path / "out").mkdir()
    for task_id in ids[:30]:
        (tmp_path / "out" / task_id).write_text("from before")
    worker = probe(sink=f"file:{tmp_path / 'out'}", stop_when_empty=1)
    assert worker.end() == 0
    assert sorted(worker.begun()) == ids[30:]
    assert (worker.stats()["skipped"], worker.stats()["acked"]) == (30, 50)
    assert (tmp_path / "out" / ids[0]).read_text() == "from before"
    assert queue_now(broker)["done"] == 50


def test_rows_are_stored_in_a_table_that_is_made(broker, queue, probe, table):
    ids = publish(broker, *["work 1"] * 120)
    workers = [probe(sink=f"postgres:{table.conninfo}", stop_when_empty=1) for _ in range(2)]
    assert [worker.end() for worker in workers] == [0, 0]
    assert rows(table) == {task_id: (task_id, 1) for task_id in ids}
    assert queue_now(broker)["done"] == 120


def test_rows_that_are_there_are_acked_without_computing(broker, queue, probe, table):
    ids = publish(broker, *["work 1"] * 20)
    probe(sink=f"postgres:{table.conninfo}", stop_when_empty=1).end()
    broker.call("QueueService/Delete", name="q")
    broker.call("QueueService/Create", name="q")
    publish(broker, *["work 1"] * 25)
    worker = probe(sink=f"postgres:{table.conninfo}", stop_when_empty=1)
    assert worker.end() == 0
    assert worker.stats()["skipped"] == 20
    assert len(rows(table)) == 25 and set(ids) < set(rows(table))


@pytest.mark.parametrize("policy, kept", [("first", ("from before", 9)), ("newest", ("t000", 1))])
def test_of_two_results_the_policy_says_which_stays(broker, queue, probe, table, policy, kept):
    """The row appears while the handler runs, as if another delivery had committed first."""
    (task,) = publish(broker, "finish")
    options = {"policy": "newest"} if policy == "newest" else {}
    worker = probe(**options, sink=f"postgres:{table.conninfo}")
    worker.await_line("begin")
    table.query("INSERT INTO ackd_results VALUES "
                f"('q', '{task}', {9 if policy == 'first' else 0}, 'from before', '', '')")
    worker.drain()
    assert worker.end() == 0
    assert rows(table) == {task: kept}
    assert queue_now(broker)["done"] == 1


def test_an_older_fence_does_not_replace_a_newer_result(broker, queue, probe, table):
    (task,) = publish(broker, "finish")
    worker = probe(policy="newest", sink=f"postgres:{table.conninfo}")
    worker.await_line("begin")
    table.query(f"INSERT INTO ackd_results VALUES ('q', '{task}', 2, 'newer', '', '')")
    worker.drain()
    assert worker.end() == 0
    assert rows(table) == {task: ("newer", 2)}


def test_a_server_that_goes_away_costs_no_result(broker, queue, probe, table):
    ids = publish(broker, *["work 20"] * 100)
    worker = probe(concurrency=2, sink=f"postgres:{table.conninfo}", stop_when_empty=1)
    worker.await_line("end", 20)
    table.kill()
    worker.await_line("log")  # the sink is away
    table.start()
    worker.await_line("end", 60)
    table.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'ackd-worker'")
    assert worker.end() == 0
    assert rows(table) == {task_id: (task_id, 1) for task_id in ids}
    now = queue_now(broker)
    assert (now["done"], now["deliveries"], now["losses"]) == (100, 100, 0)


def test_a_result_that_the_table_refuses_fails_its_task_and_no_other(broker, queue, probe, table):
    broker.call("QueueService/Update", name="q", config={"maxFailures": 1})
    table.query("CREATE TABLE ackd_results (queue text, task_id text, fence bigint, result bytea "
                "CHECK (length(result) < 1000), dataset text, worker text, "
                "PRIMARY KEY (queue, task_id))")
    ids = publish(broker, "work 1", "large 5000", "work 1", "work 1")
    worker = probe(batch=4, prefetch=4, sink=f"postgres:{table.conninfo}", stop_when_empty=1)
    assert worker.end() == 0
    (dead,) = broker.call("DeadLetterService/List", queue="q")["deadLetters"]
    assert dead["task"]["taskId"] == ids[1] and "23514" in dead["error"]
    assert sorted(rows(table)) == [ids[0], ids[2], ids[3]]


def test_a_table_of_the_wrong_shape_stops_the_worker_and_fails_no_task(
        broker, queue, probe, table):
    table.query("CREATE TABLE ackd_results (task_id text)")
    publish(broker, "work 1", "work 1")
    worker = probe(sink=f"postgres:{table.conninfo}")
    assert worker.end() == 1
    assert worker.status() == "INTERNAL"
    now = queue_now(broker)
    assert (now["ready"], now["failures"], now["dead"]) == (2, 0, 0)
    table.query("DROP TABLE ackd_results")


def test_a_server_that_is_not_there_at_the_start_is_waited_for_only_so_long(
        broker, queue, probe, tmp_path):
    worker = probe(start_timeout_ms=300, sink=f"postgres:host={tmp_path} connect_timeout=2")
    assert worker.end() == 1
    assert worker.status() == "UNAVAILABLE"
    assert queue_now(broker)["sessions"] == 0


def test_a_sink_of_ones_own_commits_each_task_once(broker, queue, probe, tmp_path):
    ids = publish(broker, *["work 1"] * 60)
    assert probe(concurrency=3, sink=f"own:{tmp_path / 'list'}", stop_when_empty=1).end() == 0
    assert sorted((tmp_path / "list").read_text().split()) == ids


def test_a_broken_sink_ends_the_worker_and_gives_its_tasks_back(broker, queue, probe, tmp_path):
    publish(broker, *["work 1"] * 10)
    worker = probe(sink=f"own:{tmp_path / 'no such folder' / 'list'}")
    assert worker.end() == 1
    assert worker.status() == "WRONG_STATE"
    wait_until(lambda: queue_now(broker)["leased"] == 0, "nothing is leased")
    now = queue_now(broker)
    assert (now["ready"], now["failures"], now["done"]) == (10, 0, 0)
