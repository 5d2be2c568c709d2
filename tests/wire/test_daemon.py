# SPDX-License-Identifier: Apache-2.0
"""ackd as a process: flags, environment, signals, its data directory."""
import json
import os
import signal
import subprocess
import threading

import pytest
from broker import Broker
from processes import BUILD, Process, wait_until
from raw_http import RawClient, request

ACKD = BUILD / "broker/daemon/ackd"


def run(*flags: str, **environment: str) -> subprocess.CompletedProcess:
    """For what ends by itself."""
    return subprocess.run([ACKD, *flags], capture_output=True, text=True, timeout=30,
                          env=os.environ | environment)


def events(log) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def log_has(broker, event: str) -> bool:
    return any(each["event"] == event for each in events(broker.process.log))


def waiting_poll(broker, queue: str) -> RawClient:
    """A client that waits in a long poll."""
    broker.call("QueueService/Create", name=queue)
    client = RawClient(broker.port)
    client.send(request("/ackd.v1.TaskService/Lease",
                        json.dumps({"queue": queue, "maxTasks": 1, "waitMs": 60000}).encode()))
    wait_until(lambda: broker.call("QueueService/Get", name=queue)["queue"].get("waiters") == "1",
               "the long poll waits")
    return client


def test_help_names_every_flag_with_its_range_and_default():
    done = run("--help")
    assert done.returncode == 0 and done.stderr == ""
    text = " ".join(done.stdout.split())
    assert "--max-payload bytes a task's payload (default 1 MiB; 1 B to 16 MiB)" in text
    assert "(default 127.0.0.1:7333)" in text and "ACKD_DATA_DIR" in text
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_version_is_the_projects():
    assert run("--version").stdout.startswith("ackd 0.")


@pytest.mark.parametrize("flags, says", [
    ((), "--data-dir"),
    (("--nope", "1"), "there is no flag --nope"),
    (("data",), '"data" is no flag'),
    (("--data-dir",), "--data-dir needs a value"),
    (("--shards", "0"), "--shards must be from 1 to 64, not 0"),
    (("--shards", "two"), '--shards needs a number, not "two"'),
    (("--max-payload", "17MiB"), "--max-payload must be from 1 B to 16 MiB, not 17MiB"),
    (("--max-payload", "1MB"), "--max-payload needs a size"),
    (("--idle-timeout", "-1s"), "--idle-timeout needs a time"),
    (("--idle-timeout", "99999999999999999999"), "--idle-timeout needs a time"),
    (("--idle-timeout", "9999999999999d"), "--idle-timeout needs a time"),
    (("--store", "disk"), '--store must be one of lmdb|mem, not "disk"'),
    (("--log-level=loud",), "--log-level must be one of"),
    (("--listen", "x:1") * 9, "at most 8 times"),
])
def test_wrong_flags_end_with_a_sentence_and_a_hint(flags, says):
    done = run(*flags)
    assert done.returncode == 2 and done.stdout == ""
    assert says in done.stderr and "ackd --help" in done.stderr


@pytest.mark.parametrize("address", ["localhost:7333", "7333", "127.0.0.1", "127.0.0.1:99999",
                                     "127.0.0.1:x", "[::1:0", "::1:0"])
def test_an_address_that_is_none_is_refused(address):
    done = run("--store", "mem", "--listen", address)
    assert done.returncode == 1 and "IP:PORT" in done.stderr


def test_a_value_may_come_from_the_environment_and_a_flag_wins(tmp_path):
    done = run("--shards", "4", ACKD_SHARDS="zero", ACKD_STORE="mem")
    assert done.returncode == 2 and 'not "zero"' in done.stderr
    done = run("--listen", "nonsense", ACKD_STORE="mem", ACKD_LISTEN="other")
    assert "nonsense" in done.stderr and "other" not in done.stderr


