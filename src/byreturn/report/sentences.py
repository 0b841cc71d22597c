"""The sentences on a cause, as tables.

Every sentence is whole, because a translator can turn a sentence round and a fragment not. So there is one
for each of the ways in which the same thing is said:

    FOUND    by our own cause       failed, and while we are still trying; closed, every Cause has its words
    SAID     by a peer's reason     each of the two also as a guess
    BEHIND   of an alias: the address that failed is not the one that the sender knows

The sentences state and do not judge: nobody is at fault, and nothing is promised that we do not know. The
places in them are named in `wording`, which fills them. Pure data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from byreturn.mail import N_, Cause
from byreturn.report.reasons import Reason


class Found(Struct, frozen=True):
    """Our own finding: when it is final, while we are still trying, and in exact terms."""

    failed: str
    trying: str
    finding: str


class Said(Struct, frozen=True):
    """What a peer's refusal means, and what it may mean: when it is final, and while we are still trying."""

    failed: str
    guessed: str
    trying: str
    guessed_trying: str


class Behind(Struct, frozen=True):
    """The same of the address behind an alias."""

    failed: str
    trying: str


FOUND: Final[Mapping[Cause, Found]] = {
    Cause.NO_SUCH_DOMAIN: Found(
        N_('The domain "{domain}" does not exist.'),
        N_('So far, the domain "{domain}" could not be found.'),
        N_("the DNS knows no such name"),
    ),
    Cause.NULL_MX: Found(
        N_('The domain "{domain}" says of itself that it takes no mail.'),
        N_('So far, the domain "{domain}" says of itself that it takes no mail.'),
        N_("a null MX record in the DNS"),
    ),
    Cause.NO_MAIL_HOST: Found(
        N_('The domain "{domain}" has no mail server.'),
        N_('So far, no mail server could be found for the domain "{domain}".'),
        N_("neither an MX nor an address record in the DNS"),
    ),
    Cause.NO_SUCH_MAIL_HOSTS: Found(
        N_('The domain "{domain}" names mail servers that do not exist.'),
        N_('So far, the mail servers that the domain "{domain}" names could not be found.'),
        N_("the DNS knows none of the names in its MX records"),
    ),
    Cause.LOOKUP_FAILED: Found(
        N_("We could not find out which mail server takes mail for {domain}."),
        N_("We have not been able to find out yet which mail server takes mail for {domain}."),
        N_("no usable answer from the DNS"),
    ),
    Cause.FORBIDDEN_ADDRESS: Found(
        N_('The domain "{domain}" names a mail server that is not on the public internet.'),
        N_('So far, the domain "{domain}" names a mail server that is not on the public internet.'),
        N_("its address is not one that we connect to"),
    ),
    Cause.LOOP: Found(
        N_("The way to {domain} leads back to our own mail server."),
        N_("So far, the way to {domain} leads back to our own mail server."),
        N_("a mail loop"),
    ),
    Cause.HOP_LIMIT: Found(
        N_("The message has gone through too many mail servers, most likely in a circle."),
        N_("The message has gone through very many mail servers, most likely in a circle."),
        N_("too many Received lines in its header"),
    ),
    Cause.REFUSED_CONNECTION: Found(
        N_("The mail server for {domain} took no connection from ours."),
        N_("The mail server for {domain} takes no connections at the moment."),
        N_("connection refused"),
    ),
    Cause.UNREACHABLE: Found(
        N_("The mail server for {domain} could not be reached."),
        N_("The mail server for {domain} cannot be reached at the moment."),
        N_("no way to it on the network"),
    ),
    Cause.SILENT: Found(
        N_("The mail server for {domain} did not answer."),
        N_("We are waiting for the mail server for {domain} to answer."),
        N_("no answer in time"),
    ),
    Cause.LOST_CONNECTION: Found(
        N_("The connection to the mail server for {domain} broke off."),
        N_("The last connection to the mail server for {domain} broke off."),
        N_("connection lost"),
    ),
    Cause.BROKEN_DIALOGUE: Found(
        N_("Our mail server could not understand the answers of the mail server for {domain}."),
        N_("So far, our mail server could not understand the answers of the mail server for {domain}."),
        N_("an answer that is no valid SMTP"),
    ),
    Cause.TLS_NOT_OFFERED: Found(
        N_("Mail to {domain} must be encrypted, and its mail server offered no encryption."),
        N_("Mail to {domain} must be encrypted, and so far its mail server offers no encryption."),
        N_("TLS is required, and not offered"),
    ),
    Cause.TLS_FAILED: Found(
        N_(
            "Mail to {domain} must be encrypted, and no encrypted connection to its mail server was possible."
        ),
        N_(
            "Mail to {domain} must be encrypted, and so far no encrypted connection to its mail server is "
            "possible."
        ),
        N_("TLS failed"),
    ),
    Cause.TOO_LARGE: Found(
        N_("The message is larger than the mail server for {domain} takes."),
        N_("The message is larger than the mail server for {domain} takes at the moment."),
        N_("over the size that it announces"),
    ),
    Cause.NEEDS_8BIT: Found(
        N_("The mail server for {domain} takes plain letters only, and the message has others in it."),
        N_(
            "So far, the mail server for {domain} takes plain letters only, and the message has others in it."
        ),
        N_("8-bit content, and no 8BITMIME there"),
    ),
    Cause.NO_SUCH_MAILBOX: Found(
        N_("There is no mailbox for {address} here."),
        N_("So far, there is no mailbox for {address} here."),
        N_("no such mailbox"),
    ),
    Cause.STORE_FAILED: Found(
        N_("The mailbox could not take the message, because of a fault on our side."),
        N_("The mailbox cannot take the message at the moment, because of a fault on our side."),
        N_("the mail store reports a fault"),
    ),
    Cause.STORED: Found(
        N_("The message is in the mailbox."),
        N_("The message is in the mailbox."),
        N_("stored"),
    ),
    Cause.INTERRUPTED: Found(
        N_("Our mail server stopped during the attempt."),
        N_("Our mail server stopped during the last attempt."),
        N_("our server stopped during the attempt"),
    ),
    Cause.OUR_BUG: Found(
        N_("A fault in our own mail server got in the way."),
        N_("A fault in our own mail server got in the way of the last attempt."),
        N_("a fault of ours"),
    ),
    Cause.EXPANDED: Found(
        N_("The message was passed on to the addresses that this one stands for."),
        N_("The message was passed on to the addresses that this one stands for."),
        N_("expanded"),
    ),
}

