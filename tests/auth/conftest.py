# SPDX-License-Identifier: Apache-2.0
"""conftest.py -- a broker that wants to know its callers, and callers of every kind."""
import http.client
import itertools
import json
import os
import subprocess
from pathlib import Path

import pytest
from broker import Broker
from processes import BUILD

ACKCTL = BUILD / "cli/ackctl"


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    def json(self) -> dict:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return "ok" if self.status == 200 else self.json()["code"]

    @property
    def message(self) -> str:
        return "" if self.status == 200 else self.json()["message"]


# A new one for each connection, since refused logins of one address are slowed.
ADDRESSES = (f"127.{at >> 16 & 127 | 64}.{at >> 8 & 255}.{at & 255}" for at in itertools.count(1))


class Caller:
    """Whoever sends `authorization` with each request; None: nothing."""

    def __init__(self, port: int, token: str | None = None):
        self.port = port
        self.authorization = None if token is None else f"Bearer {token}"

    def call(self, method: str, **request) -> Reply:
        return self.send("POST", f"/ackd.v1.{method}", json.dumps(request))

    def get(self, path: str) -> Reply:
        return self.send("GET", path)

    def send(self, verb: str, path: str, body: str | None = None) -> Reply:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.authorization is not None:
            headers["Authorization"] = self.authorization
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30,
                                                source_address=(next(ADDRESSES), 0))
        try:
            connection.request(verb, path, body, headers)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def ok(self, method: str, **request) -> dict:
        reply = self.call(method, **request)
        assert reply.status == 200, reply.text
        return reply.json()


class Guarded(Broker):
    """A broker with an admin token."""

    def __init__(self, directory: Path, *flags: str, **options):
        directory.mkdir(parents=True, exist_ok=True)
        self.admin_file = directory / "admin.token"
        self.admin_token = generate()
        write_secret(self.admin_file, self.admin_token)
        super().__init__(directory, "--admin-token-file", str(self.admin_file), *flags, **options)

    @property
    def admin(self) -> Caller:
        return Caller(self.port, self.admin_token)

    @property
    def nobody(self) -> Caller:
        return Caller(self.port)

    def caller(self, token: str) -> Caller:
        return Caller(self.port, token)

    def token(self, *grants: str, name: str = "test", **options) -> str:
        """The secret of a new token."""
        return self.admin.ok("TokenService/Create", name=name, grants=grants, **options)["secret"]

    def with_grants(self, *grants: str) -> Caller:
        return self.caller(self.token(*grants))

    def log_lines(self) -> list[dict]:
        lines = (self.directory / "ackd.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


def generate() -> str:
    return subprocess.run([ACKCTL, "token", "generate", "-q"], check=True, capture_output=True,
                          text=True).stdout.strip()


def write_secret(path: Path, text: str) -> None:
    """As a mounted secret changes: another file under the name, at once."""
    beside = path.with_suffix(".beside")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")
    beside.rename(path)


def token_id(secret: str) -> str:
    return secret.split("_")[1]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Guarded(tmp_path_factory.mktemp("broker")) as running:
        for name in ("a", "b"):
            running.admin.ok("QueueService/Create", name=name)
        yield running


@pytest.fixture
def broker_with(tmp_path):
    """broker_with("--flag", ...): a broker of its own, with these flags."""
    brokers = []

    def start(*flags: str, kind=Guarded) -> Broker:
        running = kind(tmp_path / f"broker-{len(brokers)}", *flags)
        brokers.append(running)
        return running.__enter__()

    yield start
    for running in brokers:
        running.__exit__()
