# SPDX-License-Identifier: Apache-2.0
"""test_certificates.py -- client certificates as a proof of who calls: by their names, to rights."""
import http.client
import json
import signal

import pytest
from authority import Authority
from processes import wait_until
from tls_broker import TlsBroker, client_context

SPIFFE = "URI:spiffe://example.org/ns/inference/sa/"
CONFIG = {"certificates": [
    {"san": "DNS:operator.example", "grants": ["admin:*"]},
    {"san": SPIFFE + "ocr-*", "grants": ["work:ocr-*"]},
    {"san": "*:reader.example", "grants": ["read:ocr-*"]}]}


class Client:
    """A connection that is kept, as a worker keeps its own."""

    def __init__(self, broker: TlsBroker, context):
        self._connection = http.client.HTTPSConnection("127.0.0.1", broker.port, timeout=30,
                                                       context=context)
        self._connection.connect()

    def call(self, method: str, token: str | None = None, **request) -> tuple[int, dict]:
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._connection.request("POST", f"/ackd.v1.{method}", json.dumps(request), headers)
        reply = self._connection.getresponse()
        return reply.status, json.loads(reply.read())

    def name(self) -> str:
        return self.call("AdminService/Whoami")[1]["name"]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """The CA of the clients, which is not the broker's."""
    return Authority(tmp_path_factory.mktemp("clients"), "clients")


@pytest.fixture(scope="module")
def broker(tmp_path_factory, clients):
    folder = tmp_path_factory.mktemp("broker")
    authority = Authority(folder)
    config = folder / "auth.json"
    config.write_text(json.dumps(CONFIG))
    operator = client_context(authority, clients.issue("operator", "DNS:operator.example"))
    with TlsBroker(folder, authority, authority.issue("broker"), "--auth-config", str(config),
                   "--tls-client-ca", str(clients.certificate), "--tls-client-auth", "optional",
                   context=operator) as running:
        running.config = config
        running.authority = authority
        for queue in ("ocr-1", "other"):
            running.call("QueueService/Create", name=queue)
        yield running


@pytest.fixture
def connect(broker, clients):
    opened = []

    def start(name: str, names: str | None, **how) -> Client:
        identity = None if names is None else clients.issue(name, names, **how)
        opened.append(Client(broker, client_context(broker.authority, identity)))
        return opened[-1]
    yield start
    for client in opened:
        client.close()


def test_a_certificate_may_what_its_name_is_granted(connect):
    worker = connect("worker", SPIFFE + "ocr-a")
    assert worker.name() == "certificate:" + SPIFFE + "ocr-a"
    assert worker.call("TaskService/Lease", queue="ocr-1")[0] == 200
    assert worker.call("TaskService/Lease", queue="other")[0] == 403
    assert worker.call("DatasetService/List", queue="ocr-1")[0] == 403


def test_all_names_of_a_certificate_count(connect):
    both = connect("both", f"DNS:x.example,{SPIFFE}ocr-b,DNS:reader.example")
    assert both.name() == "certificate:" + SPIFFE + "ocr-b"
    assert both.call("TaskService/Lease", queue="ocr-1")[0] == 200
    assert both.call("DatasetService/List", queue="ocr-1")[0] == 200


@pytest.mark.parametrize("names", ["DNS:stranger.example", "URI:spiffe://example.org/ns/x/sa/ocr-a",
                                   "email:operator.example", "URI:DNS:operator.example", None])
def test_a_certificate_without_a_mapping_says_nothing(connect, names):
    status, reply = connect("stranger", names).call("QueueService/List")
    assert (status, reply["code"]) == (401, "unauthenticated")


def test_a_token_decides_alone_where_one_is_sent(connect, broker):
    made = broker.call("TokenService/Create", name="t", grants=["read:other"])["secret"]
    operator = connect("operator2", "DNS:operator.example")
    assert operator.call("TokenService/List")[0] == 200
    assert operator.call("TokenService/List", token=made)[0] == 403
    assert operator.call("TokenService/List", token="wrong")[0] == 401


def test_a_connection_that_outlives_its_certificate_is_nobodys(connect):
    worker = connect("short", SPIFFE + "ocr-c", seconds_left=3)
    assert worker.name() == "certificate:" + SPIFFE + "ocr-c"
    wait_until(lambda: worker.call("TaskService/Lease", queue="ocr-1")[0] == 401, "it ends")


def test_a_mapping_that_is_taken_out_ends_it(connect, broker):
    worker = connect("worker3", SPIFFE + "ocr-d")
    assert worker.call("TaskService/Lease", queue="ocr-1")[0] == 200
    beside = broker.config.with_suffix(".beside")
    beside.write_text(json.dumps({"certificates": CONFIG["certificates"][:1]}))
    beside.rename(broker.config)
    wait_until(lambda: worker.call("TaskService/Lease", queue="ocr-1")[0] == 401, "it is read")
    broker.config.write_text(json.dumps(CONFIG))
    broker.process.signal(signal.SIGHUP)
    wait_until(lambda: worker.call("TaskService/Lease", queue="ocr-1")[0] == 200, "it is back")
