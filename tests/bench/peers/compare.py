#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py -- ackd beside other brokers, doing the same work on this machine, in one table.

Each broker does each kind of work on a fresh directory, started for it; the kinds and brokers take
turns, round after round, and a figure is the median of the rounds. ackd is driven by `ackctl
bench`, the others by peer_load, raw and pipelined. How each is set up, and what its confirmation of
a publish is worth, stands in PEERS below and under the table.

    ./dev bench                          the whole, about 15 minutes
    ./dev bench --quick                  to see whether it works: the figures mean nothing
    ./dev bench --only ackd redis        some of them
"""
import argparse
import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
from processes import BUILD, Process, free_port, wait_until  # noqa: E402

ACKD = BUILD / "broker/daemon/ackd"
ACKCTL = BUILD / "cli/ackctl"
PEER_LOAD = BUILD / "tests/bench/peers/peer_load"
WORKERS = 4
RATE = 500
MIB = 1 << 20


@dataclass
class Peer:
    """A broker, one setting of it."""
    key: str  # for --only
    title: str
    protocol: str  # of peer_load; "": ackd itself
    package: str
    program: str
    durable: str  # before it confirms a publish
    command: Callable[[Path, int], list]
    note: str


def redis(fsync: str) -> Callable:
    return lambda data, port: [
        "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", data, "--save", "",
        "--appendonly", "yes", "--appendfsync", fsync, "--auto-aof-rewrite-percentage", "0",
        "--logfile", "/dev/null"]


def beanstalkd(milliseconds: int) -> Callable:
    return lambda data, port: ["beanstalkd", "-l", "127.0.0.1", "-p", port, "-b", data,
                               f"-f{milliseconds}", "-z", str(2 * MIB)]


def nats(data: Path, port: int) -> list:
    return ["nats-server", "-a", "127.0.0.1", "-p", port, "-js", "-sd", data, "-l", data / "log"]


STREAMS = "a stream with one consumer group; acked entries are deleted (XACK, XDEL), pipelined " \
          "with the next XREADGROUP; no RDB snapshots and no AOF rewrite"
PEERS = [
    Peer("ackd", "ackd", "", "", "", "yes", lambda data, port: [],
         "HTTP/1.1 and protobuf; acks carried by the next lease; each ack confirmed"),
    Peer("redis-always", "Redis Streams, `appendfsync always`", "redis", "redis-server",
         "redis-server", "yes", redis("always"), STREAMS),
    Peer("redis-everysec", "Redis Streams, `everysec`", "redis", "redis-server", "redis-server",
         "no (1 s)", redis("everysec"), "the same"),
    Peer("nats", "NATS JetStream, file store", "nats", "nats-server", "nats-server", "no (2 min)",
         nats, "a work-queue stream with one durable pull consumer; publishes confirmed, acks "
         "plain, which JetStream does not confirm"),
    Peer("beanstalkd-50", "beanstalkd `-f50`", "beanstalkd", "beanstalkd", "beanstalkd",
         "no (50 ms)", beanstalkd(50),
         "one tube; a batch is as many `reserve` and `delete` commands in one write"),
    Peer("beanstalkd-0", "beanstalkd `-f0`", "beanstalkd", "beanstalkd", "beanstalkd", "yes",
         beanstalkd(0), "the same"),
]


@dataclass
class Work:
    """One column, or two."""
    titles: list[str]
    ackctl: list[str]
    peer_load: list[str]
    read: Callable[[dict], list[float]]
    show: Callable[[float], str]


def rate(result: dict) -> list[float]:
    return [result["ratePerS"]]


def thousands(value: float) -> str:
    return f"{value / 1e3:,.0f} k" if value >= 10e3 else f"{value / 1e3:.1f} k"


def microseconds(value: float) -> str:
    return f"{value:.0f} µs" if value < 1000 else f"{value / 1e3:.2f} ms"


def rated(title: str, ackctl: str, peer_load: str) -> Work:
    return Work([title], ackctl.split(), peer_load.split(), rate, thousands)


WORKS = [
    rated("publish/s, 1000 a request", "publish --batch 1000 -c 4",
          "publish --batch 1000 --connections 4"),
    *[rated(f"lease+ack/s, {batch} a request", f"cycle --batch {batch} -c 4",
            f"cycle --batch {batch} --connections 4") for batch in (100, 10, 1)],
    rated("one by one: publish/s, 1 connection", "single -c 1",
          "publish --batch 1 --connections 1"),
    rated("64 connections", "single -c 64", "publish --batch 1 --connections 64"),
    Work([f"publish to waiting worker at {RATE}/s, p50", "p99"],
         f"dispatch -c {WORKERS} --rate {RATE}".split(),
         f"dispatch --connections {WORKERS} --rate {RATE}".split(),
         lambda result: [result["p50Us"], result["p99Us"]], microseconds),
]


class Server:
    """A peer on a directory of its own."""

    def __init__(self, peer: Peer, directory: Path):
        self.peer = peer
        self.data = directory / "data"
        self.data.mkdir()
        self.port = free_port()
        self.log = directory / "log"
        self.process: Process | None = None

    def __enter__(self) -> "Server":
        self.start()
        wait_until(self._accepts, f"{self.peer.title} listens")
        return self

    def __exit__(self, *_):
        self.process.kill()

    def start(self) -> None:
        self.process = Process(self.peer.command(self.data, self.port), self.log)

    def load(self, *arguments) -> dict:
        run = subprocess.run([PEER_LOAD, self.peer.protocol, *map(str, (self.port, *arguments))],
                             stdout=subprocess.PIPE, check=True, timeout=900)
        return json.loads(run.stdout)

    def memory(self) -> tuple[int, int]:
        """Resident, and of that anonymous."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return tuple(int(re.search(rf"{name}:\s*(\d+)", status)[1]) * 1024
                     for name in ("VmRSS", "RssAnon"))

    def disk_bytes(self) -> int:
        return sum(path.stat().st_blocks * 512 for path in self.data.rglob("*") if path.is_file())

    def _accepts(self) -> bool:
        if self.process.exit_code() is not None:
            raise SystemExit(f"{self.peer.title} ended:\n{self.process.log_end()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def bench(place: Path, arguments: list[str], *more) -> dict:
    """`ackctl bench` with a broker of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ACKD_")}
    run = subprocess.run([ACKCTL, "bench", *arguments, "--spawn", ACKD, "--dir", place, "-o",
                          "json", *map(str, more)], stdout=subprocess.PIPE, check=True,
                         timeout=900, env=environment)
    return json.loads(run.stdout)


def do_work(peer: Peer, work: Work, place: Path, time_ms: int) -> list[float]:
    if not peer.protocol:
        return work.read(bench(place, work.ackctl, "--rounds", 1, "--time", f"{time_ms}ms"))
    with tempfile.TemporaryDirectory(dir=place) as directory:
        with Server(peer, Path(directory)) as server:
            return work.read(server.load(*work.peer_load, "--time", time_ms))


BACKLOG_TITLES = ["RSS (anonymous), {count} M backlog", "disk a task", "first lease after kill -9"]


def pile_up(peer: Peer, place: Path, tasks: int) -> list[str]:
    """What a backlog costs. Told as text, since it is done once."""
    if not peer.protocol:
        result = bench(place, ["backlog", "--tasks", str(tasks)], "--time", "100ms")
        memory = result["rssBytes"], result["anonymousBytes"]
        disk = result["diskBytesPerTask"]
        first_s = result["firstLeaseAfterKillUs"] / 1e6
    else:
        with tempfile.TemporaryDirectory(dir=place) as directory:
            with Server(peer, Path(directory)) as server:
                server.load("fill", "--tasks", tasks)
                memory = server.memory()
                disk = server.disk_bytes() / tasks
                first_s = kill_and_lease(server)
    return [f"{memory[0] / MIB:,.0f} MiB ({memory[1] / MIB:,.0f})", f"{disk:,.0f} B",
            f"{first_s:.2f} s"]


def kill_and_lease(server: Server) -> float:
    begun = time.monotonic()
    server.process.signal(signal.SIGKILL)
    server.process.wait()
    server.start()
    server.load("first", "--time", 600000)
    return time.monotonic() - begun


def install(peers: list[Peer]) -> None:
    missing = sorted({peer.package for peer in peers
                      if peer.program and not shutil.which(peer.program)})
    if not missing:
        return
    print(f"installing {' '.join(missing)}", file=sys.stderr)
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    for line in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *missing]):
        subprocess.run([*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *line],
                       check=True, stdout=subprocess.DEVNULL)


def version(peer: Peer) -> str:
    command = {"redis": ["redis-server", "--version"], "nats": ["nats-server", "--version"],
               "beanstalkd": ["beanstalkd", "-v"], "": [ACKCTL, "version"]}[peer.protocol]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return re.search(r"\d+(\.\d+)+", text)[0]


def machine(place: Path) -> str:
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text(encoding="ascii"))
    disk = subprocess.run(["df", "--output=fstype", place], capture_output=True, text=True,
                          check=True).stdout.split()[-1]
    return (f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), "
            f"Linux {platform.release()}, {disk}")


def measure(peers: list[Peer], options: argparse.Namespace, place: Path) -> dict:
    """Peer -> work's titles -> figures of each round."""
    found: dict = {}
    for number in range(options.rounds):
        for work in WORKS:
            for peer in peers:
                print(f"round {number + 1} of {options.rounds}: {peer.title}: {work.titles[0]}",
                      file=sys.stderr)
                figures = do_work(peer, work, place, options.time)
                for title, figure in zip(work.titles, figures):
                    found.setdefault(peer.key, {}).setdefault(title, []).append(figure)
    return found


def table(peers: list[Peer], found: dict, piles: dict, backlog: int) -> list[str]:
    shows = {title: work.show for work in WORKS for title in work.titles}
    pile_titles = [title.format(count=f"{backlog / 1e6:g}") for title in BACKLOG_TITLES]
    titles = ["", "durable before the reply?", *shows, *pile_titles]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for peer in peers:
        cells = [shows[title](statistics.median(found[peer.key][title])) for title in shows]
        name = f"**{peer.title}**" if not peer.protocol else peer.title
        lines.append("| " + " | ".join([f"{name} {version(peer)}", peer.durable, *cells,
                                        *piles[peer.key]]) + " |")
    return lines


def report(peers: list[Peer], options: argparse.Namespace, place: Path, found: dict,
           piles: dict) -> str:
    notes = [f"- {peer.title}: {peer.note}." for peer in peers]
    return "\n".join([
        f"{machine(place)}; 256 B payloads, {WORKERS} connections unless said otherwise, client "
        f"and broker on the same machine over loopback; medians of {options.rounds} rounds of "
        f"{options.time / 1000:g} s, each on a fresh directory.", "",
        *table(peers, found, piles, options.backlog), "", *notes, ""])


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="ackd beside other brokers, in one table.")
    parser.add_argument("--only", nargs="+", metavar="NAME",
                        help="of " + ", ".join(peer.key for peer in PEERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--time", type=int, default=3000, metavar="MS", help="of each measurement")
    parser.add_argument("--backlog", type=int, default=1000000, metavar="TASKS")
    parser.add_argument("--dir", type=Path, default=Path("."), help="on the disk to measure")
    parser.add_argument("--output", type=Path, help="write the table there, too")
    parser.add_argument("--quick", action="store_true", help="one short round")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.time, options.backlog = 1, 300, 20000
    return options


def main() -> None:
    options = read_options()
    peers = [peer for peer in PEERS
             if not options.only or any(peer.key.startswith(name) for name in options.only)]
    install(peers)
    with tempfile.TemporaryDirectory(prefix="ackd-peers-", dir=options.dir) as directory:
        place = Path(directory).resolve()
        found = measure(peers, options, place)
        piles = {}
        for peer in peers:
            print(f"backlog: {peer.title}", file=sys.stderr)
            piles[peer.key] = pile_up(peer, place, options.backlog)
        text = report(peers, options, place, found, piles)
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
