# SPDX-License-Identifier: Apache-2.0
"""Every RPC in JSON: what it answers when all is well."""
import base64
import time

import pytest
from broker import Refused
from processes import wait_until


@pytest.fixture
def queue(broker, request):
    """The name of a new queue, made from the test's."""
    name = request.node.name.removeprefix("test_").replace("_", "-")
    assert broker.call("QueueService/Create", name=name)["created"]
    return name


@pytest.fixture
def calls(broker):
    """calls.publish(...) for TaskService/Publish and so on."""
    services = {"publish": "TaskService/Publish", "lease": "TaskService/Lease",
                "renew": "TaskService/Renew", "ack": "TaskService/Ack", "nack": "TaskService/Nack",
                "save": "TaskService/SaveCheckpoint", "get": "TaskService/Get",
                "list": "TaskService/List", "cancel": "TaskService/Cancel"}

    class Calls:
        def __getattr__(self, name):
            return lambda **request: broker.call(services[name], **request)
    return Calls()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def publish(calls, queue: str, *ids: str, **rest):
    return calls.publish(queue=queue, tasks=[{"taskId": each} for each in ids], **rest)


def lease(calls, queue: str, count: int = 1, **rest) -> list[dict]:
    return calls.lease(queue=queue, maxTasks=count, **rest).get("tasks", [])


def tokens(tasks: list[dict]) -> list[str]:
    return [each["leaseToken"] for each in tasks]


def test_a_queue_is_made_once_and_found_again(broker, queue):
    again = broker.call("QueueService/Create", name=queue)
    assert "created" not in again and again["queue"]["name"] == queue
    config = broker.call("QueueService/Get", name=queue)["queue"]["config"]
    assert config["leaseMs"] == "60000" and config["maxFailures"] == 5
    assert config["dedup"] is True and config["taskTtlMs"] == "0"
    assert config["lateResults"] == "LATE_RESULTS_SALVAGE"


def test_queues_are_listed_by_name_in_pages(broker):
    names = [f"page-{i}" for i in range(5)]
    for name in reversed(names):
        broker.call("QueueService/Create", name=name)
    listed, token = [], ""
    while True:
        page = broker.call("QueueService/List", pageSize=2, pageToken=token)
        assert len(page.get("queues", [])) <= 2
        listed += [each["name"] for each in page.get("queues", [])]
        if not (token := page.get("nextPageToken")):
            break
    assert listed == sorted(listed) and set(names) <= set(listed)


def test_an_update_changes_what_it_sets(broker, queue):
    changed = broker.call("QueueService/Update", name=queue, config={"maxFailures": 9})
    assert changed["queue"]["config"]["maxFailures"] == 9
    assert changed["queue"]["config"]["leaseMs"] == "60000"


def test_a_paused_queue_hands_out_nothing(broker, calls, queue):
    publish(calls, queue, "a")
    assert broker.call("QueueService/Pause", name=queue)["queue"]["paused"]
    reply = calls.lease(queue=queue, maxTasks=1)
    assert "tasks" not in reply and reply["situation"]["paused"]
    assert "paused" not in broker.call("QueueService/Resume", name=queue)["queue"]
    assert len(lease(calls, queue)) == 1


def test_a_purge_takes_what_is_not_leased(broker, calls, queue):
    publish(calls, queue, "a", "b", "c")
    held = lease(calls, queue)
    assert broker.call("QueueService/Purge", name=queue) == {"purged": "2"}
    assert calls.ack(items=[{"leaseToken": held[0]["leaseToken"]}]) == {"outcomes": [{}]}
    assert publish(calls, queue, "b")["stored"] == 1


def test_a_deleted_queue_is_gone_and_its_name_free(broker, calls, queue):
    publish(calls, queue, "a")
    assert broker.call("QueueService/Delete", name=queue) == {}
    assert broker.call("QueueService/Create", name=queue)["created"]
    assert lease(calls, queue) == []


