"""What NOTIFY means where RCPT named an alias: RFC 3461 section 5.2.7."""

from __future__ import annotations

import pytest

from byreturn.mail import Mailbox, Notify
from byreturn.protocol import RcptParameters
from byreturn.service.reception import RecipientList

OFFICE = Mailbox("office", "here.example")
INFO = Mailbox("info", "here.example")
SALES = Mailbox("sales", "here.example")
ANN = Mailbox("ann", "elsewhere.example")
ORCPT = "rfc822;office@here.example"


def added(members, notify):
    recipients = RecipientList()
    recipients.add(OFFICE, members, RcptParameters(notify, ORCPT))
    return recipients


def test_an_alias_for_one_address_passes_the_request_on():
    recipients = added((ANN,), Notify.SUCCESS | Notify.FAILURE)
    (only,) = recipients.all.values()
    assert only.notify == Notify.SUCCESS | Notify.FAILURE
    assert only.orcpt == ORCPT
    assert (only.address, only.given) == (ANN, OFFICE)
    assert recipients.expanded == []


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (Notify.SUCCESS, Notify.NEVER),
        (Notify.SUCCESS | Notify.FAILURE, Notify.FAILURE),
        (Notify.SUCCESS | Notify.FAILURE | Notify.DELAY, Notify.FAILURE | Notify.DELAY),
    ],
)
def test_an_alias_for_several_is_reported_once_as_expanded(asked, left):
    recipients = added((INFO, SALES, ANN), asked)
    assert {one.notify for one in recipients.all.values()} == {left}
    assert recipients.expanded == [0]


@pytest.mark.parametrize("asked", [Notify.ABSENT, Notify.NEVER, Notify.FAILURE, Notify.DELAY])
def test_nobody_who_did_not_ask_for_success_hears_of_an_expansion(asked):
    recipients = added((INFO, SALES), asked)
    assert {one.notify for one in recipients.all.values()} == {asked}
    assert recipients.expanded == []


def test_an_expansion_is_reported_for_the_first_of_its_members_wherever_they_stand():
    recipients = RecipientList()
    recipients.add(INFO, (INFO,), RcptParameters())
    recipients.add(OFFICE, (SALES, INFO), RcptParameters(Notify.SUCCESS))
    assert list(recipients.all) == [INFO, SALES]
    assert recipients.expanded == [recipients.all[SALES].ordinal]
