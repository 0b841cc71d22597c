"""`make messages`: gather every sentence that people read, and bring the catalogues up to date.

    src/byreturn/{report,service,protocol}/*.py -> byreturn.pot -> de.po, ...

Sentences are found by the functions that say them: `say`, `count`, `N_`, `pair`, and `reply` for our
own replies. The template has no dates and no line numbers: it changes when a sentence does, never else.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from byreturn.config.languages import OURS, language_files

SOURCE = OURS.parent
TEMPLATE = OURS / "byreturn.pot"
ROOMS = ("report", "service", "protocol")
# By the name of the function: which of its arguments are sentences.
KEYWORDS = {"say": (0,), "count": (0, 1), "pair": (0, 1), "N_": (0,), "reply": (2,)}
Key: TypeAlias = str | tuple[str, ...]
HEAD = "# The sentences that ByReturn says to people: in reports, and to clients in a session.\n#"


def gathered() -> Catalog:
    """Gather all sentences, in the order in which they stand."""
    found: dict[Key, list[str]] = defaultdict(list)
    for path in sorted(path for room in ROOMS for path in (SOURCE / room).rglob("*.py")):
        for key in sentences_of(ast.parse(path.read_text("utf-8"))):
            found[key].append(path.relative_to(SOURCE).as_posix())
    catalogue = Catalog(project="ByReturn", header_comment=HEAD, charset="utf-8", fuzzy=False)
    for key, places in found.items():
        catalogue.add(key, locations=[(place, None) for place in sorted(set(places))])
    return catalogue


def sentences_of(tree: ast.AST) -> Iterator[Key]:
    """Yield what is said in a module: the texts in the right places of a call, if they are written out."""
    for node in sorted(
        (node for node in ast.walk(tree) if isinstance(node, ast.Call)),
        key=lambda node: (node.lineno, node.col_offset),
    ):
        name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
        at = KEYWORDS.get(name or "", ())
        texts = [_text(node.args[index]) for index in at if index < len(node.args)]
        if at and len(texts) == len(at) and all(text is not None and is_a_sentence(text) for text in texts):
            yield texts[0] if len(texts) == 1 else tuple(texts)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def is_a_sentence(text: str) -> bool:
    """Whether there are letters in it, if only in its places: not everybody writes dates in one order."""
    return bool(re.search(r"[A-Za-z]", text))


def template_text() -> str:
    """Write the template, without anything that changes by itself."""
    octets = BytesIO()
    write_po(octets, gathered(), width=100, include_lineno=False)
    return _without_dates(octets.getvalue().decode())


def merged_text(path: Path) -> str:
    """Write a catalogue with the sentences of the template: new ones empty, those that are gone left out."""
    with path.open("rb") as file:
        catalogue = read_po(file)
    catalogue.update(gathered(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    octets = BytesIO()
    write_po(octets, catalogue, width=100, include_lineno=False)
    return _without_dates(octets.getvalue().decode())


def _without_dates(text: str) -> str:
    head, _, rest = text.partition("\n\n")
    kept = re.compile(r'^(#|msgid|msgstr|"(Language:|MIME|Content|Plural))')
    return "\n".join(line for line in head.splitlines() if kept.match(line)) + "\n\n" + rest


def main() -> None:
    """Write the template, and every catalogue anew."""
    TEMPLATE.write_text(template_text(), encoding="utf-8")
    for path in language_files(OURS).values():
        path.write_text(merged_text(path), encoding="utf-8")


if __name__ == "__main__":
    main()