def test_a_publish_says_what_became_of_each_task(calls, queue):
    publish(calls, queue, "a")
    reply = calls.publish(queue=queue, tasks=[{"taskId": "a"}, {"taskId": "b"}, {},
                                              {"taskId": "c", "priority": -1}])
    assert (reply["stored"], reply["duplicates"], reply["refused"]) == (2, 1, 1)
    first, second, made, refused = reply["outcomes"]
    assert first["error"]["status"] == "STATUS_DUPLICATE" and first["taskId"] == "a"
    assert second == {"index": 1, "taskId": "b"}
    assert made["taskId"].startswith("@") and made["index"] == 2
    assert refused["index"] == 3 and refused["error"]["field"] == "tasks[3].priority"


def test_a_brief_publish_names_only_what_was_not_stored(calls, queue):
    publish(calls, queue, "a")
    reply = publish(calls, queue, "b", "a", "c", brief=True)
    assert [each["taskId"] for each in reply["outcomes"]] == ["a"]


def test_a_leased_task_carries_all_that_was_published(calls, queue):
    calls.publish(queue=queue, dataset="d", tasks=[
        {"taskId": "a", "payload": base64_of(b"\0\xff"), "attributes": {"k": "v", "w": ""},
         "priority": 3}])
    [task] = lease(calls, queue)
    assert task["taskId"] == "a" and task["payload"] == base64_of(b"\0\xff")
    assert task["attributes"] == {"k": "v", "w": ""} and task["dataset"] == "d"
    assert task["priority"] == 3 and task["fence"] == "1" and task["deliveries"] == 1
    assert int(task["deadlineUnixMs"]) > int(task["publishedUnixMs"])


def test_tasks_come_by_priority_and_then_in_order(calls, queue):
    calls.publish(queue=queue, tasks=[{"taskId": "a"}, {"taskId": "b", "priority": 9},
                                      {"taskId": "c"}, {"taskId": "d", "priority": 9}])
    assert [each["taskId"] for each in lease(calls, queue, 4)] == ["b", "d", "a", "c"]


@pytest.mark.parametrize("max_bytes, count", [(250_000, 2), (1, 1), (0, 5)])
def test_a_lease_stops_before_its_reply_grows_too_large(broker, calls, max_bytes, count):
    queue = f"bytes-{max_bytes}"
    broker.call("QueueService/Create", name=queue)
    calls.publish(queue=queue, tasks=[{"payload": base64_of(b"x" * 100_000)}] * 5)
    for _ in range(2):
        held = lease(calls, queue, 5, maxBytes=max_bytes)
        assert len(held) == count
        calls.nack(items=[{"leaseToken": each, "reason": "NACK_REASON_RELEASED"}
                          for each in tokens(held)])


def test_a_delayed_task_comes_when_its_time_has_come(calls, queue):
    calls.publish(queue=queue, tasks=[{"taskId": "a", "delayMs": 300}])
    reply = calls.lease(queue=queue, maxTasks=1)
    assert reply["situation"]["delayed"] == "1"
    assert 0 < int(reply["situation"]["nextChangeMs"]) <= 300
    assert len(lease(calls, queue, waitMs=10000)) == 1


def test_a_lease_settles_the_acks_and_nacks_that_it_carries(calls, queue):
    publish(calls, queue, "a", "b", "c")
    first, second = tokens(lease(calls, queue, 2))
    reply = calls.lease(queue=queue, maxTasks=1, acks=[{"leaseToken": first}],
                        nacks=[{"leaseToken": second, "reason": "NACK_REASON_RELEASED"}])
    assert reply["ackOutcomes"] == [{}] and reply["nackOutcomes"] == [{}]
    assert [each["taskId"] for each in reply["tasks"]] == ["b"]


def test_a_publish_ends_a_long_poll(broker, calls, queue):
    import threading
    found = []
    waiting = threading.Thread(target=lambda: found.extend(lease(calls, queue, waitMs=20000)))
    waiting.start()
    wait_until(lambda: broker.call("QueueService/Get", name=queue)["queue"].get("waiters") == "1",
               "the long poll waits")
    publish(calls, queue, "a")
    waiting.join(10)
    assert [each["taskId"] for each in found] == ["a"]


