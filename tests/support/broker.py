# SPDX-License-Identifier: Apache-2.0
"""broker.py -- a real ackd on a directory and a port of its own, and its calls in JSON."""
import http.client
import json
import os
import signal
from pathlib import Path

from processes import BUILD, Process, free_port, wait_until


class Refused(Exception):
    """The broker answered with an error: `code` is Connect's, `details` its details."""

    def __init__(self, http_status: int, body: dict):
        super().__init__(f"{body.get('code')}: {body.get('message')}")
        self.http_status = http_status
        self.code = body.get("code")
        self.message = body.get("message", "")
        self.details = body.get("details", [])


class Broker:
    """Use it with `with`: it is started on entry and killed on exit. What it keeps stays in
    `directory`, so that it can be started again on the same data and the same port."""

    def __init__(self, directory: Path, *flags: str, build: Path = BUILD,
                 environment: dict[str, str] | None = None):
        self.directory = Path(directory)
        self._environment = os.environ | (environment or {})
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [build / "broker/daemon/ackd", "--data-dir", self.directory / "data",
                         "--listen", f"127.0.0.1:{self.port}", *flags]
        self.process: Process | None = None

    def __enter__(self) -> "Broker":
        self.directory.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()

    def start(self) -> None:
        """Starts it and waits until it is ready."""
        self.process = Process(self._command, self.directory / "ackd.log", env=self._environment)
        wait_until(self._ready_or_ended, "ackd is ready")
        if self.process.exit_code() is not None:
            raise AssertionError(f"ackd ended with {self.process.exit_code()} instead of becoming "
                                 f"ready:\n{self.process.log_end()}")

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        self.process.kill()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.signal(signal.SIGTERM)
        return self.process.wait()

    def call(self, method: str, **request) -> dict:
        """`method` without its package, as in call("QueueService/Create", name="q"). Raises
        Refused, or OSError or http.client.HTTPException where no answer came."""
        status, reply = self._request("POST", f"/ackd.v1.{method}", json.dumps(request))
        if status != 200:
            raise Refused(status, reply)
        return reply

    def gauge(self, name: str, missing: int | None = None) -> int:
        """A row of /metrics, by its name and labels; `missing` where there is none yet."""
        connection = self._connection(timeout_s=30)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        found = next((int(float(line.split()[1])) for line in text.splitlines()
                      if line.startswith(name + " ")), missing)
        assert found is not None, f"/metrics has no row {name}"
        return found

    def _ready_or_ended(self) -> bool:
        if self.process.exit_code() is not None:
            return True
        connection = self._connection(timeout_s=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def _request(self, verb: str, path: str, body: str) -> tuple[int, dict]:
        connection = self._connection(timeout_s=30)
        try:
            connection.request(verb, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()
