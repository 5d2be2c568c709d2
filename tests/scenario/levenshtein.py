# SPDX-License-Identifier: Apache-2.0
"""levenshtein.py -- how many edits lie between two texts."""


def distance(wanted: str, found: str) -> int:
    """The fewest insertions, deletions and replacements that turn one text into the other.

    Myers' bit-parallel algorithm (1999) in Hyyro's form: a column of the table of differences is
    two integers, of which bit i says that the cost rises, or falls, from row i to i + 1. Python's
    integers have as many bits as it takes, so a page costs milliseconds.
    """
    if not wanted:
        return len(found)
    rows = (1 << len(wanted)) - 1
    last_row = 1 << (len(wanted) - 1)
    matches: dict[str, int] = {}
    for row, letter in enumerate(wanted):
        matches[letter] = matches.get(letter, 0) | 1 << row
    rises, falls, cost = rows, 0, len(wanted)
    for letter in found:
        match = matches.get(letter, 0)
        diagonal = (((match & rises) + rises) ^ rises) | match | falls
        right_rises = falls | ~(diagonal | rises) & rows
        right_falls = diagonal & rises
        cost += bool(right_rises & last_row) - bool(right_falls & last_row)
        right_rises = right_rises << 1 | 1
        rises = (right_falls << 1 | ~(diagonal | right_rises)) & rows
        falls = right_rises & diagonal & rows
    return cost


def plain(text: str) -> str:
    """Without what is layout or taste: line breaks as blanks, typographic quotes and dashes as
    those of ASCII."""
    return " ".join(text.translate(TASTE).split())


TASTE = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--")