def test_a_renewed_lease_ends_later(calls, queue):
    publish(calls, queue, "a")
    [task] = lease(calls, queue, leaseMs=5000)
    [renewed] = calls.renew(
        items=[{"leaseToken": task["leaseToken"], "leaseMs": 60000}])["outcomes"]
    assert int(renewed["deadlineUnixMs"]) > int(task["deadlineUnixMs"]) + 50000


def test_an_ack_ends_a_task_and_may_be_repeated(broker, calls, queue):
    publish(calls, queue, "a", "b")
    items = [{"leaseToken": each} for each in tokens(lease(calls, queue, 2))]
    assert calls.ack(items=items) == {"outcomes": [{}, {}]}
    assert calls.ack(items=items[:1]) == {"outcomes": [{"repeated": True}]}
    assert broker.call("QueueService/Get", name=queue)["queue"]["counts"]["done"] == "2"


def test_a_nack_gives_a_task_back_for_its_reason(broker, calls, queue):
    publish(calls, queue, "a", "b")
    first, second = tokens(lease(calls, queue, 2))
    calls.nack(items=[
        {"leaseToken": first, "reason": "NACK_REASON_FAILED", "error": "no", "delayMs": 60000},
        {"leaseToken": second, "reason": "NACK_REASON_PREEMPTED", "checkpoint": base64_of(b"c")}])
    [task] = lease(calls, queue, 5)
    assert (task["taskId"], task["preemptions"]) == ("b", 1)
    assert task["checkpoint"] == base64_of(b"c")
    failed = calls.get(queue=queue, taskId="a")["task"]
    assert (failed["state"], failed["failures"], failed["lastError"]) == ("TASK_STATE_DELAYED", 1,
                                                                          "no")


def test_a_checkpoint_comes_with_the_next_delivery(calls, queue):
    publish(calls, queue, "a")
    [task] = lease(calls, queue)
    assert "checkpoint" not in task
    calls.save(leaseToken=task["leaseToken"], data=base64_of(b"half"))
    calls.nack(items=[{"leaseToken": task["leaseToken"], "reason": "NACK_REASON_RELEASED"}])
    assert lease(calls, queue)[0]["checkpoint"] == base64_of(b"half")


def test_tasks_are_listed_in_service_order_by_state_and_dataset(calls, queue):
    calls.publish(queue=queue, tasks=[{"taskId": "a"}, {"taskId": "b", "priority": 1},
                                      {"taskId": "c", "delayMs": 60000}])
    publish(calls, queue, "d", dataset="other")
    lease(calls, queue)

    def listed(**rest):
        return [each["taskId"] for each in calls.list(queue=queue, **rest).get("tasks", [])]
    assert listed() == ["b", "a", "c", "d"]
    assert listed(state="TASK_STATE_LEASED") == ["b"]
    assert listed(state="TASK_STATE_DELAYED") == ["c"]
    assert listed(dataset="other") == ["d"]
    page = calls.list(queue=queue, pageSize=1)
    assert [each["taskId"] for each in page["tasks"]] == ["b"] and page["nextPageToken"]


def test_a_cancelled_task_is_a_dead_letter_and_its_holder_is_told(broker, calls, queue):
    publish(calls, queue, "a", "b")
    session = broker.call("SessionService/Open", queue=queue, worker="w")["sessionId"]
    [task] = lease(calls, queue, sessionId=session)
    outcomes = calls.cancel(queue=queue, taskIds=["a", "b", "zzz"])["outcomes"]
    assert outcomes[:2] == [{}, {}] and outcomes[2]["error"]["status"] == "STATUS_TASK_NOT_FOUND"
    beat = broker.call("SessionService/Heartbeat", sessionId=session)
    assert beat["stops"] == [{"leaseToken": task["leaseToken"], "reason": "STOP_REASON_CANCELLED"}]
    dead = broker.call("DeadLetterService/List", queue=queue)["deadLetters"]
    assert {each["reason"] for each in dead} == {"DEAD_REASON_CANCELLED"}


