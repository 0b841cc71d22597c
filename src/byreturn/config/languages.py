"""The languages there are: catalogues in gettext's PO form, ours and an operator's.

A catalogue is a text file that any translator's program can edit; the English sentence is the key. A file
`xx.po` in the operator's folder is a new language, or says some sentences of one of ours differently. No
code is needed, and none is run: a translation is only ever asked to take values in the places that its
English sentence has.

    xx.po -> sentence by sentence: finished? same {places}? one line where English has one? -> Language
                                        '- no: English for this sentence, and a complaint with its line

Promises: a bad translation costs that sentence, a bad file that file, and each is told; nothing raises.
Bounds: files up to FILE_OCTETS_LIMIT, at most FILES_LIMIT of them.
"""

from __future__ import annotations

import gettext
import re
import string
from collections.abc import Iterator, Mapping
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from byreturn.config.errors import ConfigError, shown
from byreturn.mail import ENGLISH, Language, language_tag

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog, Message

FILE_OCTETS_LIMIT: Final = 4 << 20
FILES_LIMIT: Final = 100
OURS: Final = Path(__file__).parents[1] / "languages"
# The name of the file says its language; what stands in it may be spelt in ways that Babel does not read.
_LANGUAGE_FIELD: Final = re.compile(r'^"Language:.*"$', re.MULTILINE)
_IN_ENGLISH: Final = "This sentence is said in English."
_NOT_USED: Final = "The file is not used."
# A plural rule is tried with these; all rules that people use repeat after a hundred.
_NUMBERS: Final = range(1_001)


class _Read(Struct, frozen=True):
    """What a file gave: None if it cannot be used at all."""

    sentences: gettext.GNUTranslations | None
    complaints: tuple[ConfigError, ...] = ()


def language_files(folder: Path) -> dict[str, Path]:
    """Name the catalogues of a folder by their tags; raises OSError for one that cannot be read."""
    found = {language_tag(path.stem): path for path in sorted(folder.iterdir()) if path.match("*.po")}
    return {tag: path for tag, path in list(found.items())[:FILES_LIMIT] if tag}


def language_tags(extra: Path | None) -> list[str]:
    """Name the languages there are, without reading them; an operator's folder that is not there has none."""
    try:
        further = language_files(extra) if extra is not None else {}
    except OSError:
        further = {}
    return sorted({ENGLISH.tag, *language_files(OURS), *further})


def load_languages(extra: Path | None = None) -> tuple[Mapping[str, Language], tuple[ConfigError, ...]]:
    """Read our own catalogues and those of a folder besides; tell what in them cannot be used."""
    languages: dict[str, Language] = {ENGLISH.tag: ENGLISH}
    complaints: list[ConfigError] = []
    sentences: dict[str, gettext.GNUTranslations] = {}
    for folder in filter(None, (OURS, extra)):
        try:
            files = language_files(folder)
        except OSError as error:
            complaints.append(_about(folder, None, f"cannot be read: {error.strerror}", "Check the path."))
            continue
        for tag, path in files.items():
            read = _read_file(tag, path)
            complaints += read.complaints
            if read.sentences is None:
                continue
            if tag in sentences:
                # What the operator's file does not say is said as in ours.
                read.sentences.add_fallback(sentences[tag])
            sentences[tag] = read.sentences
            languages[tag] = _language(tag, read.sentences)
    return languages, tuple(complaints)


def _language(tag: str, sentences: gettext.GNUTranslations) -> Language:
    # gettext keeps the head of a file under the empty sentence.
    return Language(tag, lambda text: sentences.gettext(text) if text else "", sentences.ngettext)


# --- One file -----------------------------------------------------------------------------------------


