# SPDX-License-Identifier: Apache-2.0
"""conftest.py -- ackctl as a user types it, and a broker for it."""
import json
import os
import pty
import select
import signal
import subprocess
import time
from dataclasses import dataclass

import pytest
from broker import Broker
from processes import BUILD, PATIENCE_S

ACKCTL = BUILD / "cli/ackctl"


@dataclass
class Ended:
    """A run that has ended."""
    code: int
    out: str
    err: str

    def rows(self) -> list[dict]:
        """stdout as JSONL."""
        return [json.loads(line) for line in self.out.splitlines()]

    def json(self) -> dict:
        (row,) = self.rows()
        return row


class Ackctl:
    """Runs of ackctl in a directory of their own, against one broker, or none."""

    def __init__(self, directory, url: str):
        self.directory = directory
        self.url = url
        self._started: list[subprocess.Popen] = []

    def environment(self, **more) -> dict:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ACKD_")}
        return {**kept, "ACKD_URL": self.url, "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm",
                **more}

    def __call__(self, *arguments, stdin: str | bytes = "", timeout_s: float = PATIENCE_S,
                 **environment) -> Ended:
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run([ACKCTL, *map(str, arguments)], cwd=self.directory, input=stdin,
                              capture_output=True, timeout=timeout_s,
                              env=self.environment(**environment))
        return Ended(done.returncode, done.stdout.decode(errors="replace"),
                     done.stderr.decode(errors="replace"))

    def ok(self, *arguments, **options) -> Ended:
        ended = self(*arguments, **options)
        assert ended.code == 0, f"exit code {ended.code}: {ended.err}"
        return ended

    def start(self, *arguments, **options) -> subprocess.Popen:
        """A run that goes on; it is killed at the end of the test."""
        child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", ACKCTL,
                                  *map(str, arguments)], cwd=self.directory,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=self.environment(), **options)
        self._started.append(child)
        return child

    def end_all(self) -> None:
        for child in self._started:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream:
                    stream.close()

    def write(self, name: str, content: str | bytes):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def queue(self, name: str = "q", *options) -> str:
        self.ok("queue", "create", name, *options)
        return name

    def counts(self, name: str = "q") -> dict:
        """The queue's counts as numbers, those of zero too."""
        counts = self.ok("queue", "show", name, "-o", "json").json()["queue"].get("counts", {})
        return {key: int(counts.get(key, 0)) for key in
                ("ready", "delayed", "leased", "done", "dead", "published")}


class Terminal:
    """A run on a pseudo-terminal."""

    def __init__(self, ackctl: Ackctl, *arguments):
        self.output = ""
        self.code: int | None = None
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(ackctl.directory)
            os.execve(ACKCTL, [str(ACKCTL), *map(str, arguments)], ackctl.environment())

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def read_until(self, text: str, timeout_s: float = PATIENCE_S) -> str:
        """Reads until `text` stands in what came since the last call."""
        begin = len(self.output)
        deadline = time.monotonic() + timeout_s
        while text not in self.output[begin:]:
            ready, _, _ = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"{text!r} did not come in:\n{self.output[begin:]}")
            if not self._read():
                raise AssertionError(f"it ended without {text!r}:\n{self.output[begin:]}")
        return self.output[begin:]

    def end(self) -> int:
        """Reads to the end; returns the exit code."""
        while self._read():
            pass
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def close(self) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.end()
        os.close(self._fd)

    def _read(self) -> bool:
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # the other side is closed
            return False
        self.output += data.decode(errors="replace")
        return bool(data)


@pytest.fixture
def offline(tmp_path):
    """ackctl with an address where nobody listens."""
    ackctl = Ackctl(tmp_path, "http://127.0.0.1:9")
    yield ackctl
    ackctl.end_all()


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def ackctl(tmp_path, broker):
    ackctl = Ackctl(tmp_path, broker.url)
    yield ackctl
    ackctl.end_all()


@pytest.fixture
def terminal(request):
    opened = []

    def start(ackctl: Ackctl, *arguments) -> Terminal:
        opened.append(Terminal(ackctl, *arguments))
        return opened[-1]

    yield start
    for each in opened:
        each.close()
