# SPDX-License-Identifier: Apache-2.0
"""Each example does what its story says."""
import os
import re
import signal
import subprocess

import pytest
from probe import publish, queue_now, results
from processes import BUILD, SOURCE, Process, wait_until

EXAMPLES = BUILD / "worker-sdk/examples"


@pytest.fixture
def start(broker, tmp_path):
    """Starts an example on the broker; its output is in `log`."""
    started = []

    def run(name: str, *arguments) -> Process:
        log = tmp_path / f"{name}-{len(started)}.log"
        process = Process(["env", f"ACKD_URL={broker.url}", EXAMPLES / name, *arguments], log)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()


def test_the_smallest_worker_is_small_and_counts_words(broker, queue, start):
    source = (SOURCE / "worker-sdk/examples/smallest.c").read_text()
    assert len(source.splitlines()) < 40
    ids = publish(broker, "to be or not to be", "", " a  b\n")
    worker = start("smallest", "q")
    wait_until(lambda: queue_now(broker)["done"] == 3, "all are done")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert results(broker) == dict(zip(ids, ["6", "0", "2"]))


def test_manual_leasing_ends_each_task_in_its_way(broker):
    done = subprocess.run([EXAMPLES / "manual", "q"], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "ACKD_URL": broker.url})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "published: 4 stored, 0 there already",
        *(f"leased: {food}, delivery 1" for food in ("apple", "bread", "cheese", "dates")),
        "acked: apple: done",
        "given back: bread: done",
        "given back: cheese: done",
        "renewed: dates: later",
        "acked: dates: done",
        "now: 1 ready, 2 done, 1 dead",
    ]
    assert results(broker) == {"apple": "red", "dates": "sweet"}
    (dead,) = broker.call("DeadLetterService/List", queue="q")["deadLetters"]
    assert dead["error"] == "it smells"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_long_task_goes_on_where_the_lost_worker_left_off(broker, queue, start, number):
    (task,) = publish(broker, "60000")
    first = start("checkpoint", "q")
    has_checkpoint = lambda: broker.call("TaskService/Get", queue="q", taskId=task)["task"].get(
        "hasCheckpoint")
    wait_until(has_checkpoint, "progress is saved")
    first.signal(number)
    assert first.wait() == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    second = start("checkpoint", "q")
    assert second.wait(60) == 0
    assert results(broker) == {task: "6057"}
    resumed = re.search(r"resumed at (\d+)", second.log.read_text())
    assert resumed and int(resumed.group(1)) >= 1000


def test_postgres_fills_a_table_of_the_users_own(broker, queue, start, postgres):
    postgres.query("DROP TABLE IF EXISTS captions")
    postgres.query("CREATE TABLE captions (image text PRIMARY KEY, caption text NOT NULL, "
                   "made_by text)")
    postgres.query("INSERT INTO captions VALUES ('t000', 'by hand', 'me')")
    publish(broker, *(f"cat {i}" for i in range(40)))
    worker = start("postgres", "q", postgres.conninfo)
    assert worker.wait() == 0
    assert "39 computed, 1 found in the table, 40 acked" in worker.log.read_text()
    rows = dict(postgres.query("SELECT image, caption FROM captions"))
    assert rows == {"t000": "by hand", **{f"t{i:03}": f"CAT {i}" for i in range(1, 40)}}
