"""The examples of configurations in the documents are ones that work."""

import re
from pathlib import Path

import pytest

from byreturn.config import Config, load_text

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (path.name, number, text)
    for path in sorted(DOCS.rglob("*.md"))
    for number, text in enumerate(FENCE.findall(path.read_text("utf-8")), 1)
]
LISTENER = '[[listener]]\nbind = ["127.0.0.1:2525"]\n'


@pytest.mark.parametrize(("page", "number", "text"), EXAMPLES, ids=[f"{page}-{n}" for page, n, _ in EXAMPLES])
def test_an_example_is_read_without_an_error(page, number, text):
    whole = text if "[[listener]]" in text else LISTENER + text
    got = load_text(whole, Path("byreturn.toml"), machine_hostname="machine.example.org")
    assert isinstance(got, Config), "\n".join(map(str, got))


def test_there_are_examples():
    assert len(EXAMPLES) >= 3
