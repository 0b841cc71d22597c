"""The spool's SQL, read from `queries.sql`: named, described, and kept apart from code."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_COMMENT: Final = re.compile(r"--[^\n]*\n")


def _read(name: str) -> str:
    return files("byreturn.spool").joinpath(name).read_text("utf-8")


def _split(text: str) -> dict[str, str]:
    parts = _NAME.split(text)[1:]
    return {
        name: " ".join(_COMMENT.sub("\n", body).split()).removesuffix(";")
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


SQL: Final = _split(_read("queries.sql"))
READER_SQL: Final = _split(_read("reader.sql"))
SCHEMA: Final = _read("schema.sql")
# How to come from version n to n + 1; each runs in one transaction with the new version number.
MIGRATIONS: Final = {1: _read("migration_1.sql"), 2: _read("migration_2.sql")}
