# SPDX-License-Identifier: Apache-2.0
"""The broker, or the worker, vanishes in the middle: nothing is lost, nothing done twice."""
import random
import signal

from probe import publish, queue_now, results
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
    """The sink's own count is the proof: a line a commit, in the order of commits."""
    ids = publish(broker, *["work 5"] * 150)
    chance = random.Random(1)
    workers = [probe(session_ms=1000, sink=f"file:{tmp_path / 'results'}") for _ in range(3)]
    for turn in range(6):
        victim = chance.randrange(3)
        workers[victim].await_line("end", chance.randrange(2, 8))
        if turn % 2:
            workers[victim].drain()
            assert workers[victim].end() == 0
        else:
            workers[victim].process.kill()
        workers[victim] = probe(session_ms=1000, sink=f"file:{tmp_path / 'results'}")
        if turn == 3:
            broker.kill()
            broker.start()
    wait_until(lambda: queue_now(broker)["done"] == 150, "all are done")
    now = queue_now(broker)
    assert (now["ready"], now["leased"], now["delayed"], now["dead"]) == (0, 0, 0, 0)
    assert now["failures"] == 0
    files = {path.name: path.read_text() for path in (tmp_path / "results").glob("t*")}
    assert files == {task_id: task_id for task_id in ids}


def test_a_task_leased_to_nobody_comes_back_while_the_worker_lives(broker, queue, probe):
    """SIGSTOP holds the worker while its long poll is answered, and the broker's death takes the answer
    with it. The worker's session lives on, but not for that task."""
    busy = probe(session_ms=60000)
    publish(broker, "work 1")
    busy.await_line("end")
    wait_until(lambda: int(broker.call("QueueService/Get", name="q")["queue"].get("waiters", 0)),
               "it waits for a task")
    busy.process.signal(signal.SIGSTOP)
    (orphan,) = publish(broker, "work 1", prefix="orphan")
    wait_until(lambda: queue_now(broker)["leased"] == 1, "it is leased")
    # The kernel has the answer by now; take it away by closing the broker's end with a reset.
    broker.kill()
    broker.start()
    busy.process.signal(signal.SIGCONT)
    wait_until(lambda: queue_now(broker)["done"] == 2, "the task is done", timeout_s=20)
    assert orphan in results(broker)