# The end of the message was sent, and no answer to it came: the other side may have taken it before.
PERHAPS_TAKEN: Final = Found(
    N_("The mail server for {domain} did not confirm the message at its end; it may have taken it even so."),
    N_("The mail server for {domain} has not confirmed the message yet; it may have taken it even so."),
    "",
)
PERHAPS_TAKEN_BEHIND: Final = Behind(
    N_("The mail server behind this address did not confirm the message; it may have taken it even so."),
    N_(
        "The mail server behind this address has not confirmed the message yet; it may have taken it even so."
    ),
)


SAID: Final[Mapping[Reason, Said]] = {
    Reason.NO_SUCH_MAILBOX: Said(
        N_("The mail server for {domain} answered that it has no such mailbox."),
        N_("The mail server for {domain} refused the address, most likely because it has no such mailbox."),
        N_("So far, the mail server for {domain} answers that it does not know this mailbox."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because it does not "
            "know this mailbox."
        ),
    ),
    Reason.MAILBOX_CLOSED: Said(
        N_("The mail server for {domain} answered that this mailbox no longer takes mail."),
        N_(
            "The mail server for {domain} refused the message, most likely because the mailbox no longer "
            "takes mail."
        ),
        N_("The mail server for {domain} answers that this mailbox takes no mail at the moment."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because the mailbox "
            "takes no mail at the moment."
        ),
    ),
    Reason.MAILBOX_FULL: Said(
        N_("The mail server for {domain} answered that the mailbox is full."),
        N_("The mail server for {domain} refused the message, most likely because the mailbox is full."),
        N_("The mail server for {domain} answers that the mailbox is full at the moment."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because the mailbox is "
            "full."
        ),
    ),
    Reason.NO_SUCH_DOMAIN: Said(
        N_('The next mail server answered that the domain "{domain}" does not exist.'),
        N_(
            "The next mail server refused the message, most likely because it does not find the domain "
            '"{domain}".'
        ),
        N_('So far, the next mail server does not find the domain "{domain}".'),
        N_(
            "The next mail server does not take the message yet, most likely because it does not find the "
            'domain "{domain}".'
        ),
    ),
    Reason.NO_MAIL_THERE: Said(
        N_('The next mail server answered that the domain "{domain}" takes no mail.'),
        N_("The mail server for {domain} refused the message, most likely because the domain takes no mail."),
        N_('So far, the next mail server answers that the domain "{domain}" takes no mail.'),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because the domain "
            "takes no mail."
        ),
    ),
    Reason.BROKEN_DOMAIN: Said(
        N_("The next mail server answered that it knows no way to {domain}."),
        N_("The next mail server refused the message, most likely because it knows no way to {domain}."),
        N_("So far, the next mail server answers that it knows no way to {domain}."),
        N_(
            "The next mail server does not take the message yet, most likely because it knows no way to "
            "{domain}."
        ),
    ),
    Reason.LOOKUP_FAILED: Said(
        N_("The next mail server answered that it could not find the mail server for {domain}."),
        N_(
            "The next mail server refused the message, most likely because it could not find the mail server "
            "for {domain}."
        ),
        N_("So far, the next mail server could not find the mail server for {domain}."),
        N_(
            "The next mail server does not take the message yet, most likely because it could not find the "
            "mail server for {domain}."
        ),
    ),
    Reason.HOST_DOWN: Said(
        N_("The next mail server answered that it could not reach the mail server for {domain}."),
        N_(
            "The next mail server refused the message, most likely because it could not reach the mail "
            "server for {domain}."
        ),
        N_("The next mail server answers that it cannot reach the mail server for {domain} at the moment."),
        N_(
            "The next mail server does not take the message yet, most likely because it cannot reach the "
            "mail server for {domain}."
        ),
    ),
    Reason.HOST_SILENT: Said(
        N_("The next mail server answered that the mail server for {domain} is silent."),
        N_(
            "The next mail server refused the message, most likely because the mail server for {domain} did "
            "not answer it."
        ),
        N_("The next mail server is waiting for the mail server for {domain} to answer."),
        N_(
            "The next mail server does not take the message yet, most likely because the mail server for "
            "{domain} does not answer it."
        ),
    ),
    Reason.BROKEN_DIALOGUE: Said(
        N_("The mail server for {domain} answered that it does not understand what ours asked for."),
        N_(
            "The mail server for {domain} refused the message, most likely because it did not understand "
            "ours."
        ),
        N_("So far, the mail server for {domain} answers that it does not understand what ours asks for."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because it did not "
            "understand ours."
        ),
    ),
    Reason.TRY_LATER: Said(
        N_("The mail server for {domain} asked us to come back later each time."),
        N_("The mail server for {domain} did not take the message, most likely because of a passing fault."),
        N_("The mail server for {domain} asked us to come back later."),
        N_("The mail server for {domain} does not take the message yet, most likely for a passing reason."),
    ),
    Reason.TOO_MUCH_MAIL: Said(
        N_("The mail server for {domain} answered that it was getting too much mail at once."),
        N_(
            "The mail server for {domain} refused the message, most likely because it was getting too much "
            "mail at once."
        ),
        N_("The mail server for {domain} asks for less mail at once."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because it is getting "
            "too much mail at once."
        ),
    ),
    Reason.POLICY: Said(
        N_("The mail server for {domain} answered that its rules do not allow this message."),
        N_("The mail server for {domain} refused the message, most likely because of its own rules."),
        N_("The mail server for {domain} answers that its rules do not allow this message yet."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because of its own "
            "rules."
        ),
    ),
    Reason.SPAM: Said(
        N_("The mail server for {domain} answered that it takes the message for spam."),
        N_("The mail server for {domain} refused the message, most likely because it takes it for spam."),
        N_("So far, the mail server for {domain} answers that it takes the message for spam."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because it takes it for "
            "spam."
        ),
    ),
    Reason.REPUTATION: Said(
        N_("The mail server for {domain} answered that it takes no mail from our mail server."),
        N_(
            "The mail server for {domain} refused the message, most likely because it takes no mail from our "
            "mail server."
        ),
        N_("The mail server for {domain} answers that it takes no mail from our mail server at the moment."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because it is wary of "
            "our mail server."
        ),
    ),
    Reason.SENDER_REFUSED: Said(
        N_("The mail server for {domain} answered that it takes no mail from your address."),
        N_(
            "The mail server for {domain} refused the message, most likely because it takes no mail from "
            "your address."
        ),
        N_("The mail server for {domain} answers that it takes no mail from your address at the moment."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because of your address."
        ),
    ),
    Reason.NOT_AUTHENTICATED: Said(
        N_("The mail server for {domain} answered that it could not verify where the message comes from."),
        N_(
            "The mail server for {domain} refused the message, most likely because it could not verify where "
            "it comes from."
        ),
        N_("So far, the mail server for {domain} could not verify where the message comes from."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because it could not "
            "verify where it comes from."
        ),
    ),
    Reason.RELAYING: Said(
        N_("The mail server that is named for {domain} answered that it does not take mail for it."),
        N_(
            "The mail server that is named for {domain} refused the message, most likely because it does not "
            "take mail for it."
        ),
        N_("So far, the mail server that is named for {domain} answers that it does not take mail for it."),
        N_(
            "The mail server that is named for {domain} does not take the message yet, most likely because "
            "it does not take mail for it."
        ),
    ),
    Reason.TOO_LARGE: Said(
        N_("The mail server for {domain} answered that the message is too large."),
        N_("The mail server for {domain} refused the message, most likely because it is too large."),
        N_("The mail server for {domain} answers that the message is too large at the moment."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because it is too large."
        ),
    ),
    Reason.TOO_MANY_RECIPIENTS: Said(
        N_("The mail server for {domain} answered that the message has too many recipients."),
        N_("The mail server for {domain} refused the message, most likely for its many recipients."),
        N_("The mail server for {domain} takes fewer recipients at once than the message has."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely for its many recipients."
        ),
    ),
    Reason.CONTENT: Said(
        N_("The mail server for {domain} answered that it does not take what the message contains."),
        N_("The mail server for {domain} refused the message, most likely because of what it contains."),
        N_("So far, the mail server for {domain} does not take what the message contains."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because of what it "
            "contains."
        ),
    ),
    Reason.NEEDS_8BIT: Said(
        N_("The mail server for {domain} answered that it does not take the letters used in the message."),
        N_(
            "The mail server for {domain} refused the message, most likely because of the letters used in it."
        ),
        N_("So far, the mail server for {domain} does not take the letters used in the message."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because of the letters "
            "used in it."
        ),
    ),
    Reason.TLS_DEMANDED: Said(
        N_("The mail server for {domain} answered that it takes mail only over an encrypted connection."),
        N_(
            "The mail server for {domain} refused the message, most likely because the connection was not "
            "encrypted."
        ),
        N_("The mail server for {domain} answers that it takes mail only over an encrypted connection."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because the connection "
            "was not encrypted."
        ),
    ),
    Reason.TLS_FAILED: Said(
        N_("The mail server for {domain} answered that no encrypted connection could be made."),
        N_(
            "The mail server for {domain} refused the message, most likely because no encrypted connection "
            "could be made."
        ),
        N_("The mail server for {domain} answers that it cannot encrypt connections at the moment."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because no encrypted "
            "connection could be made."
        ),
    ),
    Reason.LOOP: Said(
        N_("The mail server for {domain} answered that the message is going round in a circle."),
        N_(
            "The mail server for {domain} refused the message, most likely because it is going round in a "
            "circle."
        ),
        N_("So far, the mail server for {domain} answers that the message is going round in a circle."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because it is going "
            "round in a circle."
        ),
    ),
    Reason.STORE_FAILED: Said(
        N_("The mail server for {domain} answered that it could not store the message."),
        N_("The mail server for {domain} refused the message, most likely because it could not store it."),
        N_("The mail server for {domain} answers that it cannot store the message at the moment."),
        N_(
            "The mail server for {domain} does not take the message yet, most likely because it cannot store "
            "it."
        ),
    ),
    # No finding of a peer's, and here only so that every reason has its words.
    Reason.OUR_FAULT: Said(
        N_("A fault in our own mail server got in the way."),
        N_("Most likely, a fault in our own mail server got in the way."),
        N_("A fault in our own mail server got in the way of the last attempt."),
        N_("Most likely, a fault in our own mail server got in the way of the last attempt."),
    ),
    Reason.NOT_CLASSIFIED: Said(
        N_('The mail server for {domain} refused the message and answered "{reply}".'),
        N_('The mail server for {domain} refused the message and answered "{reply}".'),
        N_('The mail server for {domain} does not take the message yet and answered "{reply}".'),
        N_('The mail server for {domain} does not take the message yet and answered "{reply}".'),
    ),
}
WITHOUT_A_WORD: Final = Found(
    N_("The mail server for {domain} refused the message without saying why."),
    N_("The mail server for {domain} does not take the message yet, and does not say why."),
    "",
)
NOTHING_KNOWN: Final = Found(
    N_("It is not known why the message could not be delivered."),
    N_("The message has not been tried yet."),
    "",
)


