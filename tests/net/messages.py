# SPDX-License-Identifier: Apache-2.0
"""messages.py -- protobuf's wire format by hand, as far as these tests need it.

A message is written as pairs of a field's number and its value (an int: varint; bytes or text:
with their length), and read as {number: [values]}.
"""
from collections import defaultdict

VARINT, FIXED64, BYTES, GROUP_START, GROUP_END, FIXED32 = range(6)


def varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, kind: int) -> bytes:
    return varint(number << 3 | kind)


def message(*fields: tuple[int, int | bytes | str]) -> bytes:
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += tag(number, VARINT) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += tag(number, BYTES) + varint(len(data)) + data
    return bytes(out)


def fields_of(data: bytes) -> dict[int, list]:
    """Of a message from the broker, which uses varints and bytes only."""
    fields = defaultdict(list)
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if key & 7 == BYTES:
            value, at = data[at:at + value], at + value
        else:
            assert key & 7 == VARINT, f"wire type {key & 7}"
        fields[key >> 3].append(value)
    assert at == len(data), "cut short"
    return fields


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            return value, at
