# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the TLS tests."""
import pytest
from authority import Authority
from tls_broker import TlsBroker


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def identity(authority):
    """The broker's."""
    return authority.issue("broker")


@pytest.fixture(scope="module")
def broker(tmp_path_factory, authority, identity):
    with TlsBroker(tmp_path_factory.mktemp("broker"), authority, identity) as running:
        running.call("QueueService/Create", name="q")
        yield running
        assert running.stop() == 0, running.process.log_end()


@pytest.fixture
def broker_with(tmp_path, authority, identity):
    """broker_with("--flag", "value", context=..., identity=...): one of the test's own."""
    brokers = []

    def start(*flags: str, identity=identity, **options) -> TlsBroker:
        running = TlsBroker(tmp_path / f"broker-{len(brokers)}", authority, identity, *flags,
                            **options)
        brokers.append(running)
        return running.__enter__()

    yield start
    for running in brokers:
        running.__exit__()
