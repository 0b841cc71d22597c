"""The levels of TLS: who asks, who insists, and when clear text is no matter."""

import pytest

from byreturn.mail import Cause, WeFound, reply
from byreturn.policy import TlsLevel, tls_denied

FAILED = WeFound(Cause.TLS_FAILED, "handshake failure")


@pytest.mark.parametrize(
    ("level", "is_asked_for", "is_needed", "checks_certificate"),
    [
        ("none", False, False, False),
        ("opportunistic", True, False, False),
        ("required", True, True, False),
        ("verified", True, True, True),
    ],
)
def test_the_table(level, is_asked_for, is_needed, checks_certificate):
    one = TlsLevel(level)
    assert one.is_asked_for is is_asked_for
    assert one.is_needed is is_needed
    assert one.checks_certificate is checks_certificate


@pytest.mark.parametrize("level", TlsLevel)
def test_what_is_needed_is_asked_for_and_what_is_checked_is_needed(level):
    assert level.is_asked_for or not level.is_needed
    assert level.is_needed or not level.checks_certificate


@pytest.mark.parametrize("level", TlsLevel)
@pytest.mark.parametrize("cause", Cause)
def test_clear_text_follows_a_tls_that_failed_and_was_not_needed_and_nothing_else(level, cause):
    expected = level is TlsLevel.OPPORTUNISTIC and cause is Cause.TLS_FAILED
    assert level.goes_on_in_clear_text(WeFound(cause)) is expected


def test_what_is_in_the_way_is_our_own_finding_and_has_the_status_that_postmasters_know():
    not_offered, refused = tls_denied(None), tls_denied(reply(554, "5.7.3", "No security"))
    assert not_offered.cause is Cause.TLS_NOT_OFFERED
    assert str(not_offered.status(4)) == "4.7.4"
    assert refused.cause is Cause.TLS_FAILED
    assert "554 5.7.3 No security" in refused.detail
    assert str(refused.status(4)) == "4.7.5"
