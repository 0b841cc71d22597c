"""Our own catalogues: the template is fresh, each translation whole, and every sentence can be translated."""

import pytest
from babel.messages.pofile import read_po
from tests.languages.messages import TEMPLATE, gathered, merged_text, template_text
from tests.languages.pseudo import PSEUDO, odd, plain_words

from byreturn.config import load_languages
from byreturn.config.languages import OURS, language_files, places_of

FILES = language_files(OURS)
each_file = pytest.mark.parametrize("tag", sorted(FILES))


def catalogue(tag):
    with FILES[tag].open("rb") as file:
        return read_po(file)


def test_there_is_a_german_one():
    assert "de" in FILES


def test_the_template_is_fresh():
    assert TEMPLATE.read_text("utf-8") == template_text(), "it is stale: run `make messages`"


def test_the_template_has_the_sentences_of_reports_and_of_sessions():
    keys = {message.id for message in gathered() if message.id}
    assert "<{address}> No such mailbox here; check the spelling" in keys
    assert "Too many errors; closing" in keys
    assert "SIZE must be a number of octets" in keys
    # What is counted in Python is no sentence.
    assert "\n" not in keys


def test_every_place_of_a_sentence_is_a_name():
    for message in gathered():
        keys = message.id if isinstance(message.id, tuple) else (message.id,)
        assert all(places_of(key) is not None for key in keys), keys


@each_file
def test_a_catalogue_is_whole(tag):
    there = catalogue(tag)
    missing = [
        message.id
        for message in there
        if message.id and (message.fuzzy or not message.string or not all(message.string))
    ]
    assert missing == []


@each_file
def test_a_catalogue_has_the_sentences_of_the_template_and_no_others(tag):
    assert FILES[tag].read_text("utf-8") == merged_text(FILES[tag]), "it is stale: run `make messages`"


def test_nothing_in_our_catalogues_is_to_be_complained_of():
    languages, complaints = load_languages()
    assert list(map(str, complaints)) == []
    assert set(languages) == {"en", *FILES}


def test_german_is_german():
    german = load_languages()[0]["de"]
    assert german.say("Too many errors; closing") == "Zu viele Fehler; die Verbindung wird beendet"
    said = german.say("<{address}> No such mailbox here; check the spelling", address="infoo@example.org")
    assert said == "<infoo@example.org> Dieses Postfach gibt es hier nicht; bitte die Schreibweise prüfen"
    assert german.say("") == ""
    assert german.say("What nobody has translated {x}", x=1) == "What nobody has translated 1"


# Words that German and English share.
SAME = {"de": {"OK", "Status {status}", "April", "August", "September", "November"}}


@each_file
def test_a_translation_is_no_copy(tag):
    same = {message.id for message in catalogue(tag) if message.id and message.string == message.id}
    assert same == SAME.get(tag, set())


@each_file
def test_a_catalogue_has_the_quotation_marks_of_its_language(tag):
    """Straight ones are for what is quoted from a program."""
    if tag == "de":
        odd_ones = [m.string for m in catalogue(tag) if m.id and any(sign in str(m.string) for sign in '"“”')]
        assert [text for text in odd_ones if str(text).count("„") != str(text).count("“")] == []
        assert [text for text in odd_ones if '"' in str(text)] == []


# --- The language that nobody speaks ------------------------------------------------------------------


def test_the_odd_language_keeps_places_and_nothing_else():
    said = PSEUDO.say("Your message to {address} was not delivered.", address="ann@example.org")
    assert said == "⟦Ýöüŕ ḿéššåğé ťö ann@example.org ŵåš ñöť ďéľîṽéŕéď.⟧"
    assert PSEUDO.count("one recipient", "{n} recipients", 3) == "⟦3 ŕéçîþîéñťš⟧"
    assert places_of(odd("{a} and {b}")) == {"a", "b"}


def test_a_word_that_was_not_said_in_it_is_found():
    said = PSEUDO.say("Your message to {address} was not delivered.", address="ann@example.org")
    assert plain_words(said, but=["ann@example.org"]) == []
    assert plain_words(f"Note: {said}", but=["ann@example.org"]) == ["Note"]
