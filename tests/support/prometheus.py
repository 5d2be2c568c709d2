# SPDX-License-Identifier: Apache-2.0
"""prometheus.py -- reads /metrics as strictly as Prometheus does, and finds its promtool."""
import os
import re
import shutil
from pathlib import Path

SOURCE = Path(os.environ["ACKD_SOURCE_DIR"])
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+-]+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\["\\n])*)"(?:,|$)')
SUFFIXES = ("_bucket", "_sum", "_count")


def promtool() -> str | None:
    """The program; None: this machine has none. ./dev unpacks it into .cache/."""
    unpacked = SOURCE / ".cache/prometheus/usr/bin/promtool"
    return shutil.which("promtool") or (str(unpacked) if unpacked.exists() else None)


class Metrics:
    """types, helps: family -> text. samples: (name, labels as sorted pairs) -> value."""

    def __init__(self, text: str):
        self.types: dict[str, str] = {}
        self.helps: dict[str, str] = {}
        self.samples: dict[tuple[str, tuple], float] = {}
        family = None
        assert text.endswith("\n")
        for line in text.splitlines():
            if line.startswith("# HELP "):
                _, _, family, help_text = line.split(maxsplit=3)
                assert family not in self.helps, line
                self.helps[family] = help_text
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                assert name == family and kind in ("counter", "gauge", "histogram"), line
                self.types[family] = kind
            else:
                self._sample(line, family)

    def _sample(self, line: str, family: str) -> None:
        match = SAMPLE.fullmatch(line)
        assert match, line
        kind = self.types[family]
        names = [family + suffix for suffix in SUFFIXES] if kind == "histogram" else [family]
        assert match[1] in names and (kind == "counter") == family.endswith("_total"), line
        labels = LABEL.findall(match[2] or "")
        assert LABEL.sub("", match[2] or "") == "" and len(dict(labels)) == len(labels), line
        key = match[1], tuple(sorted((name, re.sub(r"\\(.)", unescape, value))
                                     for name, value in labels))
        assert key not in self.samples, line
        self.samples[key] = float(match[3])

    def __call__(self, name: str, **labels: str) -> float:
        return self.samples[name, tuple(sorted(labels.items()))]

    def get(self, name: str, fallback: float | None = None, **labels: str) -> float | None:
        return self.samples.get((name, tuple(sorted(labels.items()))), fallback)

    def names(self) -> set[str]:
        return {name for name, _ in self.samples}

    def values_of(self, name: str, label: str) -> set[str]:
        return {dict(labels)[label] for sample, labels in self.samples if sample == name}


def unescape(match: re.Match) -> str:
    return "\n" if match[1] == "n" else match[1]


def read_metrics(raw) -> Metrics:
    reply = raw.call("/metrics", verb="GET")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Metrics(reply.body.decode())