def test_a_session_keeps_its_leases_and_gives_them_back_when_closed(broker, calls, queue):
    opened = broker.call("SessionService/Open", queue=queue, worker="pod-1", sessionMs=20000)
    assert opened["sessionMs"] == "20000" and int(opened["heartbeatMs"]) == 20000 // 3
    publish(calls, queue, "a")
    [task] = lease(calls, queue, sessionId=opened["sessionId"])
    assert task.get("deadlineUnixMs", "0") == "0"
    [session] = broker.call("SessionService/List", queue=queue)["sessions"]
    assert (session["worker"], session["leased"]) == ("pod-1", "1")
    assert broker.call("SessionService/Heartbeat", sessionId=opened["sessionId"])["leased"] == "1"
    assert broker.call("SessionService/Close", sessionId=opened["sessionId"]) == {"returned": "1"}
    assert lease(calls, queue)[0]["preemptions"] == 1


def make_dead(calls, queue: str, *ids: str):
    publish(calls, queue, *ids)
    calls.nack(items=[{"leaseToken": each, "reason": "NACK_REASON_FAILED", "permanent": True,
                       "error": "broken"} for each in tokens(lease(calls, queue, len(ids)))])


def test_dead_letters_are_listed_redriven_and_deleted(broker, calls, queue):
    make_dead(calls, queue, "a", "b", "c")
    dead = broker.call("DeadLetterService/List", queue=queue)["deadLetters"]
    assert [each["task"]["taskId"] for each in dead] == ["a", "b", "c"]
    assert {(each["reason"], each["error"]) for each in dead} == {
        ("DEAD_REASON_FAILURES", "broken")}
    assert broker.call("DeadLetterService/Redrive", queue=queue,
                       selection={"taskIds": ["b"]}) == {"redriven": "1"}
    assert broker.call("DeadLetterService/Delete", queue=queue,
                       selection={"all": True}) == {"deleted": "2"}
    [task] = lease(calls, queue, 5)
    assert (task["taskId"], task["fence"], task.get("failures", 0)) == ("b", "2", 0)


def test_results_are_kept_by_task_id(broker, calls, queue):
    publish(calls, queue, "b", "a", dataset="d")
    leased = lease(calls, queue, 2)
    calls.ack(items=[{"leaseToken": each["leaseToken"],
                      "result": base64_of(each["taskId"].encode())} for each in leased])
    got = broker.call("ResultService/Get", queue=queue, taskId="a")["result"]
    assert got["data"] == base64_of(b"a") and got["dataset"] == "d" and got["fence"] == "1"
    listed = broker.call("ResultService/List", queue=queue)["results"]
    assert [each["taskId"] for each in listed] == ["a", "b"]
    some = broker.call("ResultService/List", queue=queue, taskIds=["b", "zzz"], idsOnly=True)
    [only] = some["results"]
    assert only["taskId"] == "b" and "data" not in only


def test_a_dataset_says_how_far_it_is_and_what_it_cost(broker, calls, queue):
    publish(calls, queue, "a", "b", dataset="d")
    publish(calls, queue, "c")
    calls.ack(items=[{"leaseToken": tokens(lease(calls, queue))[0]}])
    dataset = broker.call("DatasetService/Get", queue=queue, dataset="d")["dataset"]
    assert dataset["counts"] == {"ready": "1", "done": "1", "published": "2"}
    assert dataset["deliveries"] == "1" and int(dataset["firstPublishedUnixMs"]) > 0
    listed = broker.call("DatasetService/List", queue=queue)["datasets"]
    assert {each.get("name", "") for each in listed} == {"", "d"}


def test_stats_count_what_the_broker_does(broker):
    before = broker.call("AdminService/Stats")
    after = broker.call("AdminService/Stats")
    assert int(after["requests"]) == int(before["requests"]) + 1
    assert after["shards"][0]["store"] == "lmdb" and int(after["shards"][0]["mapBytes"]) == 64 << 30
    assert int(after["nowUnixMs"]) >= int(after["startedUnixMs"])


