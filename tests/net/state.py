# SPDX-License-Identifier: Apache-2.0
"""state.py -- what a running broker holds, by its own numbers and by the kernel's."""
import os
from pathlib import Path

from broker import Broker
from raw_http import RawClient


def gauge(broker: Broker, name: str) -> int:
    """A row of /metrics, by its whole name; 0 where there is none."""
    with RawClient(broker.port) as raw:
        text = raw.call("/metrics", verb="GET").body.decode()
    return next((int(float(line.split()[1])) for line in text.splitlines()
                 if line.startswith(name + " ")), 0)


def rss_bytes(broker: Broker) -> int:
    return memory_bytes(broker, "VmRSS")


def growth_bytes(broker: Broker, before: int) -> int:
    return growth(rss_bytes(broker), before)


def peak_growth_bytes(broker: Broker, before: int) -> int:
    """By the most that it has ever had in memory."""
    return growth(memory_bytes(broker, "VmHWM"), before)


def growth(now: int, before: int) -> int:
    """0 under sanitizers, which keep what is freed: there is nothing to assert."""
    return now - before if os.environ.get("ACKD_SANITIZE", "none") == "none" else 0


def memory_bytes(broker: Broker, row: str) -> int:
    status = Path(f"/proc/{broker.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) << 10 for line in status.splitlines()
                if line.startswith(row + ":"))
