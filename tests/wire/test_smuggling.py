# SPDX-License-Identifier: Apache-2.0
"""Requests that two programs could read differently, or that cost more than they are worth: each is
refused, the connection ends with the refusal, and nothing behind it is taken for a request."""
import pytest
from raw_http import RawClient

HOST = b"Host: ackd\r\n"
JSON = b"Content-Type: application/json\r\n"
LIST = b"POST /ackd.v1.QueueService/List HTTP/1.1\r\n" + HOST + JSON
GET = b"GET /healthz HTTP/1.1\r\n"
NEXT = GET + HOST + b"\r\n"
CHUNKS = LIST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def with_length(field: bytes) -> bytes:
    """A body of two bytes, and a field that says so in a way of its own."""
    return LIST + field + b"\r\n\r\n{}" + NEXT


def with_coding(value: bytes) -> bytes:
    """A body in chunks, and a field that says so in a way of its own."""
    return LIST + b"Transfer-Encoding:" + value + b"\r\n\r\n2\r\n{}\r\n" + END + NEXT


def with_line(line: bytes) -> bytes:
    return line + b"\r\n" + HOST + b"\r\n" + NEXT


def with_field(field: bytes) -> bytes:
    return GET + HOST + field + b"\r\n\r\n" + NEXT


def with_host(value: bytes) -> bytes:
    return GET + b"Host:" + value + b"\r\n\r\n" + NEXT


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
    "a list of lengths without a space": (with_length(b"Content-Length: 2,2"), 400),
    "a length with a fraction": (with_length(b"Content-Length: 2.0"), 400),
    "a length with an exponent": (with_length(b"Content-Length: 2e0"), 400),
    "a length in other digits": (with_length("Content-Length: \u0662".encode()), 400),
    "a length with a tab within": (with_length(b"Content-Length: 1\t0"), 400),
    "a length on a folded line": (with_length(b"Content-Length:\r\n 2"), 400),
    "a length behind a vertical tab": (with_length(b"Content-Length: \x0b2"), 400),
    "a length before a NUL": (with_length(b"Content-Length: 2\0"), 400),
    "a length before a bare CR": (with_length(b"Content-Length: 2\r"), 400),
    "a length of 63 bits": (with_length(b"Content-Length: 9223372036854775807"), 413),
    "a length of 64 bits": (with_length(b"Content-Length: 18446744073709551615"), 413),
    "a tab before the length's colon": (with_length(b"Content-Length\t: 2"), 400),
    "a NUL before the length's colon": (with_length(b"Content-Length\0: 2"), 400),
    "a vertical tab before the length's name": (with_length(b"\x0bContent-Length: 2"), 400),
    "a high byte behind the length's name": (with_length(b"Content-Length\x80: 2"), 400),
    "an equals sign for the length's colon": (with_length(b"Content-Length=2"), 400),
    "length and identity": (with_length(b"Content-Length: 2\r\nTransfer-Encoding: identity"), 400),
    "a space before the coding's colon":
        (LIST + b"Transfer-Encoding : chunked\r\n\r\n" + END + NEXT, 400),
    "chunked with a parameter": (with_coding(b" chunked;q=1"), 501),
    "chunked twice": (with_coding(b" chunked, chunked"), 400),
    "chunked in two fields": (LIST + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n" + END + NEXT,
                              400),
    "identity alone": (with_coding(b" identity"), 501),
    "identity before chunks": (with_coding(b" identity, chunked"), 501),
    "nothing before chunked": (with_coding(b" , chunked"), 501),
    "nothing behind chunked": (with_coding(b" chunked,"), 400),
    "chunked in quotes": (with_coding(b' "chunked"'), 501),
    "an empty coding": (with_coding(b""), 501),
    "chunked behind a vertical tab": (with_coding(b" \x0bchunked"), 400),
    "chunked before a vertical tab": (with_coding(b" chunked\x0b"), 400),
    "chunked before a NUL": (with_coding(b" chunked\0"), 400),
    "chunked in two words": (with_coding(b" chunk ed"), 501),
    "chunked on a folded line": (with_coding(b"\r\n chunked"), 400),
    "a chunk extension that ends in LF": (CHUNKS + b"2;x\n{}\r\n" + END + NEXT, 400),
    "a chunk extension over two lines": (CHUNKS + b'2;x="\r\n"\r\n{}\r\n' + END + NEXT, 400),
    "a bare CR in a chunk extension": (CHUNKS + b"2;a\rb\r\n{}\r\n" + END + NEXT, 400),
    "a NUL in a chunk extension": (CHUNKS + b"2;a\0b\r\n{}\r\n" + END + NEXT, 400),
    "a space behind a chunk size": (CHUNKS + b"2 \r\n{}\r\n" + END + NEXT, 400),
    "a space before a chunk size": (CHUNKS + b" 2\r\n{}\r\n" + END + NEXT, 400),
    "a chunk size with 0x": (CHUNKS + b"0x2\r\n{}\r\n" + END + NEXT, 400),
    "a negative chunk size": (CHUNKS + b"-2\r\n{}\r\n" + END + NEXT, 400),
    "a chunk size with an underscore": (CHUNKS + b"2_\r\n{}\r\n" + END + NEXT, 400),
    "an empty chunk size": (CHUNKS + b"\r\n{}\r\n" + END + NEXT, 400),
    "a chunk size line that ends in CR CR LF": (CHUNKS + b"2\r\r\n{}\r\n" + END + NEXT, 400),
    "a chunk that ends in LF": (CHUNKS + b"2\r\n{}\n" + END + NEXT, 400),
    "a chunk without an end": (CHUNKS + b"2\r\n{}" + END + NEXT, 400),
    "the chunks end with a bare LF": (CHUNKS + b"2\r\n{}\r\n0\r\n\n" + NEXT, 400),
    "the chunks end with a bare CR": (CHUNKS + b"2\r\n{}\r\n0\r\n\r" + NEXT, 400),
    "the last chunk's line ends in LF": (CHUNKS + b"2\r\n{}\r\n0\n\r\n" + NEXT, 400),
    "a blank trailer field": (CHUNKS + b"2\r\n{}\r\n0\r\n \r\n\r\n" + NEXT, 400),
    "a coding in the trailer": (CHUNKS + b"2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                NEXT, 400),
    "two spaces behind the method": (with_line(b"GET  /healthz HTTP/1.1"), 400),
    "two spaces before the version": (with_line(b"GET /healthz  HTTP/1.1"), 400),
    "a space within the target": (with_line(b"GET /heal thz HTTP/1.1"), 400),
    "a space behind the version": (with_line(b"GET /healthz HTTP/1.1 "), 400),
    "a space before the method": (with_line(b" GET /healthz HTTP/1.1"), 400),
    "a tab behind the method": (with_line(b"GET\t/healthz HTTP/1.1"), 400),
    "a tab before the version": (with_line(b"GET /healthz\tHTTP/1.1"), 400),
    "a version with a letter behind it": (with_line(b"GET /healthz HTTP/1.1x"), 505),
    "a version with a zero before it": (with_line(b"GET /healthz HTTP/01.1"), 505),
    "a version of three digits": (with_line(b"GET /healthz HTTP/1.10"), 505),
    "a version without a dot": (with_line(b"GET /healthz HTTP/11"), 505),
    "a version in lower case": (with_line(b"GET /healthz http/1.1"), 400),
    "a bare CR in the target": (with_line(b"GET /healthz\rX HTTP/1.1"), 400),
    "a field behind the version and a bare CR": (with_line(b"GET /healthz HTTP/1.1\rX: y"), 400),
    "a request line that ends in CR CR LF": (with_line(b"GET /healthz HTTP/1.1\r"), 400),
    "a NUL in the target": (with_line(b"GET /healthz\0 HTTP/1.1"), 400),
    "a DEL in the target": (with_line(b"GET /healthz\x7f HTTP/1.1"), 400),
    "a high byte in the target": (with_line(b"GET /healthz\xff HTTP/1.1"), 400),
    "a backslash for the target's slash": (with_line(b"GET \\healthz HTTP/1.1"), 400),
    "a NUL in the method": (with_line(b"G\0T /healthz HTTP/1.1"), 400),
    "a byte order mark": (with_line(b"\xef\xbb\xbfGET /healthz HTTP/1.1"), 400),
    "bare CRs before the request": (with_line(b"\r\rGET /healthz HTTP/1.1"), 400),
    "an authority that is not for CONNECT": (with_line(b"GET ackd:80 HTTP/1.1"), 400),
    "an absolute target of another scheme": (with_line(b"GET https://ackd/healthz HTTP/1.1"), 400),
    "HTTP/2's method in HTTP/1.1": (with_line(b"PRI * HTTP/1.1"), 505),
    "HTTP/2's preface and settings":
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + NEXT, 505),
    "a space in the host": (with_host(b" a b"), 400),
    "a tab in the host": (with_host(b" a\tb"), 400),
    "a path in the host": (with_host(b" a/b"), 400),
    "a user in the host": (with_host(b" u@b"), 400),
    "a query in the host": (with_host(b" a?b"), 400),
    "a high byte in the host": (with_host(b" a\xff"), 400),
    "two hosts in HTTP/1.0": (b"GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n" + NEXT, 400),
    "a control byte in a value": (with_field(b"A: \x01"), 400),
    "a backspace in a value": (with_field(b"A: b\x08c"), 400),
    "a form feed in a value": (with_field(b"A: b\x0cc"), 400),
    "a DEL in a value": (with_field(b"A: \x7f"), 400),
    "a space in a name": (with_field(b"A b: c"), 400),
    "a slash in a name": (with_field(b"A/b: c"), 400),
    "a high byte in a name": (with_field(b"A\x80: b"), 400),
    "a value that ends in a bare CR": (with_field(b"A: b\r"), 400),
    "a request within a value, behind two LFs": (with_field(b"A: b\n\nGET / HTTP/1.1"), 400),
    "an upgrade that the connection field does not name": (with_field(b"Upgrade: h2c"), 501),
    "an upgrade to a web socket": (with_field(b"Upgrade: websocket\r\nConnection: Upgrade"), 501),
    "two expectations": (with_field(b"Expect: 100-continue\r\nExpect: 100-continue"), 400),
    "an expectation and another": (with_field(b"Expect: 100-continue, x"), 417),
    "an empty expectation": (with_field(b"Expect:"), 417),
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


