# SPDX-License-Identifier: Apache-2.0
"""state.py -- what memory a running broker holds, by the kernel's numbers."""
import os

from broker import Broker
from processes import memory_bytes


def rss_bytes(broker: Broker) -> int:
    return memory_bytes(broker.process.pid, "VmRSS")


def growth_bytes(broker: Broker, before: int) -> int:
    return growth(rss_bytes(broker), before)


def peak_growth_bytes(broker: Broker, before: int) -> int:
    """By the most that it has ever had in memory."""
    return growth(memory_bytes(broker.process.pid, "VmHWM"), before)


def growth(now: int, before: int) -> int:
    """0 under sanitizers, which keep what is freed: there is nothing to assert."""
    return now - before if os.environ.get("ACKD_SANITIZE", "none") == "none" else 0
