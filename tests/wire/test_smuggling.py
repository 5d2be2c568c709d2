# SPDX-License-Identifier: Apache-2.0
"""Requests that two programs could read differently, or that cost more than they are worth: each is
refused, the connection ends with the refusal, and nothing behind it is taken for a request."""
import pytest
from raw_http import RawClient

HOST = b"Host: ackd\r\n"
JSON = b"Content-Type: application/json\r\n"
LIST = b"POST /ackd.v1.QueueService/List HTTP/1.1\r\n" + HOST + JSON
NEXT = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"

REFUSED = {
    "a bare CR hides a length": (LIST + b"Dummy: x\rContent-Length: 40\r\n\r\n" + NEXT, 400),
    "a bare CR after the field's name hides a length":
        (LIST + b"Dummy:\rContent-Length: 40\r\n\r\n" + NEXT, 400),
    "the head ends with a bare CR": (LIST + b"Content-Length: 0\r\n\rX" + NEXT, 400),
    "a folded line holds a length": (LIST + b"A: b\r\n Content-Length: 40\r\n\r\n" + NEXT, 400),
    "a folded line begins with a tab": (LIST + b"A: b\r\n\tc\r\n\r\n" + NEXT, 400),
    "the first field is folded": (b"GET / HTTP/1.1\r\n Host: ackd\r\n\r\n" + NEXT, 400),
    "a space before the colon": (LIST + b"Content-Length : 5\r\n\r\nxxxxx" + NEXT, 400),
    "a field without a colon": (LIST + b"Nonsense\r\n\r\n" + NEXT, 400),
    "a field without a name": (LIST + b": x\r\n\r\n" + NEXT, 400),
    "length and chunks": (LIST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                          b"0\r\n\r\n" + NEXT, 400),
    "chunks and length": (LIST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
                          b"0\r\n\r\n" + NEXT, 400),
    "two lengths": (LIST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" + NEXT, 400),
    "the same length twice": (LIST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
                              400),
    "a list of lengths": (LIST + b"Content-Length: 2, 2\r\n\r\n{}" + NEXT, 400),
    "a length with a plus": (LIST + b"Content-Length: +2\r\n\r\n{}" + NEXT, 400),
    "a negative length": (LIST + b"Content-Length: -2\r\n\r\n{}" + NEXT, 400),
    "a hexadecimal length": (LIST + b"Content-Length: 0x2\r\n\r\n{}" + NEXT, 400),
    "a length beyond 64 bits": (LIST + b"Content-Length: 18446744073709551618\r\n\r\n{}" + NEXT,
                                400),
    "a length with a gap": (LIST + b"Content-Length: 1 0\r\n\r\n{}" + NEXT, 400),
    "an empty length": (LIST + b"Content-Length:\r\n\r\n{}" + NEXT, 400),
    "chunks that are not last": (LIST + b"Transfer-Encoding: chunked, identity\r\n\r\n"
                                 b"0\r\n\r\n" + NEXT, 400),
    "another coding": (LIST + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n" + NEXT, 501),
    "another coding before chunks": (LIST + b"Transfer-Encoding: gzip, chunked\r\n\r\n"
                                     b"0\r\n\r\n" + NEXT, 501),
    "a coding like chunked": (LIST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + NEXT, 501),
    "two codings fields": (LIST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"
                           b"\r\n0\r\n\r\n" + NEXT, 400),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
                           b"0\r\n\r\n" + NEXT, 400),
    "a NUL in a value": (LIST + b"A: b\0c\r\nContent-Length: 0\r\n\r\n" + NEXT, 400),
    "a NUL in a name": (LIST + b"A\0b: c\r\nContent-Length: 0\r\n\r\n" + NEXT, 400),
    "lines without CR": (b"GET /healthz HTTP/1.1\nHost: ackd\n\n" + NEXT, 400),
    "one line without CR": (LIST + b"A: b\nContent-Length: 0\r\n\r\n" + NEXT, 400),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n" + NEXT, 400),
    "two hosts": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Host: other\r\n\r\n" + NEXT, 400),
    "the same host twice": (b"GET /healthz HTTP/1.1\r\n" + HOST + HOST + b"\r\n" + NEXT, 400),
    "an upgrade": (b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" +
                   NEXT, 501),
    "a tunnel": (b"CONNECT ackd:80 HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 501),
    "HTTP/2 by prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/2.0 in a request line": (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n" + NEXT, 505),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n" + NEXT, 505),
    "HTTP/0.9": (b"GET /\r\n\r\n" + NEXT, 505),
    "an unknown method": (b"FETCH / HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a method in lower case": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a target that is no path": (b"GET healthz HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a star that is not for OPTIONS": (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, 400),
    "a TLS greeting": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), 400),
    "another expectation": (LIST + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}" + NEXT, 417),
    "a chunk size that is no number": (LIST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + NEXT,
                                       400),
    "a chunk size with a sign": (LIST + b"Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" +
                                 NEXT, 400),
    "a chunk size beyond 64 bits": (LIST + b"Transfer-Encoding: chunked\r\n\r\n"
                                    b"10000000000000002\r\n{}\r\n0\r\n\r\n" + NEXT, 400),
    "a chunk longer than its size": (LIST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n"
                                     b"0\r\n\r\n" + NEXT, 400),
    "a chunk size line that ends in LF": (LIST + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n"
                                          b"0\r\n\r\n" + NEXT, 400),
    "trailer fields": (LIST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
                       b"Content-Length: 40\r\n\r\n" + NEXT, 400),
    "a request line over 8 KiB": (b"GET /" + b"x" * 8200 + b" HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT,
                                  414),
    "blank lines without end": (b"\r\n" * 5000 + NEXT, 414),
    "a head over 16 KiB": (LIST + b"A: %s\r\n" % (b"x" * 16384) + b"\r\n" + NEXT, 431),
    "over 64 fields": (LIST + b"A: b\r\n" * 63 + b"\r\n" + NEXT, 431),
    "a name over 256 bytes": (LIST + b"x" * 257 + b": y\r\n\r\n" + NEXT, 431),
}


@pytest.mark.parametrize("piece", [None, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_the_connection_ends(broker, name, piece):
    data, status = REFUSED[name]
    with RawClient(broker.port) as raw:
        raw.send(data, piece)
        reply = raw.reply()
        assert reply.status == status, reply.body
        assert reply.headers["connection"] == "close"
        assert reply.json()["code"] in ("invalid_argument", "unimplemented")
        assert reply.json()["details"][0]["debug"]["message"]
        assert raw.is_closed()


@pytest.mark.parametrize("line, status", [
    (b"GET /" + b"x" * (8192 - 17) + b" HTTP/1.1\r\n", 404), (b"GET /healthz HTTP/1.1\r\n", 200)])
def test_what_is_just_within_the_limits_is_served(raw, line, status):
    fields = HOST + b"A: b\r\n" * 62 + b"x" * 256 + b": y\r\n"
    raw.send(line + fields + b"\r\n")
    assert raw.reply().status == status


def test_a_head_of_exactly_16_kib_is_served(raw):
    line = b"GET /healthz HTTP/1.1\r\n" + HOST
    raw.send(line + b"A: " + b"x" * (16384 - len(line) - 7) + b"\r\n\r\n")
    assert raw.reply().status == 200
