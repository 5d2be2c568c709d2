# SPDX-License-Identifier: Apache-2.0
"""The broker, or the worker, vanishes in the middle: nothing is lost, nothing done twice."""
import random
import time

from probe import publish, queue_now, results
from proxy import Proxy
from processes import wait_until


def test_a_broker_killed_in_the_middle_costs_no_result(broker, queue, probe):
    ids = publish(broker, *["work 20"] * 200)
    worker = probe(concurrency=2, stop_when_empty=1)
    for count in (20, 60, 120):
        worker.await_line("end", count)
        broker.kill()
        broker.start()
    assert worker.end() == 0
    assert results(broker) == {task_id: task_id for task_id in ids}
    now = queue_now(broker)
    assert (now["done"], now["leased"], now["ready"], now["losses"]) == (200, 0, 0, 0)
    # What was in flight at a kill may have been leased to nobody; no more than that came twice.
    stats = worker.stats()
    assert stats["acked"] == 200 and stats["computed"] == 200
    assert now["deliveries"] - now["preemptions"] == 200


def test_results_finished_while_the_broker_is_away_are_acked_when_it_is_back(
        broker, queue, probe):
    ids = publish(broker, *["work 50"] * 8)
    worker = probe(concurrency=2, prefetch=8, stop_when_empty=1)
    worker.await_line("begin")
    wait_until(lambda: queue_now(broker)["leased"] == 8, "all are leased")
    broker.kill()
    worker.await_line("end", 8)  # it goes on without
    broker.start()
    assert worker.end() == 0
    assert results(broker) == {task_id: task_id for task_id in ids}
    assert (queue_now(broker)["deliveries"], queue_now(broker)["losses"]) == (8, 0)


def test_killed_workers_lose_tasks_to_others_and_each_is_done_once(broker, queue, probe, tmp_path):
    options = {"session_ms": 1000, "prefetch": 4, "sink": f"file:{tmp_path / 'results'}"}
    ids = publish(broker, *["work 20"] * 1200)
    chance = random.Random(1)
    workers = [probe(**options) for _ in range(3)]
    for turn in range(6):
        victim = chance.randrange(3)
        workers[victim].await_line("end", chance.randrange(2, 8))
        if turn % 2:
            workers[victim].drain()
            assert workers[victim].end() == 0
        else:
            workers[victim].process.kill()
        workers[victim] = probe(**options)
        if turn == 3:
            broker.kill()
            broker.start()
    wait_until(lambda: queue_now(broker)["done"] == 1200, "all are done")
    now = queue_now(broker)
    assert (now["ready"], now["leased"], now["delayed"], now["dead"]) == (0, 0, 0, 0)
    assert now["failures"] == 0
    files = {path.name: path.read_text() for path in (tmp_path / "results").glob("t*")}
    assert files == {task_id: task_id for task_id in ids}


def test_a_task_leased_to_nobody_comes_back_while_the_worker_lives(broker, queue, probe):
    """Its heartbeats would keep that lease as long as it lives, if it went on with the session."""
    with Proxy(broker.port) as proxy:
        worker = probe(url=proxy.url, session_ms=60000)
        publish(broker, "work 1")
        worker.await_line("end")
        proxy.lose(b"orphan000")
        publish(broker, "work 1", prefix="orphan")
        assert proxy.lost.wait(30)
        wait_until(lambda: queue_now(broker)["done"] == 2, "the task is done")
        worker.drain()
        assert worker.end() == 0
    now = queue_now(broker)
    assert (now["deliveries"], now["preemptions"], now["losses"]) == (3, 1, 0)


def test_an_ack_whose_reply_is_lost_is_repeated_and_counts_once(broker, queue, probe):
    with Proxy(broker.port) as proxy:
        worker = probe(url=proxy.url)
        (task,) = publish(broker, "work 300")
        worker.await_line("begin")
        # While the handler works the leaser polls, so the ack comes by itself: a reply to a Lease that
        # settles holds the outcome, and the situation of a queue that is done.
        proxy.lose(b"HTTP/1.1 200")
        assert proxy.lost.wait(30)
        wait_until(lambda: queue_now(broker)["done"] == 1, "the task is done")
        worker.drain()
        assert worker.end() == 0
    assert results(broker) == {task: task}
    assert worker.stats()["acked"] == 1
    assert (queue_now(broker)["done"], queue_now(broker)["deliveries"]) == (1, 1)


def test_progress_that_a_lost_heartbeat_carried_is_told_by_the_next(broker, queue, probe):
    with Proxy(broker.port) as proxy:
        worker = probe(url=proxy.url, session_ms=6000)
        (task,) = publish(broker, "mark 1000")
        worker.await_line("begin")
        (session,) = broker.call("SessionService/List", queue="q")["sessions"]
        # A heartbeat is the session and, where there is progress, lease tokens (field 2) behind it.
        proxy.lose(session["sessionId"].encode() + b"\x12", is_reply=False)
        assert proxy.lost.wait(30)

        def since_lease() -> int:
            told = broker.call("TaskService/Get", queue="q", taskId=task)["task"]
            return int(told["progressUnixMs"]) - int(told["leasedUnixMs"])

        assert since_lease() == 0
        wait_until(lambda: since_lease() > 500, "it is told after all")
        worker.drain()
        assert worker.end() == 0


def test_a_broker_that_takes_less_in_a_request_still_gets_heartbeats_and_all_progress(
        broker, queue, probe):
    tasks = publish(broker, "step", "step", "step")
    worker = probe(session_ms=4000, concurrency=3)
    worker.await_line("begin", 3)
    broker.stop()
    broker._command += ["--max-batch-items", "1"]
    broker.start()
    restarted_ms = time.time() * 1000

    def told(task: str) -> bool:
        held = broker.call("TaskService/Get", queue="q", taskId=task)["task"]
        return int(held["progressUnixMs"]) > restarted_ms

    wait_until(lambda: all(told(task) for task in tasks), "each is told of in its turn")
    assert not worker.lines("stop")
