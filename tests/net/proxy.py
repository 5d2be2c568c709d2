# SPDX-License-Identifier: Apache-2.0
"""proxy.py -- a TCP proxy that breaks connections where and how it is told.

Each connection gets the fault that `choose` returns, or none. A fault counts the bytes of one way,
so that the same bytes break at the same place in every run. Where the reply is to break behind n
bytes, the broker has said at least one more: `Link.said` has all that it said, also what nobody
was given.

  cut      both ends are closed in order
  reset    both ends get a RST
  drop     half-open: nothing gets through any more, neither bytes nor closing
  stall    this way stands still; the other goes on
  delay    the rest comes `pause_s` later
  trickle  the rest comes byte by byte, `pause_s` apart

After a drop or a stall the client's end is reset `pause_s` later, if that is not 0, as a client's
own patience would do; the broker's end is left open.

One thread of its own. Others read what it sets, and change nothing.
"""
import contextlib
import math
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

KINDS = ("cut", "reset", "drop", "stall", "delay", "trickle")
REQUEST, REPLY = "request", "reply"
PIECE = 1 << 16
BACKLOG_MAX = 1 << 18  # of one way, then the sender has to wait


@dataclass(frozen=True)
class Fault:
    kind: str
    way: str = REQUEST
    after: int = 0  # bytes of this way that get through
    pause_s: float = 0
    then: "Fault | None" = None  # further on in the same way, behind a delay or while it trickles

    def __str__(self) -> str:
        return f"{self.kind} after byte {self.after} of the {self.way}"


class Way:
    """One direction of a link."""

    def __init__(self, source: socket.socket, sink: socket.socket, fault: Fault | None):
        self.source, self.sink = source, sink
        self.next = fault
        self.present: Fault | None = None  # the latest that took place
        self.passed = 0
        self.not_before = 0.0
        self.backlog = bytearray()
        self.has_ended = False  # the source will say no more
        self.is_over = False  # and the sink knows

    def is_at_fault(self) -> bool:
        """Whether the next fault's place is reached."""
        if self.next is None or self.passed < self.next.after:
            return False
        return self.next.way == REQUEST or len(self.backlog) > 0

    def may_pass(self) -> int:
        """How many bytes of the backlog."""
        size = len(self.backlog)
        if self.next is not None:
            size = min(size, self.next.after - self.passed)
        return min(size, 1) if self.trickles() else size

    def trickles(self) -> bool:
        return self.present is not None and self.present.kind == "trickle"


class Link:
    """One client's connection and the one to the broker."""

    def __init__(self, client: socket.socket, broker: socket.socket, fault: Fault | None):
        self.client, self.broker = client, broker
        self.said = bytearray()  # by the broker
        self.has_tripped = False
        self.is_dropped = False
        self.reset_at = math.inf  # of the client's end
        self.request = Way(client, broker, fault if fault and fault.way == REQUEST else None)
        self.reply = Way(broker, client, fault if fault and fault.way == REPLY else None)

    @property
    def ways(self) -> tuple[Way, Way]:
        return self.request, self.reply