def test_a_port_file_that_is_a_pipe_stays_one(tmp_path):
    pipe = tmp_path / "ports"
    os.mkfifo(pipe)
    process = Process([ACKD, "--store", "mem", "--port-file", pipe, "--listen=127.0.0.1:0",
                       "--log-format=json"], tmp_path / "log")
    try:
        with open(pipe, encoding="ascii") as reader:
            assert reader.read().startswith("127.0.0.1:")
        process.signal(signal.SIGTERM)
        assert process.wait() == 0 and pipe.is_fifo()
    finally:
        process.kill()


def test_the_port_file_names_every_address(tmp_path):
    port_file = tmp_path / "ports"
    process = Process([ACKD, "--store", "mem", "--port-file", port_file, "--listen=127.0.0.1:0",
                       "--listen", "[::1]:0", "--log-format=json"], tmp_path / "log")
    try:
        wait_until(port_file.exists, "the port file is there")
        addresses = port_file.read_text().splitlines()
        assert [each.rsplit(":", 1)[0] for each in addresses] == ["127.0.0.1", "[::1]"]
        wait_until(lambda: len(events(process.log)) >= 2, "it has said that it listens")
        assert [each["address"] for each in events(process.log)] == addresses
        with RawClient(int(addresses[0].rsplit(":", 1)[1])) as raw:
            assert raw.call("/readyz", verb="GET").status == 200
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        assert not port_file.exists()
    finally:
        process.kill()


def test_a_port_that_is_taken_is_named(broker):
    done = run("--store", "mem", "--listen", f"127.0.0.1:{broker.port}")
    assert done.returncode == 1 and f"can't listen on 127.0.0.1:{broker.port}" in done.stderr


