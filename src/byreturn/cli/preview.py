"""`byreturn preview-report`: every report there is, to look at before a sender does.

    gallery/index.html               all of them, by language and reader
    gallery/en/internal/NAME.eml     the mail, as it would leave
                       NAME.txt      its plain text
                       NAME.html     its HTML

With a configuration its templates and languages are in effect, so a translator or a postmaster sees what he
wrote. Each report goes through the linter; what it finds is told, and the answer is then no.
"""

from __future__ import annotations

import email.policy
from collections.abc import Iterator
from email.parser import BytesParser
from html import escape
from pathlib import Path
from typing import Final

import click
from msgspec import Struct
from msgspec.structs import replace

from byreturn.cli.check import check_file
from byreturn.cli.session import ANSWER_IS_NO, DONE, REFUSED, Ending, Session, config_option, pass_session
from byreturn.config import Config, ReportWords, built_in_words, report_words
from byreturn.mail import language_tag
from byreturn.report import Audience, cleared_complaints, complaints, compose, compose_cleared
from byreturn.report.gallery import Specimen, specimens

_STYLE: Final = """\
:root{color-scheme:light dark}
body{margin:0;padding:1.5rem 1rem;font:100%/1.5 system-ui,sans-serif;color:#222;background:#fff}
main{max-width:60rem;margin:0 auto;overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:0 0 .5rem}
h2{font-size:1.1rem;margin:2rem 0 .5rem;border-bottom:1px solid #767676}
ul{margin:.5rem 0;padding-inline-start:1.25rem}
li{margin:.4rem 0}
strong{color:#b3261e}
a{color:#0b57d0}
a:focus-visible{outline:3px solid;outline-offset:2px}
@media (prefers-color-scheme:dark){
body{color:#eee;background:#121212}
strong{color:#f2b8b5}
a{color:#8ab4f8}
}
"""
_READERS: Final = {
    Audience.INSIDER: "a sender of ours",
    Audience.OUTSIDER: "a sender elsewhere",
    Audience.POSTMASTER: "our postmaster",
}


class _Shown(Struct, frozen=True):
    """A report that was written: for whom, under which subject, and what the linter says."""

    tag: str
    audience: Audience
    name: str
    subject: str
    complaints: tuple[str, ...]

    @property
    def folder(self) -> str:
        return f"{self.tag}/{self.audience.value}"


@click.command("preview-report")
@click.option(
    "--out",
    metavar="FOLDER",
    default="gallery",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Write into this folder.",
)
@click.option("--language", "only", default="", metavar="TAG", help="This language only; otherwise all.")
@config_option
@pass_session
def preview_command(session: Session, out: Path, only: str) -> int:
    """Write a gallery of all reports, in every language.

    Each cause is there as senders get it: as mail, plain text and HTML, with index.html to begin with. A
    configuration is not needed; if there is one, its own templates and languages are shown.
    """
    words = _words(session)
    tag = language_tag(only)
    if only and tag not in words.languages:
        known = ", ".join(sorted(words.languages))
        raise Ending(f'no language "{only}" is known. Nothing was written. There are: {known}.', REFUSED)
    tags = [tag] if only else sorted(words.languages)
    try:
        shown = [each for tag in tags for each in _write_language(out, tag, words)]
        (out / "index.html").write_text(_index(shown), "utf-8")
    except OSError as error:
        raise Ending(
            f"{error.filename or out}: {error.strerror}. Nothing more was written. "
            "Name another folder with --out.",
            REFUSED,
        ) from None
    wrong = [each for each in shown if each.complaints]
    languages = "1 language" if len(tags) == 1 else f"{len(tags)} languages"
    click.echo(f"{len(shown)} reports in {languages}: {out / 'index.html'}")
    for each in wrong:
        click.echo(f"{each.folder}/{each.name}: {'; '.join(each.complaints)}", err=True)
    return ANSWER_IS_NO if wrong else DONE


def _words(session: Session) -> ReportWords:
    """The words in effect: the configuration's if there is one, else the built-in ones."""
    if not session.config_path.exists():
        return built_in_words()
    config = check_file(session.config_path)
    if not isinstance(config, Config):
        raise Ending(
            f"{session.config_path} has errors, so its templates cannot be shown. Nothing was written. "
            "Correct them: byreturn check tells each.",
            REFUSED,
        )
    return report_words(config)


def _write_language(out: Path, tag: str, words: ReportWords) -> Iterator[_Shown]:
    for audience in _READERS:
        folder = out / tag / audience.value
        folder.mkdir(parents=True, exist_ok=True)
        for specimen in specimens(words.languages[tag], audience):
            facts = replace(specimen.facts, overrides=words.overrides)
            subject, found = _write(folder, replace(specimen, facts=facts))
            yield _Shown(tag, audience, specimen.name, subject, found)


def _write(folder: Path, specimen: Specimen) -> tuple[str, tuple[str, ...]]:
    """Write one report in its three forms; return its subject, and what the linter finds."""
    facts = specimen.facts
    composed = compose_cleared(facts) if specimen.is_cleared else compose(facts)
    judged = cleared_complaints if specimen.is_cleared else complaints
    (folder / f"{specimen.name}.eml").write_bytes(composed.content)
    # Only for a person to look at: what is sent never goes through a mail library.
    mail = BytesParser(policy=email.policy.default).parsebytes(composed.content)
    for kind, ending in (("plain", "txt"), ("html", "html")):
        part = mail.get_body((kind,))
        if part is not None:
            text = part.get_content()
            (folder / f"{specimen.name}.{ending}").write_text(text, "utf-8")
    return str(mail["Subject"]), judged(composed.content, facts)


def _index(shown: list[_Shown]) -> str:
    """Write the page to begin with: first the places on it, then the reports of each."""
    places: dict[str, list[_Shown]] = {}
    for each in shown:
        places.setdefault(each.folder, []).append(each)
    links = "".join(
        f'<li><a href="#{_anchor(there[0])}">{_heading(there[0])}</a></li>\n' for there in places.values()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>All reports</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>All reports</h1>\n<p>{len(shown)} reports: what each reader gets, in each language.</p>\n"
        f"<ul>\n{links}</ul>\n{''.join(map(_place, places.values()))}</main>\n</body>\n</html>\n"
    )


def _place(there: list[_Shown]) -> str:
    rows = "".join(map(_row, there))
    return f'<h2 id="{_anchor(there[0])}">{_heading(there[0])}</h2>\n<ul>\n{rows}</ul>\n'


def _row(each: _Shown) -> str:
    base = escape(f"{each.folder}/{each.name}")
    bad = f" <strong>{escape('; '.join(each.complaints))}</strong>" if each.complaints else ""
    return (
        f'<li><a href="{base}.html">{escape(each.name)}</a>: '
        f'<span lang="{escape(each.tag)}">{escape(each.subject)}</span> '
        f'(<a href="{base}.txt">text</a>, <a href="{base}.eml">mail</a>){bad}</li>\n'
    )


def _anchor(each: _Shown) -> str:
    return escape(each.folder.replace("/", "-"))


def _heading(each: _Shown) -> str:
    return escape(f"{each.tag}: to {_READERS[each.audience]}")
