# SPDX-License-Identifier: Apache-2.0
"""gate.py -- an HTTP proxy before the broker that can hold one call that carries acks, on its way
there or back, until a test says what shall become of it."""
import select
import socket
import threading

from doorway import Doorway

LEASE_REQUEST_ACKS = 6  # the field's number


class Gate(Doorway):
    """Use it with `with`. `hold("acking")`: the next request with acks is held before the broker
    sees it; `hold("acked")`: the broker's answer to it. `reached` is set when that is so.
    `let_pass` lets it go on, `cut` closes its connection instead; both end the hold for good."""

    def __init__(self, port: int):
        super().__init__()
        self._broker_port = port
        self._held_point = ""
        self.reached = threading.Event()
        self._decided = threading.Event()
        self._passes = True

    def __exit__(self, *_):
        self.cut()
        super().__exit__()

    def hold(self, point: str) -> None:
        self._held_point = point

    def let_pass(self) -> None:
        self._decided.set()

    def cut(self) -> None:
        self._passes = False
        self._decided.set()

    def serve(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._broker_port)) as broker:
            while True:
                request = read_message(client)
                if self._is_held("acking", request):
                    return
                broker.sendall(request)
                if not carries_acks(request) and not await_reply(client, broker):
                    return  # the client has left its long poll: so does this
                reply = read_message(broker)
                if self._is_held("acked", request):
                    return
                client.sendall(reply)

    def _is_held(self, point: str, request: bytes) -> bool:
        """True: it was held, and is cut."""
        if self._held_point != point or not carries_acks(request):
            return False
        self._held_point = ""
        self.reached.set()
        self._decided.wait()
        return not self._passes


def read_message(source: socket.socket) -> bytes:
    """One HTTP message with a Content-Length."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += receive(source)
    fields = dict(line.lower().split(b": ", 1) for line in data[:end].split(b"\r\n")[1:])
    whole = end + 4 + int(fields.get(b"content-length", b"0"))
    while len(data) < whole:
        data += receive(source)
    return data


def receive(source: socket.socket) -> bytes:
    if not (data := source.recv(1 << 20)):
        raise EOFError
    return data


def await_reply(client: socket.socket, broker: socket.socket) -> bool:
    """False: the client closes instead of waiting."""
    ready, _, _ = select.select([client, broker], [], [])
    return broker in ready


def carries_acks(request: bytes) -> bool:
    head, _, body = request.partition(b"\r\n\r\n")
    return (head.startswith(b"POST /ackd.v1.TaskService/Lease ")
            and LEASE_REQUEST_ACKS in field_numbers(body))


def field_numbers(message: bytes) -> set[int]:
    """Of a protobuf message, at its top."""
    found, at = set(), 0
    while at < len(message):
        tag, at = read_varint(message, at)
        found.add(tag >> 3)
        value, after = read_varint(message, at)
        at = {0: after, 1: at + 8, 2: after + value, 5: at + 4}[tag & 7]
    return found


def read_varint(message: bytes, at: int) -> tuple[int, int]:
    """The value, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at] if at < len(message) else 0
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
