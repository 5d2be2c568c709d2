# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the SDK's tests: a broker with a queue, worker probes on it, and a PostgreSQL."""
import pytest
from broker import Broker
from postgres import Postgres
from probe import Probe


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def queue(broker):
    broker.call("QueueService/Create", name="q", config={"backoffMinMs": 0, "backoffMaxMs": 0})
    return "q"


@pytest.fixture
def probe(broker, tmp_path):
    """Starts worker probes on the queue "q", and ends them with the test."""
    started = []

    def start(url: str = broker.url, **options) -> Probe:
        probe = Probe(url, tmp_path / f"probe-{len(started)}.log", **options)
        started.append(probe)
        return probe

    yield start
    for probe in started:
        probe.process.kill()


@pytest.fixture(scope="session")
def postgres():
    with Postgres() as postgres:
        yield postgres
