# SPDX-License-Identifier: Apache-2.0
"""images.py -- the states that a disk may be in after a power cut, made from a recording.

The cut is looked at just before each sync takes hold: what may be lost is most then, and what was
promised is the same or more than earlier. A state says for each 512-byte sector that was written
since its file's last sync whether it is there, and how many of the names. The states of a moment
are taken in this order, until the moment's share of the images is used up:

  all prefixes of the writes, all prefixes of the names
  subsets of the pages (4,096 B): all of them where they fit into the share, else random ones
  torn pages: random subsets where one or two pages keep only some sectors
"""
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from recording import STABLE, SYNC, Disk, Event, Inode, apply

PAGE, SECTOR = 4096, 512
MASKS_MAX = 1 << 62  # states of a moment that are counted; more than anybody will build


@dataclass(frozen=True)
class Piece:
    """What one write does to one page; data None: the file's size changes."""
    inode: Inode
    offset: int
    data: bytes | None
    write: int  # the how manieth write since the sync

    @property
    def sectors(self) -> int:
        if self.data is None:
            return 1
        return (self.offset + len(self.data) - 1) // SECTOR - self.offset // SECTOR + 1

    @property
    def whole(self) -> int:
        return (1 << self.sectors) - 1


@dataclass(frozen=True)
class Image:
    """To be built before the next one is asked for: the disk then goes on."""
    moment: int  # the index of the event that had not yet happened
    disk: Disk
    pieces: list[Piece]
    names: int  # how many of the disk's pending names are there
    masks: list[int]  # which sectors of each piece are there

    def build(self) -> dict[str, bytes | None]:
        """Contents by path below the root; None: a directory."""
        contents: dict[int, bytearray] = {}
        for piece, mask in zip(self.pieces, self.masks):
            content = contents.setdefault(id(piece.inode), bytearray(piece.inode.stable))
            for offset, data in kept_parts(piece, mask):
                apply(content, offset, data)
        return {path: None if inode is None else bytes(contents.get(id(inode), inode.stable))
                for path, inode in self.disk.names_after(self.names).items()
                if not is_scratch(path)}

    def story(self) -> str:
        """What was lost, for people."""
        missing = [f"{piece.offset}+{0 if piece.data is None else len(piece.data)}"
                   + ("" if mask == 0 else f" but sectors {mask:b}")
                   for piece, mask in zip(self.pieces, self.masks) if mask != piece.whole]
        return (f"before event {self.moment}: {len(self.pieces)} pages unsynced, {len(missing)} "
                f"not all there ({', '.join(missing[:8])}), {self.names} of "
                f"{len(self.disk.names_pending)} unsynced names")


def count_states(disk: Disk) -> int:
    bits = sum(piece.sectors for piece in pieces_of(disk))
    return min(MASKS_MAX, (1 << min(bits, 62)) * (len(disk.names_pending) + 1))


def moments(events: list[Event], root: str,
            found: dict[str, bytes | None] | None = None) -> Iterator[tuple[int, Disk]]:
    """Each index of an event at which a sync takes hold, with the disk before it; and the end."""
    disk = Disk(root, found)
    for index, event in enumerate(events):
        if event.kind in (SYNC, STABLE):
            yield index, disk
        disk.change(event)
    yield len(events), disk


def shares(states: list[int], total: int) -> list[int]:
    """How many images each moment gets: alike, but none more than it has states."""
    result = [0] * len(states)
    left, open_moments = total, sorted(range(len(states)), key=lambda each: states[each])
    for place, moment in enumerate(open_moments):
        result[moment] = min(states[moment], left // (len(states) - place))
        left -= result[moment]
    return result


def build_images(events: list[Event], root: str, total: int, seed: int) -> Iterator[Image]:
    dice = random.Random(seed)
    portions = shares([count_states(disk) for _, disk in moments(events, root)], total)
    for (index, disk), share in zip(moments(events, root), portions):
        pieces = pieces_of(disk)
        for names, masks in itertools.islice(distinct(choices(disk, pieces, share, dice)), share):
            yield Image(index, disk, pieces, names, masks)


def whole_image(disk: Disk) -> Image:
    """All that was written, as a program sees it."""
    pieces = pieces_of(disk)
    return Image(-1, disk, pieces, len(disk.names_pending), [piece.whole for piece in pieces])


def stable_image(disk: Disk) -> Image:
    """Only what no power cut can take away."""
    pieces = pieces_of(disk)
    return Image(-1, disk, pieces, 0, [0] * len(pieces))


def pieces_of(disk: Disk) -> list[Piece]:
    pieces = []
    for path, inode in disk.now().items():
        if inode is None or is_scratch(path):
            continue
        for write, (offset, data) in enumerate(inode.pending):
            pieces += [Piece(inode, offset, None, write)] if data is None else [
                Piece(inode, offset + start, data[start:end], write)
                for start, end in page_spans(offset, len(data))]
    return pieces


def is_scratch(path: str) -> bool:
    """Files that every start makes anew, whatever is in them."""
    return path.rpartition("/")[2] in ("LOCK", "lock.mdb")


def page_spans(offset: int, size: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < size:
        end = min(size, start + PAGE - (offset + start) % PAGE)
        yield start, end
        start = end


def choices(disk: Disk, pieces: list[Piece], share: int, dice: random.Random):
    """(how many names, a mask of sectors for each piece), without end if there are any."""
    all_names = len(disk.names_pending)
    for write in sorted({piece.write for piece in pieces}) + [None]:
        yield all_names, [piece.whole if write is None or piece.write < write else 0
                          for piece in pieces]
    for names in range(all_names):
        yield names, [piece.whole for piece in pieces]
        yield names, [0 for _ in pieces]
    if len(pieces) < 20 and 1 << len(pieces) <= share:
        for kept in itertools.product((0, 1), repeat=len(pieces)):
            yield all_names, [piece.whole * keep for piece, keep in zip(pieces, kept)]
    tears = [0, 1, 1, 2] if any(piece.sectors > 1 for piece in pieces) else [0]
    for _ in range(100 * share + 100):
        kept = dice.choice((0.1, 0.5, 0.5, 0.9))
        masks = [piece.whole * (dice.random() < kept) for piece in pieces]
        for _ in range(dice.choice(tears)):
            torn = dice.randrange(len(pieces))
            masks[torn] = tear(pieces[torn].sectors, dice)
        yield dice.randint(0, all_names) if dice.random() < 0.2 else all_names, masks


def tear(sectors: int, dice: random.Random) -> int:
    """The first sectors, the last, or some."""
    cut = dice.randint(0, sectors)
    return dice.choice(((1 << cut) - 1, ((1 << sectors) - 1) & ~((1 << cut) - 1),
                        dice.getrandbits(sectors)))


def distinct(all_choices):
    seen = set()
    for names, masks in all_choices:
        key = (names, tuple(masks))
        if key not in seen:
            seen.add(key)
            yield names, masks


def kept_parts(piece: Piece, mask: int) -> Iterator[tuple[int, bytes | None]]:
    if mask == piece.whole:
        yield piece.offset, piece.data
        return
    for sector in range(piece.sectors):
        if mask >> sector & 1:
            first = piece.offset // SECTOR * SECTOR + sector * SECTOR
            start, end = max(piece.offset, first), first + SECTOR
            yield start, piece.data[start - piece.offset:end - piece.offset]

