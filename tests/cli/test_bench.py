# SPDX-License-Identifier: Apache-2.0
"""bench: every scenario for a moment. That figures are there and that tasks add up is checked, how
large they are is not: this is no measurement."""
import signal
import subprocess
from pathlib import Path

import pytest
from processes import BUILD, wait_until

ACKD = BUILD / "broker/daemon/ackd"
PERCENTILES = ("p50Us", "p99Us", "p999Us", "maxUs")
USE = ("brokerCpuSPerMillion", "brokerCpuShare", "clientCpuShare", "rssBytes", "anonymousBytes")
RATED = ("tasks", "seconds", "ratePerS", "commitsPerS", "tasksPerCommit", *PERCENTILES, *USE)
CEILING = ("ceilingRatePerS", "ceilingCommitP50Us", "ceilingCommitP99Us", "ceilingCpuSPerMillion",
           "ceilingRatio")

TLS = ("plainRatePerS", "plainP50Us", "plainBrokerCpuSPerMillion", "tlsRatio")

SCENARIOS = {
    # what is typed -> the figures that must be there
    "publish --batch 10 --time 50ms --rounds 2 --ceiling":
        (*RATED, *CEILING, "diskBytesPerTask"),
    "publish --batch 10 --time 50ms --ids --pipeline 8 --connections 2 --ceiling":
        (*RATED, *CEILING, "diskBytesPerTask"),
    "publish --payload 100000 --batch 10 --time 50ms --rounds 1": RATED,
    "cycle --batch 10 --time 50ms --rounds 2 --ceiling": (*RATED, *CEILING),
    "publish --batch 10 --queues 50 --ids --pipeline 3 --time 50ms --rounds 1": RATED,
    "cycle --batch 1 --connections 64 --time 50ms --rounds 1": RATED,
    "cycle --batch 10 --connections 21 --queues 20 --payload 5000 --time 50ms --rounds 2": RATED,
    "cycle --batch 400 --payload 100000 --connections 1 --time 20ms --rounds 1": RATED,
    "single --time 50ms --ceiling": (*RATED, *CEILING, "diskBytesPerTask"),
    "single --connections 20 --time 50ms --rounds 1": (*RATED, "diskBytesPerTask"),
    "publish --batch 1000 --time 50ms --rounds 1 --tls": (*RATED, *TLS),
    "cycle --batch 100 --payload 50000 --time 50ms --rounds 2 --tls": (*RATED, *TLS),
    "drain --tasks 2500 --batch 100 --rounds 2": RATED,
    "dispatch --rate 200 --time 200ms --rounds 2": RATED,
    "backlog --tasks 5000 --time 50ms":
        ("backlogTasks", "publishEmptyPerS", "publishFullPerS", "cycleEmptyPerS", "cycleFullPerS",
         "firstLeaseAfterKillUs", "diskBytesPerTask", "rssBytes", "anonymousBytes"),
    "waiters --connections 200":
        ("waiters", "bytesPerWaiter", "reachedAllUs", "rssBytes", *PERCENTILES),
    "leases --tasks 2500 --sessions 7 --time 50ms":
        ("sessions", "leases", "idleCpuShare", "heartbeatCpuShare", "lostLeases",
         "lostLeasedAgainUs", "othersWorstUs", "othersBeforeUs", "rssBytes", "anonymousBytes"),
}


SLOW_DISK_S = 150  # some scenarios write hundreds of megabytes


def bench(ackctl, line: str) -> dict:
    """A run with a broker of its own; it must leave nothing behind."""
    place = ackctl.directory / "disk"
    place.mkdir(exist_ok=True)
    report = ackctl.ok("bench", *line.split(), "--spawn", ACKD, "--dir", place, "-o", "json",
                       timeout_s=SLOW_DISK_S).json()
    assert list(place.iterdir()) == []
    return report


@pytest.mark.parametrize("line", SCENARIOS)
def test_a_scenario_tells_its_figures(offline, line):
    report = bench(offline, line)
    assert report["scenario"] == line.split()[0]
    assert report["durability"] == "fsync before every reply" or "in memory" in report["durability"]
    for figures in (report, *report["rounds"]):
        missing = [name for name in SCENARIOS[line] if name not in figures]
        assert not missing
        # A moment may be too short for the clock; memory and disk may be given back in it.
        small = {"brokerCpuSPerMillion", "brokerCpuShare", "clientCpuShare", "idleCpuShare",
                 "plainBrokerCpuSPerMillion", "heartbeatCpuShare", "bytesPerWaiter", "lostLeasedAgainUs", "diskBytesPerTask"}
        assert not [name for name in SCENARIOS[line] if figures[name] <= 0 and name not in small]
    percentiles = [report[name] for name in PERCENTILES if name in report]
    assert percentiles == sorted(percentiles)


