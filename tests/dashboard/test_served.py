# SPDX-License-Identifier: Apache-2.0
"""The dashboard's files as the broker serves them: what browsers are told, and what is not sent
twice."""
import re

import pytest
from processes import SOURCE

WEB = SOURCE / "broker/dashboard/web"
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
          "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


def path_of(file) -> str:
    return "/" if file.name == "index.html" else f"/dashboard/{file.name}"


@pytest.mark.parametrize("file", sorted(WEB.iterdir()), ids=lambda file: file.name)
def test_each_file_is_served_as_it_is_in_the_sources(raw, file):
    reply = raw.call(path_of(file), verb="GET")
    assert reply.status == 200
    assert reply.body == file.read_bytes()
    assert reply.headers["content-type"] == TYPES[file.suffix]


@pytest.mark.parametrize("path", ["/", "/dashboard/main.js", "/dashboard/chart.min.js"])
def test_browsers_are_told_to_run_and_reach_nothing_else(raw, path):
    headers = raw.call(path, verb="GET").headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}', "*"])
def test_a_file_that_the_browser_has_is_not_sent_again(raw, known):
    etag = raw.call("/", verb="GET").headers["etag"]
    reply = raw.call("/", b"", "If-None-Match: " + known.format(etag), verb="GET")
    assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", etag)
    assert "content-length" not in reply.headers
    assert raw.call("/healthz", verb="GET").body == b"ok\n"  # the connection goes on


def test_another_tag_gets_the_file(raw):
    assert raw.call("/", b"", 'If-None-Match: "0123456789abcdef"', verb="GET").status == 200


def test_a_head_tells_the_size_alone(raw):
    size = (WEB / "index.html").stat().st_size
    reply = raw.call("/", verb="HEAD")
    assert (reply.status, int(reply.headers["content-length"])) == (200, size)


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/", "/dashboard/../index.html",
                                  "/dashboard/index.html", "/index.html"])
def test_what_is_no_file_is_not_found(raw, path):
    assert raw.call(path, verb="GET").status == 404


def test_the_page_names_only_files_that_are_there(raw):
    named = set()
    for file in WEB.iterdir():
        text = file.read_text()
        named |= set(re.findall(r'(?:href|src)="(dashboard/[^"]+)"', text))
        named |= {f"dashboard/{name}" for name in re.findall(r'from "\./([^"]+)"', text)}
    assert "dashboard/main.js" in named
    for path in named:
        assert raw.call(f"/{path}", verb="GET").status == 200, path
