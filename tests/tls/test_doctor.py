# SPDX-License-Identifier: Apache-2.0
"""`ackctl doctor` of brokers with TLS and tokens: each thing that can be wrong, and what it says."""
import base64
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from authority import Authority
from broker import Broker
from processes import BUILD
from small_disk import small_disk
from tls_broker import TlsBroker, client_context

ACKCTL = BUILD / "cli/ackctl"
IN_2_DAYS = "ends in (2 d|1 d 23 h)"
SANITIZED = os.environ.get("ACKD_SANITIZE", "none") != "none"


class Report:
    """What a run of doctor said."""

    def __init__(self, done: subprocess.CompletedProcess):
        self.code = done.returncode
        self.rows = {row["check"]: row for row in map(json.loads, done.stdout.splitlines())}
        assert self.rows, done.stderr
        for row in self.rows.values():
            assert ("advice" in row) == (row["finding"] in ("warning", "bad")), row

    def of(self, finding: str) -> set[str]:
        return {name for name, row in self.rows.items() if row["finding"] == finding}

    def is_well_but_for(self, **findings: str) -> bool:
        wrong = {name: row["finding"] for name, row in self.rows.items() if row["finding"] != "ok"}
        return wrong == {name.replace("_", "-"): finding for name, finding in findings.items()}

    def text(self, check: str) -> str:
        """All that it says of that check."""
        row = self.rows[check]
        return "\n".join([row["text"], row.get("advice", ""), *row.get("details", [])])


def write_private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def doctor(url: str, *flags, **environment) -> Report:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ACKD_")}
    return Report(subprocess.run([ACKCTL, "doctor", "-o", "json", "--url", url, *map(str, flags)],
                                 capture_output=True, text=True, timeout=60,
                                 env={**kept, **environment}, check=False))


class Guarded(TlsBroker):
    """With TLS and an operator's token."""

    def __init__(self, directory, authority, identity, *flags, **options):
        directory.mkdir(parents=True, exist_ok=True)
        made = subprocess.run([ACKCTL, "token", "generate", "-q"], check=True, capture_output=True,
                              text=True)
        self.token_file = write_private(directory / "admin.token", made.stdout)
        self.authority = authority
        super().__init__(directory, authority, identity, "--admin-token-file",
                         str(self.token_file), *flags, **options)

    def ackctl(self, *arguments) -> str:
        done = subprocess.run([ACKCTL, "--url", self.url, "--ca-file", self.authority.certificate,
                               "--token-file", self.token_file, *arguments], capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def token(self, directory: Path, *grants: str, **options: str) -> Path:
        """The file of a new token."""
        flags = [flag for grant in grants for flag in ("--grant", grant)]
        flags += [flag for name, value in options.items() for flag in (f"--{name}", value)]
        return write_private(directory / "own.token", self.ackctl("token", "create", "own", *flags))

    def doctor(self, token: Path | None = None, *flags, **environment) -> Report:
        return doctor(self.url, "--ca-file", self.authority.certificate, "--token-file",
                      token or self.token_file, *flags, **environment)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, authority, identity):
    with Guarded(tmp_path_factory.mktemp("guarded"), authority, identity) as running:
        for name in ("ocr-pages", "ocr-scans", "speech"):
            running.ackctl("queue", "create", name)
        yield running
        assert running.stop() == 0


def test_a_broker_that_is_well_is_told_to_be(guarded):
    report = guarded.doctor()
    assert report.is_well_but_for() and report.code == 0
    assert {"tls", "certificate", "ca", "caller", "rights", "room"} <= set(report.rows)
    assert "client-cert" not in report.rows
    assert "TLSv1.3" in report.text("tls") and re.search(IN_2_DAYS, report.text("certificate"))
    assert re.search(f"test ca {IN_2_DAYS}", report.text("ca"))
    assert "speech: admin, which is all" in report.text("rights")


# ---- certificates ----

@pytest.fixture
def broker_as(broker_with, authority):
    """broker_as(name, **issue): a broker with a certificate so issued."""
    def start(name: str, *flags: str, **issue) -> TlsBroker:
        return broker_with(*flags, identity=authority.issue(name, **issue),
                           context=client_context(None))
    return start


def test_an_expired_certificate_is_bad(broker_as, authority):
    report = doctor(broker_as("old", expired=True).url, "--ca-file", authority.certificate)
    assert report.code == 3 and report.of("bad") == {"reachable", "tls", "certificate"}
    assert "the broker's certificate has expired" in report.text("tls")
    assert "ended" in report.text("certificate") and "ago" in report.text("certificate")


