# SPDX-License-Identifier: Apache-2.0
"""faults.py [--all] [--life LIFE] [--only CALL:K:FAILURE] -- each call of a script fails once.

A client goes through a fixed script of calls while one read, write, sync, open, allocation or
accept of the broker's fails: in the broker's first life, which begins on an empty directory, and in
its second, on what SIGKILL left of the first. Allowed is: the broker answers an error and goes on,
or it ends with exit 1 and a sentence. Afterwards a broker is started on what is there, and on what
was synced alone (after a failed sync the kernel forgets what it could not write): all that was
confirmed must be there, and the call that failed must have happened wholly or not at all.

Without --all each k is tried with one of the failures of its kind in turn, and of the many
allocations some hundred.
"""
import argparse
import contextlib
import copy
import itertools
import json
import os
import queue
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from images import moments, stable_image  # noqa: E402
from judge import Opener, WireBroker, goes_on, judge  # noqa: E402
from model import DELAYED, FOR_EVER_MS, LEASED, READY, Queue  # noqa: E402
from power_cut import SHIM, write_image  # noqa: E402
from processes import BUILD, Process, scratch_directory, wait_until  # noqa: E402
from recording import read_recording  # noqa: E402
from script import VERBS, Client, Lost, Refused, now_ms  # noqa: E402

SEED = 9
SCRIPT = ("create publish publish lease checkpoint ack lease renew preempt fail open_session "
          "publish check lease_in_session lease_and_settle heartbeat ack ack_again lease "
          "fail_for_good redrive cancel check delete_dead release close_session publish_again "
          "pause resume lease ack purge").split()
SECOND_SCRIPT = "publish lease ack".split()

# In the order of the shim's counts: the kind of call, and how it may fail.
STORAGE = ("EIO", "ENOSPC", "EINTR", "SHORT")
FAILURES = {
    "pwrite": STORAGE, "meta": STORAGE, "writev": STORAGE, "pread": ("EIO", "EINTR", "SHORT"),
    "fdatasync": ("EIO", "ENOSPC"),
    "fsync": ("EIO",), "ftruncate": ("EIO", "ENOSPC"), "open": ("EACCES", "EMFILE", "ENOSPC"),
    "mkdir": ("EACCES", "ENOSPC"), "rename": ("EIO", "ENOSPC"), "mmap": ("ENOMEM",),
    "malloc": ("ENOMEM",), "accept": ("EMFILE", "ECONNABORTED", "ENOMEM"),
}
# What a refusal says that leaves open whether the call took place.
UNKNOWN = ("unknown", "the request or its reply needs more memory")
TRIED_MAX = {"malloc": 150, "pread": 50}  # without --all; of the others all
END_S = 10  # a broker that was asked to stop; far more than it needs
ENDS_WELL = {0: "ended when asked to", 1: "stopped with exit 1"}
# A start without memory ends so within libraries: LMDB 0.9.24 frees something twice when
# mdb_env_open fails, and uv_loop_init aborts by itself. Nothing has been served then.
ABORTED_AT_START = "aborted by a library at the start"


@dataclass(frozen=True)
class Fault:
    call: str
    k: int
    failure: str
    goes_on: bool = False  # every call from the k-th on fails

    def __str__(self) -> str:
        return f"{self.call}:{self.k}{'+' if self.goes_on else ''}:{self.failure}"

    @staticmethod
    def parse(text: str) -> "Fault":
        call, k, failure = text.split(":")
        return Fault(call, int(k.rstrip("+")), failure, k.endswith("+"))


@dataclass(frozen=True)
class Life:
    """What a broker finds, and what it is asked."""
    client: Client  # as it is before
    script: list[str]
    found: Path | None = None  # a directory to begin with; None: an empty one