_UNKNOWN_BEHIND: Final = Behind(
    N_("This address passes mail on to another one, and that one does not exist."),
    N_("This address passes mail on to another one, and so far that one could not be found."),
)
_DOWN_BEHIND: Final = Behind(
    N_("This address passes mail on to another one, and the mail server there could not be reached."),
    N_("This address passes mail on to another one, and we are waiting for the mail server there to answer."),
)
_NOT_FOUND_BEHIND: Final = Behind(
    N_("This address passes mail on to another one, and no mail server could be found for that one."),
    N_("This address passes mail on to another one, and so far no mail server could be found for that one."),
)
_LATER_BEHIND: Final = Behind(
    N_("This address passes mail on to another one, and the mail server there put us off each time."),
    N_("This address passes mail on to another one, and the mail server there asked us to come back later."),
)
REFUSED_BEHIND: Final = Behind(
    N_("This address passes mail on to another one, and the mail server there refused the message."),
    N_(
        "This address passes mail on to another one, and the mail server there does not take the message yet."
    ),
)
BEHIND: Final[Mapping[Reason, Behind]] = {
    Reason.NO_SUCH_MAILBOX: _UNKNOWN_BEHIND,
    Reason.NO_SUCH_DOMAIN: _UNKNOWN_BEHIND,
    Reason.MAILBOX_CLOSED: Behind(
        N_("This address passes mail on to another one, and that one no longer takes mail."),
        N_("This address passes mail on to another one, and that one takes no mail at the moment."),
    ),
    Reason.MAILBOX_FULL: Behind(
        N_("This address passes mail on to another one, and the mailbox there is full."),
        N_("This address passes mail on to another one, and the mailbox there is full at the moment."),
    ),
    Reason.NO_MAIL_THERE: Behind(
        N_("This address passes mail on to another one, and the domain of that one takes no mail."),
        N_("This address passes mail on to another one, and so far the domain of that one takes no mail."),
    ),
    Reason.BROKEN_DOMAIN: _NOT_FOUND_BEHIND,
    Reason.LOOKUP_FAILED: _NOT_FOUND_BEHIND,
    Reason.HOST_DOWN: _DOWN_BEHIND,
    Reason.HOST_SILENT: _DOWN_BEHIND,
    Reason.BROKEN_DIALOGUE: Behind(
        N_(
            "This address passes mail on to another one, and the two mail servers did not understand each "
            "other."
        ),
        N_(
            "This address passes mail on to another one, and so far the two mail servers do not understand "
            "each other."
        ),
    ),
    Reason.TRY_LATER: _LATER_BEHIND,
    Reason.TOO_MUCH_MAIL: _LATER_BEHIND,
    Reason.NEEDS_8BIT: Behind(
        N_(
            "This address passes mail on to another one, which does not take the letters used in the message."
        ),
        N_(
            "This address passes mail on to another one, which so far does not take the letters used in the "
            "message."
        ),
    ),
    Reason.SPAM: Behind(
        N_("This address passes mail on to another one, and the mail server there takes it for spam."),
        N_("This address passes mail on to another one, and so far the mail server there takes it for spam."),
    ),
    Reason.TOO_LARGE: Behind(
        N_("This address passes mail on to another one, and the message is too large for it."),
        N_("This address passes mail on to another one, and the message is too large for it at the moment."),
    ),
    Reason.CONTENT: Behind(
        N_("This address passes mail on to another one, which does not take what the message contains."),
        N_(
            "This address passes mail on to another one, which so far does not take what the message "
            "contains."
        ),
    ),
    Reason.LOOP: Behind(
        N_("This address passes mail on to another one, and the way there leads in a circle."),
        N_("This address passes mail on to another one, and so far the way there leads in a circle."),
    ),
    Reason.STORE_FAILED: Behind(
        N_("This address passes mail on to another one, and the mailbox there could not take the message."),
        N_("This address passes mail on to another one, and the mailbox there cannot take it at the moment."),
    ),
    Reason.OUR_FAULT: Behind(
        FOUND[Cause.OUR_BUG].failed,
        FOUND[Cause.OUR_BUG].trying,
    ),
}
