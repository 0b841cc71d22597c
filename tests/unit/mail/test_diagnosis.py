"""Who said it: a peer's words stay the peer's, and every cause of ours has a status."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import Cause, EnhancedStatus, PeerSaid, Phase, Reply, StatusClass, WeFound, reply

FAILING = [StatusClass.TRANSIENT, StatusClass.PERMANENT]
classes = st.sampled_from([StatusClass.POSITIVE, *FAILING])
statuses = st.builds(EnhancedStatus, st.sampled_from([2, 4, 5]), st.integers(0, 999), st.integers(0, 999))
replies = st.builds(Reply, st.integers(200, 599), st.none() | statuses, st.just(("words",)))


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("klass", [StatusClass.POSITIVE, *FAILING])
def test_every_cause_has_a_status_in_every_class(cause, klass):
    status = WeFound(cause).status(klass)
    assert status.klass == klass
    assert 0 <= status.subject <= 7
    assert 0 <= status.detail <= 28


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (Cause.NO_SUCH_DOMAIN, "5.1.2"),
        (Cause.NULL_MX, "5.1.10"),
        (Cause.NO_SUCH_MAIL_HOSTS, "5.4.4"),
        (Cause.LOOP, "5.4.6"),
        (Cause.HOP_LIMIT, "5.4.6"),
        (Cause.TOO_LARGE, "5.3.4"),
        (Cause.NEEDS_8BIT, "5.6.3"),
        (Cause.NO_SUCH_MAILBOX, "5.1.1"),
    ],
)
def test_what_ends_a_life_has_the_status_that_postmasters_know(cause, status):
    assert str(WeFound(cause).status(StatusClass.PERMANENT)) == status


@given(replies, classes)
def test_a_peers_status_counts_only_in_its_own_class(said, klass):
    status = PeerSaid(said, "mx.there.example", "192.0.2.1", Phase.RCPT).status(klass)
    assert status.klass == klass
    if said.enhanced is not None and said.enhanced.klass == klass == said.code // 100:
        assert status == said.enhanced
    else:
        assert status == EnhancedStatus(klass, 0, 0)


def test_a_peers_words_come_with_its_name_and_what_they_answer():
    said = PeerSaid(reply(550, "5.1.1", "Unknown"), "mx.there.example", "192.0.2.1", Phase.RCPT)
    assert str(said) == "mx.there.example [192.0.2.1] in answer to RCPT TO: 550 5.1.1 Unknown"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (WeFound(Cause.NULL_MX), "null-mx"),
        (WeFound(Cause.LOOKUP_FAILED, "SERVFAIL"), "lookup-failed: SERVFAIL"),
        (WeFound(Cause.LOOP, "ourselves", "mail.here.example"), "mail.here.example: loop: ourselves"),
        (WeFound(Cause.SILENT, "", "mx.there.example", "192.0.2.1"), "mx.there.example [192.0.2.1]: silent"),
    ],
)
def test_our_finding_names_the_host_only_where_one_took_part(found, words):
    assert str(found) == words