class Patient:
    """A broker under the shim, in a directory of its own."""

    def __init__(self, directory: Path, life: Life, fault: Fault | None):
        self._fault = fault
        self.root = directory / "broker"
        self.log = directory / "log"
        self.recording = directory / "recording"
        self._counts = directory / "counts"
        self._ports = directory / "ports"
        self.found: dict[str, bytes | None] = {}
        if life.found:
            shutil.copytree(life.found, self.root)
            self.found = contents_of(self.root)
        else:
            self.root.mkdir()
        environment = {"ACKD_SHIM_DIR": str(self.root), "ACKD_SHIM_RECORD": str(self.recording),
                       "ACKD_SHIM_COUNTS": str(self._counts), "LD_PRELOAD": str(SHIM)}
        if fault:
            environment["ACKD_SHIM_FAULT"] = str(fault)
        self.process = Process(
            [BUILD / "broker/daemon/ackd", "--data-dir", self.root / "data", "--listen",
             "127.0.0.1:0", "--port-file", self._ports, "--log-format", "json"], self.log,
            env=os.environ | environment)
        wait_until(lambda: self.has_listened or self.has_ended, "ackd listens or has ended")

    @property
    def has_ended(self) -> bool:
        return self.process.exit_code() is not None

    @property
    def has_listened(self) -> bool:
        return self._ports.exists()

    @property
    def port(self) -> int:
        return int(self._ports.read_text().rsplit(":", 1)[1])

    def counts(self) -> dict[str, int]:
        return dict(zip(FAILURES, struct.unpack(f"<{len(FAILURES)}Q", self._counts.read_bytes())))

    def end(self) -> int | None:
        """Its exit code; None: it does not end."""
        self.process.signal(signal.SIGTERM)
        try:
            return self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            return None

    def had_io_error(self) -> bool:
        """Of the store's: after one nothing may be served. When the store is closed nothing is, and
        the log has what the last checkpoint should have brought in."""
        return (self._fault is not None and self._fault.failure == "EIO"
                and self._fault.call in ("pwrite", "meta", "writev", "pread", "fdatasync")
                and self.counts()[self._fault.call] >= self._fault.k
                and "checkpoint_failed" not in self.log.read_text())

    def has_asserted(self) -> bool:
        return "ackd: bug at" in self.log.read_text()

    def has_said_why(self) -> bool:
        """Whether its log tells of an error in words."""
        return any(line.startswith("ackd: ") or is_error_line(line)
                   for line in self.log.read_text().splitlines())


def is_error_line(line: str) -> bool:
    try:
        return json.loads(line).get("level") == "error"
    except ValueError:
        return False


@dataclass
class Outcome:
    ended: str  # how the broker ended
    allowed: list[Queue]  # what may be found afterwards
    wrong: str = ""


def contents_of(root: Path) -> dict[str, bytes | None]:
    """By path below it; None: a directory."""
    return {str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
            for path in root.rglob("*")}


class Script:
    """A life's script on one broker; `reference`: the book of a run without a fault."""

    def __init__(self, patient: Patient, life: Life, reference: list[Queue], fault: Fault | None):
        self.client = copy.deepcopy(life.client)
        self._names = life.script
        self._patient = patient
        self._reference = reference
        self._is_short_of_memory = fault is not None and fault.call == "malloc"
        self._retries = 0 if fault and fault.goes_on else 3
        self.skipped: list[str] = []  # the queue's state did not allow them
        self.troubles: list[str] = []  # what went wrong on the way, for people

    def run(self) -> list[Queue]:
        """What may be stored now: the queue as confirmed, and perhaps as after one call more."""
        verbs = {verb.call.__name__: verb for verb in VERBS}
        for name in self._names:
            possible = self._step(verbs[name])
            if len(possible) > 1 or self._patient.has_ended:
                return possible
        return [self.client.queue]

    def _step(self, verb) -> list[Queue]:
        for _ in range(self._retries + 1):
            try:
                if self.client.wire is None:
                    self.client.connect(self._patient.port)
                if not self.client.try_verb(verb):
                    self.skipped.append(verb.call.__name__)
                return [self.client.queue]
            except Refused as refusal:
                self.troubles.append(f"{verb.call.__name__}: {refusal}")
                if any(words in str(refusal) for words in UNKNOWN):
                    return self._maybe()
            except (Lost, OSError) as error:
                self.troubles.append(f"{verb.call.__name__}: {error}")
                if self._is_gone() or not self._is_as_before():
                    return self._maybe()
        return [self.client.queue]

    def _is_gone(self) -> bool:
        """No answer came; perhaps the broker ends, a moment later."""
        self.client.wire = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._patient.process.wait(0.2)
        return self._patient.has_ended

    def _is_as_before(self) -> bool:
        try:
            wrong, _ = judge(WireBroker(self._patient.port), {"q": [self.client.queue]})
            return not wrong
        except (Lost, OSError):
            return False

    def _maybe(self) -> list[Queue]:
        calls = len(self.client.book)
        after = [loosened(each) for each in self._reference[calls:calls + 1]]
        if self._is_short_of_memory:
            after = [fewer for each in after for fewer in fewer_leases(self.client.queue, each)]
        return [self.client.queue] + after


