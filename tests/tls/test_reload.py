# SPDX-License-Identifier: Apache-2.0
"""Certificates change under a running broker: the new one is used, and no request is lost."""
import os
import shutil
import signal
import ssl
import threading
from pathlib import Path

import pytest
from authority import Identity
from processes import wait_until


class Secret:
    """A folder as Kubernetes mounts a Secret: its files lead through a symbolic link to a folder
    of the version, and a new version is the link swapped."""

    def __init__(self, directory: Path, identity: Identity):
        self._directory = directory
        self._version = 0
        directory.mkdir()
        self.swap(identity)
        for name in ("tls.crt", "tls.key"):
            (directory / name).symlink_to(Path("..data") / name)
        self.identity = Identity(directory / "tls.crt", directory / "tls.key")

    def swap(self, identity: Identity) -> None:
        self._version += 1
        version = self._directory / f"..{self._version}"
        version.mkdir()
        shutil.copy(identity.certificate, version / "tls.crt")
        shutil.copy(identity.key, version / "tls.key")
        (self._directory / "..new").symlink_to(version.name)
        os.replace(self._directory / "..new", self._directory / "..data")


@pytest.fixture
def secret(tmp_path, authority):
    return Secret(tmp_path / "secret", authority.issue("first"))


def subject(running) -> str:
    with running.connect() as client:
        return dict(pair[0] for pair in client.socket.getpeercert()["subject"])["commonName"]


def test_a_swapped_secret_is_noticed(broker_with, authority, secret):
    running = broker_with(identity=secret.identity)
    assert subject(running) == "first"
    with running.connect() as before:
        secret.swap(authority.issue("second"))
        wait_until(lambda: subject(running) == "second", "the new one is used")
        assert before.call("/healthz", verb="GET").status == 200  # goes on under the first
    assert len(running.events("certificate_read")) == 1
    assert running.stop() == 0


def test_sighup_reads_at_once(broker_with, authority, secret):
    running = broker_with(identity=secret.identity)
    running.process.signal(signal.SIGHUP)
    wait_until(lambda: running.events("certificate_read"), "it is read again")
    assert running.stop() == 0


def test_a_broken_file_changes_nothing_and_is_told_once(broker_with, authority, secret, tmp_path):
    running = broker_with(identity=secret.identity)
    second = authority.issue("second")
    secret.swap(Identity(second.certificate, authority.issue("third").key))
    wait_until(lambda: running.events("certificate_refused"), "it is refused")
    assert subject(running) == "first"
    secret.swap(second)
    wait_until(lambda: subject(running) == "second", "the whole one is used")
    [refused] = running.events("certificate_refused")
    assert "does not belong to the certificate" in refused["reason"]
    (secret.identity.certificate).unlink()
    running.process.signal(signal.SIGHUP)
    wait_until(lambda: len(running.events("certificate_refused")) >= 2, "it is missed")
    assert subject(running) == "second"
    assert running.stop() == 0


def test_no_request_is_lost_while_certificates_change(broker_with, authority, secret):
    running = broker_with("--io-threads", "2", identity=secret.identity)
    running.call("QueueService/Create", name="q")
    over = threading.Event()
    lost, served = [], [0] * 3

    def load(number: int) -> None:
        while not over.is_set():
            try:
                running.call("TaskService/Publish", queue="q", tasks=[{"payload": "eA=="}])
                served[number] += 1
            except (OSError, ssl.SSLError) as error:
                lost.append(error)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(3)]
    for each in threads:
        each.start()
    try:
        for number in range(5):
            secret.swap(authority.issue(f"version-{number}"))
            running.process.signal(signal.SIGHUP)
            wait_until(lambda: subject(running) == f"version-{number}", "it is used")
    finally:
        over.set()
        for each in threads:
            each.join()
    assert lost == []
    counts = running.call("QueueService/Get", name="q")["queue"]["counts"]
    assert int(counts["published"]) == sum(served) > 0
    assert running.stop() == 0
