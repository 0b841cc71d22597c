"""Replies and statuses: the class is read off the code, and a status is read back as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import EnhancedStatus, Reply, StatusClass, enhanced_from_text, reply

codes = st.integers(200, 599)
statuses = st.builds(EnhancedStatus, st.sampled_from([2, 4, 5]), st.integers(0, 999), st.integers(0, 999))
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)


@given(statuses, words)
def test_a_status_is_read_back_as_it_was_written(status, rest):
    assert enhanced_from_text(f"{status} {rest}") == (status, rest)
    assert enhanced_from_text(str(status)) == (status, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OK",
        "5.7",
        "5.7.1.",
        "5.7.1x",
        "3.0.0 no such class",
        "6.0.0",
        "5.01.1",
        "5.1000.1",
        "5.1.1000",
        " 5.7.1",
        "5.7.1\u00a0x",
        # Digits that are none in ASCII.
        "5.1\u0663.1 x",
        "5.1.1\u0661 x",
    ],
)
def test_what_is_no_status_stays_text(text):
    assert enhanced_from_text(text) == (None, text)


@pytest.mark.parametrize("text", ["5.7.1", "5.7.1 ", "5.7.1\t", "5.7.1 \t "])
def test_a_status_may_have_no_text_after_it(text):
    assert enhanced_from_text(text) == (EnhancedStatus(5, 7, 1), "")


@given(st.text(max_size=40))
def test_any_text_is_split_without_a_crash(text):
    status, rest = enhanced_from_text(text)
    assert text.endswith(rest)
    assert (status is None) == (rest == text)


@given(statuses, st.sampled_from([StatusClass.POSITIVE, StatusClass.TRANSIENT, StatusClass.PERMANENT]))
def test_another_class_changes_nothing_else(status, klass):
    changed = status.as_class(klass)
    assert (changed.klass, changed.subject, changed.detail) == (klass, status.subject, status.detail)
    assert changed.as_class(StatusClass(status.klass)) == status
    assert status.as_class(StatusClass(status.klass)) is status


@given(codes)
def test_a_code_is_of_one_class_and_no_other(code):
    said = Reply(code, None, ("",))
    is_of = [said.is_positive, said.is_intermediate, said.is_transient, said.is_permanent]
    assert sum(is_of) == 1
    assert is_of.index(True) + 2 == said.klass == code // 100


@given(codes, st.none() | statuses)
def test_a_status_of_another_class_than_its_code_is_not_believed(code, enhanced):
    status = Reply(code, enhanced, ("",)).status
    assert status.klass == code // 100
    assert status in (enhanced, EnhancedStatus(code // 100, 0, 0))
    if enhanced is not None and enhanced.klass == code // 100:
        assert status == enhanced


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (reply(550, "5.1.1", "Unknown"), "550 5.1.1 Unknown"),
        (reply(250, ""), "250"),
        (reply(550, "5.7.1"), "550 5.7.1"),
        (Reply(554, None, ("one", "two")), "554 one / two"),
    ],
)
def test_a_reply_in_one_line(said, words):
    assert str(said) == words


def test_a_reply_of_ours_without_words_has_one_empty_line():
    assert reply(250, "2.0.0") == Reply(250, EnhancedStatus(2, 0, 0), ("",))
    assert reply(354, "", "a", "b") == Reply(354, None, ("a", "b"))


@pytest.mark.parametrize("status", ["OK", "5.1.1 and words", "5.1"])
def test_a_reply_of_ours_with_a_status_that_is_none_is_our_bug(status):
    with pytest.raises(AssertionError, match="not an enhanced status"):
        reply(550, status, "words")
