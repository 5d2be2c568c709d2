# SPDX-License-Identifier: Apache-2.0
"""wal_file.py -- where the records lie in a store's log (broker/store/lmdb/wal.h)."""
import struct
from dataclasses import dataclass

from mdb_file import records_of

BLOCK = 4096
FILE_HEAD = struct.Struct("<8sIIQ")  # magic, checksum, zeros, id
RECORD_HEAD = struct.Struct("<4sIQQII")  # magic, checksum, id, number, size, zeros
MARK_KEY = b"\4"
MARK = struct.Struct("<IIQQ")  # checksum, version, the log's id, number


@dataclass(frozen=True)
class LogRecord:
    number: int
    offset: int
    size: int


def mark_of(data_file: bytes) -> tuple[int, int]:
    """The log's id and the number of the last of its records that LMDB has."""
    record = next(each for each in records_of(data_file) if each.key == MARK_KEY)
    _, _, log_id, number = MARK.unpack_from(data_file, record.offset)
    return log_id, number


def log_records(log: bytes, data_file: bytes) -> list[LogRecord]:
    """Those that LMDB lacks."""
    log_id, number = mark_of(data_file)
    records, offset = [], BLOCK
    while offset < len(log):
        _, _, its_id, its_number, size, _ = RECORD_HEAD.unpack_from(log, offset)
        if its_id != log_id or its_number != number + 1:
            break
        records.append(LogRecord(its_number, offset, size))
        number, offset = its_number, offset + -(-size // BLOCK) * BLOCK
    return records
