# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the TLS tests."""
import pytest
from authority import Authority
from broker_fixtures import brokers_below
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
    def make(directory, *flags: str, identity=identity, **options) -> TlsBroker:
        return TlsBroker(directory, authority, identity, *flags, **options)

    with brokers_below(tmp_path, make) as start:
        yield start
