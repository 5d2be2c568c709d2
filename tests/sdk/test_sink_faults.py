# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL dies, or the connection to it is cut at a commit; the disk of the files is full: no
result is lost or doubled, and none is acked before it is there."""
import os
import subprocess

import pytest
from postgres_proxy import CUTS, PostgresProxy
from probe import publish, queue_now
from processes import BUILD, wait_until
from sinks import FileSink, PostgresSink
from small_disk import fill_up, small_disk

TASKS = 30
PAYLOADS = [f"echo 5 content of {i}" for i in range(TASKS)]


@pytest.fixture
def table(postgres):
    return PostgresSink(postgres)


@pytest.fixture
def proxy(postgres, table):
    with PostgresProxy(postgres.directory, postgres.user) as proxy:
        table.conninfo = proxy.conninfo
        yield proxy


def expect_each_once(broker, sink, ids) -> None:
    assert sink.results() == dict(zip(ids, PAYLOADS))
    assert not sink.problems()
    now = queue_now(broker)
    assert (now["done"], now["failures"], now["dead"], now["leased"]) == (len(ids), 0, 0, 0)


@pytest.mark.parametrize("where", CUTS)
def test_a_connection_is_cut_at_every_commit_for_a_while(broker, queue, probe, table, proxy, where):
    """Whatever the server made of it, the broker hears of none before the client was told."""
    proxy.cut(where, times=3)
    ids = publish(broker, *PAYLOADS)
    worker = probe(sink=table.option, stop_when_empty=1)
    wait_until(lambda: proxy.cuts[where] == 2, "two commits have been cut")
    assert queue_now(broker)["done"] == 0
    if where in ("before", "announced"):
        assert table.results() == {}
    if where == "answered":
        assert table.missing(ids[:1]) == []
    assert worker.end() == 0
    expect_each_once(broker, table, ids)
    assert worker.begun() == ids  # and nothing was computed again
    assert queue_now(broker)["deliveries"] == TASKS


def test_a_server_that_never_answers_holds_no_drain_up(broker, queue, probe, table, proxy):
    ids = publish(broker, *PAYLOADS[:3])
    proxy.cut("silent")
    worker = probe(sink=table.option, grace_ms=1000)
    assert proxy.was_cut.wait(30)
    worker.drain()
    assert worker.process.wait(8) == 1
    assert worker.status() == "TIMEOUT"
    assert queue_now(broker)["leased"] == 0
    committed = set(table.results())
    assert committed
    second = probe(sink=table.option, stop_when_empty=1)
    assert second.end() == 0
    assert set(second.begun()) == set(ids) - committed
    expect_each_once(broker, table, ids)


def test_a_server_that_never_answers_is_given_up(broker, queue, probe, table, proxy):
    ids = publish(broker, *PAYLOADS[:3])
    proxy.cut("silent")
    worker = probe(sink=table.option, stop_when_empty=1)
    assert "no answer" in " ".join(worker.await_line("log"))
    assert worker.end() == 0
    assert worker.begun() == ids
    expect_each_once(broker, table, ids)


@pytest.mark.parametrize("death", ["crash", "kill", "stop"])
def test_a_server_that_dies_again_and_again_costs_no_result(broker, queue, probe, table, postgres,
                                                            death):
    ids = publish(broker, *PAYLOADS)
    workers = [probe(sink=table.option, prefetch=2, stop_when_empty=1) for _ in range(2)]
    for count in (3, 8):
        workers[0].await_line("end", count)
        getattr(postgres, death)()
        done = queue_now(broker)["done"]
        postgres.start()
        assert len(table.results()) >= done
    assert [worker.end() for worker in workers] == [0, 0]
    expect_each_once(broker, table, ids)


def test_sessions_that_an_operator_ends_are_made_anew(broker, queue, probe, table, postgres):
    ids = publish(broker, *PAYLOADS)
    worker = probe(sink=table.option, stop_when_empty=1)
    for count in range(3, TASKS, 3):
        worker.await_line("end", count)
        postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE application_name = 'ackd-worker'")
    assert worker.end() == 0
    expect_each_once(broker, table, ids)
    assert worker.begun() == ids


@pytest.mark.parametrize("state", ["40001", "40P01", "53100", "57014", "57P01", "25006"])
def test_an_error_that_passes_is_no_failure_of_the_task(broker, queue, probe, table, postgres,
                                                                state):
    """The first three tries fail. A sequence counts them: it isn't rolled back."""
    postgres.query(f"""
        DROP SEQUENCE IF EXISTS tries;
        CREATE SEQUENCE tries;
        CREATE OR REPLACE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') <= 3 THEN
                RAISE EXCEPTION 'not now' USING ERRCODE = '{state}'; END IF;
            RETURN NEW; END $$;
        CREATE TRIGGER stumble BEFORE INSERT ON ackd_results
            FOR EACH ROW EXECUTE FUNCTION stumble();
    """)
    ids = publish(broker, *PAYLOADS)
    worker = probe(sink=table.option, stop_when_empty=1)
    assert worker.end() == 0
    expect_each_once(broker, table, ids)
    assert worker.begun() == ids


