"""What a reply means: one table, and everything that is not clearly "never" means later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import EnhancedStatus, Reply
from byreturn.policy import Fate, fate_of, fate_of_recipient
from byreturn.protocol.replies import ReplyReader

codes = st.integers(200, 599)
statuses = st.builds(EnhancedStatus, st.sampled_from([2, 4, 5]), st.integers(0, 20), st.integers(0, 20))
replies = st.builds(Reply, codes, st.none() | statuses, st.just(("words",)))


def said(text):
    (reply,) = ReplyReader().receive(f"{text}\r\n".encode())
    return reply


@pytest.mark.parametrize(
    ("text", "fate"),
    [
        ("200", Fate.ACCEPTED),
        ("250 2.0.0 Queued", Fate.ACCEPTED),
        ("251 Will forward", Fate.ACCEPTED),
        ("252 Cannot tell", Fate.ACCEPTED),
        # Confused, but the code is what counts for "done".
        ("250 5.0.0 What", Fate.ACCEPTED),
        ("354 Go ahead", Fate.LATER),
        ("399 What", Fate.LATER),
        ("421 4.3.2 Closing", Fate.HANGING_UP),
        ("421", Fate.HANGING_UP),
        ("400", Fate.LATER),
        ("450 4.2.0 Greylisted", Fate.LATER),
        ("450 5.7.1 What", Fate.LATER),
        ("451 4.3.0 Not now", Fate.LATER),
        ("452 4.3.1 No room", Fate.LATER),
        ("499", Fate.LATER),
        ("500 5.5.1 What", Fate.NEVER),
        ("521 5.5.2 Closing", Fate.NEVER),
        ("550 5.1.1 Unknown", Fate.NEVER),
        ("550 5.7.1", Fate.NEVER),
        ("552 5.3.4 Too large", Fate.NEVER),
        ("554 Refused", Fate.NEVER),
        ("599", Fate.NEVER),
        ("550 2.0.0 What", Fate.NEVER),
        # 5yz with a status that says "later" is a confused peer and no verdict.
        ("550 4.7.1 Greylisted", Fate.LATER),
        ("554 4.4.1 Try again", Fate.LATER),
    ],
)
def test_the_table(text, fate):
    assert fate_of(said(text)) is fate


@pytest.mark.parametrize(
    ("text", "after_some", "as_the_first"),
    [
        ("250 2.1.5 OK", Fate.ACCEPTED, Fate.ACCEPTED),
        ("452 4.5.3 Too many recipients", Fate.NEXT_TRANSACTION, Fate.LATER),
        ("452 Too many recipients", Fate.NEXT_TRANSACTION, Fate.LATER),
        ("452 4.3.1 No room", Fate.NEXT_TRANSACTION, Fate.LATER),
        # RFC 821 said so with 552; but with another status it is about this one mailbox.
        ("552 Too many recipients", Fate.NEXT_TRANSACTION, Fate.NEVER),
        ("552 5.5.3 Too many recipients", Fate.NEXT_TRANSACTION, Fate.NEVER),
        ("552 5.2.2 Mailbox full", Fate.NEVER, Fate.NEVER),
        ("552 4.2.2 Mailbox full", Fate.LATER, Fate.LATER),
        ("550 5.5.3 Too many recipients", Fate.NEVER, Fate.NEVER),
        ("450 4.2.0 Greylisted", Fate.LATER, Fate.LATER),
        ("421 4.3.2 Closing", Fate.HANGING_UP, Fate.HANGING_UP),
    ],
)
def test_too_many_recipients_means_another_transaction_only_after_somebody_was_accepted(
    text, after_some, as_the_first
):
    assert fate_of_recipient(said(text), accepted_before=3) is after_some
    assert fate_of_recipient(said(text), accepted_before=0) is as_the_first


@given(replies)
def test_only_5yz_without_a_softer_status_is_never(reply):
    is_never = fate_of(reply) is Fate.NEVER
    assert is_never == (500 <= reply.code <= 599 and (reply.enhanced is None or reply.enhanced.klass != 4))


@given(st.integers(600, 9999))
def test_a_code_outside_the_law_is_no_verdict(code):
    assert fate_of(Reply(code, None, ("",))) is Fate.LATER


@given(replies)
def test_accepted_is_what_the_session_counts_as_accepted(reply):
    # The session sends content when a reply is positive; policy must not think otherwise.
    assert (fate_of(reply) is Fate.ACCEPTED) == reply.is_positive
    assert (fate_of_recipient(reply, accepted_before=1) is Fate.ACCEPTED) == reply.is_positive


@given(replies, st.integers(1, 1000))
def test_how_many_were_accepted_before_does_not_matter(reply, before):
    assert fate_of_recipient(reply, accepted_before=before) is fate_of_recipient(reply, accepted_before=1)
    assert fate_of_recipient(reply, accepted_before=0) is fate_of(reply)
