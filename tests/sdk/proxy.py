# SPDX-License-Identifier: Apache-2.0
"""proxy.py -- a TCP proxy before the broker that loses a message on its way, once, when asked to."""
import contextlib
import socket
import threading

from doorway import Doorway


class Proxy(Doorway):
    """Use it with `with`. `lose(marker)`: the next reply (or request) that holds these bytes is thrown
    away and its connection closed, as if the network had broken right then."""

    def __init__(self, port: int):
        super().__init__()
        self._broker_port = port
        self._marker = b""
        self._is_reply = True
        self.lost = threading.Event()

    def lose(self, marker: bytes, is_reply: bool = True) -> None:
        self.lost.clear()
        self._is_reply = is_reply
        self._marker = marker

    def serve(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._broker_port)) as broker:
            replies = threading.Thread(target=self._pump, args=(broker, client, True), daemon=True)
            replies.start()
            self._pump(client, broker, False)
            replies.join()

    def _pump(self, source: socket.socket, sink: socket.socket, is_reply: bool):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                if is_reply == self._is_reply and self._marker and self._marker in data:
                    self._marker = b""
                    self.lost.set()
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
