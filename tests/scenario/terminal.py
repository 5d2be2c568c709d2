# SPDX-License-Identifier: Apache-2.0
"""terminal.py -- live progress: a bar below the events on a terminal, plain lines elsewhere."""
import sys
import time

BAR_CHARS = 30
PLAIN_EVERY_S = 5.0


class Terminal:
    def __init__(self, tasks: int):
        self._tasks = tasks
        self._live = sys.stdout.isatty()
        self._start = time.monotonic()
        self._last_plain = self._start
        self._bar = ""

    def event(self, sentence: str) -> None:
        self._above_bar(f"{self._seconds():6.1f} s  {sentence}")

    def progress(self, counts: dict[str, int]) -> None:
        if self._live:
            self._bar = self._line(counts)
            sys.stdout.write(f"\r{self._bar}\x1b[K")
            sys.stdout.flush()
        elif time.monotonic() >= self._last_plain + PLAIN_EVERY_S:
            self._last_plain = time.monotonic()
            self.event(self._line(counts))

    def close(self) -> None:
        if self._bar:
            print()
        self._bar = ""

    def _line(self, counts: dict[str, int]) -> str:
        filled = BAR_CHARS * counts["done"] // self._tasks
        bar = f"[{'#' * filled}{'.' * (BAR_CHARS - filled)}] " if self._live else ""
        return (f"{bar}{counts['done']} of {self._tasks} done, {counts['leased']} leased, "
                f"{counts['preemptions']} returned, {counts['losses']} lost")

    def _seconds(self) -> float:
        return time.monotonic() - self._start

    def _above_bar(self, line: str) -> None:
        sys.stdout.write(f"\r\x1b[K{line}\n{self._bar}" if self._bar else f"{line}\n")
        sys.stdout.flush()
