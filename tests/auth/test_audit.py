# SPDX-License-Identifier: Apache-2.0
"""test_audit.py -- the audit log: who did what that only an administrator may, and who was refused."""
import json
import os
import signal
import subprocess

import pytest
from broker import Broker
from conftest import Caller, generate, token_id, write_secret
from processes import BUILD, wait_until
from prometheus import Metrics
from raw_http import RawClient, request
from test_rights import METHODS, filled

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ADMIN = [name for name, row in METHODS.items() if row[0] == "admin"]


@pytest.fixture
def audited(broker_with, tmp_path):
    """audited(kind): a broker with an audit log, and a function that reads its lines."""
    path = tmp_path / "audit.jsonl"

    def start(**options):
        running = broker_with("--audit-log", str(path), **options)
        return running, lambda: [json.loads(line) for line in path.read_text().splitlines()]
    return start


def test_every_administrators_call_has_its_line_and_no_other_call_has_one(audited):
    broker, lines = audited()
    (broker.directory / "data/backups").mkdir(exist_ok=True)
    secret = broker.token("read:*")
    seen = len(lines())
    for method, (_, _, asked) in METHODS.items():
        reply = broker.admin.call(method, **filled(asked, "q"))
        new, seen = lines()[seen:], len(lines())
        if method not in ADMIN:
            assert new == [], method
            continue
        [line] = new
        assert (line["level"], line["event"]) == ("audit", "admin_call")
        assert line["method"] == f"/ackd.v1.{method}" and line["caller"] == "token:admin"
        assert line["token_id"] == token_id(broker.admin_token)
        assert line["address"].startswith("127.")
        expected = "OK" if reply.status == 200 else reply.json()["details"][0]["debug"]["status"]
        assert line["code"] == expected.removeprefix("STATUS_")
        target = asked.get("queue") or asked.get("name") or asked.get("tokenId")
        assert line.get("target") == ("q" if target == "Q" else target)
    assert len(ADMIN) >= 15
    text = (broker.directory.parent / "audit.jsonl").read_text()
    for each in (secret, broker.admin_token):
        assert each.split("_", 2)[2] not in text


def test_refused_logins_and_rights_have_lines_and_say_who_as_far_as_is_known(audited):
    broker, lines = audited()
    broker.nobody.call("QueueService/List")
    wrong = generate()
    broker.caller(wrong).call("TaskService/Publish", queue="q")
    broker.caller("garbage").get("/metrics")
    worker = broker.with_grants("work:a")
    worker.call("QueueService/Purge", name="secret-plans")
    worker.call("TaskService/Lease", queue="b")
    worker.get("/v1/queues/a/scale")
    told = [line for line in lines() if line["event"] != "admin_call"]
    assert [line["event"] for line in told] == ["login_refused"] * 3 + ["permission_refused"] * 3
    assert [line.get("token_id") for line in told[:3]] == [None, token_id(wrong), None]
    assert [line["method"] for line in told[2:]] == [
        "/metrics", "/ackd.v1.QueueService/Purge", "/ackd.v1.TaskService/Lease",
        "/v1/queues/a/scale"]
    assert {line.get("caller") for line in told} == {None, "token:test"}
    assert told[4]["target"] == "b" and all("address" in line for line in told)
    assert {line["code"] for line in told} == {"UNAUTHENTICATED", "PERMISSION_DENIED"}
    assert wrong.split("_", 2)[2] not in json.dumps(lines())


