# SPDX-License-Identifier: Apache-2.0
"""proxy.py -- a TCP proxy before the broker that loses a reply on its way, once, when asked to."""
import contextlib
import socket
import threading


class Proxy:
    """Use it with `with`. `lose(marker)`: the next reply that holds these bytes is thrown away and its
    connection closed, as if the network had broken right then."""

    def __init__(self, port: int):
        self._broker_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._marker = b""
        self.lost = threading.Event()

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()

    def lose(self, marker: bytes) -> None:
        self.lost.clear()
        self._marker = marker

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                broker = socket.create_connection(("127.0.0.1", self._broker_port))
                for source, sink, is_reply in ((client, broker, False), (broker, client, True)):
                    threading.Thread(target=self._pump, args=(source, sink, is_reply),
                                     daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_reply: bool):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                if is_reply and self._marker and self._marker in data:
                    self._marker = b""
                    self.lost.set()
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
