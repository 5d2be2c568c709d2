# SPDX-License-Identifier: Apache-2.0
"""/metrics: what is counted, that it is right, bounded, and as Prometheus wants it."""
import subprocess
import threading
import time

import pytest
from processes import wait_until
from prometheus import promtool, read_metrics
from raw_http import RawClient


def publish(broker, queue: str, count: int, dataset: str = "", **item) -> None:
    broker.call("TaskService/Publish", queue=queue, dataset=dataset,
                tasks=[item] * count, brief=True)


def lease(broker, queue: str, count: int = 1, **more) -> list[dict]:
    return broker.call("TaskService/Lease", queue=queue, maxTasks=count, **more).get("tasks", [])


def nack(broker, task: dict, reason: str, **more) -> None:
    [outcome] = broker.call("TaskService/Nack", items=[
        {"leaseToken": task["leaseToken"], "reason": f"NACK_REASON_{reason}", **more}])["outcomes"]
    assert outcome == {}


def make(broker, queue: str, **config) -> str:
    broker.call("QueueService/Create", name=queue, config=config)
    return queue


def eventually(raw, holds) -> None:
    deadline = time.monotonic() + 20
    while not holds(read_metrics(raw)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_promtool_finds_nothing_to_say_of_them(broker, raw):
    tool = promtool()
    if tool is None:
        pytest.skip("no promtool here")
    publish(broker, make(broker, "checked"), 3, dataset='a "quoted" \\ name')
    for task in lease(broker, "checked"):
        nack(broker, task, "FAILED")
    text = raw.call("/metrics", verb="GET").body
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_every_family_says_what_it_is(broker, raw):
    metrics = read_metrics(raw)
    assert metrics.types.keys() == metrics.helps.keys()
    assert all(len(text) > 10 for text in metrics.helps.values()), metrics.helps


def test_what_happens_to_tasks_is_counted_by_cause(broker, raw):
    queue = make(broker, "causes", maxFailures=2, backoffMinMs="0", backoffMaxMs="0")
    publish(broker, queue, 4)
    before = read_metrics(raw)
    failing, drained, released, _ = lease(broker, queue, 4)
    nack(broker, failing, "FAILED")
    nack(broker, drained, "PREEMPTED")
    nack(broker, released, "RELEASED")
    again = lease(broker, queue, 3)
    [failing] = [task for task in again if task["taskId"] == failing["taskId"]]
    nack(broker, failing, "FAILED")  # for the last time
    broker.call("TaskService/Cancel", queue=queue, taskIds=[drained["taskId"]])
    broker.call("DeadLetterService/Redrive", queue=queue, selection={"taskIds": [failing["taskId"]]})
    after = read_metrics(raw)

    def grown(name: str, **labels: str) -> float:
        return after(name, queue=queue, **labels) - before(name, queue=queue, **labels)

    causes = {cause: grown("ackd_queue_redeliveries_total", cause=cause)
              for cause in ("failed", "preempted", "lost", "released", "redriven")}
    assert causes == {"failed": 1, "preempted": 1, "lost": 0, "released": 1, "redriven": 1}
    reasons = {reason: grown("ackd_queue_dead_letters_total", reason=reason)
               for reason in ("failures", "losses", "expired", "cancelled", "corrupt")}
    assert reasons == {"failures": 1, "losses": 0, "expired": 0, "cancelled": 1, "corrupt": 0}
    assert after("ackd_queue_tasks", queue=queue, state="dead") == 1
    assert grown("ackd_queue_deliveries_total") == 7
    assert grown("ackd_queue_failures_total") == 2


def test_a_lost_lease_is_a_cause_too(broker, raw):
    queue = make(broker, "lossy", leaseMs="1000")
    publish(broker, queue, 1)
    assert lease(broker, queue)
    eventually(raw, lambda now: now("ackd_queue_redeliveries_total", queue=queue,
                                    cause="lost") == 1)


def test_ages_are_those_of_the_oldest(broker, raw):
    queue = make(broker, "ages")
    metrics = read_metrics(raw)
    for name in ("ackd_queue_oldest_ready_age_seconds", "ackd_queue_oldest_lease_age_seconds",
                 "ackd_queue_oldest_progress_age_seconds"):
        assert metrics(name, queue=queue) == 0
    publish(broker, queue, 1, priority=3)
    first_at = time.time()
    time.sleep(0.3)
    publish(broker, queue, 1, priority=9)
    publish(broker, queue, 5)

    def ready_age() -> float:
        return read_metrics(raw)("ackd_queue_oldest_ready_age_seconds", queue=queue)

    assert 0.3 <= ready_age() <= time.time() - first_at + 0.1
    [second] = lease(broker, queue)
    assert ready_age() >= 0.3  # the one of priority 3 still waits
    leased_at = time.time()
    [first] = lease(broker, queue)
    assert ready_age() < time.time() - first_at - 0.25
    time.sleep(0.2)
    age = read_metrics(raw)("ackd_queue_oldest_lease_age_seconds", queue=queue)
    assert time.time() - leased_at - 0.1 <= age <= time.time() - first_at + 0.1
    broker.call("TaskService/Renew", items=[{"leaseToken": each["leaseToken"], "progress": True}
                                            for each in (first, second)])
    metrics = read_metrics(raw)
    assert metrics("ackd_queue_oldest_lease_age_seconds", queue=queue) >= age
    assert (metrics("ackd_queue_oldest_progress_age_seconds", queue=queue)
            <= metrics("ackd_queue_oldest_lease_age_seconds", queue=queue) - 0.19)
    broker.call("TaskService/Ack", items=[{"leaseToken": second["leaseToken"]}])
    nack(broker, first, "RELEASED")
    metrics = read_metrics(raw)
    assert metrics("ackd_queue_oldest_lease_age_seconds", queue=queue) == 0
    # given back, it is as old as ever
    assert metrics("ackd_queue_oldest_ready_age_seconds", queue=queue) >= 0.5


def test_a_task_that_is_delayed_is_not_the_oldest_ready_one(broker, raw):
    queue = make(broker, "delays")
    publish(broker, queue, 3, delayMs="60000")
    assert read_metrics(raw)("ackd_queue_oldest_ready_age_seconds", queue=queue) == 0
    time.sleep(0.2)
    publish(broker, queue, 1)
    assert read_metrics(raw)("ackd_queue_oldest_ready_age_seconds", queue=queue) < 0.19


def test_the_oldest_ready_one_behind_very_many_others_is_not_said_to_be_none(broker, raw):
    queue = make(broker, "behind")
    publish(broker, queue, 200, delayMs="60000")
    publish(broker, queue, 1)
    metrics = read_metrics(raw)
    assert metrics("ackd_queue_tasks", queue=queue, state="ready") == 1
    assert metrics.get("ackd_queue_oldest_ready_age_seconds", queue=queue) is None


def test_lease_ages_outlive_a_restart(broker_with):
    broker = broker_with()
    queue = make(broker, "kept")
    publish(broker, queue, 2)
    assert lease(broker, queue, leaseMs="600000")
    leased_at = time.time()
    time.sleep(0.3)
    assert lease(broker, queue, leaseMs="600000")
    broker.kill()
    broker.start()
    with RawClient(broker.port) as raw:
        age = read_metrics(raw)("ackd_queue_oldest_lease_age_seconds", queue=queue)
    assert 0.3 <= age <= time.time() - leased_at + 0.1


def test_datasets_show_their_progress(broker, raw):
    queue = make(broker, "books")
    publish(broker, queue, 3, dataset="one")
    publish(broker, queue, 1, dataset='two "\\')
    done = lease(broker, queue, 1)
    broker.call("TaskService/Ack", items=[{"leaseToken": task["leaseToken"]} for task in done])
    metrics = read_metrics(raw)
    one = {"queue": queue, "dataset": "one"}
    assert metrics("ackd_dataset_tasks", **one, state="ready") == 2
    assert metrics("ackd_dataset_published_total", **one) == 3
    assert metrics("ackd_dataset_done_total", **one) == 1
    assert metrics("ackd_dataset_done_ratio", **one) == pytest.approx(1 / 3)
    assert metrics("ackd_dataset_published_total", queue=queue, dataset='two "\\') == 1


def test_histograms_are_cumulative_and_agree_with_the_counters(broker, raw):
    queue = make(broker, "batches")
    before = read_metrics(raw)
    publish(broker, queue, 20)
    for _ in range(20):
        lease(broker, queue)
    metrics = read_metrics(raw)
    families = [name for name, kind in metrics.types.items() if kind == "histogram"]
    assert set(families) == {"ackd_shard_batch_seconds", "ackd_shard_commit_seconds",
                             "ackd_shard_log_flush_seconds", "ackd_shard_log_checkpoint_seconds",
                             "ackd_shard_batch_commands"}
    for family in families:
        buckets = [(float(dict(labels)["le"]), value)
                   for (name, labels), value in metrics.samples.items()
                   if name == family + "_bucket"]
        assert buckets == sorted(buckets), family
        assert buckets[-1] == (float("inf"), metrics(family + "_count", shard="0")), family
        commits = metrics("ackd_shard_commits_total", shard="0")
        if family == "ackd_shard_log_checkpoint_seconds":
            checkpoints = metrics("ackd_shard_log_checkpoints_total", shard="0")
            assert metrics(family + "_count", shard="0") <= checkpoints
            continue
        if family == "ackd_shard_log_flush_seconds":  # those that the log took
            assert metrics(family + "_count", shard="0") <= commits
        else:
            assert metrics(family + "_count", shard="0") == commits
        assert metrics(family + "_count", shard="0") >= before(family + "_count", shard="0") + 21
    commands = metrics("ackd_shard_batch_commands_sum", shard="0")
    assert commands >= before("ackd_shard_batch_commands_sum", shard="0") + 21
    flush, commit, batch = (metrics(f"ackd_shard_{what}_seconds_sum", shard="0")
                            for what in ("log_flush", "commit", "batch"))
    assert 0 < flush < commit < batch < 60


def test_what_only_the_log_has_is_brought_in_after_a_moment(broker, raw):
    def checkpoints() -> int:
        return read_metrics(raw)("ackd_shard_log_checkpoints_total", shard="0")

    before = checkpoints()
    publish(broker, make(broker, "quiet"), 1)
    wait_until(lambda: checkpoints() > before, "a checkpoint is made by itself")


def test_the_store_is_measured(broker, raw):
    metrics = read_metrics(raw)
    used, file, limit, most = (metrics(f"ackd_shard_{what}_bytes", shard="0")
                               for what in ("used", "file", "publish_limit", "map"))
    assert 0 < used <= file < limit < most
    assert limit == pytest.approx(0.85 * most, rel=0.01)
    free = metrics("ackd_shard_free_pages", shard="0") * metrics("ackd_shard_page_bytes",
                                                                 shard="0")
    assert 0 < free <= file


def test_workers_and_connections_are_counted(broker, raw):
    queue = make(broker, "crowd")
    broker.call("SessionService/Open", queue=queue, worker="w")
    with RawClient(broker.port) as waiting:
        poll = threading.Thread(target=waiting.call, args=(
            "/ackd.v1.TaskService/Lease",
            b'{"queue":"crowd","maxTasks":1,"waitMs":"20000"}'))
        poll.start()
        eventually(raw, lambda now: now("ackd_queue_waiters", queue=queue) == 1)
        metrics = read_metrics(raw)
        assert metrics("ackd_queue_sessions", queue=queue) == 1
        assert metrics("ackd_connections") >= 2
        publish(broker, queue, 1)
        poll.join()
    assert read_metrics(raw)("ackd_queue_waiters", queue=queue) == 0


def test_refusals_are_counted_by_code(broker, raw):
    labels = {"service": "TaskService", "method": "Publish", "code": "QUEUE_NOT_FOUND"}
    before = read_metrics(raw).get("ackd_requests_total", 0, **labels)
    raw.call("/ackd.v1.TaskService/Publish", b'{"queue":"none","tasks":[{}]}')
    assert read_metrics(raw)("ackd_requests_total", **labels) == before + 1


def test_the_process_and_its_build_are_named(broker, raw):
    metrics = read_metrics(raw)
    [version] = metrics.values_of("ackd_build_info", "version")
    assert version and metrics("ackd_build_info", version=version) == 1
    assert time.time() - 600 < metrics("process_start_time_seconds") <= time.time()
    assert 3 < metrics("process_open_fds") < metrics("process_max_fds")


def test_what_is_over_the_bound_is_summed(broker_with):
    broker = broker_with("--metrics-queues", "3", "--shards", "2")
    with RawClient(broker.port) as raw:
        for number in range(10):
            publish(broker, make(broker, f"q{9 - number}"), number + 1,
                    dataset=f"set-{number}")
        metrics = read_metrics(raw)
        assert metrics("ackd_queues") == metrics("ackd_datasets") == 10
        # the oldest queues, the latest datasets
        assert metrics.values_of("ackd_queue_paused", "queue") == {"q9", "q8", "q7", "_other"}
        assert metrics.values_of("ackd_dataset_published_total", "dataset") == {
            "set-9", "set-8", "set-7", "_other"}
        assert metrics("ackd_queue_tasks", queue="q7", state="ready") == 3
        assert metrics("ackd_queue_tasks", queue="_other", state="ready") == sum(range(4, 11))
        assert metrics("ackd_dataset_tasks", queue="_other", dataset="_other",
                       state="ready") == sum(range(1, 8))
        assert metrics.get("ackd_queue_oldest_ready_age_seconds", queue="_other") is None
        series = len(metrics.samples)
        for number in range(30):
            publish(broker, make(broker, f"more-{number}"), 1, dataset=f"more-{number}")
        assert len(read_metrics(raw).samples) <= series + 3  # methods not called before
        broker.call("QueueService/Delete", name="q9")
        assert "q6" in read_metrics(raw).values_of("ackd_queue_paused", "queue")


def test_thousands_of_queues_are_answered_at_once(broker_with):
    broker = broker_with("--store", "mem")
    with RawClient(broker.port) as raw:
        for number in range(2000):
            raw.call("/ackd.v1.QueueService/Create", b'{"name":"many-%d"}' % number)
        begun = time.monotonic()
        metrics = read_metrics(raw)
        assert time.monotonic() - begun < 2
    assert metrics("ackd_queues") == 2000
    assert len(metrics.values_of("ackd_queue_paused", "queue")) == 101
