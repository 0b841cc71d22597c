"""What the tidy tests look at: modules of src as syntax trees, the files of the repository, documents."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "byreturn"
_NOT_OURS = {".git", ".venv", "node_modules", "build", "dist"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class Module:
    """One module of src."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path.relative_to(SOURCE))
        self.text = path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        """Its dotted name: `byreturn.mail.ids`, of a room `byreturn.mail`."""
        parts = self.path.relative_to(SOURCE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def functions(self) -> Iterator[tuple[str, int]]:
        """Yield each function with the number of its lines, decorators aside."""
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name, (node.end_lineno or 0) - node.lineno + 1

    def imports(self) -> Iterator[str]:
        """Yield the dotted names that it imports; of `from a import b` both `a` and `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def names(self) -> Iterator[str]:
        """Yield the names that it gives to things, and its own."""
        yield self.path.parent.name if self.path.stem == "__init__" else self.path.stem
        for node in ast.walk(self.tree):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    yield name
                case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                    yield name
                case ast.arg(arg=name) | ast.MatchAs(name=str() as name) | ast.MatchStar(name=str() as name):
                    yield name

    def texts(self) -> Iterator[str]:
        """Yield its string constants."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@cache
def modules() -> tuple[Module, ...]:
    """Read all modules of src."""
    return tuple(Module(path) for path in sorted(SOURCE.rglob("*.py")))


def words_in(name: str) -> tuple[str, ...]:
    """Split a name into its words: `_MailFrom` and `mail_from` are both `mail`, `from`."""
    return tuple(word.lower() for word in _WORD.findall(name))


def holds(name: str, word: str) -> bool:
    """Whether a name holds a word, or several in a row, as whole words."""
    have, want = words_in(name), words_in(word)
    return any(have[at : at + len(want)] == want for at in range(len(have) - len(want) + 1))


@cache
def repository() -> tuple[Path, ...]:
    """Name the files of the repository, new ones too; without git those that a checkout would have."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        paths = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in ROOT.rglob("*") if not _NOT_OURS & set(path.relative_to(ROOT).parts)]
        paths = [path for path in paths if not any(part.startswith(".") for part in path.parts[-2:])]
    return tuple(sorted(path for path in paths if path.is_file() and path.suffix != ".pyc"))


def text_of(path: Path) -> str:
    """Read a file of the repository; octets that are no UTF-8 are none of our words."""
    return path.read_text("utf-8", errors="replace")


# --- Documents ----------------------------------------------------------------------------------------

_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


class Link(NamedTuple):
    """A link to something of ours, as it is written, and what it leads to."""

    page: Path
    written: str
    path: Path
    anchor: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)} -> {self.written}"


def pages() -> tuple[Path, ...]:
    """Name all documents."""
    return tuple(path for path in repository() if path.suffix == ".md")


def links(page: Path) -> Iterator[Link]:
    """Yield the links of a page that lead to something in the repository."""
    text = _SPAN.sub("", _FENCE.sub("", text_of(page)))
    for written in _LINK.findall(text):
        if re.match(r"[a-z]+:", written):
            continue
        target, _, anchor = written.partition("#")
        yield Link(page, written, (page.parent / target).resolve() if target else page, anchor)


def anchors(page: Path) -> set[str]:
    """Return the anchors that the headings of a page make."""
    headings = _HEADING.findall(_FENCE.sub("", text_of(page)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def banned_words() -> tuple[str, ...]:
    """Read the glossary: the words in code spans in the column "Not" of the words of the code."""
    _, _, section = text_of(ROOT / "docs" / "glossary.md").partition("## Words of the code\n")
    rows = [line.split("|") for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in rows[0][1:4]] == ["Word", "Means", "Not"]
    return tuple(sorted({word for row in rows for word in re.findall(r"`([^`]+)`", row[3])}))
