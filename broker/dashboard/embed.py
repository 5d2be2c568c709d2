#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed.py OUT.c FILE... -- the dashboard's files as C: one array of bytes each, and the table that
asset.h declares.

index.html is the page at `/`, every other file lies below `/dashboard/`. The entity tag is a
file's own hash: a browser that has it asks, and is told that nothing changed.
"""
import hashlib
import sys
from pathlib import Path

CONTENT_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
                 ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
BYTES_PER_LINE = 24


def main(out: str, *names: str) -> None:
    files = [Path(name) for name in names]
    parts = ["/* Made by embed.py. */", '#include "dashboard/asset.h"', ""]
    parts += [array(number, file.read_bytes()) for number, file in enumerate(files)]
    parts += ["const struct asset assets[] = {",
              *(row(number, file) for number, file in enumerate(files)), "};",
              f"const size_t asset_count = {len(files)};", ""]
    Path(out).write_text("\n".join(parts), encoding="ascii")


def array(number: int, data: bytes) -> str:
    lines = [",".join(map(str, data[at:at + BYTES_PER_LINE]))
             for at in range(0, len(data), BYTES_PER_LINE)]
    return f"static const uint8_t bytes_{number}[] = {{\n" + ",\n".join(lines) + "};\n"


def row(number: int, file: Path) -> str:
    path = "/" if file.name == "index.html" else f"/dashboard/{file.name}"
    etag = '\\"' + hashlib.sha256(file.read_bytes()).hexdigest()[:16] + '\\"'
    return (f'    {{"{path}", "{CONTENT_TYPES[file.suffix]}", "{etag}",\n'
            f'     ASSET_HEADERS "ETag: {etag}", {{bytes_{number}, sizeof bytes_{number}}}}},')


if __name__ == "__main__":
    main(*sys.argv[1:])
