# SPDX-License-Identifier: Apache-2.0
"""Who gets a TLS connection: versions, protocols, and what those are told who don't."""
import socket
import ssl
import subprocess
import time

import pytest
from broker import Broker
from processes import BUILD, wait_until
from raw_http import RawClient, request
from tls_broker import LIST, TlsBroker, TlsClient, client_context

ACKD = BUILD / "broker/daemon/ackd"


def context_of(authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = client_context(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")  # what the broker must refuse, not this client
    context.minimum_version = version
    context.maximum_version = version
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_good_version_is_served(broker, authority, version):
    with broker.connect(context_of(authority, version)) as client:
        assert client.socket.version() == version.name.replace("_", ".")
        assert client.call("/ackd.v1.QueueService/List", b"{}").status == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_an_old_version_is_refused_by_an_alert(broker, authority, version):
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION|protocol version"):
        broker.connect(context_of(authority, version))


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA"])
def test_a_weak_cipher_is_refused(broker, authority, cipher):
    context = context_of(authority, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE|handshake failure"):
        broker.connect(context)


@pytest.mark.parametrize("offered, chosen", [((), None), (("http/1.1",), "http/1.1"),
                                             (("h2", "http/1.1"), "http/1.1")])
def test_http_1_1_is_chosen_of_what_is_offered(broker, authority, offered, chosen):
    context = client_context(authority)
    if offered:
        context.set_alpn_protocols(list(offered))
    with broker.connect(context) as client:
        assert client.socket.selected_alpn_protocol() == chosen
        assert client.call("/healthz", verb="GET").status == 200


def test_a_client_that_offers_no_http_1_1_is_refused(broker, authority):
    context = client_context(authority)
    context.set_alpn_protocols(["h2", "acme"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        broker.connect(context)


def test_nothing_is_resumed(broker, authority):
    """A session that goes on past the life of a certificate would be a way in."""
    context = context_of(authority, ssl.TLSVersion.TLSv1_2)
    with broker.connect(context) as client:
        client.call("/healthz", verb="GET")
        session = client.socket.session
    with socket.create_connection(("127.0.0.1", broker.port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as again:
            assert not again.session_reused


@pytest.mark.parametrize("text", [b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", LIST,
                                  b"POST / HTTP/1.1\r\n", b"\x00" * 64])
def test_plain_text_on_the_tls_port_is_told_so(broker_with, text):
    broker = broker_with()
    failed = broker.gauge("ackd_tls_handshakes_failed_total")
    with RawClient(broker.port) as raw:
        raw.send(text)
        reply = raw.reply()
        assert reply.status == 400 and b"https://" in reply.body
        assert raw.is_closed()
    assert broker.gauge("ackd_tls_handshakes_failed_total") == failed + 1
    assert any("https://" in each["reason"] and each["peer"] == "127.0.0.1"
               for each in broker.events("tls_handshake_failed"))


def test_tls_on_the_plain_port_is_refused(tmp_path, authority):
    with Broker(tmp_path / "plain") as running:
        with pytest.raises(ssl.SSLError):
            TlsClient(running.port, client_context(authority))
        assert running.call("QueueService/List") == {}
        assert running.stop() == 0


def test_a_client_that_trusts_nobody_leaves_and_is_counted(broker):
    failed = broker.gauge("ackd_tls_handshakes_failed_total")
    with pytest.raises(ssl.SSLCertVerificationError):
        broker.connect(ssl.create_default_context())
    wait_until(lambda: broker.gauge("ackd_tls_handshakes_failed_total") == failed + 1,
               "it is counted")


def test_a_client_cannot_renegotiate(broker, authority):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{broker.port}", "-tls1_2", "-CAfile",
         authority.certificate], input=b"R\n", capture_output=True, timeout=30, check=False)
    assert b"no renegotiation" in done.stderr + done.stdout
    assert broker.call("QueueService/List")["queues"]


def test_a_slow_handshake_ends_in_time(broker_with):
    running = broker_with("--handshake-timeout", "300ms")
    with RawClient(running.port) as silent, RawClient(running.port) as begun:
        began = time.monotonic()
        begun.send(b"\x16\x03\x01\x02\x00\x01")
        assert begun.is_closed() and silent.is_closed()
        assert 0.25 < time.monotonic() - began < 10
    wait_until(lambda: running.gauge("ackd_tls_handshakes_failed_total") == 2, "both are counted")
    assert any(each["reason"] == "it took too long"
               for each in running.events("tls_handshake_failed"))
    assert running.stop() == 0


def test_a_flood_of_handshakes_is_bounded_and_does_not_keep_others_out(broker_with):
    running = broker_with("--max-handshakes", "20", "--handshake-timeout", "1m")
    flood = [RawClient(running.port) for _ in range(200)]
    try:
        for _ in range(20):
            assert running.call("QueueService/List") == {}
        assert running.gauge("ackd_tls_handshakes") <= 21
        assert sum(each.is_closed() for each in flood[:150]) == 150  # the oldest went
        assert running.gauge("ackd_tls_handshakes_failed_total") >= 150
        assert len(running.events("tls_handshake_failed")) < 50  # not a line each
    finally:
        for each in flood:
            each.socket.close()
    assert running.stop() == 0


def test_a_broker_stops_though_handshakes_are_under_way(broker_with):
    running = broker_with("--handshake-timeout", "1m")
    with RawClient(running.port) as silent, running.connect() as idle:
        idle.call("/healthz", verb="GET")
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 5
        assert silent.is_closed()
        assert idle.is_closed()  # by close_notify: Python raises where it is missing


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x03\xff\xff" + b"x" * 999,
                                  b"\x16" * 5000, b"\x16\x03\x01\x00\x00" * 200])
def test_broken_records_end_the_handshake(broker, data):
    with RawClient(broker.port) as raw:
        raw.send(data)
        raw.end()
        while not raw.is_closed():
            raw._input = b""  # an alert, or none
    assert broker.call("QueueService/List")["queues"]


def test_every_prefix_of_a_good_hello_may_be_the_last(broker, authority):
    """Truncated where it hurts: at each byte of the client's first flight."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = client_context(authority).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    hello = outgoing.read()
    for size in range(1, len(hello), 7):
        with RawClient(broker.port) as raw:
            raw.send(hello[:size])
            raw.end()
            assert raw.is_closed()
    assert broker.call("QueueService/List")["queues"]


def run(*flags) -> subprocess.CompletedProcess:
    return subprocess.run([ACKD, "--store", "mem", "--listen", "127.0.0.1:0", *map(str, flags)],
                          capture_output=True, text=True, timeout=30, check=False)


def test_flags_that_need_one_another_are_asked_for(identity):
    assert "--tls-key" in run("--tls-cert", identity.certificate).stderr
    assert "--tls-cert" in run("--tls-key", identity.key).stderr
    assert "--tls-cert" in run("--tls-client-ca", identity.certificate).stderr


def test_files_that_cannot_be_used_are_named(tmp_path, authority, identity):
    other = authority.issue("other")
    garbage = tmp_path / "garbage"
    garbage.write_text("hello")
    garbage.chmod(0o600)
    locked = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", identity.key, "-aes128", "-passout", "pass:x", "-out",
                    locked], check=True)
    for certificate, key, says in ((tmp_path / "none", identity.key, "No such file"),
                                   (garbage, identity.key, "no certificate in PEM"),
                                   (identity.certificate, tmp_path / "none", "No such file"),
                                   (identity.certificate, garbage, "no private key in PEM"),
                                   (identity.certificate, locked, "without a passphrase"),
                                   (identity.certificate, other.key, "does not belong")):
        done = run("--tls-cert", certificate, "--tls-key", key)
        assert done.returncode == 1 and says in done.stderr, done.stderr
        assert str(certificate) in done.stderr or str(key) in done.stderr
    done = run("--tls-cert", identity.certificate, "--tls-key", identity.key, "--tls-client-ca",
               garbage)
    assert done.returncode == 1 and "holds no CA certificate" in done.stderr


def test_a_key_that_everyone_can_read_is_refused(authority):
    loose = authority.issue("loose")
    loose.key.chmod(0o644)
    done = run("--tls-cert", loose.certificate, "--tls-key", loose.key)
    assert done.returncode == 1
    assert "everyone can read the private key" in done.stderr and "chmod o-r" in done.stderr


def test_an_expired_certificate_is_warned_of(broker_with, authority):
    running = broker_with(identity=authority.issue("old", expired=True),
                          context=client_context(None))
    assert running.events("certificate_expired")
    assert running.gauge("ackd_tls_certificate_expiry_timestamp_seconds") == 1577923200
    assert running.stop() == 0


def test_curl_is_served(broker, authority):
    done = subprocess.run(["curl", "--silent", "--show-error", "--cacert", authority.certificate,
                           f"https://localhost:{broker.port}/healthz"], capture_output=True,
                          timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert isinstance(broker, TlsBroker) and done.stdout


def test_a_reply_ends_with_its_stream_said_to_end(broker, authority):
    with broker.connect() as client:
        client.send(request("/healthz", b"", "Connection: close", verb="GET"))
        assert client.reply().status == 200
        client.socket.suppress_ragged_eofs = False
        assert client.socket.recv(1) == b""  # SSLEOFError where no close_notify came