def loosened(queue: Queue) -> Queue:
    """Of another run, whose times were others."""
    return replace(queue, tasks={
        key: replace(task, due_ms=(0, FOR_EVER_MS)) if task.state in (LEASED, DELAYED) else task
        for key, task in queue.tasks.items()})


def fewer_leases(before: Queue, after: Queue) -> list[Queue]:
    """A lease gives what there is memory for: `after`, and the same with some tasks not leased."""
    leased = {task.task_id for task in after.of(LEASED)}
    given = [task for task in before.of(READY) if task.task_id in leased]
    return [after.with_tasks(*kept) for count in range(len(given) + 1)
            for kept in itertools.combinations(given, count)]


class Ward:
    """Tries one fault after the other; one a thread."""

    def __init__(self, life: Life, reference: list[Queue]):
        self._life = life
        self._reference = reference
        self._opener = Opener(BUILD / "tests/crash/opener")

    def end(self) -> None:
        self._opener.end()

    def try_fault(self, fault: Fault | None) -> Outcome:
        with scratch_directory() as directory:
            started_ms = now_ms()
            patient = Patient(Path(directory), self._life, fault)
            script = Script(patient, self._life, self._reference, fault)
            try:
                allowed = [self._life.client.queue] if patient.has_ended else script.run()
                outcome = self._end(patient, allowed)
            except AssertionError as error:  # a reply that should not have been
                outcome = Outcome("answered wrongly", [], str(error))
            finally:
                patient.process.kill()
            if not outcome.wrong:
                self._look(patient, outcome, started_ms, Path(directory))
            if outcome.wrong:
                outcome.wrong += f"\n  troubles: {script.troubles}\n{patient.process.log_end()}"
            return outcome

    def _end(self, patient: Patient, allowed: list[Queue]) -> Outcome:
        code = patient.end()
        outcome = Outcome(ENDS_WELL.get(code, "ended badly"), allowed)
        if code == -signal.SIGABRT and not patient.has_listened and not patient.has_asserted():
            return Outcome(ABORTED_AT_START, allowed)
        if code is None:
            outcome.wrong = "ackd does not stop"
        elif code not in ENDS_WELL:
            outcome.wrong = f"ackd ended with {code}"
        elif code == 0 and patient.had_io_error():
            outcome.wrong = "ackd served on after an I/O error"
        elif code == 1 and not patient.has_said_why():
            outcome.wrong = "ackd ended with 1 and no sentence"
        return outcome

    def _look(self, patient: Patient, outcome: Outcome, started_ms: int, directory: Path) -> None:
        outcome.wrong = self._start_on(patient.root / "data", outcome, started_ms)
        *_, (_, disk) = moments(read_recording(patient.recording), str(patient.root),
                                patient.found)
        write_image(stable_image(disk), directory / "image", None)
        (directory / "image/data").mkdir(exist_ok=True)
        if not outcome.wrong and (wrong := self._start_on(directory / "image/data", outcome,
                                                          started_ms)):
            outcome.wrong = f"of what was synced: {wrong}"

    def _start_on(self, data: Path, outcome: Outcome, started_ms: int) -> str:
        data.mkdir(exist_ok=True)  # where it was not made
        if refused := self._opener.open(data, started_ms):
            return f"the next broker does not start: {refused}"
        wrong, found = judge(self._opener, {"q": outcome.allowed})
        if not wrong and found[0][0] is outcome.allowed[0]:
            wrong = goes_on(self._opener, found)
        self._opener.close()
        return wrong


