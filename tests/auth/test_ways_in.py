# SPDX-License-Identifier: Apache-2.0
"""test_ways_in.py -- every way in that must be refused, and what is open to everybody."""
import signal
import subprocess
import time

import pytest
from conftest import Caller, generate, token_id, write_secret
from processes import BUILD, wait_until


def unauthenticated(reply) -> bool:
    assert (reply.status, reply.code) == (401, "unauthenticated"), reply.text
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    return True


def test_nobody_without_a_token(broker):
    assert unauthenticated(broker.nobody.call("QueueService/List"))
    assert unauthenticated(broker.nobody.get("/metrics"))
    assert unauthenticated(broker.nobody.get("/v1/queues/a/scale"))


def test_health_and_the_page_are_open(broker):
    for path in ("/healthz", "/readyz", "/"):
        assert broker.nobody.get(path).status == 200


def test_wrong_tokens_are_refused_and_all_in_the_same_words(broker):
    good = broker.token("read:*")
    other_half = "A" if good[-1] != "A" else "B"
    texts = set()
    for wrong in (good[:-1] + other_half, generate(), good[:-1], good + "A", "x", "",
                  good.replace("ackd_", "ackd-"), good.upper(), "ackd_" + "a" * 56,
                  "\u00e9".encode().decode("latin-1") * 30, "eyJhbGciOiJub25lIn0.e30."):
        reply = broker.caller(wrong).call("QueueService/List")
        assert unauthenticated(reply)
        texts.add(reply.message)
    assert len(texts) == 1


@pytest.mark.parametrize("authorization", ["Basic YTpi", "Bearer", "Bearer ", "bearer", "Token x",
                                           "Bearer a b", "Bearer " + "x" * 9000])
def test_garbage_in_the_header_is_refused(broker, authorization):
    caller = broker.nobody
    caller.authorization = authorization
    assert unauthenticated(caller.call("QueueService/List"))


def test_an_oversized_header_is_refused(broker):
    reply = broker.caller("x" * 20000).call("QueueService/List")
    assert reply.status == 431


def test_the_scheme_may_be_written_in_any_case(broker):
    caller = broker.nobody
    caller.authorization = f"bEARER {broker.token('read:*')}"
    assert caller.call("QueueService/List").status == 200


def test_an_expired_token_is_refused(broker):
    caller = broker.caller(broker.token("read:*", expiresInMs=1000))
    assert caller.call("QueueService/List").status == 200
    wait_until(lambda: caller.call("QueueService/List").status == 401, "the token expires")


def test_a_revoked_token_is_refused_at_once_and_after_a_restart(broker_with):
    broker = broker_with()
    secret = broker.token("read:*")
    broker.admin.ok("TokenService/Revoke", tokenId=token_id(secret))
    assert unauthenticated(broker.caller(secret).call("QueueService/List"))
    broker.kill()
    broker.start()
    assert unauthenticated(broker.caller(secret).call("QueueService/List"))


def test_tokens_last_over_a_kill_and_hold_no_secret_on_disk(broker_with):
    broker = broker_with()
    secret = broker.token("read:*")
    broker.kill()
    broker.start()
    assert broker.caller(secret).call("QueueService/List").status == 200
    kept = broker.directory / "data/tokens.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert secret.split("_", 2)[2] not in kept.read_text()


def test_both_secrets_live_while_a_token_is_rotated(broker):
    first = broker.token("read:*")
    second = broker.admin.ok("TokenService/Rotate", tokenId=token_id(first))["secret"]
    assert token_id(first) == token_id(second) and first != second
    for secret in (first, second):
        assert broker.caller(secret).call("QueueService/List").status == 200
    third = broker.admin.ok("TokenService/Rotate", tokenId=token_id(first), overlapMs=0)["secret"]
    for secret in (first, second):
        assert unauthenticated(broker.caller(secret).call("QueueService/List"))
    assert broker.caller(third).call("QueueService/List").status == 200


