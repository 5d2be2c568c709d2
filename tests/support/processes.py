# SPDX-License-Identifier: Apache-2.0
"""processes.py -- programs under test: started, watched, ended by their own process ID.

A child runs in a session of its own, so that Ctrl-C reaches only the test, and is killed by the
kernel should the test itself be killed: no run leaves a process behind.
"""
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ACKD_BUILD_DIR", SOURCE / "build")).resolve()

# Deadlines of waits, not durations: a wait ends with its event. Sanitizers make all slower.
PATIENCE_S = 30


class Process:
    """One child process; its output goes to a file."""

    def __init__(self, command: list, log: Path, stdout: Path | None = None, **popen_options):
        self.log = log
        with open(log, "ab") as errors, open(stdout or log, "ab") as output:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)], stdout=output,
                stderr=errors, stdin=subprocess.DEVNULL, start_new_session=True, **popen_options)

    @property
    def pid(self) -> int:
        return self._child.pid

    def exit_code(self) -> int | None:
        """None while it runs; -N if signal N ended it."""
        return self._child.poll()

    def signal(self, number: signal.Signals) -> bool:
        """False if it had ended already."""
        if self._child.poll() is not None:
            return False
        self._child.send_signal(number)
        return True

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        return self._child.wait(timeout_s)

    def kill(self) -> None:
        """Ends it at once and waits until it is gone. Also right where it has ended."""
        self._child.kill()
        self._child.wait()

    def log_end(self, lines: int = 20) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def memory_bytes(pid: int, row: str) -> int:
    """A row of what the kernel tells of a process: VmRSS, VmHWM, RssAnon..."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    for line in status.splitlines():
        if line.startswith(row + ":"):
            return int(line.split()[1]) << 10
    raise AssertionError(f"the kernel does not tell of {row}")


def free_port() -> int:
    """A port for a server that must keep it across restarts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scratch_directory() -> tempfile.TemporaryDirectory:
    """In memory where that is possible: what brokers write there is much."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(
        prefix="ackd-test-", dir=memory if os.access(memory, os.W_OK) else None)


def wait_until(condition, what: str, timeout_s: float = PATIENCE_S):
    """Returns the first true value of condition(), or fails with `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.02)
    return value
