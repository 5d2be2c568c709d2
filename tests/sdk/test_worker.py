# SPDX-License-Identifier: Apache-2.0
"""A worker and a real broker: what a handler sees, how tasks end, what a drain gives back."""
import signal
import time

from busy import Busy
from probe import fence, publish, queue_now, results
from processes import wait_until


def test_every_task_is_computed_and_its_result_stored_once(broker, queue, probe):
    ids = publish(broker, *["work 1"] * 300)
    worker = probe(concurrency=4, stop_when_empty=1)
    assert worker.end() == 0
    assert results(broker) == {task_id: task_id for task_id in ids}
    assert sorted(worker.begun()) == ids
    stats = worker.stats()
    assert (stats["acked"], stats["computed"], stats["lost"]) == (300, 300, 0)
    now = queue_now(broker)
    assert (now["done"], now["deliveries"], now["losses"], now["sessions"]) == (300, 300, 0, 0)


def test_a_batch_handler_gets_micro_batches(broker, queue, probe):
    ids = publish(broker, *["work 1"] * 100)
    worker = probe(batch=8, prefetch=32, stop_when_empty=1)
    assert worker.end() == 0
    assert list(results(broker)) == ids
    sizes = [int(words[0]) for words in worker.lines("batch")]
    assert sum(sizes) == 100 and max(sizes) == 8


def test_a_failure_is_retried_and_then_dead_lettered_with_its_message(broker, queue, probe):
    broker.call("QueueService/Update", name="q", config={"maxFailures": 3})
    publish(broker, "fail", "work 1")
    worker = probe(stop_when_empty=1)
    assert worker.end() == 0
    (dead,) = broker.call("DeadLetterService/List", queue="q")["deadLetters"]
    assert (dead["reason"], dead["error"]) == ("DEAD_REASON_FAILURES", "caf? is closed")
    now = queue_now(broker)
    assert (now["done"], now["dead"], now["failures"], now["deliveries"]) == (1, 1, 3, 4)


def test_a_result_over_the_brokers_limit_fails_its_task_and_no_other(broker, queue, probe):
    broker.call("QueueService/Update", name="q", config={"maxFailures": 1})
    ids = publish(broker, "work 1", "large 1048577", "work 1", "large 1048576")
    worker = probe(stop_when_empty=1)
    assert worker.end() == 0
    (dead,) = broker.call("DeadLetterService/List", queue="q")["deadLetters"]
    assert dead["task"]["taskId"] == ids[1]
    assert len(results(broker)) == 3


def test_the_keeper_keeps_the_lease_of_a_slow_task_through_many_session_lives(
        broker, queue, probe):
    (task,) = publish(broker, "work 4000")
    worker = probe(session_ms=1000, stop_when_empty=1)
    assert worker.end() == 0
    assert worker.begun() == [task]
    now = queue_now(broker)
    assert (now["done"], now["losses"], now["deliveries"]) == (1, 0, 1)


def test_a_task_that_moves_says_so_with_the_heartbeats_and_one_that_hangs_does_not(
        broker, queue, probe):
    moves, hangs = publish(broker, "step", "finish")
    worker = probe(session_ms=1000, concurrency=2)
    worker.await_line("begin", 2)

    def since_lease(task: str) -> int:
        told = broker.call("TaskService/Get", queue="q", taskId=task)["task"]
        return int(told["progressUnixMs"]) - int(told["leasedUnixMs"])

    wait_until(lambda: since_lease(moves) > 500, "a second mark of progress comes")
    assert since_lease(hangs) == 0
    stuck = broker.call("TaskService/List", queue="q", minStalledMs=500)["tasks"]
    assert hangs in [task["taskId"] for task in stuck]
    worker.drain()
    assert worker.end() == 0