def test_the_admin_token_changes_with_its_file(broker_with):
    broker = broker_with()
    old, new = broker.admin, generate()
    write_secret(broker.admin_file, f"{broker.admin_token}\n{new}")
    wait_until(lambda: broker.caller(new).call("TokenService/List").status == 200, "it is read")
    assert old.call("TokenService/List").status == 200
    write_secret(broker.admin_file, new)
    wait_until(lambda: old.call("TokenService/List").status == 401, "the old one is gone")
    write_secret(broker.admin_file, "garbage")
    wait_until(lambda: any(line["event"] == "admin_token_kept" for line in broker.log_lines()),
               "the broken file is reported")
    assert broker.caller(new).call("TokenService/List").status == 200


def test_an_admin_token_that_was_refused_is_taken_once_its_mode_is_right(broker_with):
    broker = broker_with()
    new = generate()
    open_to_all = broker.directory / "open.token"
    write_secret(open_to_all, new)
    open_to_all.chmod(0o644)
    open_to_all.rename(broker.admin_file)
    wait_until(lambda: events(broker, "admin_token_kept"), "it is refused")
    assert unauthenticated(broker.caller(new).call("TokenService/List"))
    broker.admin_file.chmod(0o640)
    wait_until(lambda: broker.caller(new).call("TokenService/List").status == 200, "it is read")
    [kept] = events(broker, "admin_token_kept")
    assert "chmod o-r" in kept["reason"]
    broker.admin_file.unlink()
    wait_until(lambda: len(events(broker, "admin_token_kept")) == 2, "it is missed")
    assert broker.caller(new).call("TokenService/List").status == 200


def test_sighup_reads_the_admin_token_again(broker_with):
    broker = broker_with()
    broker.process.signal(signal.SIGHUP)
    wait_until(lambda: events(broker, "admin_token_reloaded"), "it is read again")
    assert broker.admin.call("TokenService/List").status == 200
    assert not events(broker, "signal_ignored")
    assert broker.stop() == 0


def events(broker, name: str) -> list[dict]:
    return [line for line in broker.log_lines() if line["event"] == name]


def ends(*flags, data) -> str:
    """The sentence with which a broker refuses to start."""
    done = subprocess.run([BUILD / "broker/daemon/ackd", "--data-dir", data, "--log-format",
                           "text", *flags], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0
    return done.stderr


def test_an_address_beyond_loopback_is_refused_without_authentication(tmp_path):
    said = ends("--listen", "0.0.0.0:0", data=tmp_path / "data")
    assert "--admin-token-file" in said and "--insecure" in said
    said = ends("--listen", "[::]:0", data=tmp_path / "data")
    assert "--insecure" in said


def test_insecure_lets_it_listen_anywhere(broker_with):
    broker_with("--listen", "0.0.0.0:0", "--insecure")
    broker_with("--listen", "0.0.0.0:0")  # it has authentication


def test_a_secret_that_everybody_may_read_is_refused(tmp_path):
    path = tmp_path / "admin.token"
    write_secret(path, generate())
    path.chmod(0o644)
    assert "chmod o-r" in ends("--admin-token-file", path, data=tmp_path / "data")


def test_an_admin_token_that_is_none_is_refused(tmp_path):
    path = tmp_path / "admin.token"
    for text in ("", "secret", generate() + "x", generate() + "\nhello"):
        write_secret(path, text)
        assert "ackctl token generate" in ends("--admin-token-file", path, data=tmp_path / "data")


def test_a_broken_token_file_is_refused_and_not_forgotten(broker_with):
    broker = broker_with()
    broker.token("read:*")
    broker.kill()
    kept = broker.directory / "data/tokens.json"
    kept.write_text(kept.read_text()[:-20])
    assert "tokens.json" in ends("--admin-token-file", broker.admin_file,
                                 data=broker.directory / "data")


def test_tokens_alone_keep_the_broker_guarded(broker_with):
    broker = broker_with()
    admin = broker.caller(broker.token("admin:*"))
    broker.kill()
    index = broker._command.index("--admin-token-file")
    del broker._command[index:index + 2]
    broker.start()
    assert broker.nobody.call("QueueService/List").status == 401
    assert admin.call("TokenService/List").status == 200


def test_a_client_that_waits_in_a_long_poll_is_told_nothing_of_other_queues(broker):
    worker = broker.with_grants("work:a")
    begin = time.monotonic()
    assert worker.ok("TaskService/Lease", queue="a", maxTasks=1, waitMs=100)["situation"] is not None
    assert time.monotonic() - begin < 20
    assert Caller(broker.port).call("TaskService/Lease", queue="a").status == 401
