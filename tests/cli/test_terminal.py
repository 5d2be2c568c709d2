# SPDX-License-Identifier: Apache-2.0
"""What one sees: progress bars, the live view, questions; and plain lines where there is no terminal."""
import json
import re
import signal

from processes import wait_until


def visible(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


def publish(ackctl, count: int, name: str = "q", dataset: str = "d") -> None:
    ackctl.ok("publish", name, "-f", "lines", "--dataset", dataset,
              stdin="".join(f"{i}\n" for i in range(count)))


def settle(broker, count: int, verb: str = "Ack", **item) -> None:
    tasks = broker.call("TaskService/Lease", queue="q", maxTasks=count)["tasks"]
    broker.call(f"TaskService/{verb}", items=[{"leaseToken": task["leaseToken"], **item}
                                              for task in tasks])


def test_publish_draws_a_bar_with_share_rate_and_eta_on_a_terminal(ackctl, terminal):
    ackctl.queue()
    with open(ackctl.directory / "big.jsonl", "w", encoding="utf-8") as file:
        for i in range(150_000):
            file.write(f'{{"number":{i}}}\n')
    run = terminal(ackctl, "publish", "q", "big.jsonl")
    run.read_until("ETA")
    assert run.end() == 0
    assert re.search(r"\rq  \[#+-*\] \d+ %  [\d,]+ rows  [\d,.]+/s  ETA \d", run.output)
    assert "150,000 stored" in run.output.splitlines()[-1]
    assert "\r\x1b[K" in run.output  # the bar is wiped before the last line


def test_no_bar_where_there_is_no_terminal(ackctl):
    ackctl.queue()
    ended = ackctl.ok("publish", "q", "-f", "lines", stdin="x\n" * 100)
    assert "\x1b" not in ended.err and "\r" not in ended.err


def test_rows_may_be_typed(ackctl, terminal):
    ackctl.queue()
    run = terminal(ackctl, "publish", "q", "-f", "lines")
    run.read_until("Ctrl-D ends them")
    run.type("one\ntwo\n\x04")
    assert run.end() == 0 and "2 stored" in run.output


def test_deleting_asks_on_a_terminal(ackctl, terminal):
    ackctl.queue()
    run = terminal(ackctl, "queue", "delete", "q")
    run.read_until("delete queue q with its tasks, results and dead letters? [y/N] ")
    run.type("n\n")
    assert run.end() == 1 and "nothing was changed" in run.output
    run = terminal(ackctl, "queue", "delete", "q")
    run.read_until("[y/N] ")
    run.type("yes\n")
    assert run.end() == 0
    assert ackctl.ok("queue", "list", "--names").out == ""


def test_watch_redraws_in_place_and_ends_when_all_is_done(ackctl, broker, terminal):
    ackctl.queue()
    publish(ackctl, 4)
    session = broker.call("SessionService/Open", queue="q", worker="pod-7")["sessionId"]
    run = terminal(ackctl, "watch", "q", "--until-done", "--interval", "100ms")
    assert "[----" in run.read_until("workers 1")
    settle(broker, 2)
    shown = visible(run.read_until("2 of 4 done (50 %)"))
    tasks = broker.call("TaskService/Lease", queue="q", maxTasks=1, sessionId=session)["tasks"]
    shown = visible(run.read_until("pod-7  leased 1"))
    assert "ready 1  leased 1" in shown and "lease time  useful" in shown
    broker.call("TaskService/Ack", items=[{"leaseToken": tasks[0]["leaseToken"]}])
    settle(broker, 1)
    assert run.end() == 0
    assert "\x1b[8A" in run.output  # up over seven lines and a worker
    assert "4 of 4 done (100 %)" in visible(run.output)


def test_watch_prints_lines_where_there_is_no_terminal_and_waits_for_the_broker(ackctl, broker):
    ackctl.queue()
    publish(ackctl, 2)
    child = ackctl.start("watch", "q", "--until-done", "--interval", "100ms")
    assert child.stdout.readline().startswith(b"0 of 2 done (0 %)  ready 2")
    broker.kill()
    assert b"waiting for it" in child.stderr.readline()
    broker.start()
    assert b"the broker is back" in child.stderr.readline()
    settle(broker, 2)
    assert child.wait(30) == 0
    lines = child.stdout.read().decode().splitlines()
    assert "2 of 2 done (100 %)" in lines[-1]


def test_watch_of_dead_letters_ends_with_1_and_says_where_to_look(ackctl, broker):
    ackctl.queue()
    publish(ackctl, 2)
    settle(broker, 1)
    settle(broker, 1, "Nack", reason="NACK_REASON_FAILED", permanent=True)
    ended = ackctl("watch", "q", "--until-done")
    assert ended.code == 1 and "ackctl dead list q" in ended.err


def test_watch_can_look_at_one_dataset_and_speak_json(ackctl, broker):
    ackctl.queue()
    publish(ackctl, 2, dataset="one")
    publish(ackctl, 5, dataset="two")
    settle(broker, 2)
    row = ackctl.ok("watch", "q", "--dataset", "one", "--until-done", "-o", "json").json()
    assert row["done"] == 2 and row["ready"] == 0
    child = ackctl.start("watch", "q", "-o", "json", "--interval", "100ms")
    assert json.loads(child.stdout.readline())["ready"] == 5
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 130


def test_the_live_view_ends_with_ctrl_c(ackctl, terminal):
    ackctl.queue()
    run = terminal(ackctl, "watch", "q")
    run.read_until("workers 0")
    run.type("\x03")
    assert run.end() == 130


def test_a_narrow_terminal_wraps_no_line(ackctl, terminal):
    import fcntl
    import struct
    import termios
    ackctl.queue("a-queue-with-a-rather-long-name")
    run = terminal(ackctl, "watch", "a-queue-with-a-rather-long-name", "--interval", "100ms")
    fcntl.ioctl(run._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
    wait_until(lambda: run.read_until("workers 0") and run.output.count("\x1b[7A") > 3, "redrawn")
    last = run.output.split("\x1b[J")[-2]
    assert all(len(visible(line)) < 30 for line in last.splitlines())
