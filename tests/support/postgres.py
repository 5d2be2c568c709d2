# SPDX-License-Identifier: Apache-2.0
"""postgres.py -- a PostgreSQL server of one's own: new, empty, on a Unix socket only.

PostgreSQL refuses to run as root; then it runs as the user `postgres`, which its package makes. So
its directory is one directly under the system's temporary one, which every user may enter.
"""
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from processes import Process, wait_until


class Postgres:
    """Use it with `with`: it is started on entry, stopped and removed on exit."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="ackd-postgres-"))
        self.directory.chmod(0o755)
        self._programs = programs()
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.conninfo = f"host={self.directory} dbname=postgres user={self.user}"
        self.process: Process | None = None

    def __enter__(self) -> "Postgres":
        if os.geteuid() == 0:
            shutil.chown(self.directory, self.user)
        subprocess.run(self._as_user("initdb", "--pgdata", self.directory / "data", "--auth=trust",
                                     "--encoding=UTF8", "--locale=C", "--no-sync"),
                       check=True, capture_output=True, cwd="/")
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        """Starts it, again after a stop or kill, and waits until it answers."""
        self.process = Process(
            self._as_user("postgres", "-D", self.directory / "data", "-k", self.directory,
                          "-c", "listen_addresses="), self.directory / "log", cwd="/")
        wait_until(self._answers, "PostgreSQL answers")

    def stop(self) -> None:
        """Cuts off its clients, but flushes what it has."""
        self.process.signal(signal.SIGINT)
        self.process.wait()

    def kill(self) -> None:
        """Ends it and the processes it started, flushing nothing."""
        if self.process and self.process.signal(signal.SIGQUIT):
            self.process.wait()

    def crash(self) -> None:
        """SIGKILL to the server; its children see that and end."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}")
        children = (task / "children").read_text().split()
        self.process.kill()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children),
                   "PostgreSQL's children have ended")

    def query(self, sql: str) -> list[list[str]]:
        """The rows of one statement, all columns as text."""
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-v",
                               "ON_ERROR_STOP=1", "-d", self.conninfo, "-c", sql],
                              check=True, capture_output=True, text=True)
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def _answers(self) -> bool:
        if self.process.exit_code() is not None:
            raise AssertionError(f"PostgreSQL did not start:\n{self.process.log_end()}")
        probe = subprocess.run([self._programs / "pg_isready", "-q", "-d", self.conninfo])
        return probe.returncode == 0

    def _as_user(self, program: str, *arguments) -> list:
        command = [self._programs / program, *arguments]
        if os.geteuid() == 0:
            # Not runuser: it would stay as the parent of the server and not pass signals on.
            return ["setpriv", "--reuid", self.user, "--regid", self.user, "--init-groups",
                    "--pdeathsig", "KILL", "--", *command]
        return command


def programs() -> Path:
    """Where the server's programs are: Debian keeps them out of PATH, a folder a version."""
    found = [Path(path).parent for path in glob.glob("/usr/lib/postgresql/*/bin/initdb")]
    if found:
        return max(found, key=lambda folder: int(folder.parent.name))
    if in_path := shutil.which("initdb"):
        return Path(in_path).parent
    raise AssertionError("there is no PostgreSQL server here: apt-get install postgresql")
