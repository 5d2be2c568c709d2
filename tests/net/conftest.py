# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the network tests."""
import sys
from pathlib import Path

import pytest
from broker_fixtures import broker_with  # noqa: F401

sys.path.append(str(Path(__file__).resolve().parents[1] / "crash"))


@pytest.fixture
def broker(broker_with):  # noqa: F811
    """One of the test's own, with a queue q."""
    running = broker_with()
    running.call("QueueService/Create", name="q")
    return running