def test_the_session_says_on_which_node_and_in_which_pod_it_runs(broker, queue, probe):
    (task,) = publish(broker, "hold")
    worker = probe(name="w", environment={
        "ACKD_NODE_NAME": "gke-spot-1", "ACKD_POD_NAME": "ocr-x7", "ACKD_POD_NAMESPACE": "books"})
    worker.await_line("begin")
    (session,) = broker.call("SessionService/List", queue="q")["sessions"]
    assert (session["node"], session["pod"], session["podNamespace"]) == (
        "gke-spot-1", "ocr-x7", "books")
    worker.drain()
    assert worker.end() == 0
    told = broker.call("TaskService/Get", queue="q", taskId=task)["task"]
    (attempt,) = told["attempts"]
    assert (attempt["end"], attempt["worker"], attempt["pod"], attempt["node"]) == (
        "ATTEMPT_END_PREEMPTED", "w", "ocr-x7", "gke-spot-1")


def test_a_cancelled_task_is_told_to_stop_and_does_not_count(broker, queue, probe):
    (task,) = publish(broker, "finish")
    worker = probe(session_ms=1000)
    worker.await_line("begin")
    broker.call("TaskService/Cancel", queue="q", taskIds=[task])
    assert worker.await_line("stop") == [task, "cancelled"]
    worker.drain()
    assert worker.end() == 0
    now = queue_now(broker)
    assert (now["done"], now["dead"]) == (0, 1)
    assert results(broker) == {}


def test_a_worker_that_was_away_too_long_is_told_that_its_lease_is_lost(broker, queue, probe):
    (task,) = publish(broker, "hold")
    worker = probe(session_ms=1000)
    worker.await_line("begin")
    worker.process.signal(signal.SIGSTOP)
    wait_until(lambda: queue_now(broker)["losses"] == 1, "the session expires")
    worker.process.signal(signal.SIGCONT)
    assert worker.await_line("stop") == [task, "lost"]
    # It opens another session and gets the task again.
    assert worker.await_line("begin", 2)[:2] == [task, "2"]
    worker.drain()
    assert worker.end() == 0
    now = queue_now(broker)
    assert (now["ready"], now["losses"], now["preemptions"]) == (1, 1, 1)
    assert worker.stats()["lost"] == 1


def test_a_result_that_was_finished_under_a_lost_lease_still_counts(broker, queue, probe):
    (task,) = publish(broker, "finish")
    late = probe(session_ms=1000)
    late.await_line("begin")
    late.process.signal(signal.SIGSTOP)
    wait_until(lambda: queue_now(broker)["losses"] == 1, "the session expires")
    second = probe(session_ms=1000)
    second.await_line("begin")
    late.process.signal(signal.SIGCONT)
    # The first learns that its lease is lost and finishes nevertheless; the other one is told.
    assert late.await_line("stop") == [task, "lost"]
    assert second.await_line("stop") == [task, "done"]
    for worker in (late, second):
        worker.drain()
        assert worker.end() == 0
    assert results(broker) == {task: task}
    now = queue_now(broker)
    assert (now["done"], now["salvaged"], now["deliveries"]) == (1, 1, 2)
    assert (late.stats()["salvaged"], late.stats()["acked"]) == (1, 1)
    assert second.stats()["acked"] == 0


def test_a_checkpoint_comes_back_with_the_next_delivery(broker, queue, probe):
    (task,) = publish(broker, "hold")
    first = probe()
    first.await_line("begin")
    first.drain()
    assert first.end() == 0
    second = probe()
    assert second.await_line("begin") == [task, "2", "half"]


def test_checkpoints_may_be_files_and_go_with_their_task(broker, queue, probe, tmp_path):
    folder = tmp_path / "checkpoints"
    (task,) = publish(broker, "twice")
    first = probe(checkpoint_directory=folder)
    first.await_line("begin")
    first.drain()
    assert first.end() == 0
    assert (folder / task).read_text() == "half"
    assert not broker.call("TaskService/Get", queue="q", taskId=task)["task"].get("hasCheckpoint")
    second = probe(checkpoint_directory=folder, stop_when_empty=1)
    assert second.await_line("begin") == [task, "2", "half"]
    assert second.end() == 0
    assert list(results(broker)) == [task]
    assert list(folder.iterdir()) == []


TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_handler_learns_the_trace_of_its_task(broker, queue, probe):
    for number, traceparent in enumerate((TRACEPARENT, "malformed")):
        publish(broker, "trace", prefix=f"t{number}", attributes={"traceparent": traceparent})
    publish(broker, "trace", prefix="plain")
    worker = probe(stop_when_empty=1)
    assert worker.end() == 0
    assert worker.lines("trace") == [[TRACEPARENT], ["none"], ["none"]]


def test_what_is_logged_of_a_task_names_its_trace(broker, queue, probe, tmp_path):
    folder = tmp_path / "checkpoints"
    (task,) = publish(broker, "hold", attributes={"traceparent": TRACEPARENT})
    first = probe(checkpoint_directory=folder)
    first.await_line("begin")
    first.drain()
    assert first.end() == 0
    (folder / task).unlink()
    (folder / task).mkdir()  # which can't be read as a file
    second = probe(checkpoint_directory=folder)
    second.await_line("begin")
    [line] = [" ".join(words) for words in second.lines("log") if "checkpoint" in words]
    assert line.endswith(" trace_id=4bf92f3577b34da6a3ce929d0e0e4736")


def test_drain_gives_back_at_once_what_was_not_begun(broker, queue, probe):
    publish(broker, "hold", *["work 1"] * 20)
    worker = probe(prefetch=21)
    worker.await_line("begin")
    wait_until(lambda: queue_now(broker)["leased"] == 21, "all are leased")
    worker.drain()
    assert worker.end() == 0
    now = queue_now(broker)
    assert (now["ready"], now["leased"], now["done"]) == (21, 0, 0)
    assert (now["preemptions"], now["losses"], now["failures"]) == (21, 0, 0)
    stats = worker.stats()
    assert (stats["unstarted"], stats["released"], stats["lost"]) == (20, 1, 0)
    assert now["sessions"] == 0


def test_a_long_task_keeps_no_other_from_workers_that_have_none(broker, queue, probe):
    publish(broker, "work 2100", "finish", "finish")
    first = probe()
    first.await_line("begin", 2)  # it knows now how long a task takes
    second = probe()
    second.await_line("begin")
    for each in first, second:
        each.drain()
        assert each.end() == 0
    assert queue_now(broker)["done"] == 3


def test_drain_lets_a_handler_finish_and_its_result_counts(broker, queue, probe):
    ids = publish(broker, "finish", "finish", "work 1")
    worker = probe(concurrency=2, prefetch=1)
    worker.await_line("begin", 2)
    worker.drain()
    assert worker.end() == 0
    assert results(broker) == {task_id: task_id for task_id in ids[:2]}
    now = queue_now(broker)
    assert (now["done"], now["ready"]) == (2, 1)


def test_a_handler_that_does_not_stop_is_left_behind_within_the_grace(broker, queue, probe):
    (task,) = publish(broker, "deaf")
    worker = probe(grace_ms=1000)
    worker.await_line("begin")
    worker.drain()
    assert worker.end() == 1
    assert worker.status() == "TIMEOUT"
    now = queue_now(broker)
    assert (now["ready"], now["preemptions"], now["losses"]) == (1, 1, 0)
    assert fence(broker, task) == 1


def test_asked_again_it_leaves_at_once(broker, queue, probe):
    publish(broker, "deaf")
    worker = probe(grace_ms=600000)
    worker.await_line("begin")
    worker.drain()
    worker.await_line("log")  # draining

    def ended():
        worker.drain()
        return worker.process.exit_code() is not None
    wait_until(ended, "the worker has left")
    assert worker.status() == "CANCELED"
    assert queue_now(broker)["ready"] == 1


def test_two_signals_of_one_wish_are_one(broker, queue, probe):
    ids = publish(broker, "finish")
    worker = probe()
    worker.await_line("begin")
    worker.drain()
    worker.drain()
    assert worker.end() == 0
    assert list(results(broker)) == ids


