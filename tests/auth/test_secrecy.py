# SPDX-License-Identifier: Apache-2.0
"""test_secrecy.py -- where there are secrets, a crash leaves no core file to read them from."""
import os
import resource
from pathlib import Path

import pytest
from broker import Broker

CORE_BYTES = 8192


@pytest.fixture(autouse=True)
def cores_are_allowed():
    before = resource.getrlimit(resource.RLIMIT_CORE)
    hard = before[1]
    if hard != resource.RLIM_INFINITY and hard < CORE_BYTES:
        hard = CORE_BYTES
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (CORE_BYTES, hard))
    except ValueError:
        pytest.skip("this machine lets nobody have core files")
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (before[0], hard))


def core_bytes(broker) -> int:
    limits = Path(f"/proc/{broker.process.pid}/limits").read_text().splitlines()
    return int(next(line for line in limits if line.startswith("Max core file size")).split()[4])


def test_a_broker_with_secrets_leaves_no_core(broker_with):
    broker = broker_with()
    assert core_bytes(broker) == 0
    broker.token("read:*")
    broker.kill()
    index = broker._command.index("--admin-token-file")
    del broker._command[index:index + 2]
    broker.start()  # its tokens alone are secrets enough
    assert core_bytes(broker) == 0


@pytest.mark.skipif("address" in os.environ["ACKD_SANITIZE"],
                    reason="the sanitizer takes cores away itself")
def test_one_without_secrets_and_one_that_was_told_to_do(broker_with):
    assert core_bytes(broker_with(kind=Broker)) == CORE_BYTES
    assert core_bytes(broker_with("--core-dumps")) == CORE_BYTES


def test_its_own_figures_are_still_its_to_read(broker_with):
    broker = broker_with()
    text = broker.admin.get("/metrics").text
    assert float(text.split("\nprocess_open_fds ")[1].split()[0]) > 5
    assert float(text.split("\nprocess_resident_memory_bytes ")[1].split()[0]) > 1 << 20
