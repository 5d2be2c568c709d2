# SPDX-License-Identifier: Apache-2.0
"""The demo in small: 40 fast tasks, three workers evicted again and again, the broker killed twice,
and every count exact."""
import base64
import random

import pytest

from broker import Broker
from fleet import Fleet
from ordeal import Ordeal, broker_results
from processes import BUILD

QUEUE, DATASET, TASKS = "words", "forty", 40


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker", "--restart-grace-ms", "3s") as broker:
        yield broker


def publish(broker):
    broker.call("QueueService/Create", name=QUEUE)
    tasks = [{"taskId": f"task-{n:02d}", "payload": base64.b64encode(f"word {n}".encode()).decode()}
             for n in range(TASKS)]
    broker.call("TaskService/Publish", queue=QUEUE, dataset=DATASET, tasks=tasks)
    return {task["taskId"] for task in tasks}


def test_evictions_and_a_killed_broker_lose_nothing_and_double_nothing(broker, tmp_path):
    wanted_ids = publish(broker)
    command = [BUILD / "tests/scenario/worker", broker.url, QUEUE, "{name}"]
    with Fleet(command, tmp_path / "workers", replace_after_s=0.2, rng=random.Random(1)) as fleet:
        ordeal = Ordeal(broker, fleet, QUEUE, DATASET, TASKS, evict_every_s=0.7, broker_down_s=0.5)
        ordeal.run(timeout_s=90)
        wrong = [sentence for holds, sentence in
                 ordeal.audit(wanted_ids, broker_results(broker, QUEUE)) if not holds]
    assert not wrong, ordeal.counts


def test_each_result_is_the_one_of_its_task(broker, tmp_path):
    publish(broker)
    command = [BUILD / "tests/scenario/worker", broker.url, QUEUE, "{name}"]
    with Fleet(command, tmp_path / "workers") as fleet:
        Ordeal(broker, fleet, QUEUE, DATASET, TASKS, evict_every_s=1, broker_kills=1).run(90)
    for n in range(TASKS):
        result = broker.call("ResultService/Get", queue=QUEUE, taskId=f"task-{n:02d}")["result"]
        assert base64.b64decode(result["data"]) == f"word {n}".encode()[::-1]
