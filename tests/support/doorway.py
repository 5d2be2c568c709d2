# SPDX-License-Identifier: Apache-2.0
"""doorway.py -- what stands at a port of its own between a client and what it wants to reach: the
part that all proxies of the tests have."""
import contextlib
import socket
import threading


class Doorway:
    """Use it with `with`. Clients come to `port`; each is served in a thread of its own, and its
    connection closed behind it. A client that can't be served ends alone."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        # close() alone would leave the thread in accept, which still takes a client.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def serve(self, client: socket.socket) -> None:
        """One connection, until it is over. OSError and EOFError end it."""
        raise NotImplementedError

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, EOFError):
            self.serve(client)