def test_a_certificate_that_ends_soon_is_warned_of(broker_as, authority):
    report = doctor(broker_as("soon", days_left=5).url, "--ca-file", authority.certificate)
    assert report.code == 0 and report.is_well_but_for(certificate="warning")
    assert re.search("ends in (5 d|4 d 23 h)", report.text("certificate"))


def test_a_certificate_with_time_left_is_not(broker_as, authority):
    assert doctor(broker_as("fine", days_left=30).url, "--ca-file",
                  authority.certificate).is_well_but_for()


def test_a_certificate_of_another_authority_is_bad(broker, tmp_path):
    other = Authority(tmp_path, "other")
    report = doctor(broker.url, "--ca-file", other.certificate)
    assert report.code == 3 and report.of("bad") == {"reachable", "tls"}
    assert "nobody known has signed" in report.text("tls") and "--ca-file" in report.text("tls")
    assert doctor(broker.url).of("bad") == {"reachable", "tls"}


def test_a_certificate_for_another_name_is_bad_and_its_names_are_told(broker_as, authority):
    running = broker_as("else", alternative_names="DNS:broker.example,IP:192.0.2.1")
    report = doctor(running.url, "--ca-file", authority.certificate)
    assert report.code == 3 and report.of("bad") == {"reachable", "tls"}
    assert "not for the name 127.0.0.1" in report.text("tls")
    assert "DNS:broker.example, IP Address:192.0.2.1" in report.text("tls")


def test_a_file_without_authorities_is_named(broker, tmp_path):
    for text in ("", "no PEM"):
        file = write_private(tmp_path / "ca", text)
        report = doctor(broker.url, "--ca-file", file)
        assert report.rows["ca"]["finding"] == "bad" and str(file) in report.text("ca")


def test_each_authority_of_the_file_is_looked_at(broker, authority, tmp_path):
    """A bundle: the one that counts, one that ends soon and one that has ended."""
    bundle = tmp_path / "bundle.pem"
    others = [authority.issue("soon", days_left=9), authority.issue("gone", expired=True)]
    bundle.write_text(authority.certificate.read_text()
                      + "".join(each.certificate.read_text() for each in others))
    report = doctor(broker.url, "--ca-file", bundle)
    assert report.code == 0 and report.is_well_but_for(ca="warning")
    assert "3 CAs" in report.text("ca")
    assert re.search("soon ends in (9 d|8 d 23 h)", report.text("ca"))
    assert "gone ended" in report.text("ca")


def test_a_demanded_certificate_is_asked_for_and_looked_at(broker_with, authority, tmp_path):
    clients = Authority(tmp_path, "clients")
    own = clients.issue("own")
    running = broker_with("--tls-client-ca", str(clients.certificate),
                          context=client_context(authority, own))

    def shown(identity=None, key=None) -> Report:
        flags = [] if identity is None else ["--cert-file", identity.certificate, "--key-file",
                                             key or identity.key]
        return doctor(running.url, "--ca-file", authority.certificate, *flags)

    assert shown(own).is_well_but_for()
    report = shown()
    assert report.code == 3 and "demands a client certificate" in report.text("reachable")
    assert "it asks for a client certificate" in report.text("tls")
    assert shown(clients.issue("late", days_left=5)).is_well_but_for(client_cert="warning")
    old = shown(clients.issue("old", expired=True))
    assert old.code == 3 and "ended" in old.text("client-cert")
    mixed = shown(own, key=clients.issue("another").key)
    assert mixed.code == 3 and "does not belong" in mixed.text("client-cert")
    own.key.chmod(0o644)
    assert "every user of this machine" in shown(own).text("client-cert")
    own.key.chmod(0o600)
    alone = doctor(running.url, "--ca-file", authority.certificate, "--key-file", own.key)
    assert "Name both" in alone.text("client-cert")


def test_tls_to_a_plain_port_and_plain_to_a_tls_port_are_told(broker, tmp_path):
    assert "https:// URL" in doctor(broker.url.replace("https:", "http:")).text("reachable")
    with Broker(tmp_path / "plain") as plain:
        report = doctor(plain.url.replace("http:", "https:"))
        assert report.code == 3 and "plain HTTP" in report.text("tls")


# ---- tokens ----

def test_a_token_that_is_none_of_the_brokers_is_bad(guarded, tmp_path):
    own = guarded.token(tmp_path, "read:*")
    own.write_text(own.read_text().strip()[:-3] + "xyz\n")
    report = guarded.doctor(own)
    assert report.code == 1 and report.of("bad") == {"caller"}
    assert "does not take the token" in report.text("caller")
    assert "not looked" == report.rows["rights"]["finding"] == report.rows["room"]["finding"]


