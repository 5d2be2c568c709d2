# SPDX-License-Identifier: Apache-2.0
"""power_cut.py [--images N] [--seed S] -- records a broker at work, and cuts its power everywhere.

A real ackd runs under the shim while clients publish, lease, ack, nack, renew and save checkpoints;
it is stopped and started again halfway, and killed at the end. From the recording the states that
a power cut may leave on the disk are built (images.py), a broker is opened on each, and what it
knows is held against the clients' books (judge.py). Some images are given to the real
binary, the others to the opener, which is the same code without sockets.
"""
import argparse
import os
import shutil
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from broker import Broker  # noqa: E402
from images import Image, build_images, moments, whole_image  # noqa: E402
from judge import Opener, Promises, WireBroker, goes_on, judge  # noqa: E402
from processes import BUILD, scratch_directory  # noqa: E402
from recording import Event, read_recording, sent_positions  # noqa: E402
from script import Client, now_ms  # noqa: E402

SHIM = BUILD / "tests/crash/ackd-shim.so"
CLIENTS = 3
STEPS = 40  # calls of each client, half of them before the restart
IMAGES_EACH = 10000  # images of one recording, where more are asked for
SYNC_US = 2000  # so that calls of several clients meet in one commit
MAP_SIZE = "16MiB"  # the log is in proportion: it gets full, and each image has one
REAL_EVERY = 200  # one image of so many is given to the real binary
GOES_ON_EVERY = 5  # and on one of so many the workers go on


@dataclass
class Recorded:
    root: Path
    started_ms: int
    clients: list[Client]
    events: list[Event]


