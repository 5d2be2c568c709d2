# SPDX-License-Identifier: Apache-2.0
"""Client certificates: asked for, verified, and nobody let in without a good one."""
import signal
import ssl
import subprocess

import pytest
from authority import Authority
from processes import wait_until
from tls_broker import client_context


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """The CA of the clients, which is not the broker's."""
    return Authority(tmp_path_factory.mktemp("clients"), "clients")


@pytest.fixture
def strict(broker_with, authority, clients):
    """A broker that demands a certificate; its calls show one."""
    return broker_with("--tls-client-ca", str(clients.certificate),
                       context=client_context(authority, clients.issue("operator")))


def refusal(running, context: ssl.SSLContext) -> str:
    """Why the broker ends the handshake. With TLS 1.3 a client learns it when it reads."""
    with pytest.raises((ssl.SSLError, ConnectionResetError)) as caught:
        with running.connect(context) as client:
            client.socket.recv(1)
            raise AssertionError("it was let in")
    return str(caught.value)


def test_a_good_certificate_is_served(strict):
    assert strict.call("QueueService/List") == {}
    assert strict.stop() == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_certificate_is_refused(strict, authority, version):
    context = client_context(authority)
    context.maximum_version = version
    said = refusal(strict, context).lower()
    assert "certificate_required" in said.replace(" ", "_") or "handshake" in said
    assert strict.call("QueueService/List") == {}
    assert any("peer did not return a certificate" in each["reason"]
               for each in strict.events("tls_handshake_failed"))


def test_a_certificate_of_another_ca_is_refused(strict, authority):
    refusal(strict, client_context(authority, authority.issue("stranger")))
    reasons = [each["reason"] for each in strict.events("tls_handshake_failed")]
    assert any(each.startswith("the client's certificate is refused: self") or
               each.startswith("the client's certificate is refused: unable") for each in reasons), \
        reasons


def test_an_expired_certificate_is_refused(strict, authority, clients):
    refusal(strict, client_context(authority, clients.issue("old", expired=True)))
    assert any("certificate has expired" in each["reason"]
               for each in strict.events("tls_handshake_failed"))


def test_where_it_is_optional_none_is_let_in_but_a_bad_one_is_not(broker_with, authority, clients):
    running = broker_with("--tls-client-ca", str(clients.certificate), "--tls-client-auth",
                          "optional")
    assert running.call("QueueService/List") == {}
    with running.connect(client_context(authority, clients.issue("worker"))) as client:
        assert client.call("/ackd.v1.QueueService/List", b"{}").status == 200
    refusal(running, client_context(authority, authority.issue("stranger")))
    assert running.stop() == 0


def test_the_cas_names_are_told_so_that_a_client_can_choose(strict, authority):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{strict.port}", "-CAfile",
         authority.certificate], input=b"", capture_output=True, timeout=30, check=False)
    assert b"CN = test clients" in done.stdout


def test_another_ca_is_taken_over_while_running(tmp_path, broker_with, authority, clients):
    """Who was let in before is not any more, by no resumption either."""
    file = tmp_path / "client-ca.pem"
    file.write_bytes(clients.certificate.read_bytes())
    context = client_context(authority, clients.issue("worker"))
    running = broker_with("--tls-client-ca", str(file), context=context)
    assert running.call("QueueService/List") == {}
    others = Authority(tmp_path, "others")
    file.write_bytes(others.certificate.read_bytes())
    running.process.signal(signal.SIGHUP)
    running.context = client_context(authority, others.issue("worker"))
    wait_until(lambda: running.events("certificate_read"), "the new CA is read")
    assert running.call("QueueService/List") == {}
    refusal(running, context)
    assert running.stop() == 0
