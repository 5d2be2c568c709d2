# SPDX-License-Identifier: Apache-2.0
"""ackctl, the broker or the disk fail in the middle: what is run again is whole, once, and leaves
nothing behind."""
import base64
import os
import signal
import subprocess

import pytest
from faulty_proxy import FaultyProxy
from processes import BUILD, wait_until
from small_disk import fill_up, small_disk
from test_publish import feed, rows
from test_results import finish
from test_work import publish, results, sh, wait_for_file

ACKCTL = BUILD / "cli/ackctl"


def leased_payloads(broker) -> list[str]:
    """The payloads of all tasks, in the order of their service."""
    found = []
    while tasks := broker.call("TaskService/Lease", queue="q", maxTasks=1000).get("tasks"):
        found += [base64.b64decode(task["payload"]).decode() for task in tasks]
    return found


def published(broker) -> int:
    counts = broker.call("QueueService/Get", name="q")["queue"].get("counts", {})
    return int(counts.get("published", 0))


def expect_each_row_once(ackctl, broker, text: str) -> None:
    ended = ackctl.ok("publish", "q", "-", "--dataset", "d", "-o", "json", stdin=text)
    assert (ended.json()["stored"], ended.json()["refused"]) == (0, 0)
    assert sorted(leased_payloads(broker)) == sorted(text.splitlines())


def test_a_publish_killed_again_and_again_with_the_broker_ends_with_each_row_once(ackctl, broker):
    """Each time it is given more rows, and killed when the broker has some of them; every second
    time the broker is killed at the same moment."""
    ackctl.queue()
    for turn in range(1, 7):
        child = ackctl.start("publish", "q", "-", "--dataset", "d", stdin=-1)
        feed(child, rows(1, turn * 1500))
        goal = turn * 1500 // 1000 * 1000  # whole batches
        wait_until(lambda: published(broker) >= goal, "some rows are published")
        if turn % 2:
            broker.kill()
        child.kill()
        assert child.wait() == -signal.SIGKILL
        if turn % 2:
            broker.start()
    text = rows(1, 10000)
    ackctl.ok("publish", "q", "-", "--dataset", "d", stdin=text)
    assert published(broker) == 10000
    expect_each_row_once(ackctl, broker, text)


def test_a_broker_that_dies_throughout_a_publish_has_each_row_once(ackctl, broker):
    ackctl.queue()
    text = rows(1, 12000)
    ackctl.write("d", text)
    child = ackctl.start("publish", "q", "d", "--format", "jsonl", "--dataset", "d", "-o", "json")
    for deaths in range(1, 5):
        goal = deaths * 2000
        wait_until(lambda: child.poll() is not None or published(broker) >= goal, "it goes on")
        broker.kill()
        broker.start()
    assert child.wait(60) == 0, child.stderr.read()
    assert published(broker) == 12000
    assert sorted(leased_payloads(broker)) == sorted(text.splitlines())


def parts(directory) -> list[str]:
    return [name for name in os.listdir(directory) if ".part-" in name]


def test_an_export_killed_in_the_middle_leaves_the_file_as_it_was_and_the_next_tidies_up(
        ackctl, broker):
    finish(ackctl, broker, [f"result {i}".encode() for i in range(2500)])
    out = ackctl.write("r.jsonl", "before\n")
    with FaultyProxy(broker.port) as proxy:
        proxy.lose_reply_of("ResultService/List", nth=2, stalls=True)
        child = ackctl.start("results", "export", "q", "--out", "r.jsonl", "--url", proxy.url)
        assert proxy.lost.wait(30)
        live = ackctl.start("results", "export", "q", "--out", "r.jsonl")  # beside the other
        assert live.wait(30) == 0
        assert len(parts(ackctl.directory)) == 1  # in use: nobody's leftover
        child.kill()
        child.wait()
    assert len(out.read_text().splitlines()) == 2500
    assert len(parts(ackctl.directory)) == 1
    ackctl.ok("results", "export", "q", "--out", "r.jsonl")
    assert len(out.read_text().splitlines()) == 2500
    assert parts(ackctl.directory) == []


@pytest.mark.parametrize("dies", [True, False])
def test_an_export_whose_broker_goes_away_leaves_the_file_as_it_was(ackctl, broker, dies):
    finish(ackctl, broker, [f"result {i}".encode() for i in range(2500)])
    out = ackctl.write("r.jsonl", "before\n")
    with FaultyProxy(broker.port) as proxy:
        proxy.lose_reply_of("ResultService/List", nth=2, stalls=dies)
        child = ackctl.start("results", "export", "q", "--out", "r.jsonl", "--url", proxy.url,
                             "--timeout", "1s")
        assert proxy.lost.wait(30)
        if dies:
            broker.kill()
        assert child.wait(30) == 3
    assert out.read_text() == "before\n" and parts(ackctl.directory) == []
    if dies:
        broker.start()
    ackctl.ok("results", "export", "q", "--out", "r.jsonl")
    assert len(out.read_text().splitlines()) == 2500


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", "64k") as disk:
        yield disk


