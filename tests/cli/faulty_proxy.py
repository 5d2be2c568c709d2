# SPDX-License-Identifier: Apache-2.0
"""faulty_proxy.py -- stands between ackctl and the broker and loses replies."""
import socket
import threading
import time

from doorway import Doorway


class FaultyProxy(Doorway):
    """Use it with `with`. Forwards HTTP/1.1 by bytes, a thread a connection. `lose_reply_of` makes
    it pass one request on, the `nth` of its kind, wait for the broker's reply, and close the
    connection instead of handing it over: the broker has done what the client can't know of. With
    `stalls` the connection stays open, and the client waits. `delay_reply_of` hands the reply over,
    late."""

    def __init__(self, port: int):
        super().__init__()
        self._upstream_port = port
        self._wanted: bytes | None = None
        self.lost = threading.Event()

    def lose_reply_of(self, method: str, nth: int = 1, stalls: bool = False) -> None:
        self.lost.clear()
        self._before, self._stalls = nth - 1, stalls
        self._wanted = f"/ackd.v1.{method} ".encode()

    def delay_reply_of(self, method: str, delay_s: float) -> None:
        self.lose_reply_of(method)
        self._delay_s = delay_s

    def serve(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._upstream_port)) as upstream:
            threading.Thread(target=self._replies, args=(client, upstream), daemon=True).start()
            while data := client.recv(65536):
                if self._wanted and self._wanted in data:
                    if self._before == 0:
                        self._wanted, self._doomed = None, client
                    self._before -= 1
                upstream.sendall(data)
            upstream.shutdown(socket.SHUT_WR)

    _doomed = None
    _before = 0
    _stalls = False
    _delay_s = 0.0

    def _replies(self, client: socket.socket, upstream: socket.socket) -> None:
        try:
            while data := upstream.recv(65536):
                if self._doomed is client:
                    self._doomed = None
                    if self._delay_s > 0:
                        time.sleep(self._delay_s)
                        client.sendall(data)
                        continue
                    if not self._stalls:
                        client.shutdown(socket.SHUT_RDWR)
                    self.lost.set()
                    return
                client.sendall(data)
        except OSError:
            pass
