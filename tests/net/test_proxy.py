# SPDX-License-Identifier: Apache-2.0
"""The proxy breaks connections exactly where it is told: before a server that echoes."""
import contextlib
import socket
import threading
import time

import pytest
from proxy import REPLY, REQUEST, Fault, Proxy

WORD = b"0123456789"


class Echo(threading.Thread):
    """A server of one connection: gives back what it gets, and keeps it in `got`."""

    def __init__(self):
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.got = b""

    def run(self) -> None:
        end, _ = self._listener.accept()
        with self._listener, end, contextlib.suppress(OSError):
            while data := end.recv(4096):
                self.got += data
                end.sendall(data)


@pytest.fixture
def echo():
    server = Echo()
    server.start()
    return server


def talk(port: int, timeout_s: float = 5) -> tuple[bytes, str]:
    """What comes back for the word, and how it ends."""
    got = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as client:
            client.sendall(WORD)
            while data := client.recv(4096):
                got += data
                if got == WORD:
                    return got, "whole"
            return got, "closed"
    except TimeoutError:
        return got, "silence"
    except OSError:
        return got, "reset"


def through(echo, fault: Fault | None, timeout_s: float = 5) -> tuple[bytes, str]:
    with Proxy(echo.port, lambda: fault) as proxy:
        return talk(proxy.port, timeout_s)


def test_without_a_fault_all_gets_through(echo):
    assert through(echo, None) == (WORD, "whole")


@pytest.mark.parametrize("after", range(len(WORD) + 1))
def test_a_request_ends_behind_exactly_so_many_bytes(echo, after):
    with Proxy(echo.port, lambda: Fault("cut", REQUEST, after)) as proxy:
        assert talk(proxy.port)[1] in ("closed", "reset")  # what is still sent may hit a wall
        echo.join()
    assert echo.got == WORD[:after]


@pytest.mark.parametrize("after", range(len(WORD)))
@pytest.mark.parametrize("kind, end", [("cut", "closed"), ("reset", "reset")])
def test_a_reply_ends_behind_so_many_bytes_and_the_rest_is_overheard(echo, kind, end, after):
    with Proxy(echo.port, lambda: Fault(kind, REPLY, after)) as proxy:
        got = talk(proxy.port)
        assert bytes(proxy.last.said) == WORD and proxy.last.has_tripped
        echo.join()
    assert got == (WORD[:after], end) or (kind == "reset" and got[1] == end)
    assert echo.got == WORD


def test_a_fault_behind_the_end_does_not_take_place(echo):
    with Proxy(echo.port, lambda: Fault("cut", REPLY, len(WORD))) as proxy:
        assert talk(proxy.port) == (WORD, "whole")
        assert not proxy.last.has_tripped and proxy.tripped == 0


@pytest.mark.parametrize("kind", ["drop", "stall"])
def test_what_is_half_open_says_nothing(echo, kind):
    assert through(echo, Fault(kind, REPLY, 4), timeout_s=0.2) == (WORD[:4], "silence")


def test_a_half_open_client_loses_patience_and_the_server_is_not_told(echo):
    with Proxy(echo.port, lambda: Fault("drop", REPLY, 4, pause_s=0.05)) as proxy:
        assert talk(proxy.port) == (WORD[:4], "reset")
        assert echo.is_alive()


def test_a_delay_keeps_the_rest_for_so_long(echo):
    began = time.monotonic()
    assert through(echo, Fault("delay", REPLY, 4, pause_s=0.1)) == (WORD, "whole")
    assert time.monotonic() - began >= 0.1


def test_bytes_trickle_until_the_next_fault(echo):
    fault = Fault("trickle", REQUEST, 2, pause_s=0.01, then=Fault("cut", REQUEST, 7))
    began = time.monotonic()
    with Proxy(echo.port, lambda: fault) as proxy:
        assert talk(proxy.port)[1] in ("closed", "reset")
        echo.join()
    assert time.monotonic() - began >= 0.04
    assert echo.got == WORD[:7]
