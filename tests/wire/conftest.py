# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the wire tests."""
from broker_fixtures import broker, broker_with, raw  # noqa: F401