def test_it_drains_by_itself_before_its_machine_is_known_to_end(broker, queue, probe):
    publish(broker, "hold")
    worker = probe(max_run_ms=2500, grace_ms=1500)
    assert worker.end() == 0
    assert queue_now(broker)["preemptions"] == 1


def test_no_task_is_begun_that_could_not_be_done_before_the_machine_ends(broker, queue, probe):
    publish(broker, *["work 700"] * 20)
    worker = probe(max_run_ms=5000, grace_ms=1000, prefetch=2)
    assert worker.end() == 0
    now, stats = queue_now(broker), worker.stats()
    # By 4 s: 5 of 0.7 s each at most; nothing that was begun is cut off.
    assert now["done"] == stats["computed"] == len(worker.begun())
    assert 2 <= now["done"] <= 5
    assert (stats["released"], now["losses"], now["leased"]) == (0, 0, 0)
    assert worker.drained()


def test_the_environment_tells_how_long_the_machine_runs_from_its_boot(broker, queue, probe):
    publish(broker, "hold")
    up_ms = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
    worker = probe(environment={"ACKD_MACHINE_MAX_RUN_MS": str(up_ms + 5000)}, grace_ms=1500)
    assert worker.end() == 0
    assert worker.drained()
    assert queue_now(broker)["preemptions"] == 1


def test_a_machine_that_should_have_ended_already_gets_no_task(broker, queue, probe):
    publish(broker, "work 1")
    worker = probe(environment={"ACKD_MACHINE_MAX_RUN_MS": "1"})
    assert worker.end() == 0
    assert worker.drained()
    assert queue_now(broker)["done"] == 0


def test_a_time_in_the_environment_that_is_none_is_refused(broker, queue, probe):
    worker = probe(environment={"ACKD_MACHINE_MAX_RUN_MS": "a day"})
    assert worker.end() == 1
    assert worker.status() == "INVALID"


def test_the_environment_names_the_directory_of_checkpoints(broker, queue, probe, tmp_path):
    publish(broker, "hold")
    worker = probe(environment={"ACKD_CHECKPOINT_DIR": str(tmp_path / "saved")})
    worker.await_line("begin")
    worker.drain()
    assert worker.end() == 0
    assert worker.drained()
    assert [each.name for each in (tmp_path / "saved").iterdir()]


def test_a_worker_that_found_the_queue_done_has_not_drained(broker, queue, probe):
    publish(broker, "work 1")
    worker = probe(stop_when_empty=1)
    assert worker.end() == 0
    assert not worker.drained()


def test_without_its_queue_a_worker_says_so_and_makes_it_if_asked(broker, probe):
    worker = probe()
    assert worker.end() == 1
    assert worker.status() == "QUEUE_NOT_FOUND"
    worker = probe(create_queue=1, stop_when_empty=1)
    assert worker.end() == 0
    assert queue_now(broker)["done"] == 0


def test_a_queue_that_is_deleted_ends_its_workers(broker, queue, probe):
    publish(broker, "work 1")
    worker = probe()
    worker.await_line("end")
    broker.call("QueueService/Delete", name="q")
    assert worker.end() == 1
    assert worker.status() == "QUEUE_NOT_FOUND"


def test_a_broker_that_is_not_there_at_the_start_is_waited_for_only_so_long(broker, queue, probe):
    broker.kill()
    worker = probe(start_timeout_ms=300)
    assert worker.end() == 1
    assert worker.status() == "UNAVAILABLE"
    waiting = probe(start_timeout_ms=-1, stop_when_empty=1)
    waiting.await_line("log")  # the broker is away
    broker.start()
    assert waiting.end() == 0


def test_a_broker_that_asks_for_a_minute_at_the_start_is_waited_for_only_so_long(probe):
    with Busy() as busy:
        began = time.monotonic()
        worker = probe(url=busy.url, start_timeout_ms=300)
        assert worker.end() == 1
        assert time.monotonic() - began < 10
    assert worker.status() == "UNAVAILABLE" and busy.refused >= 2