class Proxy:
    """Use it with `with`. Clients connect to `port`."""

    def __init__(self, broker_port: int, choose: Callable[[], Fault | None] = lambda: None):
        self.links: list[Link] = []  # of which an end is open
        self.last: Link | None = None
        self.tripped = 0  # faults that took place
        self._broker_port = broker_port
        self._choose = choose
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._alarm, self._bell = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Proxy":
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._alarm, selectors.EVENT_READ, None)
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.write(self._bell, b"x")
        self._thread.join()
        os.close(self._alarm)
        os.close(self._bell)
        self._listener.close()
        for link in self.links:
            link.client.close()
            link.broker.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select(self._pause()):
                if key.fileobj == self._alarm:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._read(key.data, key.fileobj)
            self._move_all()

    def _pause(self) -> float | None:
        """Until something is due, in seconds."""
        times = [link.reset_at for link in self.links]
        times += [way.not_before for link in self.links for way in link.ways if way.backlog]
        due = min(times, default=math.inf)
        return None if due == math.inf else max(0.0, due - time.monotonic())

    def _waiting(self) -> list[Link]:
        return [link for link in self.links
                if link.reset_at < math.inf or link.request.backlog or link.reply.backlog]

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
            broker = socket.create_connection(("127.0.0.1", self._broker_port))
        except OSError:  # there is no broker now, or the client has gone
            with contextlib.suppress(UnboundLocalError):
                reset(client)
            return
        link = Link(client, broker, self._choose())
        for end in (client, broker):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ, link)
        self.last = link
        self.links = [each for each in self.links if not is_closed(each)] + [link]
        self._move(link)

    def _read(self, link: Link, end: socket.socket) -> None:
        way = link.request if end is link.client else link.reply
        if end.fileno() < 0:  # closed by what came just before
            return
        try:
            data = end.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = None
        if link.is_dropped:
            if not data:
                self._close(end)
        elif data is None:
            self._end(link, reset)
        elif not data:
            way.has_ended = True
            self._selector.unregister(end)
        else:
            way.backlog += data
            if way is link.reply:
                link.said += data
        if not is_closed(link):
            self._move(link)

    def _move_all(self) -> None:
        now = time.monotonic()
        for link in self._waiting():
            if link.reset_at <= now:
                link.reset_at = math.inf
                self._drop(link)
                self._close(link.client, reset)
            elif not is_closed(link):
                self._move(link)

    def _move(self, link: Link) -> None:
        """As far as it goes now."""
        for way in link.ways:
            while not is_closed(link) and not link.is_dropped and self._step(link, way):
                pass
        if is_closed(link) or link.is_dropped:
            return
        if all(way.is_over for way in link.ways):
            self._end(link, socket.socket.close)
        for way in link.ways:
            self._listen(way)

    def _step(self, link: Link, way: Way) -> bool:
        """One piece; False: no more now."""
        if way.is_at_fault():
            self._trip(link, way)
            return True
        if not way.backlog and way.has_ended and not way.is_over:
            way.is_over = True
            with contextlib.suppress(OSError):
                way.sink.shutdown(socket.SHUT_WR)
        size = way.may_pass()
        if size == 0 or time.monotonic() < way.not_before:
            return False
        try:
            sent = way.sink.send(way.backlog[:size])
        except BlockingIOError:
            way.not_before = time.monotonic() + 0.002  # the sink is full; look again soon
            return False
        except OSError:
            self._end(link, reset)
            return False
        del way.backlog[:sent]
        way.passed += sent
        if way.trickles():
            way.not_before = time.monotonic() + way.present.pause_s
        return True

    def _trip(self, link: Link, way: Way) -> None:
        fault = way.present = way.next
        way.next = fault.then
        link.has_tripped = True
        self.tripped += 1
        if fault.kind in ("cut", "reset"):
            self._end(link, reset if fault.kind == "reset" else socket.socket.close)
        elif fault.kind == "drop":
            self._drop(link)
        elif fault.kind == "stall":
            way.not_before = math.inf
        elif fault.kind == "delay":
            way.not_before = time.monotonic() + fault.pause_s
        if fault.kind in ("drop", "stall") and fault.pause_s > 0:
            link.reset_at = time.monotonic() + fault.pause_s

    @staticmethod
    def _drop(link: Link) -> None:
        link.is_dropped = True
        for way in link.ways:
            way.backlog.clear()

    def _listen(self, way: Way) -> None:
        """Reads from the source while there is room."""
        has_room = len(way.backlog) < BACKLOG_MAX and not way.has_ended
        if way.source.fileno() < 0:
            return
        events = self._selector.get_map().get(way.source.fileno())
        if has_room and events is None:
            link = next(each for each in self.links if way in each.ways)
            self._selector.register(way.source, selectors.EVENT_READ, link)
        elif not has_room and events is not None:
            self._selector.unregister(way.source)

    def _end(self, link: Link, how: Callable) -> None:
        for end in (link.client, link.broker):
            self._close(end, how)
        for way in link.ways:
            way.backlog.clear()

    def _close(self, end: socket.socket, how: Callable = socket.socket.close) -> None:
        if end.fileno() < 0:
            return
        with contextlib.suppress(KeyError):
            self._selector.unregister(end)
        how(end)


def is_closed(link: Link) -> bool:
    return link.client.fileno() < 0 and link.broker.fileno() < 0


def reset(end: socket.socket) -> None:
    """Closes it with a RST."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