def test_tasks_and_rates_agree(offline):
    for line in ("publish --batch 10 --time 50ms --rounds 1",
                 "cycle --batch 10 --time 50ms --rounds 1"):
        report = bench(offline, line)
        assert report["tasks"] % 10 == 0
        assert report["ratePerS"] == pytest.approx(report["tasks"] / report["seconds"], rel=0.01)


def test_what_is_counted_is_what_there_is(offline):
    assert bench(offline, "drain --tasks 2500 --batch 100 --rounds 1")["tasks"] == 3000
    assert bench(offline, "waiters --connections 200")["waiters"] == 200
    report = bench(offline, "leases --tasks 2500 --sessions 7 --time 50ms")
    assert report["leases"] == 2500 // 7 * 7 and report["lostLeases"] == 3000
    assert bench(offline, "dispatch --rate 100 --time 500ms --rounds 1")["tasks"] == 50


def test_a_running_broker_is_left_as_it_was(ackctl):
    report = ackctl.ok("bench", "single", "--time", "50ms", "--rounds", "1", "-o", "json").json()
    assert report["tasks"] > 0 and "anonymousBytes" not in report  # only told by a process of ours
    assert ackctl.ok("queue", "list", "-o", "json").rows() == []


def test_people_get_a_table(ackctl):
    out = ackctl.ok("bench", "cycle", "--time", "50ms", "--rounds", "2").out.splitlines()
    assert out[0] == ("cycle: payload bytes 256, connections 4, tasks a request 100, queues 1, "
                      "rounds 2")
    assert any(line.startswith("  p99.9  ") for line in out)


def test_ceiling_stands_alone(offline):
    rows = offline.ok("bench", "ceiling", "--time", "20ms", "-o", "json").rows()
    assert [(row["traffic"], row["tasksPerCommit"]) for row in rows] == [
        ("publish", 1), ("publish", 1000), ("cycle", 4), ("cycle", 40), ("cycle", 400),
        ("cycle", 4000)]
    assert all(row["ratePerS"] > 0 and row["commitP99Us"] >= row["commitP50Us"] for row in rows)
    rows = offline.ok("bench", "ceiling", "--time", "20ms", "--batch", "7", "-o", "json").rows()
    assert [row["tasksPerCommit"] for row in rows] == [7, 7]
    assert list(offline.directory.iterdir()) == []


def test_a_store_in_memory_is_told(offline):
    report = offline.ok("bench", "single", "--time", "20ms", "--rounds", "1", "--spawn", ACKD, "-o",
                        "json", ACKD_STORE="mem").json()
    assert report["durability"] == "none: the store is in memory"


def test_ctrl_c_stops_the_broker_and_removes_its_data(offline):
    child = offline.start("bench", "publish", "--time", "60s", "--spawn", ACKD)
    (data,) = wait_until(lambda: list(offline.directory.glob("ackd-bench-*/port")), "it runs")
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=30) == 130
    assert not data.parent.exists()
    assert running_with(data.parent) == []


def running_with(directory: Path) -> list[str]:
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in lines.splitlines() if str(directory) in line]


@pytest.mark.parametrize("arguments, code, message", [
    (["--url", "http://127.0.0.1:9"], 3, "broker not reached at http://127.0.0.1:9"),
    (["--url", "ftp://127.0.0.1:9"], 2, "give http://HOST:PORT"),
    (["--spawn", "./missing"], 3, "./missing can't be started: No such file or directory"),
    (["--spawn", "/bin/true"], 3, "/bin/true did not start to listen"),
    (["--spawn", str(ACKD), "--dir", "missing"], 1, "no directory can be made in missing"),
])
def test_what_is_wrong_is_said(offline, arguments, code, message):
    ended = offline("bench", "single", *arguments)
    assert ended.code == code and message in ended.err
    assert list(offline.directory.iterdir()) == []
