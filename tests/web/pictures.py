"""The pictures in the documents: `python -m tests.web.pictures` takes them anew, to be looked at."""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Final

from tests.web.chromium import Tab, chromium
from tests.web.gallery import one

from byreturn.cli.main import run
from byreturn.cli.terminal import Terminal

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
# Name, report, width, how much of its height (0: all), and whether in the dark.
REPORTS: Final = (
    ("report-wide", "en/internal/mixture", 1000, 0, False),
    ("report-narrow-dark", "en/internal/mixture", 375, 0, True),
    ("report-german", "de/internal/failed-no-such-mailbox", 720, 0, False),
)


def take_all() -> None:
    """Write every picture."""
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        tab = browser.tab()
        for name, report, width, height, dark in REPORTS:
            tab.wide(width)
            tab.light(dark=dark)
            tab.show(one(report).html)
            take(tab, name, height)
        run(("preview-report", "--out", folder), Terminal(now=lambda: 0, zone=UTC, width=80))
        tab.wide(720)
        tab.light()
        tab.open(Path(folder, "index.html"))
        take(tab, "gallery", 640)


def take(tab: Tab, name: str, height: int) -> None:
    """Write one picture."""
    path = FOLDER / f"{name}.png"
    tab.picture(path, height=height or tab.ask("document.documentElement.offsetHeight"))
    path.write_bytes(smaller(path.read_bytes()))


def smaller(png: bytes) -> bytes:
    """Write the picture of a page with a table of colours, in a third of the octets."""
    chunks = dict(_chunks(png))
    width, height, *form = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert form == [8, 2, 0, 0, 0], "not what Chromium writes"
    raw, size, line = zlib.decompress(chunks[b"IDAT"]), 3 * width, bytes(3 * width)
    pixels: list[bytes] = []
    for at in range(0, len(raw), size + 1):
        line = _unfiltered(raw[at], raw[at + 1 : at + 1 + size], line)
        pixels.extend(line[left : left + 3] for left in range(0, size, 3))
    # Of the colours that nobody can tell apart the commonest stands for all, which keeps every ground.
    table: dict[bytes, bytes] = {}
    for colour, _ in Counter(pixels).most_common():
        table.setdefault(_alike(colour), colour)
    assert len(table) <= 256
    number = {alike: at for at, alike in enumerate(table)}
    numbers = bytes(number[_alike(pixel)] for pixel in pixels)
    lines = (b"\0" + numbers[at : at + width] for at in range(0, len(numbers), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return png[:8] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", header),
            (b"PLTE", b"".join(table.values())),
            (b"IDAT", zlib.compress(b"".join(lines), 9)),
            (b"IEND", b""),
        )
    )


def _alike(colour: bytes) -> bytes:
    return bytes(each >> 4 for each in colour)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, pixels = 8, b""
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        pixels += data if kind == b"IDAT" else b""
        yield kind, pixels if kind == b"IDAT" else data
        at += 12 + size


def _unfiltered(kind: int, filtered: bytes, above: bytes) -> bytes:
    """PNG's five ways of telling a line from its neighbours: itself, left, above, between, nearest."""
    line = bytearray(filtered)
    for at in range(len(line) if kind else 0):
        left, corner = (line[at - 3], above[at - 3]) if at >= 3 else (0, 0)
        up = above[at]
        nearest = min((left, up, corner), key=lambda each: abs(left + up - corner - each))
        line[at] = (line[at] + (0, left, up, (left + up) // 2, nearest)[kind]) % 256
    return bytes(line)


if __name__ == "__main__":
    take_all()
