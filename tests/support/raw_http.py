# SPDX-License-Identifier: Apache-2.0
"""raw_http.py -- HTTP by hand on a socket: what no well-behaved client would send."""
import fcntl
import json
import socket
import termios
from dataclasses import dataclass
from pathlib import Path

from processes import PATIENCE_S


@dataclass
class Reply:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)


class RawClient:
    """One connection. Use it with `with`."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._input = b""

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data: bytes, piece: int | None = None) -> bool:
        """Sends the bytes, or pieces of so many one by one; False if the broker closed meanwhile."""
        try:
            for at in range(0, len(data), piece or len(data) or 1):
                self.socket.sendall(data[at:at + (piece or len(data))])
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def is_read(self) -> bool:
        """Whether the broker has taken all that was sent out of the kernel's hands."""
        under_way = fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4))
        if any(under_way):
            return False
        there, here = (f":{address[1]:04X}" for address in (self.socket.getpeername(),
                                                            self.socket.getsockname()))
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
            _, local, remote, _, queues, *_ = line.split()
            if local.endswith(there) and remote.endswith(here):
                return int(queues.split(":")[1], 16) == 0  # arrived, and not read
        return False

    def end(self) -> None:
        """Says that nothing more will come."""
        self.socket.shutdown(socket.SHUT_WR)

    def reply(self, head_only: bool = False) -> Reply:
        """The next reply; EOFError if the broker closes before it."""
        while (end := self._input.find(b"\r\n\r\n")) < 0:
            self._read_more()
        lines = self._input[:end].decode().split("\r\n")
        self._input = self._input[end + 4:]
        status = int(lines[0].split(" ")[1])
        headers = {name.lower(): value
                   for name, value in (line.split(": ", 1) for line in lines[1:])}
        size = 0 if head_only or status < 200 else int(headers.get("content-length", 0))
        while len(self._input) < size:
            self._read_more()
        body, self._input = self._input[:size], self._input[size:]
        return Reply(status, headers, body)

    def is_closed(self) -> bool:
        """Whether the broker closes without another byte; waits for one or the other."""
        try:
            self._read_more()
            return False
        except EOFError:
            return self._input == b""

    def call(self, path: str, body: bytes = b"", *fields: str, verb: str = "POST") -> Reply:
        self.send(request(path, body, *fields, verb=verb))
        return self.reply(head_only=verb == "HEAD")

    def _read_more(self) -> None:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError(f"closed after {self._input!r}")
        self._input += data


def request(path: str, body: bytes = b"", *fields: str, verb: str = "POST") -> bytes:
    """A request as it should be; `fields` are whole header lines."""
    lines = [f"{verb} {path} HTTP/1.1", "Host: ackd", *fields]
    if body or verb == "POST":
        lines.append(f"Content-Length: {len(body)}")
    if verb == "POST" and not any(each.lower().startswith("content-type") for each in fields):
        lines.append("Content-Type: application/json")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
