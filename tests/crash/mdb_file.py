# SPDX-License-Identifier: Apache-2.0
"""mdb_file.py -- where the records lie in LMDB's data.mdb (version 0.9, 64 bits, pages of 4,096 B).

  meta page (0 or 1, the one with the higher transaction) -> root of the table of tables
  branch page: nodes with the page below                  leaf page: nodes with key and value
"""
import struct
from collections.abc import Iterator
from dataclasses import dataclass

PAGE = 4096
HEADER = 16  # of a page: number, pad, flags, lower, upper
BRANCH, LEAF = 0x01, 0x02  # flags of a page
BIG, TABLE = 0x01, 0x02  # flags of a node: the value lies on pages of its own; it is a table
META_MAIN_ROOT = HEADER + 24 + 48 + 40  # magic, version, address, size; free table; up to its root
META_TXN = HEADER + 24 + 2 * 48 + 8
NONE = (1 << 64) - 1  # no page


@dataclass(frozen=True)
class Record:
    table: str
    key: bytes
    offset: int  # of the value, in the file
    size: int


def records_of(file: bytes) -> Iterator[Record]:
    metas = [(number(file, page * PAGE + META_TXN), number(file, page * PAGE + META_MAIN_ROOT))
             for page in (0, 1)]
    for key, offset, size, flags in nodes_below(file, max(metas)[1]):
        if flags & TABLE:
            root = number(file, offset + 40)
            for inner, value, inner_size, _ in nodes_below(file, root):
                yield Record(key.decode(), inner, value, inner_size)
        else:
            yield Record("beside the tables", key, offset, size)


def nodes_below(file: bytes, page: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Key, offset and size of the value of each leaf, and its flags."""
    if page == NONE:
        return
    start = page * PAGE
    _, _, page_flags, lower, _ = struct.unpack_from("<QHHHH", file, start)
    for slot in range((lower - HEADER) // 2):
        [place] = struct.unpack_from("<H", file, start + HEADER + 2 * slot)
        node = start + place
        low, high, flags, key_size = struct.unpack_from("<HHHH", file, node)
        value = node + 8 + key_size
        if page_flags & BRANCH:
            yield from nodes_below(file, low | high << 16 | flags << 32)
        else:
            is_big = flags & BIG
            yield (file[node + 8:value], number(file, value) * PAGE + HEADER if is_big else value,
                   low | high << 16, flags)


def number(file: bytes, offset: int) -> int:
    return struct.unpack_from("<Q", file, offset)[0]
