"""The reference page of the configuration says what the code does, because it comes from it."""

import re
from pathlib import Path

from byreturn.config import reference_page
from byreturn.config.keys import SECTIONS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_the_page_is_fresh():
    assert PAGE.read_text(encoding="utf-8") == reference_page(), f"{PAGE} is stale: run `make docs-refresh`"


def test_every_section_and_key_has_its_row():
    rows = [line for line in reference_page().splitlines() if re.match(r"\| `[a-z0-9_-]+` \|", line)]
    assert len(rows) == sum(len(section.keys) for section in SECTIONS)
    # Five cells: a bar inside one would break the table.
    assert all(row.count("|") == 6 for row in rows)
