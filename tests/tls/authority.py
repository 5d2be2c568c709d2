# SPDX-License-Identifier: Apache-2.0
"""authority.py -- certificates for tests, made by the `openssl` command in a directory of theirs."""
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def openssl(*arguments) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)


@dataclass
class Identity:
    certificate: Path
    key: Path


class Authority:
    """A CA: `certificate` is what those need who trust it."""

    def __init__(self, directory: Path, name: str = "ca"):
        self.directory = directory / name
        self.directory.mkdir(parents=True)
        self.certificate = self.directory / "ca.pem"
        self._key = self.directory / "ca.key"
        openssl("req", "-x509", *KEY, "-keyout", self._key, "-out", self.certificate, "-days", "2",
                "-subj", f"/CN=test {name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name: str, alternative_names: str = "DNS:localhost,IP:127.0.0.1",
              expired: bool = False, days_left: int = 2,
              seconds_left: int | None = None) -> Identity:
        """A certificate for servers and clients alike, with its key readable by its owner only.
        One with more than two days left is years old."""
        made = Identity(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        request = self.directory / f"{name}.csr"
        openssl("req", "-new", *KEY, "-keyout", made.key, "-out", request, "-subj", f"/CN={name}",
                "-addext", f"subjectAltName={alternative_names}")
        made.key.chmod(0o600)
        self._sign(request, made.certificate, expired, days_left, seconds_left)
        return made

    def _sign(self, request: Path, certificate: Path, expired: bool, days_left: int,
              seconds_left: int | None) -> None:
        (self.directory / "index").write_text("")
        (self.directory / "ca.conf").write_text(
            f"[ca]\ndefault_ca = test\n[test]\ndatabase = {self.directory}/index\n"
            f"new_certs_dir = {self.directory}\nrand_serial = yes\ndefault_md = sha256\n"
            "policy = any\ncopy_extensions = copyall\nunique_subject = no\n"
            "[any]\ncommonName = supplied\n")
        span = ["-days", str(days_left)]
        if expired or days_left > 2:
            span += ["-startdate", "20200101000000Z"]
        if expired:
            span += ["-enddate", "20200102000000Z"]
        if seconds_left is not None:
            end = datetime.now(timezone.utc) + timedelta(seconds=seconds_left)
            span = ["-enddate", end.strftime("%Y%m%d%H%M%SZ")]
        openssl("ca", "-batch", "-notext", "-config", self.directory / "ca.conf", "-cert",
                self.certificate, "-keyfile", self._key, "-in", request, "-out", certificate, *span)
