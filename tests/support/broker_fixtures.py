# SPDX-License-Identifier: Apache-2.0
"""broker_fixtures.py -- for a conftest.py: a broker for all tests of a file, or one with flags."""
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

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
    with brokers_below(tmp_path, Broker) as start:
        yield start


@contextlib.contextmanager
def brokers_below(directory: Path, make: Callable[..., Broker]) -> Iterator[Callable[..., Broker]]:
    """start("--flag", ..., option=...) starts what `make` makes of them on a folder of its own.
    Also one that did not become ready is gone at the end."""
    brokers = []

    def start(*flags: str, **options) -> Broker:
        running = make(directory / f"broker-{len(brokers)}", *flags, **options)
        brokers.append(running)
        return running.__enter__()

    try:
        yield start
    finally:
        for running in brokers:
            running.__exit__()
