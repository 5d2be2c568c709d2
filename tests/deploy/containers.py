# SPDX-License-Identifier: Apache-2.0
"""containers.py -- the images of deploy/Dockerfile, if `./dev image` has made them, and containers
of them on this machine.

A container runs by podman in namespaces that end with the test; only the network is the machine's.
`Container` is what Process is to a program: its signals go to the program inside.
"""
import io
import json
import os
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest
from processes import SOURCE, Process

STORE = SOURCE / ".cache/images"
ENGINE = SOURCE / "deploy/image/engine.sh"


def why_none() -> str:
    """Why no container can be run here; "" where one can."""
    if os.geteuid() != 0:
        return "only root can run the images"
    fresh = subprocess.run([SOURCE / "deploy/image/build.sh", "--fresh", STORE],
                           capture_output=True)
    return "" if fresh.returncode == 0 else "no images of these sources: ./dev image makes them"


WHY_NONE = why_none()
needs_images = pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)


# A read-only root without any room in memory, no capabilities.
LOCKED_IN = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all",
             "--security-opt=no-new-privileges")


def version() -> str:
    """The project's, by which its images are tagged."""
    lines = (SOURCE / "meson.build").read_text().splitlines()
    return next(line.split("'")[1] for line in lines if line.startswith("  version: "))


def run_in(image: str, *arguments, flags: tuple = LOCKED_IN) -> subprocess.CompletedProcess:
    """A container from its start to its end."""
    command = [ENGINE, STORE, "run", *flags, f"localhost/{image}:{version()}", *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120)


class Container(Process):
    """One container of an image such as "ackd:1.2.3", its log in a file."""

    def __init__(self, image: str, arguments: list, log: Path, flags: list):
        super().__init__([ENGINE, STORE, "run", *flags, f"localhost/{image}", *arguments], log)

    @property
    def inner_pid(self) -> int | None:
        """The program's, seen from this machine; None until it runs."""
        for pid in descendants(self.pid):
            if namespaces_deep(pid) == namespaces_deep(os.getpid()) + 2 and program(pid) != "crun":
                return pid
        return None

    def signal(self, number: signal.Signals) -> bool:
        pid = self.inner_pid
        if pid is None:
            return False
        os.kill(pid, number)
        return True

    def wait(self, timeout_s: float = 30) -> int:
        """The program's exit code, as a Process has it."""
        code = super().wait(timeout_s)
        return 128 - code if code > 128 else code

    def execute(self, *command: str, user: int) -> subprocess.CompletedProcess:
        """As `kubectl exec` does: another program in the same container."""
        environ = Path(f"/proc/{self.inner_pid}/environ").read_text().split("\0")
        return subprocess.run(
            ["nsenter", "--target", str(self.inner_pid), "--all", "--root", "--wd=/",
             f"--setuid={user}", f"--setgid={user}", *command],
            env=dict(each.split("=", 1) for each in environ if each),
            capture_output=True, text=True, timeout=60)


def descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended
        return []
    return [each for child in map(int, children) for each in (child, *descendants(child))]


def namespaces_deep(pid: int) -> int:
    """How many process namespaces know it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next(len(line.split()) - 1 for line in status.splitlines() if line.startswith("NSpid:"))


def program(pid: int) -> str:
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return "crun"  # on its way to become another


class Image:
    """What is in an image: `config`, and `files` by path."""

    def __init__(self, name: str):
        saved = subprocess.run([ENGINE, STORE, "save", f"localhost/{name}:{version()}"], check=True,
                               capture_output=True).stdout
        self.size = len(saved)
        self.files: dict[str, tarfile.TarInfo] = {}
        with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
            manifest, = json.load(archive.extractfile("manifest.json"))
            self.config = json.load(archive.extractfile(manifest["Config"]))["config"]
            for layer in manifest["Layers"]:
                with tarfile.open(fileobj=archive.extractfile(layer)) as files:
                    self.files |= {each.name.removeprefix("./").rstrip("/"): each
                                   for each in files}
