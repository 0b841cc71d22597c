"""Catalogues of an operator: what is used of them, and what is told of the rest."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.config.samples import SMALLEST

from byreturn.config import Config, load, load_languages
from byreturn.config.languages import FILE_OCTETS_LIMIT, places_of

HEAD = """\
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

"""
KEY = "<{address}> No such mailbox here; check the spelling"


def entry(key, said, mark=""):
    return f'{mark}msgid "{key}"\nmsgstr "{said}"\n\n'


def plural(one, many, *said):
    forms = "".join(f'msgstr[{index}] "{text}"\n' for index, text in enumerate(said))
    return f'msgid "{one}"\nmsgid_plural "{many}"\n{forms}\n'


def loaded(folder: Path, text: str | bytes, name: str = "fr.po"):
    """Read a folder with one file; return its language and what is told, without the folder's name."""
    data = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(data)
    languages, complaints = load_languages(folder)
    return languages.get(Path(name).stem), [str(one).replace(f"{folder}/", "") for one in complaints]


def test_a_file_is_a_language(tmp_path):
    french, told = loaded(tmp_path, HEAD + entry(KEY, "<{address}> Boîte inconnue"))
    assert told == []
    assert french.tag == "fr"
    assert french.say(KEY, address="a@example.org") == "<a@example.org> Boîte inconnue"
    assert french.say("Line too long") == "Line too long"


def test_a_file_of_a_language_that_is_ours_says_some_sentences_differently(tmp_path):
    german, told = loaded(tmp_path, HEAD + entry("Line too long", "Die Zeile ist zu lang."), "de.po")
    assert told == []
    assert german.say("Line too long") == "Die Zeile ist zu lang."
    assert german.say("Too many errors; closing").startswith("Zu viele Fehler")
    english, _ = loaded(tmp_path, HEAD + entry("Line too long", "This line is too long"), "en.po")
    assert english.say("Line too long") == "This line is too long"


def test_a_sentence_that_is_not_finished_is_said_in_english(tmp_path):
    text = HEAD + entry("Line too long", "Trop long", "#, fuzzy\n") + entry("Command not offered here", "")
    french, told = loaded(tmp_path, text)
    assert told == []
    assert french.say("Line too long") == "Line too long"
    assert french.say("Command not offered here") == "Command not offered here"


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("Boîte inconnue", "not the places of the English sentence: {address}"),
        ("<{address}> {postmaster}", "not the places of the English sentence: {postmaster}"),
        ("<{adress}>", "not the places of the English sentence: {address}, {adress}"),
        ("<{address.__class__}>", "a brace that is no {place}"),
        ("<{address[0]}>", "a brace that is no {place}"),
        ("<{address!r}>", "a brace that is no {place}"),
        ("<{address:>99999999}>", "a brace that is no {place}"),
        ("<{address}> {", "a brace that is no {place}"),
        ("<{}>", "a brace that is no {place}"),
        ("<{address}> ou\\r\\nBcc: x@example.net", "a line break or control character that English has not"),
        ("<{address}> \\t ", "a line break or control character that English has not"),
    ],
)
def test_a_translation_that_would_not_do_costs_itself(tmp_path, said, what):
    text = HEAD + entry(KEY, said) + entry("Line too long", "Trop long")
    french, told = loaded(tmp_path, text)
    (complaint,) = told
    assert complaint.startswith(f'fr.po:6: "{KEY[:60]}": {what}. This sentence is said in English. ')
    assert french.say(KEY, address="a@example.org") == KEY.format(address="a@example.org")
    assert french.say("Line too long") == "Trop long"