def _read_file(tag: str, path: Path) -> _Read:
    """Read a catalogue; leave out what is not finished or not right."""
    # Babel takes a tenth of a second to import, which commands that only look need not pay.
    from babel.messages.mofile import write_mo  # noqa: PLC0415
    from babel.messages.pofile import PoFileError, read_po  # noqa: PLC0415

    try:
        with path.open("rb") as file:
            data = file.read(FILE_OCTETS_LIMIT + 1)
    except OSError as error:
        return _refused(path, None, f"cannot be read: {error.strerror}", "Check the path and the disk.")
    if len(data) > FILE_OCTETS_LIMIT:
        return _refused(path, None, f"larger than {FILE_OCTETS_LIMIT >> 20} MiB")
    try:
        text = _LANGUAGE_FIELD.sub('""', data.decode("utf-8-sig"), count=1)
        catalogue = read_po(StringIO(text), locale=tag.replace("-", "_"), abort_invalid=True)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _refused(path, line, "not UTF-8", "Save the file as UTF-8.")
    except PoFileError as error:
        return _refused(path, error.lineno + 1, f"not a PO file: {error.args[0]}")
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        # What the reader makes of a damaged file is not its promise.
        return _refused(path, None, f"not a PO file: {error}")
    complaints = tuple(_wrong_in(path, catalogue))
    # Of a language that Babel does not know it would leave out the plural rule that the file gives.
    catalogue.locale = catalogue.locale or ENGLISH.tag
    octets = BytesIO()
    try:
        write_mo(octets, catalogue, use_fuzzy=False)
        octets.seek(0)
        sentences = gettext.GNUTranslations(octets)
        for number in _NUMBERS:
            sentences.ngettext("", "", number)
            sentences.plural(number)  # type: ignore[attr-defined]
    except (ValueError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
        return _refused(path, None, f"its plural rule cannot be used: {error}")
    return _Read(sentences, complaints)


def _refused(path: Path, line: int | None, what: str, remedy: str = "Mend it, or remove it.") -> _Read:
    return _Read(None, (_about(path, line, what, remedy),))


def _about(path: Path, line: int | None, what: str, remedy: str) -> ConfigError:
    return ConfigError(str(path), line, "", "", what, _NOT_USED, remedy)


def _wrong_in(path: Path, catalogue: Catalog) -> Iterator[ConfigError]:
    """Empty every translation that would not do, and say why; those not finished are left out by gettext."""
    for message in catalogue:
        if not message.id or message.fuzzy:
            continue
        wrong = _wrong_with(message)
        if wrong is not None:
            what, remedy = wrong
            key = shown(_forms(message.id)[0])
            yield ConfigError(str(path), message.lineno, key, "", what, _IN_ENGLISH, remedy)
            message.string = ("",) * len(_forms(message.string)) if message.pluralizable else ""


def _forms(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


def _wrong_with(message: Message) -> tuple[str, str] | None:
    """Say what keeps a translation from being used, and what to do."""
    keys, said = _forms(message.id), _forms(message.string)
    if not any(said):
        return None
    if not all(said):
        return "one of its forms is empty", "Translate every form."
    wanted = set[str]().union(*(places_of(key) or () for key in keys))
    # "one recipient" need not give the number.
    needed = wanted - {"n"} if len(keys) > 1 else wanted
    for text in said:
        places = places_of(text)
        if places is None:
            return "a brace that is no {place}", "Write places as in English, nothing else in braces."
        if not needed <= places <= wanted:
            odd = ", ".join(f"{{{name}}}" for name in sorted(places ^ needed))
            return (
                f"not the places of the English sentence: {odd}",
                "Keep each {place}, with its name as it is.",
            )
        if not all(letter.isprintable() or any(letter in key for key in keys) for letter in text):
            return "a line break or control character that English has not", "Write it on one line."
    return None


def places_of(text: str) -> frozenset[str] | None:
    """Return the names of the {places} of a sentence; None if something in braces is more than a name."""
    names = set()
    try:
        for _, name, form, conversion in string.Formatter().parse(text):
            if name is None:
                continue
            if not name.isidentifier() or form or conversion:
                return None
            names.add(name)
    except ValueError:
        return None
    return frozenset(names)