def test_a_line_has_its_callers_trace(audited):
    broker, lines = audited()
    with RawClient(broker.port) as raw:
        raw.call("/ackd.v1.QueueService/Create", b'{"name":"q"}',
                 f"Authorization: Bearer {broker.admin_token}",
                 f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01")
    assert lines()[-1]["trace_id"] == TRACE


def test_refusals_are_rationed_and_what_was_left_out_is_told(audited):
    broker, lines = audited()
    for _ in range(40):
        assert broker.nobody.call("QueueService/List").status == 401
    broker.admin.ok("QueueService/Create", name="q")
    refused = [line for line in lines() if line["event"] == "login_refused"]
    assert len(refused) == 10 and lines()[-1]["event"] == "admin_call"
    assert broker.stop() == 0
    assert [line["refusals"] for line in lines() if line["event"] == "audit_left_out"] == [30]
    assert os.stat(broker.directory.parent / "audit.jsonl").st_mode & 0o777 == 0o600


def test_sighup_goes_on_in_a_new_file(audited):
    broker, lines = audited()
    path = broker.directory.parent / "audit.jsonl"
    broker.admin.ok("QueueService/Create", name="first")
    path.rename(path.with_suffix(".old"))
    broker.admin.ok("QueueService/Create", name="second")
    broker.process.signal(signal.SIGHUP)
    wait_until(path.exists, "there is a new file")
    wait_until(lambda: [line for line in broker.log_lines()
                        if line["event"] == "audit_log_reopened"], "it is told")
    broker.admin.ok("QueueService/Create", name="third")
    assert [line["target"] for line in lines()] == ["third"]
    old = [json.loads(line) for line in path.with_suffix(".old").read_text().splitlines()]
    assert [line["target"] for line in old] == ["first", "second"]


def test_a_restart_appends(audited):
    broker, lines = audited()
    broker.admin.ok("QueueService/Create", name="first")
    broker.kill()
    broker.start()
    broker.admin.ok("QueueService/Create", name="second")
    assert [line["target"] for line in lines()] == ["first", "second"]


def test_a_full_disk_is_counted_and_stops_nothing(broker_with):
    broker = broker_with("--audit-log", "/dev/full")
    for name in ("a", "b", "c"):
        broker.admin.ok("QueueService/Create", name=name)
    assert Metrics(broker.admin.get("/metrics").text)("ackd_audit_lost_total") == 3
    failed = [line for line in broker.log_lines() if line["event"] == "audit_failed"]
    assert len(failed) == 1 and "space" in failed[0]["reason"]


def test_without_a_file_the_lines_are_in_the_log_whatever_its_level(broker_with):
    broker = broker_with("--log-level", "error")
    broker.admin.ok("QueueService/Create", name="q")
    [line] = [line for line in broker.log_lines() if line["level"] == "audit"]
    assert (line["event"], line["target"]) == ("admin_call", "q")


def test_without_authentication_there_are_lines_if_they_are_asked_for(audited, broker_with):
    broker, lines = audited(kind=Broker)
    Caller(broker.port).ok("QueueService/Create", name="q")
    [line] = lines()
    assert line["event"] == "admin_call" and "caller" not in line and "address" in line
    quiet = broker_with(kind=Broker)
    Caller(quiet.port).ok("QueueService/Create", name="q")
    assert '"audit"' not in (quiet.directory / "ackd.log").read_text()


def test_a_file_that_can_not_be_opened_is_refused_at_the_start(tmp_path):
    token = tmp_path / "token"
    write_secret(token, generate())
    done = subprocess.run([BUILD / "broker/daemon/ackd", "--data-dir", tmp_path / "data",
                           "--admin-token-file", token, "--audit-log", tmp_path / "none/audit"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "--audit-log" in done.stderr and "none/audit" in done.stderr


def test_stdout_is_a_file_too(tmp_path):
    token = tmp_path / "token"
    write_secret(token, generate())
    port = tmp_path / "port"
    with subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", BUILD / "broker/daemon/ackd",
                           "--store", "mem", "--listen", "127.0.0.1:0", "--port-file", port,
                           "--admin-token-file", token, "--audit-log", "-"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as broker:
        wait_until(port.exists, "it listens")
        with RawClient(int(port.read_text().split(":")[1])) as raw:
            raw.send(request("/ackd.v1.QueueService/List", b"{}"))
            assert raw.reply().status == 401
        assert json.loads(broker.stdout.readline())["event"] == "login_refused"
        broker.terminate()
