# SPDX-License-Identifier: Apache-2.0
"""A worker that asks its cloud (fake_metadata.py) whether its machine is about to be taken away."""
import signal

import pytest
from fake_metadata import MACHINE, FakeMetadata
from probe import publish, queue_now
from processes import free_port, wait_until

CLOUDS = ("gce", "aws", "azure")


@pytest.fixture
def metadata():
    with FakeMetadata() as running:
        yield running


@pytest.fixture
def watching(probe, metadata):
    def start(cloud: str, **options):
        return probe(environment={"ACKD_PREEMPTION": cloud, "ACKD_PREEMPTION_URL": metadata.url},
                     **options)
    return start


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_drain_begins_when_the_cloud_tells_and_before_any_signal(
        broker, queue, metadata, watching, cloud):
    publish(broker, "hold")
    worker = watching(cloud)
    worker.await_line("begin")
    wait_until(lambda: len(metadata.asked) >= 2, "the cloud was asked")
    metadata.preempt()
    assert worker.end() == 0
    assert worker.drained()
    assert metadata.refused == []
    assert queue_now(broker)["preemptions"] == 1


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_machine_that_goes_already_takes_no_task(broker, queue, metadata, watching, cloud):
    metadata.preempt()
    worker = watching(cloud)
    assert worker.end() == 0
    assert worker.drained()


def test_the_signal_that_follows_is_the_first_and_not_the_second(
        broker, queue, metadata, watching):
    publish(broker, "finish", "deaf")
    worker = watching("gce", concurrency=2, grace_ms=3000)
    worker.await_line("begin", 2)
    metadata.preempt()
    worker.await_line("stop")
    worker.process.signal(signal.SIGTERM)
    assert worker.end() == 1
    assert worker.status() == "TIMEOUT", "it used its grace; CANCELED would be: left at once"


def test_the_end_of_another_machine_is_none_of_ours(broker, queue, metadata, watching):
    metadata.events.append({"EventType": "Preempt", "Resources": ["another-vm"]})
    metadata.events.append({"EventType": "Freeze", "Resources": [MACHINE]})
    publish(broker, "work 1")
    worker = watching("azure", stop_when_empty=1)
    assert worker.end() == 0
    assert not worker.drained()
    assert queue_now(broker)["done"] == 1


def test_a_token_that_ran_out_is_replaced(broker, queue, metadata, watching):
    publish(broker, "hold")
    worker = watching("aws")
    worker.await_line("begin")
    wait_until(lambda: len(metadata.asked) >= 2, "the cloud was asked")
    metadata.token = "another"
    metadata.preempt()
    assert worker.end() == 0
    assert worker.drained()


def test_a_cloud_that_does_not_answer_is_told_once_and_harms_nothing(broker, queue, probe):
    publish(broker, "work 1")
    worker = probe(environment={"ACKD_PREEMPTION": "gce", "ACKD_PREEMPTION_URL":
                                f"http://127.0.0.1:{free_port()}"})
    wait_until(lambda: "metadata server does not answer" in worker.log.read_text(), "it was told")
    wait_until(lambda: queue_now(broker)["done"] == 1, "the task is done")
    worker.drain()
    assert worker.end() == 0


def test_a_worker_ends_at_once_though_the_cloud_still_thinks(broker, queue, metadata, watching):
    worker = watching("gce", stop_when_empty=1)
    assert worker.process.wait(5) == 0


def test_a_cloud_that_nobody_knows_is_refused(broker, queue, probe):
    worker = probe(environment={"ACKD_PREEMPTION": "moon"})
    assert worker.end() == 1
    assert worker.status() == "INVALID"
