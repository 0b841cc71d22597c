"""Where in the file a key stands, so that an error can name its line.

`tomllib` gives values and no positions. This scanner gives positions and no values: it walks over text
that `tomllib` has already found good, so it has to recognise strings, brackets and commas and may trust
everything else.

    [[domain]]               ("domain", 0)
    aliases = {              ("domain", 0, "aliases")
        office = ["info"] }  ("domain", 0, "aliases", "office"), (..., "office", 0)

Promises: every table, key and array element of a good file has its line. What it does not understand ends
the scan; then a path has the line of the nearest thing around it that was seen, or none.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from typing import Final, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_INLINE_BLANK: Final = re.compile(r"[ \t]*")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN: Final = re.compile(r"[^,\]}\n#]+")


class Lines:
    """The lines of a file's tables, keys and array elements."""

    def __init__(self, text: str) -> None:
        self._lines = _Scan(text).run()

    def of(self, path: KeyPath) -> int | None:
        """Return the line of a path, or of what encloses it; None where nothing of it is in the file."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return None


class _NotUnderstood(Exception):
    """The text is not what this scanner takes for TOML: the scan ends here."""


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._breaks = [found.start() for found in re.finditer("\n", self._text)]
        self._at = 0
        self._lines: dict[KeyPath, int] = {}
        self._table_counts: dict[KeyPath, int] = {}

    def run(self) -> dict[KeyPath, int]:
        """Scan to the end, or as far as the text is understood."""
        prefix: KeyPath = ()
        try:
            self._skip(_BLANK)
            while self._at < len(self._text):
                if self._text[self._at] == "[":
                    prefix = self._header()
                else:
                    self._pair(prefix)
                self._skip(_BLANK)
        except (_NotUnderstood, RecursionError):
            # Positions are for messages only: those found so far are still right.
            pass
        return self._lines

    def _header(self) -> KeyPath:
        """Read `[a.b]` or `[[a.b]]` and return where its keys go."""
        line = self._line()
        is_repeated = self._text.startswith("[[", self._at)
        self._at += 2 if is_repeated else 1
        names = self._names()
        self._expect("]]" if is_repeated else "]")
        path: KeyPath = ()
        for name in names[:-1]:
            path = (*path, name)
            self._lines.setdefault(path, line)
            if path in self._table_counts:
                path = (*path, self._table_counts[path] - 1)
        path = (*path, names[-1])
        self._lines.setdefault(path, line)
        if is_repeated:
            count = self._table_counts.get(path, 0)
            self._table_counts[path] = count + 1
            path = (*path, count)
            self._lines[path] = line
        return path

    def _pair(self, prefix: KeyPath) -> None:
        """Read `a.b = value`."""
        line = self._line()
        path = prefix
        for name in self._names():
            path = (*path, name)
            self._lines.setdefault(path, line)
        self._expect("=")
        self._skip(_INLINE_BLANK)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        start = self._text[self._at : self._at + 1]
        if start == "[":
            self._array(path)
        elif start == "{":
            self._inline_table(path)
        else:
            self._take(_STRING if start in {'"', "'"} else _PLAIN)

    def _array(self, path: KeyPath) -> None:
        self._expect("[")
        index = 0
        self._skip(_BLANK)
        while not self._accept("]"):
            element = (*path, index)
            self._lines.setdefault(element, self._line())
            self._value(element)
            index += 1
            self._skip(_BLANK)
            self._accept(",")
            self._skip(_BLANK)

    def _inline_table(self, path: KeyPath) -> None:
        self._expect("{")
        self._skip(_BLANK)
        while not self._accept("}"):
            self._pair(path)
            self._skip(_BLANK)
            self._accept(",")
            self._skip(_BLANK)

    def _names(self) -> list[str]:
        """Read a key: names joined by dots, each bare or quoted."""
        names = []
        while True:
            self._skip(_INLINE_BLANK)
            if self._text[self._at : self._at + 1] in {'"', "'"}:
                quoted = self._take(_STRING)
                names.append(str(tomllib.loads(f"key = {quoted}")["key"]))
            else:
                names.append(self._take(_BARE_KEY))
            self._skip(_INLINE_BLANK)
            if not self._accept("."):
                return names

    def _line(self) -> int:
        return bisect_left(self._breaks, self._at) + 1

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _take(self, what: re.Pattern[str]) -> str:
        found = what.match(self._text, self._at)
        if found is None:
            raise _NotUnderstood
        self._at = found.end()
        return found.group()

    def _accept(self, token: str) -> bool:
        is_there = self._text.startswith(token, self._at)
        self._at += len(token) if is_there else 0
        return is_there

    def _expect(self, token: str) -> None:
        self._skip(_INLINE_BLANK)
        if not self._accept(token):
            raise _NotUnderstood