def record(directory: Path, seed: int, steps: int = STEPS, build: Path = BUILD,
           map_size: str = MAP_SIZE) -> Recorded:
    """A broker at work in directory/broker/data."""
    log, root = directory / "recording", directory / "broker"
    environment = {"ACKD_SHIM_DIR": str(root), "ACKD_SHIM_RECORD": str(log),
                   "ACKD_SHIM_SYNC_US": str(SYNC_US), "LD_PRELOAD": str(SHIM)}
    clients = [Client(f"q{number}", seed * 100 + number) for number in range(CLIENTS)]
    started_ms = now_ms()
    with Broker(root, "--map-size", map_size, build=build, environment=environment) as broker:
        work(broker.port, clients, steps // 2)
        assert broker.stop() == 0, broker.process.log_end()
        broker.start()
        work(broker.port, clients, steps - steps // 2)
    return Recorded(root, started_ms, clients, read_recording(log))


def work(port: int, clients: list[Client], steps: int) -> None:
    def run(client: Client) -> None:
        client.connect(port)
        client.run(steps)
    with ThreadPoolExecutor(len(clients)) as threads:
        for done in [threads.submit(run, client) for client in clients]:
            done.result()


def write_image(image: Image, directory: Path, scratch: bytes | None) -> None:
    """`scratch`: what lock.mdb held; None: there is none."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for path, content in sorted(image.build().items()):
        target = directory / path
        if content is None:
            target.mkdir(mode=0o700)
        else:
            write_sparse(target, content)
            target.chmod(0o600)
    if scratch is not None and (directory / "data/shard-0").is_dir():
        (directory / "data/shard-0/lock.mdb").write_bytes(scratch)


def write_sparse(target: Path, content: bytes) -> None:
    """Without the zeros at its end, of which a new log has many."""
    with open(target, "wb") as file:
        file.write(content.rstrip(b"\0"))
        file.truncate(len(content))


class Court:
    """Judges images; one a process."""

    def __init__(self, recorded: Recorded, directory: Path, build: Path = BUILD):
        self._recorded = recorded
        self._directory = directory
        self._build = build
        self._scratch = (recorded.root / "data/shard-0/lock.mdb").read_bytes()
        sent = sent_positions(recorded.events)
        self._promises = [Promises(client, sent) for client in recorded.clients]
        self._opener = Opener(build / "tests/crash/opener")
        self.counts: Counter[str] = Counter()

    def judge(self, number: int, image: Image) -> str:
        """What is wrong; empty: nothing."""
        write_image(image, self._directory, self._scratch if number % 2 else None)
        allowed = {each.name: each.allowed(image.moment) for each in self._promises}
        self.counts["images"] += 1
        if number % REAL_EVERY == REAL_EVERY - 1:
            return self._judge_by_binary(allowed)
        return self._judge_by_opener(allowed, number % GOES_ON_EVERY == 0)

    def end(self) -> None:
        self._opener.end()

    def _judge_by_opener(self, allowed: dict, deep: bool) -> str:
        (self._directory / "data").mkdir(exist_ok=True)  # the binary's part
        refused = self._opener.open(self._directory / "data", self._recorded.started_ms)
        if refused:
            return f"the broker does not start: {refused}"
        wrong, found = judge(self._opener, allowed)
        if deep and not wrong:
            self.counts["gone on"] += 1
            wrong = goes_on(self._opener, found)
        self._opener.close()
        return wrong

    def _judge_by_binary(self, allowed: dict) -> str:
        self.counts["by the binary"] += 1
        try:
            with Broker(self._directory, build=self._build) as broker:
                wrong, found = judge(WireBroker(broker.port), allowed)
                return wrong or goes_on(WireBroker(broker.port), found)
        except AssertionError as error:
            return f"the broker does not start: {error}"


def check_recording(recorded: Recorded) -> str:
    """The recording, replayed, must be the file that the broker left, or nothing above counts."""
    *_, (_, disk) = moments(recorded.events, str(recorded.root))
    for path, content in whole_image(disk).build().items():
        if content is not None and content != (recorded.root / path).read_bytes():
            return f"{path} is not what was recorded"
    return ""


def judge_share(recorded: Recorded, images: int, seed: int, share: int, of: int) -> tuple:
    """Every of-th image from `share` on: the counts, and the first sentence about what is wrong."""
    with scratch_directory() as directory:
        court = Court(recorded, Path(directory) / "image")
        try:
            for number, image in enumerate(build_images(recorded.events, str(recorded.root),
                                                        images, seed)):
                if number % of != share:
                    continue
                if wrong := court.judge(number, image):
                    return court.counts, f"image {number} of seed {seed}, {image.story()}: {wrong}"
        finally:
            court.end()
        return court.counts, ""


def cut_power(images: int, seed: int) -> tuple[Counter, str]:
    """One recording and its images."""
    processes = os.cpu_count() or 1
    counts: Counter[str] = Counter()
    with scratch_directory() as directory:
        recorded = record(Path(directory), seed)
        if wrong := check_recording(recorded):
            return counts, wrong
        counts["recordings"] += 1
        counts["confirmed calls"] += sum(len(client.book) - 1 for client in recorded.clients)
        counts["syncs"] += sum(1 for _ in moments(recorded.events, str(recorded.root))) - 1
        with ProcessPoolExecutor(processes) as pool:
            shares = [pool.submit(judge_share, recorded, images, seed, share, processes)
                      for share in range(processes)]
            stories = []
            for share in shares:
                judged, wrong = share.result()
                counts.update(judged)
                stories += [wrong] if wrong else []
    return counts, stories[0] if stories else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5000, help="how many (default 5000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first recording (default 1)")
    wanted = parser.parse_args()
    totals: Counter[str] = Counter()
    began = time.monotonic()
    recordings = max(1, wanted.images // IMAGES_EACH)
    for number in range(recordings):
        counts, wrong = cut_power(wanted.images // recordings, wanted.seed + number)
        totals.update(counts)
        if wrong:
            print(f"LOST: {wrong}")
            return 1
    figures = ", ".join(f"{count} {name}" for name, count in totals.items())
    print(f"{figures}; nothing lost; {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