def test_no_token_where_one_is_wanted_is_bad(guarded):
    report = doctor(guarded.url, "--ca-file", guarded.authority.certificate)
    assert report.code == 1 and report.of("bad") == {"caller"}
    assert "ACKD_TOKEN_FILE" in report.text("caller")


def test_a_token_file_that_cannot_be_read_is_named(guarded, tmp_path):
    report = guarded.doctor(tmp_path / "none")
    assert report.code == 3 and "none can't be read" in report.text("reachable")


def test_a_service_accounts_token_that_nobody_renewed_is_told_from_a_wrong_one(guarded, tmp_path):
    def jwt(exp: float) -> Path:
        part = base64.urlsafe_b64encode(json.dumps({"exp": int(exp)}).encode()).decode().strip("=")
        return write_private(tmp_path / "jwt", f"e30.{part}.c2ln")

    ended = guarded.doctor(jwt(time.time() - 7200)).text("caller")
    assert "ended 2 h ago" in ended and "subPath" in ended
    assert "--auth-config" in guarded.doctor(jwt(time.time() + 7200)).text("caller")


def test_a_token_that_ends_soon_is_warned_of(guarded, tmp_path):
    report = guarded.doctor(guarded.token(tmp_path, "read:*", expires="2h"))
    assert report.code == 0 and report.is_well_but_for(caller="warning")
    assert "ends in 1 h 59 min" in report.text("caller")
    assert guarded.doctor(guarded.token(tmp_path, "read:*", expires="30d")).is_well_but_for()


def test_whoever_still_has_the_secret_before_a_rotation_is_told(guarded, tmp_path):
    own = guarded.token(tmp_path, "read:*")
    assert guarded.doctor(own).is_well_but_for()
    guarded.ackctl("token", "rotate", own.read_text().split("_")[1], "--overlap", "1h")
    report = guarded.doctor(own)
    assert report.is_well_but_for(caller="warning") and "rotated" in report.text("caller")


def test_a_token_that_every_user_may_read_is_warned_of(guarded, tmp_path):
    own = guarded.token(tmp_path, "read:*")
    own.chmod(0o644)
    report = guarded.doctor(own)
    assert report.is_well_but_for(caller="warning") and "every user" in report.text("caller")


def test_each_right_on_each_queue_is_told(guarded, tmp_path):
    report = guarded.doctor(guarded.token(tmp_path, "work,read:ocr-*", "publish:ocr-pages",
                                          "read:nothing-*"))
    assert report.code == 0 and report.of("bad") == set()
    assert report.rows["rights"]["details"] == [
        "ocr-pages: publish, work, read", "ocr-scans: work, read",
        "read:nothing-* fits no queue that there is"]
    assert report.of("not looked") == {"answers", "room", "durable"}  # they take read on *
    assert "`read` on `*`" in report.text("answers")
    assert report.rows["clock"]["finding"] == report.rows["version"]["finding"] == "ok"


def test_a_token_that_fits_no_queue_is_warned_of(guarded, tmp_path):
    report = guarded.doctor(guarded.token(tmp_path, "work:orc-*"))
    assert report.rows["rights"]["finding"] == "warning"
    assert "work:orc-* fits no queue" in report.text("rights")


# ---- the rest ----

@pytest.mark.skipif(SANITIZED, reason="a sanitizer's runtime wants to be the first library")
@pytest.mark.parametrize("ahead_s, finding, says", [(0, "ok", ""), (5, "warning", "behind"),
                                                    (-5, "warning", "ahead of"),
                                                    (600, "bad", "NTP")])
def test_clocks_that_differ_are_told(guarded, ahead_s, finding, says):
    report = guarded.doctor(None, LD_PRELOAD=str(BUILD / "tests/tls/libclock_shift.so"),
                            CLOCK_AHEAD_S=str(ahead_s))
    assert report.rows["clock"]["finding"] == finding and says in report.text("clock")
    assert report.code == (1 if finding == "bad" else 0)


def test_a_disk_that_is_nearly_full_is_told(tmp_path, authority, identity):
    with small_disk(tmp_path / "disk", "8m") as disk:
        with Guarded(disk / "broker", authority, identity) as running:
            running.ackctl("queue", "create", "q")
            lines = write_private(tmp_path / "lines", ("x" * 10000 + "\n") * 100)
            running.ackctl("publish", "q", "-f", "lines", str(lines))
            assert running.doctor().of("bad") == set()
            with open(disk / "filler", "wb", buffering=0) as file:
                while os.statvfs(disk).f_bavail * 4096 > 4096:
                    file.write(bytes(4096))
            report = running.doctor()
            assert report.code == 1 and report.of("bad") == {"room"}
            assert "give the volume more room" in report.text("room")
