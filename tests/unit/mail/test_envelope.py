"""The envelope: what NOTIFY says, as a set of flags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import Notify, Priority


@given(st.sets(st.sampled_from([Notify.SUCCESS, Notify.FAILURE, Notify.DELAY, Notify.NEVER])))
def test_notify_is_written_as_the_words_that_made_it(flags):
    asked = Notify.ABSENT
    for flag in flags:
        asked |= flag
    words = [word for word in str(asked).split(",") if word]
    assert {Notify[word] for word in words} == flags
    # On the wire it is formatted, which for a flag is another function than str().
    assert f"{asked}" == str(asked)


@pytest.mark.parametrize(
    ("notify", "words"),
    [
        (Notify.ABSENT, ""),
        (Notify.NEVER, "NEVER"),
        (Notify.FAILURE | Notify.SUCCESS, "SUCCESS,FAILURE"),
    ],
)
def test_notify_in_words(notify, words):
    assert str(notify) == words


def test_reports_go_before_everything_else():
    assert sorted(Priority) == [Priority.REPORT, Priority.URGENT, Priority.NORMAL, Priority.NON_URGENT]
