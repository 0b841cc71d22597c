"""The gallery as pages to be shown: every report, in each language, for each kind of reader."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from tests.unit.report.samples import judged

from byreturn.config import built_in_words
from byreturn.mail import Mailbox, PeerSaid, Phase, reply
from byreturn.report import Audience, Kin, ReportFacts, Suggestion, compose, compose_cleared
from byreturn.report.gallery import specimens

LANGUAGES: Final = built_in_words().languages


class Shown(Struct, frozen=True):
    """One report in both of its forms. `name` is that of its file in the gallery."""

    name: str
    tag: str
    html: str
    text: str


@cache
def gallery() -> tuple[Shown, ...]:
    """Compose all reports that have an HTML form."""
    return tuple(
        shown(f"{tag}/{audience.value}/{each.name}", each.facts, is_cleared=each.is_cleared)
        for tag, language in sorted(LANGUAGES.items())
        for audience in Audience
        for each in specimens(language, audience)
    )


def shown(name: str, facts: ReportFacts, *, is_cleared: bool = False) -> Shown:
    """Compose a report and take the two forms that people see out of it."""
    mail = judged((compose_cleared(facts) if is_cleared else compose(facts)).content)
    html, text = (mail.get_body((kind,)) for kind in ("html", "plain"))
    assert html is not None
    assert text is not None
    return Shown(name, facts.language.tag, html.get_content(), text.get_content())


def one(name: str) -> Shown:
    """The report of this name."""
    return next(each for each in gallery() if each.name == name)


@cache
def structures() -> tuple[Shown, ...]:
    """One report of each structure: what has the same tags looks the same to axe."""
    first: dict[str, Shown] = {}
    for each in gallery():
        structure = "".join(re.findall(r"<[^>]*>", re.sub(r'(value|href)="[^"]*"', "", each.html)))
        # A list is as good as its first entries.
        structure = re.sub(r"(<li >.*?</li>)\1+", r"\1", structure)
        first.setdefault(structure, each)
    return tuple(first.values())


MARKUP: Final = "<script>alert(1)</script><img src=https://x.example/a onerror=alert(2)>&amp;</title></style>"


def hostile() -> Shown:
    """A report in which everybody who can put something into it puts HTML there."""
    facts = next(specimens()).facts
    address = Mailbox('"<b>&lt;x"', "evil.example")
    said = PeerSaid(
        reply(550, "5.1.1", MARKUP, "second " + MARKUP), "mx.evil.example", "192.0.2.1", Phase.RCPT
    )
    line = replace(
        facts.lines[0],
        recipient=address,
        diagnosis=said,
        suggestions=(Suggestion(Mailbox('"<i>&"', "evil.example"), Kin.SAME_DOMAIN),),
    )
    return shown("hostile", replace(facts, lines=(line,), subject=MARKUP, contact=MARKUP))


def endless() -> Shown:
    """A report in which no word can be broken at a space."""
    facts = next(specimens()).facts
    host = f"{'b' * 60}.{'c' * 60}.example"
    said = PeerSaid(reply(550, "5.1.1", "x" * 400), host, "192.0.2.1", Phase.RCPT)
    line = replace(facts.lines[0], recipient=Mailbox("a" * 64, host), diagnosis=said, suggestions=())
    return shown("endless", replace(facts, lines=(line,), subject="y" * 200, contact="z" * 200))
