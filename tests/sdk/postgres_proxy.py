# SPDX-License-Identifier: Apache-2.0
"""postgres_proxy.py -- a TCP proxy before PostgreSQL that knows where a commit passes, and cuts
there.

An INSERT of the SDK is one statement in a transaction of its own: Parse, Bind, Describe, Execute
and Sync; it commits when the server reads the Sync, and is answered by CommandComplete and
ReadyForQuery. Where the connection may be cut, and what the client then can't know:

  before     the server has not got the Sync                               not committed
  announced  the client got CommandComplete, the server not the Sync       not committed
  sent       the Sync is on its way, nobody reads an answer                perhaps committed
  answered   the server has committed and said so, but not to the client   committed
  silent     the same, and the connection stays open                       committed
"""
import random
import socket
import struct
import threading
from collections import Counter
from pathlib import Path

from doorway import Doorway

CUTS = ("before", "announced", "sent", "answered")
PARSE, SYNC, READY, COMMAND_COMPLETE = b"P", b"S", b"Z", b"C"
FLUSH = b"H\x00\x00\x00\x04"


class PostgresProxy(Doorway):
    """Use it with `with`. `cut(where)` cuts the next INSERT; `chance` is how often it does so by
    itself, anywhere. `was_cut` is set after each."""

    def __init__(self, directory: Path, user: str, chance: float = 0, seed: int = 1):
        super().__init__()
        self._server = str(directory / ".s.PGSQL.5432")
        self.conninfo = (f"host=127.0.0.1 port={self.port} dbname=postgres "
                         f"user={user} sslmode=disable gssencmode=disable")
        self.was_cut = threading.Event()
        self.cuts: Counter[str] = Counter()
        self.chance = chance
        self._dice = random.Random(seed)
        self._wanted: list[str] = []
        self._closing = threading.Event()

    def __exit__(self, *_):
        self._closing.set()
        super().__exit__()

    def cut(self, where: str, times: int = 1) -> None:
        self.was_cut.clear()
        self._wanted += [where] * times

    def _choose(self) -> str:
        if self._wanted:
            return self._wanted.pop(0)
        return self._dice.choice(CUTS) if self._dice.random() < self.chance else ""

    def serve(self, client: socket.socket) -> None:
        """A question of the client and the server's answer, in turns."""
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self._server)
            server.sendall(read_startup(client))
            pass_answer(server, client)
            while True:
                question = read_question(client)
                if (where := self._choose() if is_insert(question) else ""):
                    self._cut(where, question, client, server)
                    return
                server.sendall(b"".join(question))
                pass_answer(server, client)

    def _cut(self, where: str, question: list[bytes], client: socket.socket, server: socket.socket):
        if where == "announced":
            server.sendall(b"".join(question[:-1]) + FLUSH)
            pass_answer(server, client, COMMAND_COMPLETE)
        elif where == "before":
            server.sendall(b"".join(question[:-1]))
        else:
            server.sendall(b"".join(question))
        if where in ("answered", "silent"):
            pass_answer(server, None)
        self.cuts[where] += 1
        self.was_cut.set()
        if where == "silent":
            self._closing.wait()


def read_exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := source.recv(size - len(data))):
            raise EOFError
        data += more
    return data


def read_startup(client: socket.socket) -> bytes:
    head = read_exactly(client, 4)
    return head + read_exactly(client, struct.unpack("!I", head)[0] - 4)


def read_message(source: socket.socket) -> bytes:
    head = read_exactly(source, 5)
    return head + read_exactly(source, struct.unpack("!I", head[1:])[0] - 4)


def read_question(client: socket.socket) -> list[bytes]:
    """Messages up to a Sync, or one simple query, or the end."""
    messages = [read_message(client)]
    while messages[0][:1] == PARSE and messages[-1][:1] != SYNC:
        messages.append(read_message(client))
    return messages


def is_insert(question: list[bytes]) -> bool:
    return question[0][:1] == PARSE and b"INSERT" in question[0]


def pass_answer(server: socket.socket, client: socket.socket | None, last: bytes = READY) -> None:
    """Up to and with the first message of that type; to nobody if `client` is None."""
    while True:
        message = read_message(server)
        if client:
            client.sendall(message)
        if message[:1] == last:
            return
