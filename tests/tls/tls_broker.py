# SPDX-License-Identifier: Apache-2.0
"""tls_broker.py -- an ackd that speaks TLS, and clients that do."""
import http.client
import json
import ssl
from typing import NamedTuple

from authority import Authority, Identity
from broker import Broker
from raw_http import RawClient, request

LIST = request("/ackd.v1.QueueService/List", b"{}")


def client_context(authority: Authority | None, identity: Identity | None = None) -> ssl.SSLContext:
    """One that trusts the authority (None: everyone), and shows the identity."""
    context = ssl.create_default_context(cafile=authority.certificate if authority else None)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if identity:
        context.load_cert_chain(identity.certificate, identity.key)
    return context


class TlsBroker(Broker):
    """`identity` is its own; its calls are made by `context`."""

    def __init__(self, directory, authority: Authority, identity: Identity, *flags: str,
                 context: ssl.SSLContext | None = None, **options):
        super().__init__(directory, "--tls-cert", str(identity.certificate), "--tls-key",
                         str(identity.key), "--log-format", "json", *flags, **options)
        self.context = context or client_context(authority)
        self.url = self.url.replace("http:", "https:")

    def connect(self, context: ssl.SSLContext | None = None) -> "TlsClient":
        return TlsClient(self.port, context or self.context)

    def events(self, name: str) -> list[dict]:
        """What it has logged under that name."""
        lines = self.process.log.read_text().splitlines()
        return [each for each in map(json.loads, lines) if each["event"] == name]

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout_s,
                                           context=self.context)


class TlsClient(RawClient):
    """One connection, its handshake done."""

    def __init__(self, port: int, context: ssl.SSLContext):
        super().__init__(port)
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        except BaseException:
            self.socket.close()
            raise


class Shaken(NamedTuple):
    """A session of which the test passes the sealed bytes on."""
    session: ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO


def shake_hands(broker: TlsBroker, raw: RawClient, piece: int | None = None) -> Shaken:
    """Sends in pieces of so many bytes. What the client says last stays in `outgoing`, and so goes
    out with the first request."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = broker.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            session.do_handshake()
            return Shaken(session, incoming, outgoing)
        except ssl.SSLWantReadError:
            raw.send(outgoing.read(), piece)
            incoming.write(raw.socket.recv(65536))