def reference_run(life: Life, kept: Path | None = None) -> tuple[Client, dict[str, int]]:
    """The client after a run without a fault, and how many calls of each kind it makes. With `kept`
    the broker is killed at the end, and what it leaves is kept there."""
    with scratch_directory() as directory:
        patient = Patient(Path(directory), life, None)
        script = Script(patient, life, [], None)
        script.run()
        if kept:
            patient.process.kill()
            shutil.copytree(patient.root, kept)
        else:
            assert patient.end() == 0, patient.process.log_end()
        assert not script.skipped, f"the script has no use for {script.skipped}"
        script.client.wire = None
        return script.client, patient.counts()


def choose_faults(counts: dict[str, int], is_all: bool) -> list[Fault]:
    faults = []
    for call, failures in FAILURES.items():
        numbers = range(1, counts[call] + 1)
        kinds = [(failure, goes_on) for goes_on in (False, True) for failure in failures
                 if not (goes_on and failure == "EINTR")]  # whoever asks again would do so for ever
        if is_all:
            faults += [Fault(call, k, *kind) for k in numbers for kind in kinds]
            continue
        stride = max(1, counts[call] // TRIED_MAX.get(call, counts[call] or 1))
        faults += [Fault(call, k, *kinds[k // stride % len(kinds)]) for k in numbers[::stride]]
    return faults


def live(life: Life, wanted: argparse.Namespace) -> int:
    """A life with each of its faults; how many went wrong."""
    client, counts = reference_run(life)
    reference = [entry.queue for entry in client.book]
    faults = [Fault.parse(wanted.only)] if wanted.only else choose_faults(counts, wanted.all)
    faults = [fault for fault in faults if wanted.call in (None, fault.call)]
    wards: queue.SimpleQueue[Ward] = queue.SimpleQueue()
    threads = os.cpu_count() or 1
    for _ in range(threads):
        wards.put(Ward(life, reference))

    def try_fault(fault: Fault) -> Outcome:
        ward = wards.get()
        try:
            return ward.try_fault(fault)
        finally:
            wards.put(ward)

    tally: Counter[tuple[str, str]] = Counter()
    failed = 0
    with ThreadPoolExecutor(threads) as pool:
        for fault, outcome in zip(faults, pool.map(try_fault, faults)):
            tally[fault.call, outcome.ended] += 1
            if outcome.wrong:
                failed += 1
                print(f"WRONG: {fault}: {outcome.wrong}", flush=True)
    for call, count in counts.items():
        ends = ", ".join(f"{number} {ended}" for (kind, ended), number in sorted(tally.items())
                         if kind == call)
        print(f"{call:10} {count:5} calls in the script; faults: {ends or 'none'}")
    print(f"{len(faults)} faults, {failed} gone wrong")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every k with every failure of its kind")
    parser.add_argument("--life", choices=("first", "second"), help="only faults of this life")
    parser.add_argument("--call", choices=FAILURES, help="only faults of this kind of call")
    parser.add_argument("--only", metavar="CALL:K:FAILURE", help='one fault, as "meta:3:EIO"')
    wanted = parser.parse_args()
    began = time.monotonic()
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        first = Life(Client("q", SEED), SCRIPT)
        if wanted.life != "second":
            failed += live(first, wanted)
        if wanted.life != "first":
            kept = Path(directory) / "killed"
            client, _ = reference_run(first, kept)
            print("in the second life, on what SIGKILL left:")
            failed += live(Life(client, SECOND_SCRIPT, kept), wanted)
    print(f"{failed} gone wrong in all; {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