def test_stats_tell_how_long_commits_took_and_what_shared_them(broker, calls, queue):
    def commits() -> list[dict]:
        shard = broker.call("AdminService/Stats")["shards"][0]
        return [shard[name] for name in ("commitNs", "batchNs", "batchCommands")]

    before = commits()
    for number in range(5):
        publish(calls, queue, f"t-{number}")
    for then, now in zip(before, commits()):
        assert now["bounds"] == sorted(now["bounds"], key=int)
        assert len(now["counts"]) == len(now["bounds"]) + 1
        assert sum(map(int, now["counts"])) - sum(map(int, then["counts"])) == 5
        assert int(now["sum"]) >= int(then["sum"]) + 5


def test_stats_tell_refusals_by_status(broker, raw):
    def refusals() -> dict[str, int]:
        stats = broker.call("AdminService/Stats")
        by_status = {one["status"]: int(one["count"]) for one in stats.get("refusals", [])}
        assert sum(by_status.values()) == int(stats.get("refused", 0))
        return by_status

    before = refusals()
    for _ in range(2):
        with pytest.raises(Refused):
            broker.call("QueueService/Get", name="nowhere")
    raw.call("/ackd.v1.QueueService/Get", b"{", "Content-Type: application/json")
    after = refusals()
    grown = {status: count - before.get(status, 0) for status, count in after.items()}
    assert {status: count for status, count in grown.items() if count} == {
        "STATUS_QUEUE_NOT_FOUND": 2, "STATUS_MALFORMED": 1}


def test_a_queue_tells_how_long_its_oldest_waits_and_is_held(broker, calls, queue):
    def ages(**view) -> tuple[int, int]:
        return tuple(int(view.get(name, 0)) for name in ("oldestReadyMs", "oldestLeaseMs"))

    def get() -> dict:
        return broker.call("QueueService/Get", name=queue)["queue"]

    assert ages(**get()) == (0, 0)
    publish(calls, queue, "a", "b")
    begun = time.monotonic()
    time.sleep(0.1)
    broker.call("TaskService/Lease", queue=queue, maxTasks=1)
    time.sleep(0.1)
    ready_ms, lease_ms = ages(**get())
    passed_ms = (time.monotonic() - begun) * 1000 + 50
    assert 190 <= ready_ms <= passed_ms and 90 <= lease_ms <= ready_ms
    listed = next(one for one in broker.call("QueueService/List", pageSize=1000)["queues"]
                  if one["name"] == queue)
    ready_ms, lease_ms = ages(**listed)
    assert ready_ms == -1 and lease_ms >= 90


def test_queues_are_found_by_a_part_of_their_name_page_by_page(broker, queue):
    names = [f"{queue}-{number}" for number in range(5)]
    for name in names + ["elsewhere"]:
        broker.call("QueueService/Create", name=name)
    found, token = [], ""
    while True:
        page = broker.call("QueueService/List", contains="found-by-a-part-of-their-name-page-by-"
                           "page-", pageSize=2, pageToken=token)
        found += [one["name"] for one in page["queues"]]
        token = page.get("nextPageToken", "")
        if token == "":
            break
    assert found == names
    assert "queues" not in broker.call("QueueService/List", contains="nothing like that")


def test_a_backup_is_a_directory_that_ackd_starts_on(broker, broker_with, calls, queue):
    publish(calls, queue, "a")
    backup = broker.call("AdminService/Backup", name="first")
    assert backup["path"] == "backups/first" and int(backup["bytes"]) > 0
    data = broker.directory / "data"
    restored = broker_with("--data-dir", str(data / backup["path"]))
    assert restored.call("QueueService/Get", name=queue)["queue"]["counts"]["ready"] == "1"


def test_a_check_reads_every_record_and_finds_nothing_wrong(broker):
    checked = broker.call("AdminService/Check")
    assert int(checked["records"]) > 0 and "problemCount" not in checked, checked
