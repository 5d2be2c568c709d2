# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the dashboard's tests."""
from broker_fixtures import broker, raw  # noqa: F401
