# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the deployment tests."""
import pytest
from kubelet import Volumes


@pytest.fixture
def volumes():
    volumes = Volumes()
    yield volumes
    volumes.remove()
