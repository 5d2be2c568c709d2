# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of what is to be seen of a broker."""
from broker_fixtures import broker, broker_with, raw  # noqa: F401
