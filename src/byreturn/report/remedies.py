"""What helps: who can mend it, and what a reader can do, by reason.

At most three steps, each one short sentence that asks for one thing. A step that did not apply would be read
by everybody and help nobody, so a reason has few, and while we are still trying it has none. Our postmaster
has steps of their own where they can do what the sender cannot. Pure data; `wording` fills the places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from byreturn.mail import N_
from byreturn.report.reasons import Mender, Reason

STEPS_LIMIT: Final = 3


class Help(Struct, frozen=True):
    """Who can mend it, and what the sender can do; what our postmaster can do, where that is more."""

    mender: Mender
    steps: tuple[str, ...]
    postmaster: tuple[str, ...] = ()


_BEFORE_AT: Final = N_('Check the spelling before the "@".')
_AFTER_AT: Final = N_('Check the spelling after the "@".')
_IF_RIGHT: Final = N_("If it is right, reach the recipient another way.")
_ANOTHER_WAY: Final = N_("Reach the recipient another way.")
_LATER: Final = N_("Send it again later, or reach the recipient another way.")
_MEANWHILE: Final = N_("If it is urgent, reach the recipient another way.")
_TELL_POSTMASTER: Final = N_("Forward this report to {postmaster}.")
_STILL_FAILS: Final = N_("If it fails again, forward this report to {postmaster}.")
# Only where there is an answer with words in it.
READ_ANSWER: Final = N_("Read the answer of the other mail server in this report: it may say what helps.")
_AGAIN: Final = N_("Send it again to this recipient.")
_LET_THROUGH: Final = N_("Ask the recipient another way to let your mail through.")
_LINK: Final = N_("Send a link to the large part, or send it in smaller messages.")
_FEWER: Final = N_("Send it again to fewer recipients at a time.")
_PLAIN: Final = N_('Set your mail program to send "quoted-printable" text, and send it again.')
_TECHNICAL: Final = N_("Look at the part for technical staff in this report.")

CHECK_AND_SEND: Final = N_("Check the address, then send again to this recipient.")
# For people in our house; a stranger cannot reach anybody this way.
CALL: Final = N_("If you cannot send mail to {postmaster}, use this: {contact}.")
ASK_ABOUT_RETURN: Final = N_("If you want to know more, write to {postmaster}.")

HELP: Final[Mapping[Reason, Help]] = {
    Reason.NO_SUCH_MAILBOX: Help(Mender.SENDER, (_BEFORE_AT, _IF_RIGHT)),
    Reason.MAILBOX_CLOSED: Help(
        Mender.RECIPIENT, (N_("Ask the recipient another way for the address to use now."),)
    ),
    Reason.MAILBOX_FULL: Help(
        Mender.RECIPIENT,
        (
            N_("Tell the recipient another way that the mailbox is full."),
            N_("Send the message again when there is room."),
        ),
    ),
    Reason.NO_SUCH_DOMAIN: Help(Mender.SENDER, (_AFTER_AT, _IF_RIGHT)),
    Reason.NO_MAIL_THERE: Help(Mender.SENDER, (_AFTER_AT, _IF_RIGHT)),
    Reason.BROKEN_DOMAIN: Help(Mender.RECIPIENT, (_AFTER_AT, _IF_RIGHT)),
    Reason.LOOKUP_FAILED: Help(
        Mender.RECIPIENT,
        (_AFTER_AT, N_("If it is right, send it again later, or reach the recipient another way.")),
        (N_("Ask the name servers of the domain, and see whether ours answer for others."),),
    ),
    Reason.HOST_DOWN: Help(
        Mender.RECIPIENT,
        (_AFTER_AT, N_("If it is right, send it again later, or reach the recipient another way.")),
    ),
    Reason.HOST_SILENT: Help(
        Mender.RECIPIENT,
        (_AFTER_AT, N_("If it is right, send it again later, or reach the recipient another way.")),
    ),
    Reason.BROKEN_DIALOGUE: Help(Mender.POSTMASTER, (_ANOTHER_WAY, _TELL_POSTMASTER), (_TECHNICAL,)),
    Reason.TRY_LATER: Help(Mender.NOBODY, (_LATER,)),
    Reason.TOO_MUCH_MAIL: Help(
        Mender.NOBODY, (_LATER,), (N_("Give the destination fewer connections or a lower rate."),)
    ),
    Reason.POLICY: Help(Mender.RECIPIENT, (READ_ANSWER, _ANOTHER_WAY)),
    Reason.SPAM: Help(
        Mender.SENDER,
        (N_("Send it again with fewer links and without attachments."), _LET_THROUGH, _STILL_FAILS),
    ),
    Reason.REPUTATION: Help(
        Mender.POSTMASTER,
        (_TELL_POSTMASTER, N_("Until it is mended, reach the recipient another way.")),
        (
            N_("Look our address up in the list that the answer names, and follow its way to be taken off."),
            N_("Write to the postmaster of the other mail server if the answer names no list."),
        ),
    ),
    Reason.SENDER_REFUSED: Help(
        Mender.SENDER,
        (N_("Check that the message was sent from your usual address."), _LET_THROUGH),
    ),
    Reason.NOT_AUTHENTICATED: Help(
        Mender.POSTMASTER,
        (_TELL_POSTMASTER, N_("Until it is mended, reach the recipient another way.")),
        (N_("Check the SPF, DKIM and DMARC records of the domain that the message was sent from."),),
    ),
    Reason.RELAYING: Help(Mender.RECIPIENT, (_AFTER_AT, _IF_RIGHT)),
    Reason.TOO_LARGE: Help(Mender.SENDER, (_LINK,)),
    Reason.TOO_MANY_RECIPIENTS: Help(Mender.SENDER, (_FEWER,)),
    Reason.CONTENT: Help(
        Mender.SENDER,
        (READ_ANSWER, N_("Send it again without the attachment or link that may be meant.")),
    ),
    Reason.NEEDS_8BIT: Help(Mender.SENDER, (_PLAIN,)),
    Reason.TLS_DEMANDED: Help(
        Mender.POSTMASTER,
        (_TELL_POSTMASTER, _MEANWHILE),
        (N_("Compare the encryption that we ask for with what the other mail server offers."),),
    ),
    Reason.TLS_FAILED: Help(
        Mender.POSTMASTER,
        (_TELL_POSTMASTER, _MEANWHILE),
        (N_("Compare the encryption that we ask for with what the other mail server offers."),),
    ),
    Reason.LOOP: Help(
        Mender.POSTMASTER,
        (_TELL_POSTMASTER, _MEANWHILE),
        (N_("Follow the Received lines of the message, and see which forwarding closes the circle."),),
    ),
    Reason.STORE_FAILED: Help(Mender.POSTMASTER, (_LATER, _STILL_FAILS), (_TECHNICAL,)),
    Reason.OUR_FAULT: Help(Mender.POSTMASTER, (_AGAIN, _STILL_FAILS), (_TECHNICAL,)),
    Reason.NOT_CLASSIFIED: Help(Mender.RECIPIENT, (READ_ANSWER, _ANOTHER_WAY)),
}

# Of an alias the sender cannot mend the address, but may still change the message.
BEHIND_HELP: Final = Help(
    Mender.POSTMASTER,
    (_ANOTHER_WAY, N_("Tell {postmaster} that mail to {address} is not passed on.")),
    (N_("Look at the addresses that this one passes mail on to."),),
)
ABOUT_THE_MESSAGE: Final = frozenset(
    {Reason.SPAM, Reason.TOO_LARGE, Reason.CONTENT, Reason.NEEDS_8BIT}
    | {Reason.TRY_LATER, Reason.TOO_MUCH_MAIL, Reason.OUR_FAULT, Reason.STORE_FAILED}
)
PERHAPS_TAKEN_STEPS: Final = (
    N_("Ask the recipient whether the message has arrived."),
    N_("If it has not, send it again to this recipient."),
)