def test_a_second_broker_on_the_same_directory_is_refused_by_the_first_ones_pid(broker):
    done = run("--data-dir", str(broker.directory / "data"), "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and str(broker.process.pid) in done.stderr
    assert broker.call("QueueService/List") is not None


def test_shards_can_be_added_and_not_taken_away(tmp_path):
    with Broker(tmp_path, "--shards", "2") as broker:
        for i in range(8):
            broker.call("QueueService/Create", name=f"q{i}")
            broker.call("TaskService/Publish", queue=f"q{i}", tasks=[{}])
        assert broker.stop() == 0
    done = run("--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and "--shards 1 is too few" in done.stderr
    with Broker(tmp_path, "--shards", "3") as broker:
        for i in range(8):
            assert broker.call("QueueService/Get", name=f"q{i}")["queue"]["counts"]["ready"] == "1"
        assert broker.stop() == 0


def test_what_was_published_survives_sigkill(broker_with):
    broker = broker_with()
    broker.call("QueueService/Create", name="q")
    broker.call("TaskService/Publish", queue="q", tasks=[{"taskId": "a"}])
    broker.kill()
    broker.start()
    [task] = broker.call("TaskService/Lease", queue="q", maxTasks=1)["tasks"]
    assert task["taskId"] == "a"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_answers_the_waiting_and_exits_0(broker_with, number):
    broker = broker_with()
    poll = waiting_poll(broker, "q")
    idle = RawClient(broker.port)
    broker.process.signal(number)
    reply = poll.reply()
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    assert reply.json()["situation"] is not None and "tasks" not in reply.json()
    assert idle.is_closed()
    poll.socket.close()
    assert broker.process.wait() == 0
    assert events(broker.process.log)[-1]["event"] == "stopped"


@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_stopping_broker_is_not_ready_but_finishes_what_it_has_begun(broker_with, threads):
    broker = broker_with("--io-threads", threads)
    broker.call("QueueService/Create", name="q")
    with RawClient(broker.port) as begun, RawClient(broker.port) as asking:
        whole = request("/ackd.v1.TaskService/Publish", b'{"queue":"q","tasks":[{"taskId":"a"}]}')
        begun.send(whole[:-5])
        asking.send(b"GET /readyz HTTP/1.1\r\n")
        # Both are within a request when the signal comes.
        wait_until(lambda: begun.is_read() and asking.is_read(), "the broker has begun them")
        broker.process.signal(signal.SIGTERM)
        wait_until(lambda: log_has(broker, "stopping"), "the broker stops")
        asking.send(b"Host: a\r\n\r\n")
        assert asking.reply().status == 503
        begun.send(whole[-5:])
        reply = begun.reply()
        assert reply.json()["stored"] == 1 and reply.headers["connection"] == "close"
    assert broker.process.wait() == 0
    broker.start()
    assert broker.call("QueueService/Get", name="q")["queue"]["counts"]["ready"] == "1"


def test_a_request_that_never_ends_does_not_keep_the_broker(broker_with):
    broker = broker_with("--stop-timeout", "200ms")
    with RawClient(broker.port) as begun:
        begun.send(b"GET /readyz HTTP/1.1\r\n")
        wait_until(begun.is_read, "it has begun")
        broker.process.signal(signal.SIGTERM)
        assert broker.process.wait() == 0


def test_a_second_signal_ends_it_at_once(broker_with):
    broker = broker_with("--stop-timeout", "1h")
    with RawClient(broker.port) as begun:
        begun.send(b"GET /readyz HTTP/1.1\r\n")
        wait_until(begun.is_read, "it has begun")
        broker.process.signal(signal.SIGTERM)
        wait_until(lambda: log_has(broker, "stopping"), "the broker stops")
        broker.process.signal(signal.SIGTERM)
        assert broker.process.wait() == 1


def test_sighup_is_ignored_with_a_word(broker_with):
    broker = broker_with()
    broker.process.signal(signal.SIGHUP)
    wait_until(lambda: log_has(broker, "signal_ignored"), "it has been said")
    assert broker.call("QueueService/List") is not None
    assert broker.stop() == 0


def test_a_store_that_is_cut_short_ends_the_broker(broker_with):
    broker = broker_with("--log-format", "json")
    broker.call("QueueService/Create", name="q")
    for _ in range(20):
        broker.call("TaskService/Publish", queue="q",
                    tasks=[{"payload": "A" * 400000} for _ in range(10)])
    [store] = (broker.directory / "data" / "shard-0").glob("data.mdb")
    os.truncate(store, 8192)

    def read_until_it_ends():
        while broker.process.exit_code() is None:
            try:
                broker.call("AdminService/Check")
            except Exception:  # whatever the dying broker answers, or nothing
                pass
    reader = threading.Thread(target=read_until_it_ends)
    reader.start()
    assert broker.process.wait() == 1
    reader.join()


def test_a_machine_without_descriptors_left_refuses_nobody_for_good(tmp_path):
    port_file = tmp_path / "ports"
    process = Process(["prlimit", "--nofile=40:40", "--", ACKD, "--store", "mem", "--port-file",
                       port_file, "--listen", "127.0.0.1:0"], tmp_path / "log")
    try:
        wait_until(port_file.exists, "the port file is there")
        port = int(port_file.read_text().rsplit(":", 1)[1])
        clients = [RawClient(port) for _ in range(60)]
        wait_until(lambda: any(each["event"] == "accept_failed" for each in events(process.log)),
                   "it has no descriptors left")
        assert clients[0].call("/healthz", verb="GET").status == 200
        for each in clients[:50]:
            each.socket.close()
        assert clients[59].call("/healthz", verb="GET").status == 200
    finally:
        process.kill()


def test_a_client_that_leaves_its_long_poll_takes_no_task(broker):
    for leave in (lambda client: client.socket.close(), lambda client: client.end()):
        poll = waiting_poll(broker, "left")
        leave(poll)
        wait_until(lambda: broker.call("QueueService/Get", name="left")["queue"]
                   .get("waiters", "0") == "0", "the broker has noticed")
    broker.call("TaskService/Publish", queue="left", tasks=[{"taskId": "a"}])
    [task] = broker.call("TaskService/Lease", queue="left", maxTasks=1)["tasks"]
    assert task["deliveries"] == 1