# What may look odd, and can be read in one way only: each is answered as HTTP says, and the request
# behind it after it, unless the connection ends there.
SERVED = {
    "a length with zeros before it": (with_length(b"Content-Length: 00000000000000000000000002"),
                                      [200, 200]),
    "a length with a space behind it": (with_length(b"Content-Length: 2 "), [200, 200]),
    "a name like a length": (LIST + b"Content_Length: 9\r\nContent-Length: 2\r\n\r\n{}" + NEXT,
                             [200, 200]),
    "a name like a coding": (LIST + b"Transfer_Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}" +
                             NEXT, [200, 200]),
    "chunked in capitals": (with_coding(b" CHUNKED"), [200, 200]),
    "chunked between blanks": (with_coding(b"\t chunked  "), [200, 200]),
    "a chunk size with zeros before it": (CHUNKS + b"0000000000000000000002\r\n{}\r\n" + END + NEXT,
                                          [200, 200]),
    "chunk sizes in capitals and not": (CHUNKS + b"A\r\n{         \r\na\r\n         }\r\n" + END +
                                        NEXT, [200, 200]),
    "a last chunk of several zeros": (CHUNKS + b"2\r\n{}\r\n000\r\n\r\n" + NEXT, [200, 200]),
    "a request as the body of a GET":
        (GET + HOST + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT + NEXT, [200, 200]),
    "a request in a chunk of a GET":
        (GET + HOST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(NEXT) + NEXT + b"\r\n" +
         END + NEXT, [200, 200]),
    "a request as the body of one refused":
        (b"POST /nowhere HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT +
         NEXT, [404, 200]),
    "a body behind a length of 0": (LIST + b"Content-Length: 0\r\n\r\n{}" + NEXT, [400, 400]),
    "line ends before a request": (b"\n\r\n\n" + NEXT, [200]),
    "an absolute target": (with_line(b"GET HTTP://other:80/healthz HTTP/1.1"), [200, 200]),
    "an absolute target without a path": (with_line(b"GET http://ackd HTTP/1.1"), [200, 200]),
    "a target that others would clean up": (with_line(b"GET /x/../healthz HTTP/1.1"), [404, 200]),
    "a target with an escape": (with_line(b"GET /%68ealthz HTTP/1.1"), [404, 200]),
    "a target of two slashes": (with_line(b"GET //healthz HTTP/1.1"), [404, 200]),
    "a method that nothing has": (with_line(b"TRACE /healthz HTTP/1.1"), [405, 200]),
    "an empty host": (with_host(b""), [200, 200]),
    "an address as the host": (with_host(b" [::1]:80"), [200, 200]),
    "a name of every character allowed": (with_field(b"!#$%&'*+-.^_`|~: b"), [200, 200]),
    "high bytes in a value": (with_field(b"A: \xff\xfe"), [200, 200]),
    "an empty value": (with_field(b"A:"), [200, 200]),
    "a connection field that names a coding": (with_field(b"Connection: Transfer-Encoding"),
                                               [200, 200]),
    "close and keep-alive": (with_field(b"Connection: close, keep-alive"), [200]),
    "keep-alive and close in another field": (with_field(b"Connection: keep-alive\r\n"
                                                         b"Connection: Close"), [200]),
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n" + NEXT, [200]),
    "HTTP/1.0 that expects": (b"GET /healthz HTTP/1.0\r\nExpect: 100-continue\r\n\r\n" + NEXT,
                              [200]),
    "HTTP/1.0 kept alive": (b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + NEXT,
                            [200, 200]),
    "an expectation in capitals": (LIST + b"Expect: 100-CONTINUE\r\nContent-Length: 2\r\n\r\n{}" +
                                   NEXT, [200, 200]),
}

