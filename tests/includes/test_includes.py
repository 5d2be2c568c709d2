# SPDX-License-Identifier: Apache-2.0
"""test_includes.py -- the direction of includes, which is architecture and not taste.

    base <- core <- auth <- store <- shard <- service <- rpc <- net <- daemon

A layer includes itself and what is left of it. Besides: who may see the contract's messages, a
store engine, a library; and what users of libackd get to see. A rule is a row of a table below; a
folder without a row is a failure, so that a new one gets its rules.
"""
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)

LAYERS = ("base", "core", "auth", "store", "shard", "service", "rpc", "net", "daemon")
CONTRACT = ("ackd/v1/", "codec/")  # messages, and the codecs over their descriptors

# Folder -> prefixes of the quoted includes that it may have; its own folder is always allowed.
# The longest folder that fits a file is its row.
ALLOWED = {
    **{f"broker/{layer}": tuple(f"{lower}/" for lower in LAYERS[:LAYERS.index(layer) + 1])
       for layer in LAYERS},
    "proto/codec": ("base/", "codec/"),
    "worker-sdk/include": (),
    "worker-sdk/src": ("ackd/", "base/", "codec/"),
    "worker-sdk/examples": ("ackd/",),
    "cli": ("cli/", "ackd/", "base/", "codec/", "transport.h",  # calls as libackd makes them
            "auth/secret.h"),  # tokens as the broker takes them
}
for layer in ("service", "rpc", "net", "daemon"):
    ALLOWED[f"broker/{layer}"] += CONTRACT
ALLOWED["broker/dashboard"] = ("base/", "dashboard/")  # files for browsers, served by rpc
ALLOWED["broker/rpc"] += ("dashboard/",)

# What only the named folders may include, though the rows above would let more do so.
RESERVED = {
    "lmdb.h": ("broker/store/lmdb", "cli/bench"),  # bench measures LMDB by itself
    "jose/": ("broker/auth",),
    "curl/": ("broker/auth", "worker-sdk/src", "cli"),
    "uv.h": ("broker/net", "broker/daemon"),
    "llhttp.h": ("broker/net",),
    "nghttp2/": ("broker/net",),
    "store/lmdb.h": ("broker/store", "broker/daemon"),  # only the daemon names an engine
    "store/mem.h": ("broker/store", "broker/daemon"),
    "store/lmdb/": ("broker/store/lmdb",),
    "store/mem/": ("broker/store/mem",),
}

# A user of libackd needs nothing but a C compiler to read its headers.
PUBLIC = "worker-sdk/include"
PUBLIC_SYSTEM_HEADERS = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "string.h", "time.h"}


def offences(root: Path) -> list[str]:
    """Each wrong include under `root`, as "file: what: why"."""
    found = []
    for top in ("broker", "proto", "worker-sdk", "cli"):
        for path in sorted((root / top).rglob("*.[ch]")):
            for quote, header in INCLUDE.findall(path.read_text(encoding="utf-8")):
                why = offence(root, path, quote == '"', header)
                if why:
                    found.append(f"{path.relative_to(root)}: {header}: {why}")
    return found


def offence(root: Path, path: Path, quoted: bool, header: str) -> str | None:
    folder = path.relative_to(root).parent.as_posix()
    for reserved, folders in RESERVED.items():
        if (header.startswith(reserved) and not any(within(folder, f) for f in folders)):
            return f"only for {' and '.join(folders)}"
    if within(folder, PUBLIC):
        return public_offence(root, quoted, header)
    if not quoted:
        return None
    rows = [row for row in ALLOWED if within(folder, row)]
    if not rows:
        return f"no rule for {folder}"
    if (path.parent / header).is_file() or header.startswith(ALLOWED[max(rows, key=len)]):
        return None
    return f"not from {max(rows, key=len)}"


def public_offence(root: Path, quoted: bool, header: str) -> str | None:
    if quoted:
        return None if (root / PUBLIC / header).is_file() else "not a public header"
    return None if header in PUBLIC_SYSTEM_HEADERS else "not in every C compiler"


def within(folder: str, parent: str) -> bool:
    return folder == parent or folder.startswith(parent + "/")


def test_every_include_points_the_right_way():
    assert offences(SOURCE) == []


def test_there_is_something_to_check():
    files = [path for layer in ("base", "core", "store")
             for path in (SOURCE / "broker" / layer).rglob("*.c")]
    assert len(files) > 20


WRONG = (
    ("broker/base/x.c", '#include "core/task.h"', "not from broker/base"),
    ("broker/core/x.h", '#include "store/store.h"', "not from broker/core"),
    ("broker/shard/x.c", '#  include "service/service.h"', "not from broker/shard"),
    ("broker/shard/x.c", '#include "ackd/v1/task.pb-c.h"', "not from broker/shard"),
    ("broker/shard/x.c", '#include "store/lmdb.h"', "only for broker/store and broker/daemon"),
    ("broker/shard/x.c", "#include <lmdb.h>", "only for broker/store/lmdb and cli/bench"),
    ("broker/store/mem/x.c", '#include "store/lmdb/lmdb_store.h"', "only for broker/store/lmdb"),
    ("broker/rpc/x.c", "#include <uv.h>", "only for broker/net and broker/daemon"),
    ("broker/rpc/deep/x.c", '#include "net/listener.h"', "not from broker/rpc"),
    ("broker/new/x.c", '#include "base/arena.h"', "no rule for broker/new"),
    ("proto/codec/x.c", '#include "rpc/rpc.h"', "not from proto/codec"),
    ("worker-sdk/include/ackd/x.h", '#include "base/slice.h"', "not a public header"),
    ("worker-sdk/include/ackd/x.h", "#include <jansson.h>", "not in every C compiler"),
    ("worker-sdk/src/x.c", '#include "core/task.h"', "not from worker-sdk/src"),
    ("cli/publish/x.c", '#include "shard/shard.h"', "not from cli"),
)


@pytest.mark.parametrize("name, line, why", WRONG)
def test_a_wrong_include_is_found(tmp_path, name, line, why):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(f"/* story */\n{line}\n", encoding="utf-8")
    assert len(offences(tmp_path)) == 1
    assert offences(tmp_path)[0].startswith(f"{name}: ") and offences(tmp_path)[0].endswith(why)


def test_a_right_include_is_not(tmp_path):
    for name, text in {
        "broker/net/x.c": '#include <uv.h>\n#include "rpc/rpc.h"\n#include "base/list.h"\n',
        "broker/store/lmdb/x.c": '#include <lmdb.h>\n#include "store/lmdb/lmdb_store.h"\n',
        "worker-sdk/include/ackd/a.h": '#include <stdint.h>\n#include "ackd/b.h"\n',
        "worker-sdk/include/ackd/b.h": "",
        "worker-sdk/src/x.c": '#include "transport.h"\n#include "ackd/v1/task.pb-c.h"\n',
        "worker-sdk/src/transport.h": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert offences(tmp_path) == []