def test_the_forms_of_a_number(tmp_path):
    one, many = "one recipient", "{n} recipients"
    french, told = loaded(tmp_path, HEAD + plural(one, many, "un destinataire", "{n} destinataires"))
    assert told == []
    assert french.count(one, many, 1) == "un destinataire"
    assert french.count(one, many, 0) == "0 destinataires"
    french, told = loaded(tmp_path, HEAD + plural(one, many, "{n} destinataire", "{m} destinataires"))
    assert "not the places of the English sentence: {m}" in told[0]
    assert french.count(one, many, 2) == "2 recipients"
    _, told = loaded(tmp_path, HEAD + plural(one, many, "un destinataire", ""))
    assert "one of its forms is empty" in told[0]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (HEAD.encode() + b'msgid "a"\nmsgstr "\xe9"\n', "fr.po:7: not UTF-8. The file is not used."),
        (b"\0" * 100, "fr.po:1: not a PO file"),
        (b"#" * (FILE_OCTETS_LIMIT + 1), "fr.po: larger than 4 MiB"),
        (HEAD.replace("(n != 1)", "__import__('os')").encode(), "fr.po: its plural rule cannot be used"),
        (HEAD.replace("(n != 1)", "1/(n-5)").encode(), "fr.po: its plural rule cannot be used"),
        (HEAD.replace("(n != 1)", "(" * 5000).encode(), "fr.po: its plural rule cannot be used"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_and_left_out(tmp_path, data, what):
    french, (complaint,) = loaded(tmp_path, data)
    assert french is None
    assert complaint.startswith(what), complaint


def test_what_is_no_catalogue_is_not_looked_at(tmp_path):
    (tmp_path / "README").write_text("about these")
    (tmp_path / "not-a-language-at-all.po").write_text("x")
    assert load_languages(tmp_path) == load_languages() or load_languages(tmp_path)[1] == ()


def test_a_folder_that_is_not_there_costs_no_other_language(tmp_path):
    languages, (complaint,) = load_languages(tmp_path / "nowhere")
    assert "cannot be read: No such file or directory" in str(complaint)
    assert "de" in languages


@given(st.binary(max_size=400))
def test_no_octets_stop_a_start(data):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "fr.po").write_bytes(HEAD.encode() + data)
        languages, _ = load_languages(Path(folder))
    assert languages["en"].say("Line too long") == "Line too long"


@given(st.text(max_size=60))
def test_a_translation_is_used_or_told_and_never_raises(said):
    import tempfile

    from babel.messages.pofile import escape

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fr.po"
        path.write_text(f'{HEAD}msgid "{KEY}"\nmsgstr {escape(said)}\n', encoding="utf-8", errors="ignore")
        languages, _ = load_languages(Path(folder))
    french = languages.get("fr")
    if french is not None:
        assert "a@example.org" in french.say(KEY, address="a@example.org")


def test_places():
    assert places_of("no places") == frozenset()
    assert places_of("{a} {{b}} {c}") == {"a", "c"}
    assert places_of("{a.b}") is None


# --- In a configuration -------------------------------------------------------------------------------


def read(folder: Path, text: str):
    path = folder / "byreturn.toml"
    path.write_text(text)
    got = load(path, machine_hostname="machine.example.org")
    return got if isinstance(got, Config) else [str(one).replace(f"{folder}/", "") for one in got]


def test_a_language_without_a_catalogue_is_told_with_those_there_are(tmp_path):
    (told,) = read(tmp_path, SMALLEST + '[report]\nlanguage = "fr"\n')
    assert told == (
        'byreturn.toml:4: report.language = "fr": no catalogue of that language. Nothing was started. '
        'There are "de", "en"; another needs fr.po in the folder of report.catalogues.'
    )
    (told,) = read(tmp_path, f'{SMALLEST}language = "fr"\n')
    assert told.startswith('byreturn.toml:3: listener[0].language = "fr": no catalogue')


def test_a_folder_of_catalogues_adds_languages(tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "fr.po").write_text(HEAD)
    text = f'{SMALLEST}[report]\nlanguage = "fr"\ncatalogues = "ours"\n'
    config = read(tmp_path, text)
    assert config.report.catalogues == tmp_path / "ours"
    assert config.listeners[0].language == "fr"


@pytest.mark.parametrize("key", ["catalogues", "templates"])
def test_a_folder_that_is_none_is_told(tmp_path, key):
    (told,) = read(tmp_path, f'{SMALLEST}[report]\n{key} = "nowhere"\n')
    assert told == (
        f'byreturn.toml:4: report.{key} = "nowhere": no such folder (nowhere). Nothing was started. Correct '
        "the path, make the folder, or remove the line."
    )
    (told,) = read(tmp_path, f'{SMALLEST}[report]\n{key} = "byreturn.toml"\n')
    assert "a file, not a folder" in told