def test_a_locked_table_is_waited_for(broker, queue, probe, table, postgres):
    ids = publish(broker, *PAYLOADS[:3])
    with subprocess.Popen(["psql", "-X", "-q", "-d", postgres.conninfo], stdin=subprocess.PIPE,
                          text=True) as other:
        other.stdin.write("BEGIN; LOCK TABLE ackd_results IN EXCLUSIVE MODE;\n")
        other.stdin.flush()
        wait_until(lambda: postgres.query("SELECT 1 FROM pg_locks WHERE mode = 'ExclusiveLock' AND "
                                          "relation = 'ackd_results'::regclass AND granted"),
                   "the table is locked")
        worker = probe(sink=table.option, stop_when_empty=1)
        words = worker.await_line("log")
        assert "55P03" in " ".join(words)
        assert queue_now(broker)["done"] == 0
        other.stdin.close()
    assert worker.end() == 0
    expect_each_once(broker, table, ids)


def test_a_drain_while_the_server_is_away_ends_within_the_grace(broker, queue, probe, table,
                                                                postgres):
    worker = probe(sink=table.option, grace_ms=1000)
    wait_until(lambda: queue_now(broker)["sessions"] == 1, "it has joined")
    postgres.kill()
    ids = publish(broker, *PAYLOADS[:3])
    worker.await_line("end", 3)  # computed, and no sink to put them
    worker.drain()
    assert worker.process.wait(8) == 1
    assert worker.status() == "TIMEOUT"
    assert queue_now(broker)["leased"] == 0
    postgres.start()
    assert probe(sink=table.option, stop_when_empty=1).end() == 0
    expect_each_once(broker, table, ids)


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", "256k") as disk:
        yield disk


def test_a_full_disk_is_waited_for_and_holds_only_whole_files(broker, queue, probe, disk):
    filler = fill_up(disk)
    ids = publish(broker, *PAYLOADS)
    sink = FileSink(disk / "out")
    sink.directory.mkdir()
    worker = probe(sink=sink.option, stop_when_empty=1)
    assert "No space left" in " ".join(worker.await_line("log"))
    worker.await_line("end", 10)  # it goes on computing
    assert (queue_now(broker)["done"], sink.results(), sink.leftovers()) == (0, {}, 0)
    filler.unlink()
    assert worker.end() == 0
    expect_each_once(broker, sink, ids)
    assert worker.begun() == ids


@pytest.mark.skipif(os.environ.get("ACKD_SANITIZE", "none") != "none",
                    reason="the sanitizers' library would have to come before the preloaded one")
def test_a_file_that_may_not_survive_is_not_taken_for_done(broker, queue, probe, tmp_path,
                                                           monkeypatch):
    """One worker has renamed its files and can't flush their directory; another finds them."""
    fault = tmp_path / "fault"
    fault.touch()
    monkeypatch.setenv("LD_PRELOAD", str(BUILD / "tests/sdk/libdirectory_fault.so"))
    monkeypatch.setenv("DIRECTORY_FAULT", str(fault))
    ids = publish(broker, *PAYLOADS)
    sink = FileSink(tmp_path / "out")
    first = probe(sink=sink.option, session_ms=1000)
    wait_until(lambda: sink.results(), "a file is there")
    first.process.kill()
    wait_until(lambda: queue_now(broker)["leased"] == 0, "the tasks have come back")
    second = probe(sink=sink.option, stop_when_empty=1)
    second.await_line("end", 5)
    assert queue_now(broker)["done"] == 0
    fault.unlink()
    assert second.end() == 0
    expect_each_once(broker, sink, ids)
