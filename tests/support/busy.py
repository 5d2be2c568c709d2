# SPDX-License-Identifier: Apache-2.0
"""busy.py -- stands where a broker would, and asks for patience."""
import socket

from doorway import Doorway


class Busy(Doorway):
    """Use it with `with`. Answers every call with 503 and "try again in a minute", but for those to
    `taken` ("QueueService/Get"), which succeed with an empty message."""

    def __init__(self, taken: str = ""):
        super().__init__()
        self._taken = taken
        self.refused = 0

    def serve(self, client: socket.socket) -> None:
        with client.makefile("rb") as requests:
            while request_line := requests.readline().decode():
                size = 0
                while (line := requests.readline().strip().lower()) != b"":
                    name, _, value = line.partition(b":")
                    size = int(value) if name == b"content-length" else size
                requests.read(size)
                client.sendall(self._answer(request_line.split()[1]))

    def _answer(self, path: str) -> bytes:
        if self._taken and path.endswith(self._taken):
            return b"HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n"
        self.refused += 1
        body = b'{"code":"unavailable","message":"busy"}'
        return (b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                b"Retry-After: 60\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
