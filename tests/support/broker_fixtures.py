# SPDX-License-Identifier: Apache-2.0
"""broker_fixtures.py -- for a conftest.py: a broker for all tests of a file, or one with flags."""
import pytest
from broker import Broker
from raw_http import RawClient


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running
        assert running.stop() == 0, running.process.log_end()


@pytest.fixture
def raw(broker):
    with RawClient(broker.port) as client:
        yield client


@pytest.fixture
def broker_with(tmp_path):
    """broker_with("--idle-timeout", "200ms"): a broker started with these flags."""
    brokers = []

    def start(*flags: str, **options) -> Broker:
        running = Broker(tmp_path / f"broker-{len(brokers)}", *flags, **options)
        brokers.append(running)
        return running.__enter__()

    yield start
    for running in brokers:
        running.__exit__()
