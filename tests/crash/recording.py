# SPDX-License-Identifier: Apache-2.0
"""recording.py -- the shim's log, read back: events, and the disk as they change it.

What a disk promises (and what images.py may take away)
  D1  What a file had when an fsync or fdatasync of it returned stays.
  D2  So does a write through O_DSYNC, by itself, once it has returned.
  D3  Of everything written since, any part may be there: no order, not even within one write.
  D4  Names (files made, renamed, removed) stay once their directory was synced. Before that, the
      file system keeps their order: those that are there are the first ones.
"""
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

START, OPEN, WRITE, STABLE, SYNC, SIZE, MKDIR, RENAME, UNLINK, SEND = range(1, 11)
HEAD = struct.Struct("<IIQQ")


@dataclass(frozen=True)
class Event:
    kind: int
    file: int
    offset: int
    data: bytes


def read_recording(path: Path) -> list[Event]:
    log = path.read_bytes()
    events, at = [], 0
    while at + HEAD.size <= len(log):
        kind, file, offset, size = HEAD.unpack_from(log, at)
        at += HEAD.size
        events.append(Event(kind, file, offset, log[at:at + size]))
        at += size
    return events


def sent_positions(events: list[Event]) -> dict[int, list[tuple[int, int]]]:
    """Of each client's port: (bytes sent by then, index of the event), in order."""
    sent: dict[int, list[tuple[int, int]]] = {}
    for index, event in enumerate(events):
        if event.kind == SEND:
            steps = sent.setdefault(event.file, [])
            size = event.offset - (1 << 64 if event.offset >> 63 else 0)
            steps.append(((steps[-1][0] if steps else 0) + size, index))
    return sent


@dataclass
class Inode:
    """One file. `stable` is on the disk; `pending` is what may be: (offset, data)."""
    stable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes]] = field(default_factory=list)

    def settle(self) -> None:
        for offset, data in self.pending:
            apply(self.stable, offset, data)
        self.pending.clear()

    def settle_last(self) -> None:
        apply(self.stable, *self.pending.pop())


def apply(content: bytearray, offset: int, data: bytes | None) -> None:
    """A write; data None: the file is cut or grown to `offset`."""
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset:offset + len(data)] = data


DIRECTORY = None  # what a name leads to, if not to an Inode


class Disk:
    """`root` stands already, with what was `found` below it (None: a directory), all of it on the
    disk; every path is below it."""

    def __init__(self, root: str, found: dict[str, bytes | None] | None = None):
        self._root = root.rstrip("/")
        self.names: dict[str, Inode | None] = {  # stable
            path: DIRECTORY if content is None else Inode(bytearray(content))
            for path, content in (found or {}).items()}
        # Verb and path, and what is made there, or where it is renamed to.
        self.names_pending: list[tuple[str, str, Inode | str | None]] = []
        self._open: dict[int, tuple[str, Inode | None]] = {}

    def change(self, event: Event) -> None:
        if event.kind == START:
            self._open.clear()
        elif event.kind == OPEN:
            self._open_file(event.file, self._path(event.data), bool(event.offset))
        elif event.kind == WRITE:
            self._inode(event).pending.append((event.offset, event.data))
        elif event.kind == SIZE:
            self._inode(event).pending.append((event.offset, None))
        elif event.kind == STABLE:
            self._inode(event).settle_last()
        elif event.kind == SYNC:
            self._sync(event.file)
        elif event.kind == MKDIR:
            self.names_pending.append(("make", self._path(event.data), DIRECTORY))
        elif event.kind == RENAME:
            source, target = map(self._path, event.data.split(b"\0"))
            self.names_pending.append(("rename", source, target))
        elif event.kind == UNLINK:
            self.names_pending.append(("remove", self._path(event.data), None))

    def now(self) -> dict[str, Inode | None]:
        """The names as a program sees them."""
        return self.names_after(len(self.names_pending))

    def names_after(self, count: int) -> dict[str, Inode | None]:
        """The stable names and the first `count` changes that may be there."""
        names = dict(self.names)
        for verb, path, what in self.names_pending[:count]:
            if verb == "make":
                names[path] = what
            elif verb == "rename":
                names[what] = names.pop(path)
            else:
                names.pop(path, None)
        return names

    def _open_file(self, number: int, path: str, is_new: bool) -> None:
        if is_new:
            self.names_pending.append(("make", path, Inode()))
        self._open[number] = (path, self.now().get(path))

    def _inode(self, event: Event) -> Inode:
        return self._open[event.file][1]

    def _sync(self, number: int) -> None:
        path, inode = self._open[number]
        if inode is not DIRECTORY:
            inode.settle()
            return
        inside = [index for index, (_, name, _) in enumerate(self.names_pending)
                  if os.path.dirname(name) == path]
        if inside:
            self.names = self.names_after(inside[-1] + 1)
            del self.names_pending[:inside[-1] + 1]

    def _path(self, data: bytes) -> str:
        path = data.decode()
        assert path == self._root or path.startswith(self._root + "/"), path
        return path[len(self._root) + 1:]