# What never becomes whole: nothing of it is run, nor what stands where its body would.
UNFINISHED = {
    "a body longer than what comes": LIST + b"Content-Length: 1000\r\n\r\n" + NEXT,
    "a chunk longer than what comes": CHUNKS + b"7FFFFFFFFFFFFFFF\r\n" + NEXT,
    "a chunk of 64 bits": CHUNKS + b"FFFFFFFFFFFFFFFF\r\n" + NEXT,
    "no last chunk": CHUNKS + b"2\r\n{}\r\n",
    "no end behind the last chunk": CHUNKS + b"2\r\n{}\r\n0\r\n",
    "no blank line": GET + HOST,
    "half of HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\n",
}


def replies_to(broker, data: bytes, piece: int | None) -> list[int]:
    """The statuses of all replies to what is sent, without more behind it."""
    statuses = []
    with RawClient(broker.port) as raw:
        raw.send(data, piece)
        raw.end()
        while not raw.is_closed():
            statuses.append(raw.reply().status)
    return [status for status in statuses if status != 100]


@pytest.mark.parametrize("piece", [None, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("name", SERVED)
def test_it_is_read_in_the_one_way_there_is(broker, name, piece):
    data, statuses = SERVED[name]
    assert replies_to(broker, data, piece) == statuses


@pytest.mark.parametrize("piece", [None, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("name", UNFINISHED)
def test_it_is_never_run(broker, name, piece):
    assert replies_to(broker, UNFINISHED[name], piece) == []
