# SPDX-License-Identifier: Apache-2.0
"""ackctl and libackd over TLS and with tokens: what they believe, what they refuse, what they say."""
import ctypes
import http.server
import json
import os
import subprocess
import threading

import pytest
from authority import Authority
from broker import Broker
from processes import BUILD, wait_until
from tls_broker import client_context

ACKCTL = BUILD / "cli/ackctl"
NOT_REACHED, USAGE = 3, 2
SANITIZED = os.environ.get("ACKD_SANITIZE", "none") != "none"


def ackctl(*arguments, **environment) -> subprocess.CompletedProcess:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ACKD_")}
    return subprocess.run([ACKCTL, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, env={**kept, **{k: str(v) for k, v in environment.items()}},
                          check=False)


def test_the_ca_is_named_by_a_flag_or_by_the_environment(broker, authority):
    listed = ackctl("queue", "list", "--url", broker.url, "--ca-file", authority.certificate)
    assert listed.returncode == 0 and "q" in listed.stdout, listed.stderr
    listed = ackctl("queue", "list", ACKD_URL=broker.url, ACKD_CA_FILE=authority.certificate)
    assert listed.returncode == 0 and "q" in listed.stdout, listed.stderr


def test_a_broker_that_nobody_known_has_signed_is_not_believed(broker):
    done = ackctl("queue", "list", "--url", broker.url)
    assert done.returncode == NOT_REACHED
    assert "nobody known has signed" in done.stderr and "ACKD_CA_FILE" in done.stderr


def test_a_ca_that_cannot_be_read_is_named(broker, tmp_path):
    done = ackctl("queue", "list", "--url", broker.url, "--ca-file", tmp_path / "none")
    assert done.returncode == NOT_REACHED and "ACKD_CA_FILE" in done.stderr


def test_a_brokers_expired_certificate_is_told(broker_with, authority):
    running = broker_with(identity=authority.issue("old", expired=True),
                          context=client_context(None))
    done = ackctl("queue", "list", "--url", running.url, "--ca-file", authority.certificate)
    assert done.returncode == NOT_REACHED
    assert "the broker's certificate has expired" in done.stderr


def test_a_certificate_for_another_name_is_told(broker_with, authority):
    running = broker_with(identity=authority.issue("else", "DNS:broker.example"),
                          context=client_context(None))
    done = ackctl("queue", "list", "--url", running.url, "--ca-file", authority.certificate)
    assert done.returncode == NOT_REACHED
    assert "is for other names" in done.stderr


def test_http_to_a_tls_port_and_tls_to_an_http_port_are_told(broker, tmp_path):
    done = ackctl("queue", "list", "--url", broker.url.replace("https:", "http:"))
    assert done.returncode == NOT_REACHED
    assert "speaks TLS: use an https:// URL" in done.stderr
    with Broker(tmp_path / "plain") as plain:
        done = ackctl("queue", "list", "--url", plain.url.replace("http:", "https:"))
        assert done.returncode == NOT_REACHED
        assert "use an http:// URL" in done.stderr


@pytest.fixture
def strict(broker_with, authority, tmp_path):
    clients = Authority(tmp_path, "clients")
    running = broker_with("--tls-client-ca", str(clients.certificate),
                          context=client_context(authority, clients.issue("operator")))
    running.clients = clients
    return running


def test_a_certificate_of_ones_own_is_shown(strict, authority):
    worker = strict.clients.issue("worker")
    done = ackctl("queue", "list", "--url", strict.url, "--ca-file", authority.certificate,
                  "--cert-file", worker.certificate, "--key-file", worker.key)
    assert done.returncode == 0, done.stderr
    done = ackctl("queue", "list", ACKD_URL=strict.url, ACKD_CA_FILE=authority.certificate,
                  ACKD_CERT_FILE=worker.certificate, ACKD_KEY_FILE=worker.key)
    assert done.returncode == 0, done.stderr


def test_a_missing_an_expired_and_a_foreign_certificate_are_told(strict, authority, tmp_path):
    def refused(*flags) -> str:
        done = ackctl("queue", "list", "--url", strict.url, "--ca-file", authority.certificate,
                      *flags)
        assert done.returncode == NOT_REACHED, done.stderr
        return done.stderr

    assert "demands a client certificate" in refused()
    old = strict.clients.issue("old", expired=True)
    assert "has expired" in refused("--cert-file", old.certificate, "--key-file", old.key)
    foreign = authority.issue("foreign")
    assert "does not know the CA" in refused("--cert-file", foreign.certificate, "--key-file",
                                             foreign.key)
    assert "can't be used" in refused("--cert-file", old.certificate, "--key-file",
                                      tmp_path / "none")


def token_file(directory, text: str):
    file = directory / "token"
    file.write_text(text)
    return file


@pytest.mark.parametrize("url", ["http://192.0.2.1:7333", "http://localhost.example:7333",
                                 "http://127.0.0.1@192.0.2.1", "http://127.0.0.1.example"])
def test_a_token_does_not_go_in_the_clear_beyond_this_machine(tmp_path, url):
    token = token_file(tmp_path, "ackd_id_secret\n")
    done = ackctl("queue", "list", "--url", url, "--token-file", token)
    assert done.returncode == USAGE
    assert "in the clear" in done.stderr and "--insecure" in done.stderr
    assert "secret" not in done.stderr


def test_unless_it_is_told_to(tmp_path):
    token = token_file(tmp_path, "ackd_id_secret")
    for flags, environment in ((("--insecure",), {}), ((), {"ACKD_INSECURE": "1"})):
        done = ackctl("queue", "list", "--url", "http://no-such-host.invalid:1", "--timeout",
                      "500ms", "--token-file", token, *flags, **environment)
        assert done.returncode == NOT_REACHED, done.stderr
    done = ackctl("queue", "list", "--url", "http://no-such-host.invalid:1", "--token-file", token,
                  ACKD_INSECURE="0")
    assert done.returncode == USAGE


class Gate(http.server.ThreadingHTTPServer):
    """A broker's door: knows one token, and keeps what came."""

    def __init__(self, token: str):
        super().__init__(("127.0.0.1", 0), Door)
        self.token = token
        self.seen: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        said = self.headers.get("Authorization")
        self.server.seen.append(said)
        known = said == f"Bearer {self.server.token}"
        body = json.dumps({} if known else {
            "code": "unauthenticated", "message": "the token is not known"}).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def gate():
    server = Gate("first")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Client:
    """libackd's, with the environment at hand."""

    def __init__(self, monkeypatch, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        self._library = ctypes.CDLL(str(BUILD / "worker-sdk/libackd.so.0"))
        self._client = ctypes.c_void_p()
        assert self._library.ackd_client_open(None, ctypes.byref(self._client), None) == 0

    def call(self) -> int:
        reply = ctypes.c_char_p()
        return self._library.ackd_client_call_json(
            self._client, b"ackd.v1.QueueService/List", b"{}", ctypes.byref(reply), None)

    def close(self) -> None:
        self._library.ackd_client_close(self._client)


@pytest.fixture
def client(monkeypatch, gate, tmp_path):
    if SANITIZED:
        pytest.skip("Python has no sanitizers")
    made = Client(monkeypatch, ACKD_URL=gate.url, ACKD_TOKEN_FILE=token_file(tmp_path, "first\n"))
    yield made
    made.close()


def test_the_token_goes_with_each_call(client, gate):
    assert client.call() == 0 and client.call() == 0
    assert gate.seen == ["Bearer first"] * 2


def test_a_token_that_changes_is_read_again(client, gate, tmp_path):
    assert client.call() == 0
    gate.token = "second"
    token_file(tmp_path, "second\n")
    assert client.call() == 0
    assert gate.seen == ["Bearer first", "Bearer second"]  # at once, before any refusal


def test_a_token_that_became_none_is_never_sent_as_it_was(client, gate, tmp_path):
    assert client.call() == 0
    token_file(tmp_path, "two words\n")
    assert client.call() != 0 and client.call() != 0
    assert gate.seen == ["Bearer first"]


def test_a_token_swapped_unseen_is_read_after_a_refusal(client, gate, tmp_path):
    """Of the same size, in the same file, with its old time: only the refusal tells."""
    assert client.call() == 0
    file = tmp_path / "token"
    before = file.stat()
    gate.token = "third"
    file.write_text("third\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert client.call() == 0
    assert gate.seen == ["Bearer first", "Bearer first", "Bearer third"]


def test_a_refused_token_that_is_still_the_same_is_not_tried_twice(client, gate):
    gate.token = "another"
    assert client.call() != 0
    assert gate.seen == ["Bearer first"]


@pytest.mark.parametrize("text, says", [("", "is empty"), ("two words", "more than one word"),
                                        ("x" * 20000, "over 16 KiB"), (None, "can't be read")])
def test_a_file_that_holds_no_token_is_named(gate, tmp_path, text, says):
    file = tmp_path / "token"
    if text is not None:
        file.write_text(text)
    done = ackctl("queue", "list", "--url", gate.url, "--token-file", file)
    assert done.returncode == NOT_REACHED
    assert says in done.stderr and str(file) in done.stderr
    assert gate.seen == []


def test_a_worker_works_over_tls(broker, authority, tmp_path):
    broker.call("QueueService/Create", name="work")
    broker.call("TaskService/Publish", queue="work", tasks=[{"payload": "aGk="}] * 5)
    done = ackctl("work", "work", "--until-empty", "--url", broker.url, "--ca-file",
                  authority.certificate, "--", "cat")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: broker.call("QueueService/Get", name="work")["queue"]["counts"].get("done")
               == "5", "all are done")


def test_the_load_generator_speaks_tls_and_believes_no_stranger(broker, authority, tmp_path):
    line = ("bench", "cycle", "--batch", "50", "--payload", "20000", "--time", "50ms", "--rounds",
            "1", "-o", "json", "--url", broker.url)
    done = ackctl(*line, "--ca-file", authority.certificate)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"] > 0
    assert not [each for each in broker.call("QueueService/List").get("queues", [])
                if each["name"].startswith("bench")]
    done = ackctl(*line, "--ca-file", Authority(tmp_path, "other").certificate)
    assert done.returncode == NOT_REACHED and "signed" in done.stderr
