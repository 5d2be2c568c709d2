# SPDX-License-Identifier: Apache-2.0
"""test_ackctl.py -- `ackctl token ...` as an operator types it."""
import json
import subprocess

import pytest
from conftest import ACKCTL, token_id, write_secret
from processes import wait_until


@pytest.fixture
def ackctl(broker, tmp_path):
    def run(*arguments, token=broker.admin_token, code=0):
        file = tmp_path / "token"
        write_secret(file, token)
        done = subprocess.run([ACKCTL, "--url", broker.url, "--token-file", file, *arguments],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr
        return done
    return run


def test_a_token_is_made_used_rotated_listed_and_revoked(ackctl):
    made = ackctl("token", "create", "ingest", "--grant", "publish:a", "-g", "read:a",
                  "--expires", "7d")
    secret = made.stdout.strip()
    name = secret.split("_")[1]
    assert secret not in made.stderr and "only time" in made.stderr
    ackctl("queue", "show", "a", token=secret)
    assert "right admin is missing" in ackctl("queue", "pause", "a", token=secret, code=1).stderr
    rotated = ackctl("token", "rotate", name, "--overlap", "1h").stdout.strip()
    for each in (secret, rotated):
        ackctl("queue", "show", "a", token=each)
    listed = ackctl("token", "list").stdout
    assert "publish:a read:a" in listed and "rotating" in listed and secret not in listed
    rows = [json.loads(line) for line in ackctl("token", "list", "-o", "json").stdout.splitlines()]
    assert {row["name"] for row in rows} >= {"admin", "ingest"}
    ackctl("token", "revoke", name)
    for each in (secret, rotated):
        assert "not valid" in ackctl("queue", "show", "a", token=each, code=1).stderr


def test_the_operators_token_is_changed_in_its_file_alone(ackctl, broker):
    name = broker.admin_token.split("_")[1]
    for verb in ("rotate", "revoke"):
        assert "--admin-token-file" in ackctl("token", verb, name, code=1).stderr


def test_a_hint_says_how_to_show_a_token(broker):
    done = subprocess.run([ACKCTL, "--url", broker.url, "queue", "list"], capture_output=True,
                          text=True)
    assert done.returncode == 1 and "ACKD_TOKEN_FILE" in done.stderr


def test_a_token_file_that_is_none_is_told(broker, tmp_path):
    done = subprocess.run([ACKCTL, "--url", broker.url, "--token-file", tmp_path / "none",
                           "queue", "list"], capture_output=True, text=True)
    assert done.returncode != 0 and "none" in done.stderr and "be read" in done.stderr


def test_whoami_says_what_a_token_may_do_and_until_when(ackctl):
    secret = ackctl("token", "create", "ocr", "--grant", "work,read:ocr-*", "--expires",
                    "2h").stdout.strip()
    shown = ackctl("whoami", token=secret).stdout
    assert "token:ocr" in shown and "work,read:ocr-*" in shown and "(in 1 h 59 min" in shown
    told = json.loads(ackctl("whoami", "-o", "json", token=secret).stdout)
    assert told["kind"] == "CALLER_KIND_TOKEN" and told["grants"] == ["work,read:ocr-*"]
    assert "until" not in ackctl("whoami").stdout
    assert "not valid" in ackctl("whoami", token=secret[:-1] + "-", code=1).stderr


def test_a_worker_whose_token_stops_counting_keeps_its_work_until_it_has_another(broker, tmp_path):
    broker.admin.ok("QueueService/Create", name="kept")
    broker.admin.ok("TaskService/Publish", queue="kept", tasks=[{"taskId": "t"}])
    secret, file, go = broker.token("work:kept"), tmp_path / "token", tmp_path / "go"
    write_secret(file, secret)
    with subprocess.Popen([ACKCTL, "--url", broker.url, "--token-file", file, "work", "kept",
                           "--until-empty", "--", "sh", "-c", f"until [ -e {go} ]; do sleep 0.05; "
                           "done; echo done"], stderr=subprocess.PIPE, text=True) as worker:
        try:
            wait_until(lambda: counts(broker, "kept").get("leased") == "1", "it has the task")
            another = broker.admin.ok("TokenService/Rotate", tokenId=token_id(secret),
                                      overlapMs=0)["secret"]
            go.touch()
            told = worker.stderr.readline()
            assert "not valid" in told, told
            write_secret(file, another)
            assert worker.wait(30) == 0, worker.stderr.read()
        finally:
            worker.kill()
    task = broker.admin.ok("TaskService/Get", queue="kept", taskId="t")["task"]
    assert task["state"] == "TASK_STATE_DONE"
    queue = broker.admin.ok("QueueService/Get", name="kept")["queue"]
    assert queue["counts"]["done"] == "1" and queue["deliveries"] == "1", "computed once"


def counts(broker, queue: str) -> dict:
    return broker.admin.ok("QueueService/Get", name=queue)["queue"].get("counts", {})
