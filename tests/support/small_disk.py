# SPDX-License-Identifier: Apache-2.0
"""small_disk.py -- a disk of a test's own with little room, and how it gets full."""
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """The directory, made, with so much room ("64k"); the test is skipped where nothing can be
    mounted."""
    directory.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory],
                             capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here, so no disk is full")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def fill_up(disk: Path) -> Path:
    """Takes all that is left; returns the file that has it."""
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(4096))
    return filler
