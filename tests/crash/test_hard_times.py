# SPDX-License-Identifier: Apache-2.0
"""A broker whose room runs out, that is stopped for a while, or whose wall clock jumps."""
import base64
import os
import signal
import struct
import time
from pathlib import Path

import pytest
from broker import Broker, Refused
from power_cut import SHIM
from processes import wait_until
from small_disk import small_disk

DAY_S = 86400
with_shim = pytest.mark.skipif(os.environ.get("ACKD_SANITIZE", "none") != "none",
                               reason="the sanitizers' library would have to come before the shim")
PAYLOAD = base64.b64encode(os.urandom(20000)).decode()


def publish_until_refused(broker: Broker, tasks_max: int) -> int:
    """How many tasks were stored before the first was refused for want of room."""
    for number in range(tasks_max):
        try:
            broker.call("TaskService/Publish", queue="q",
                        tasks=[{"taskId": f"t{number}", "payload": PAYLOAD}])
        except Refused as refusal:
            assert refusal.code == "resource_exhausted", refusal
            return number
    raise AssertionError(f"{tasks_max} tasks found room")


def drain(broker: Broker) -> int:
    """Leases and acks all tasks, some at a time."""
    done = 0
    while tasks := broker.call("TaskService/Lease", queue="q", maxTasks=10).get("tasks"):
        reply = broker.call("TaskService/Ack",
                            items=[{"leaseToken": task["leaseToken"]} for task in tasks])
        assert all("error" not in outcome for outcome in reply["outcomes"]), reply
        done += len(tasks)
    return done


def takes_a_task(broker: Broker) -> bool:
    try:
        return bool(broker.call("TaskService/Publish", queue="q", tasks=[{"taskId": "new"}]))
    except Refused:
        return False


def check_full_and_drained(broker: Broker) -> None:
    broker.call("QueueService/Create", name="q")
    stored = publish_until_refused(broker, 2000)
    assert stored > 20
    assert drain(broker) == stored
    wait_until(lambda: takes_a_task(broker), "there is room again")
    assert "problemCount" not in broker.call("AdminService/Check")
    broker.kill()
    broker.start()
    [task] = broker.call("TaskService/Lease", queue="q", maxTasks=10)["tasks"]
    assert task["taskId"] == "new"
    counts = broker.call("QueueService/Get", name="q")["queue"]["counts"]
    assert int(counts["done"]) == stored


def test_a_full_map_refuses_publish_while_tasks_are_leased_and_acked(tmp_path):
    with Broker(tmp_path, "--map-size", "8MiB") as broker:
        check_full_and_drained(broker)


def test_a_full_disk_refuses_publish_while_tasks_are_leased_and_acked(tmp_path):
    with small_disk(tmp_path / "data", "12m"), Broker(tmp_path) as broker:
        check_full_and_drained(broker)


def test_a_broker_stopped_for_twice_the_session_blames_nobody(tmp_path):
    with Broker(tmp_path) as broker:
        broker.call("QueueService/Create", name="q")
        broker.call("TaskService/Publish", queue="q", tasks=[{"taskId": "a"}])
        session = broker.call("SessionService/Open", queue="q", sessionMs=3000)["sessionId"]
        [task] = broker.call("TaskService/Lease", queue="q", maxTasks=1,
                             sessionId=session)["tasks"]
        broker.process.signal(signal.SIGSTOP)
        time.sleep(6)  # the time itself is what is tested
        broker.process.signal(signal.SIGCONT)
        assert broker.call("SessionService/Heartbeat", sessionId=session)["leased"] == "1"
        reply = broker.call("TaskService/Ack", items=[{"leaseToken": task["leaseToken"]}])
        assert reply["outcomes"] == [{}]


class Clock:
    """By how much the broker's wall clock is ahead of the machine's."""

    def __init__(self, path: Path):
        self._path = path
        path.write_bytes(bytes(8))

    def set_ahead(self, seconds: int) -> None:
        with open(self._path, "r+b") as file:
            file.write(struct.pack("<q", seconds))


@with_shim
@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S])
def test_a_jump_of_the_wall_clock_neither_ends_leases_nor_freezes_them(tmp_path, jump_s):
    clock = Clock(tmp_path / "clock")
    environment = {"LD_PRELOAD": str(SHIM), "ACKD_SHIM_DIR": str(tmp_path / "data"),
                   "ACKD_SHIM_CLOCK": str(tmp_path / "clock")}
    with Broker(tmp_path, environment=environment) as broker:
        broker.call("QueueService/Create", name="q")
        broker.call("TaskService/Publish", queue="q", tasks=[{"taskId": "long"}])
        broker.call("TaskService/Publish", queue="q", tasks=[{"taskId": "short"}])
        [long] = broker.call("TaskService/Lease", queue="q", maxTasks=1, leaseMs=600000)["tasks"]
        broker.call("TaskService/Lease", queue="q", maxTasks=1, leaseMs=1000)
        clock.set_ahead(jump_s)
        wait_until(lambda: state(broker, "short") == "TASK_STATE_READY", "the short lease ends")
        assert state(broker, "long") == "TASK_STATE_LEASED"
        reply = broker.call("TaskService/Ack", items=[{"leaseToken": long["leaseToken"]}])
        assert reply["outcomes"] == [{}]
        assert broker.stop() == 0


@with_shim
def test_leases_outlast_a_restart_after_which_the_wall_clock_is_a_day_ahead(tmp_path):
    clock = Clock(tmp_path / "clock")
    environment = {"LD_PRELOAD": str(SHIM), "ACKD_SHIM_DIR": str(tmp_path / "data"),
                   "ACKD_SHIM_CLOCK": str(tmp_path / "clock")}
    with Broker(tmp_path, environment=environment) as broker:
        broker.call("QueueService/Create", name="q")
        broker.call("TaskService/Publish", queue="q", tasks=[{"taskId": "a"}])
        [task] = broker.call("TaskService/Lease", queue="q", maxTasks=1)["tasks"]
        assert broker.stop() == 0
        clock.set_ahead(DAY_S)
        broker.start()
        assert state(broker, "a") == "TASK_STATE_LEASED"
        reply = broker.call("TaskService/Ack", items=[{"leaseToken": task["leaseToken"]}])
        assert reply["outcomes"] == [{}]


def state(broker: Broker, task_id: str) -> str:
    return broker.call("TaskService/Get", queue="q", taskId=task_id)["task"]["state"]
