# SPDX-License-Identifier: Apache-2.0
"""What a power cut may take away, and what not: on recordings made by hand."""
from recording import OPEN, RENAME, STABLE, SYNC, WRITE, Event
from images import build_images, moments, shares, stable_image, whole_image

ROOT = "/r"
MADE = Event(OPEN, 1, 1, b"/r/f")
OPENED = Event(OPEN, 2, 0, b"/r/f")
DIRECTORY = Event(OPEN, 3, 0, b"/r")


def write(offset: int, data: bytes, file: int = 1) -> Event:
    return Event(WRITE, file, offset, data)


def sync(file: int = 1) -> Event:
    return Event(SYNC, file, 0, b"")


def disk_after(events: list[Event]):
    *_, (_, disk) = moments(events, ROOT)
    return disk


def contents(events: list[Event]) -> set:
    """What "f" may hold at the end; None: there is no "f"."""
    return {image.build().get("f") for image in build_images(events, ROOT, 1000, seed=1)
            if image.moment == len(events)}


def test_what_was_synced_is_in_every_image():
    events = [MADE, Event(SYNC, 1, 0, b""), DIRECTORY, sync(3), write(0, b"a" * 4096), sync(),
              write(4096, b"b" * 4096)]
    assert all(content.startswith(b"a" * 4096) for content in contents(events))


def test_each_subset_of_the_unsynced_pages_is_built():
    events = [MADE, sync(), DIRECTORY, sync(3)]
    events += [write(4096 * page, bytes([65 + page]) * 4096) for page in range(4)]
    heads = {content[::4096] for content in contents(events)}
    assert len({tuple(sorted(head.replace(b"\0", b""))) for head in heads}) == 16


def test_a_page_may_be_torn_at_a_sector():
    events = [MADE, sync(), DIRECTORY, sync(3), write(0, bytes(4096)), sync(),
              write(0, b"x" * 4096)]
    kept = {content.count(b"x") for content in contents(events)}
    assert {0, 512, 1024, 4096} <= kept and all(count % 512 == 0 for count in kept)


def test_a_write_within_a_sector_is_never_torn():
    events = [MADE, sync(), DIRECTORY, sync(3), write(0, bytes(4096)), sync(),
              write(100, b"x" * 120)]
    assert {content.count(b"x") for content in contents(events)} == {0, 120}


def test_a_write_through_O_DSYNC_is_there_once_it_has_returned_and_no_other():
    events = [MADE, sync(), DIRECTORY, sync(3), OPENED, write(0, b"a" * 512),
              write(512, b"b" * 100, file=2), Event(STABLE, 2, 0, b"")]
    assert contents(events) == {bytes(512) + b"b" * 100, b"a" * 512 + b"b" * 100}


def test_a_new_name_may_be_missing_until_its_directory_was_synced():
    events = [MADE, write(0, b"a"), sync()]
    assert contents(events) == {None, b"a"}
    assert contents(events + [DIRECTORY, sync(3)]) == {b"a"}


def test_a_rename_is_there_or_not():
    events = [MADE, write(0, b"a"), sync(), DIRECTORY, sync(3), Event(RENAME, 0, 0, b"/r/f\0/r/g")]
    found = {tuple(image.build()) for image in build_images(events, ROOT, 100, seed=1)
             if image.moment == len(events)}
    assert found == {("f",), ("g",)}


def test_whole_and_stable_are_the_two_ends():
    disk = disk_after([MADE, sync(), DIRECTORY, sync(3), write(0, b"a"), sync(), write(0, b"b")])
    assert whole_image(disk).build() == {"f": b"b"}
    assert stable_image(disk).build() == {"f": b"a"}


def test_no_moment_gets_more_images_than_it_has_states():
    assert shares([2, 1000, 2, 1000], 100) == [2, 48, 2, 48]
    assert shares([1, 1], 100) == [1, 1]
