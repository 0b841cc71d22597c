"""xtext: written and read back, and nothing else is read."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail.xtext import xtext_decode, xtext_encode

ascii_text = st.text(st.characters(max_codepoint=127), max_size=100)


@given(ascii_text)
def test_what_is_written_is_read_back(text):
    assert xtext_decode(xtext_encode(text)) == text


@given(ascii_text)
def test_what_is_written_holds_nothing_that_splits_a_command_line(text):
    assert all("!" <= letter <= "~" and letter != "=" for letter in xtext_encode(text))


@given(st.text(max_size=40) | st.text(alphabet="+0123456789ABCDEFabcdef=x ", max_size=20))
def test_any_text_is_read_or_is_none(text):
    decoded = xtext_decode(text)
    assert decoded is None or (decoded.isascii() and len(decoded) <= len(text))


@pytest.mark.parametrize("text", ["+", "+2", "+2b", "+ZZ", "+80", "+FF", "a b", "a=b", "é", "+0A\n", "a+"])
def test_what_is_no_xtext_is_none(text):
    assert xtext_decode(text) is None


@pytest.mark.parametrize(
    ("text", "decoded"), [("", ""), ("a+2Bb", "a+b"), ("+3D+20+0A", "= \n"), ("rfc822;x", "rfc822;x")]
)
def test_xtext_read(text, decoded):
    assert xtext_decode(text) == decoded


def test_other_than_ascii_cannot_be_written():
    with pytest.raises(AssertionError, match="ASCII only"):
        xtext_encode("é")


@pytest.mark.parametrize("text", ["a" * 500_000 + "=", "+41" * 200_000 + "+", "a+41" * 100_000 + " "])
def test_a_hostile_text_costs_one_pass(text):
    began = time.process_time()
    assert xtext_decode(text) is None
    assert time.process_time() - began < 0.5
