"""The repository as others get it: documents that can be found, living links, no traces of our machines."""

import re

import pytest
from tests.tidy.sources import ROOT, anchors, links, pages, repository, text_of

ENTRANCES = (ROOT / "README.md", ROOT / "docs" / "README.md")
# In brackets, so that this file holds none of them.
MACHINES = re.compile(r"/(w[o]rk|h[o]me|r[o]ot|U[s]ers)/|[A-Z]:\\U[s]ers")
REGISTRIES = re.compile(r"p[y]pi\.org|python[h]osted|arti[f]actory|/s[i]mple/|PIP_[I]NDEX|--extra-[i]ndex")


def shown(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=shown)
def test_links_are_alive(page):
    for link in links(page):
        assert link.path.exists(), f"{link}: there is no such file"
        assert link.path.is_relative_to(ROOT), f"{link}: outside of the repository"
        if link.anchor and link.path.suffix == ".md":
            assert link.anchor in anchors(link.path), f"{link}: there is no such heading"


def test_every_document_can_be_found():
    found = {link.path for page in ENTRANCES for link in links(page)} | set(ENTRANCES)
    documents = [page for page in pages() if ROOT / "docs" in page.parents]
    assert documents
    assert [shown(page) for page in documents if page not in found] == []


def test_every_document_has_one_title():
    for page in pages():
        titles = re.findall(
            r"^# (.+)$", re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S), re.MULTILINE
        )
        assert len(titles) == 1, f"{shown(page)}: {titles}"


@pytest.mark.parametrize("traces", [MACHINES, REGISTRIES], ids=["machines", "registries"])
def test_nothing_tells_of_the_machine_it_was_made_on(traces):
    told = {shown(path): found[0] for path in repository() if (found := traces.search(text_of(path)))}
    assert told == {}