@pytest.mark.parametrize("count", [1, 2500])
def test_an_export_to_a_full_disk_says_so_and_leaves_the_file_as_it_was(ackctl, broker, disk,
                                                                        count):
    finish(ackctl, broker, [b"x" * 40] * count)
    out = disk / "r.jsonl"
    out.write_text("before\n")
    fill_up(disk)
    ended = ackctl("results", "export", "q", "--out", out)
    assert ended.code == 1 and "can't be written" in ended.err
    assert out.read_text() == "before\n" and parts(disk) == []


def test_an_export_into_a_pipe_leaves_it_a_pipe(ackctl, broker, tmp_path):
    """As root, an export to /dev/null would else make a file of it, for the whole machine."""
    finish(ackctl, broker, [b"x"] * 3)
    pipe = tmp_path / "results"
    os.mkfifo(pipe)
    child = ackctl.start("results", "export", "q", "--out", pipe)
    with open(pipe, encoding="ascii") as reader:
        assert len(reader.read().splitlines()) == 3
    assert child.wait(timeout=30) == 0 and pipe.is_fifo() and parts(tmp_path) == []


@pytest.mark.parametrize("count", [1, 2500])
def test_an_export_to_a_full_stdout_is_no_success(ackctl, broker, count):
    finish(ackctl, broker, [b"x" * 40] * count)
    with open("/dev/full", "w") as full:
        ended = subprocess.run([ACKCTL, "results", "export", "q"], stdout=full, text=True,
                               stderr=subprocess.PIPE, env=ackctl.environment())
    assert ended.returncode == 1 and "can't be written" in ended.stderr


def test_a_killed_worker_s_task_is_anothers_and_its_files_go_with_the_next_start(ackctl, tmp_path):
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    environment = {"env": ackctl.environment(TMPDIR=str(scratch))}
    publish(ackctl, "a", "b")
    waits = sh(f"cat; echo up > {tmp_path}/up-$ACKD_ATTEMPT-$ACKD_TASK_ID; "
               f"[ $ACKD_ATTEMPT = 1 ] || exit 0; echo > $ACKD_CHECKPOINT_FILE; sleep 60")
    dies, lives = (start_worker(ackctl, environment, waits) for _ in range(2))
    for task in ("t0", "t1"):
        wait_for_file(tmp_path / f"up-1-{task}")
    wait_until(lambda: len(list(scratch.glob("*/*"))) == 2, "both have a checkpoint")
    dies.kill()
    dies.wait()
    third = start_worker(ackctl, environment, waits)
    wait_until(lambda: ackctl.counts()["leased"] == 2, "its task is leased again")
    assert len(list(scratch.iterdir())) == 2  # of the one that lives, and of the new one
    assert len(list(scratch.glob("*/0.checkpoint"))) >= 1
    lives.send_signal(signal.SIGTERM)
    assert lives.wait(30) == 0
    wait_until(lambda: ackctl.counts()["done"] == 2, "both are done")
    third.send_signal(signal.SIGTERM)
    assert third.wait(30) == 0
    assert list(scratch.iterdir()) == []
    assert results(ackctl) == {"t0": "a", "t1": "b"}


def start_worker(ackctl, environment, command) -> subprocess.Popen:
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", ACKCTL, "work", "q", "--session", "1s",
         *command], cwd=ackctl.directory, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, **environment)


def test_a_broker_that_dies_under_a_worker_costs_no_task(ackctl, broker):
    publish(ackctl, *(f"payload {i}" for i in range(60)))
    child = ackctl.start("work", "q", "-j", "2", "--until-empty", *sh("cat; sleep 0.03"))
    for goal in (10, 25, 40):
        wait_until(lambda: ackctl.counts()["done"] >= goal, "it works")
        broker.kill()
        broker.start()
    assert child.wait(60) == 0
    assert results(ackctl) == {f"t{i}": f"payload {i}" for i in range(60)}
    assert ackctl.counts()["dead"] == 0


def test_a_disk_too_full_for_the_payload_fails_no_task(ackctl, disk):
    publish(ackctl, "x" * 100_000, queue=("--max-failures", "1"))
    child = start_worker(ackctl, {"env": ackctl.environment(TMPDIR=str(disk))},
                         ["--payload-file", "--", "sh", "-c", "cat $ACKD_PAYLOAD_FILE"])
    show = ["get", "q", "t0", "-o", "json"]
    wait_until(lambda: ackctl.ok(*show).json()["task"].get("deliveries"), "the task was tried")
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 0
    assert ackctl.counts()["dead"] == 0
    ackctl.ok("work", "q", "--until-empty", "--payload-file", *sh("cat $ACKD_PAYLOAD_FILE"))
    assert results(ackctl) == {"t0": "x" * 100_000}
