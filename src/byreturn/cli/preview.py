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
from byreturn.report import Audience, cleared_complaints, complaints, compose, compose_cleared
from byreturn.report.gallery import Specimen, specimens

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:100%/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;"
    "padding:0 1rem;overflow-wrap:anywhere}li{margin:.3rem 0}a:focus-visible{outline:3px solid}"
)


class _Shown(Struct, frozen=True):
    """A report that was written: where, under which subject, and what the linter says."""

    folder: str
    name: str
    subject: str
    complaints: tuple[str, ...]


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
    if only and only not in words.languages:
        known = ", ".join(sorted(words.languages))
        raise Ending(f'no language "{only}" is known. Nothing was written. There are: {known}.', REFUSED)
    tags = [only] if only else sorted(words.languages)
    shown = [each for tag in tags for each in _write_language(out, tag, words)]
    _write_index(out, shown)
    wrong = [each for each in shown if each.complaints]
    click.echo(f"{len(shown)} reports in {len(tags)} languages: {out / 'index.html'}")
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
    for audience in (Audience.INSIDER, Audience.OUTSIDER, Audience.POSTMASTER):
        folder = out / tag / audience.value
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Ending(
                f"{folder}: {error.strerror}. Nothing more was written. Name another folder with --out.",
                REFUSED,
            ) from None
        for specimen in specimens(words.languages[tag], audience):
            yield _write(
                folder,
                replace(specimen, facts=replace(specimen.facts, overrides=words.overrides)),
                f"{tag}/{audience.value}",
            )


def _write(folder: Path, specimen: Specimen, place: str) -> _Shown:
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
    return _Shown(place, specimen.name, str(mail["Subject"]), judged(composed.content, facts))


def _write_index(out: Path, shown: list[_Shown]) -> None:
    rows: list[str] = []
    folder = ""
    for each in shown:
        if each.folder != folder:
            rows.append(f"{'</ul>' if folder else ''}<h2>{escape(each.folder)}</h2><ul>")
            folder = each.folder
        base = f"{each.folder}/{each.name}"
        bad = f" <strong>{escape('; '.join(each.complaints))}</strong>" if each.complaints else ""
        rows.append(
            f'<li>{escape(each.name)}: {escape(each.subject)} - <a href="{base}.html">HTML</a>, '
            f'<a href="{base}.txt">text</a>, <a href="{base}.eml">mail</a>{bad}</li>'
        )
    page = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>All reports</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>All reports</h1>\n{''.join(rows)}</ul>\n</main>\n</body>\n</html>\n"
    )
    (out / "index.html").write_text(page, "utf-8")
