#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make_dataset.py -- page snippets with known text, for the ocr example to read.

Takes real English prose that every Debian and Ubuntu has (the licence texts of base-files), cuts
it into snippets of a few lines, and draws each as a scan of a page would look: a little rotated,
grey, noisy. Writes

    DIR/images/NAME.png   one image a snippet: the payload of one task, NAME.png its task ID
    DIR/truth.jsonl       {"id", "text"}, a line a snippet: never given to the workers

The same seed makes the same texts and images (with the same Pillow and FreeType).
"""
import argparse
import json
import random
import textwrap
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont

TEXTS = Path("/usr/share/common-licenses")
FONTS = Path("/usr/share/fonts/truetype/dejavu")
FONT_NAMES = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")
LINE_CHARS = 52
FONT_PIXELS = 22
MARGIN_PIXELS = 24
# Of 256 equally likely grains 24 darken a pixel, 24 lighten it, the rest leave it: speckle as a
# scanner makes it, which PNG still compresses.
SPECKLE_LEVELS = 40
SPECKLE = [0 if grain < 24 else 2 * SPECKLE_LEVELS if grain >= 232 else SPECKLE_LEVELS
           for grain in range(256)]


def main() -> None:
    options = parse_options()
    images = options.directory / "images"
    images.mkdir(parents=True, exist_ok=True)
    rng = random.Random(options.seed)
    with open(options.directory / "truth.jsonl", "w", encoding="utf-8") as truth:
        for name, lines in pick_snippets(options.count, options.lines, rng):
            draw_page(lines, rng).save(images / name, optimize=False)
            truth.write(json.dumps({"id": name, "text": "\n".join(lines)}) + "\n")
    print(f"{options.count} snippets in {images}, their texts in {truth.name}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make page-snippet images with known text.")
    parser.add_argument("directory", type=Path, help="where to write; made if missing")
    parser.add_argument("--count", type=int, default=300, help="snippets (default 300)")
    parser.add_argument("--lines", type=int, default=10, help="lines of text a snippet (default 10)")
    parser.add_argument("--seed", type=int, default=1, help="of text choice and noise (default 1)")
    return parser.parse_args()


def pick_snippets(count: int, lines: int, rng: random.Random):
    """Yields (file name, its lines) for `count` different places of the texts."""
    places = [(source, at, wrapped[at:at + lines])
              for source, wrapped in read_prose()
              for at in range(0, len(wrapped) - lines + 1, lines)]
    if count > len(places):
        raise SystemExit(f"{TEXTS} holds {len(places)} snippets of {lines} lines, not {count}: "
                         "ask for a smaller --count or --lines")
    for source, at, text in rng.sample(places, count):
        yield f"{source.lower()}-line-{at:04d}.png", text


def read_prose():
    """Yields (name, wrapped lines) of each distinct text, in the order of their names."""
    for path in sorted(TEXTS.iterdir()):
        if path.is_symlink():
            continue  # GPL is GPL-3
        words = [word for word in path.read_text(encoding="utf-8", errors="ignore").split()
                 if word.isascii() and any(letter.isalpha() for letter in word)]
        yield path.name, textwrap.wrap(" ".join(words), LINE_CHARS)


def draw_page(lines: list[str], rng: random.Random) -> Image.Image:
    font = ImageFont.truetype(str(FONTS / rng.choice(FONT_NAMES)), FONT_PIXELS)
    pitch = int(FONT_PIXELS * rng.uniform(1.35, 1.6))
    width = max(int(font.getlength(line)) for line in lines) + 2 * MARGIN_PIXELS
    page = Image.new("L", (width, pitch * len(lines) + 2 * MARGIN_PIXELS), rng.randint(225, 250))
    pen = ImageDraw.Draw(page)
    for row, line in enumerate(lines):
        pen.text((MARGIN_PIXELS, MARGIN_PIXELS + row * pitch), line, font=font,
                 fill=rng.randint(10, 60))
    page = page.rotate(rng.uniform(-1.2, 1.2), resample=Image.Resampling.BILINEAR,
                       fillcolor=page.getpixel((0, 0)))
    grain = Image.frombytes("L", page.size, rng.randbytes(page.width * page.height))
    return ImageChops.add(page, grain.point(SPECKLE), offset=-SPECKLE_LEVELS)


if __name__ == "__main__":
    main()
