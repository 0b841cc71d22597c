"""Fitting: whether a message can be sent to a host at all, and the one kind of mail that is made to fit.

What a host says in its answer to EHLO tells before anything is sent that a message is too large for it, or
has octets that it does not take. Other people's mail is not rewritten for that. Our own report is: whoever
waits for it is better served by the header of his message than by nothing, and there is nobody to report the
report to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from byreturn.mail import Cause, Phase, WeFound
from byreturn.ports import ContentReader, SpoolFault
from byreturn.protocol import Extensions, Transaction
from byreturn.report import without_8bit
from byreturn.service.batch import Carried

if TYPE_CHECKING:
    from byreturn.service.relay import Relay


def unfit(offers: Extensions, transaction: Transaction, host: str, address: str) -> WeFound | None:
    """Tell why a message cannot be sent there; None: it can."""
    if offers.size is not None and transaction.octets > offers.size:
        # RFC 1870 section 6: known before anything is sent.
        detail = f"the message has {transaction.octets} octets, the server takes {offers.size}"
        return WeFound(Cause.TOO_LARGE, detail, host, address, Phase.HELLO)
    if transaction.is_8bit and not offers.eight_bit:
        # RFC 6152 section 3: 8-bit content may not be sent there, and we do not rewrite mail.
        detail = "the message has 8-bit octets, the server takes 7-bit"
        return WeFound(Cause.NEEDS_8BIT, detail, host, address, Phase.HELLO)
    return None


def may_shrink(carried: Carried) -> bool:
    """Whether this is a report of ours that was not made smaller before."""
    return carried.message.about is not None and carried.fitted is None


def shrink(relay: Relay, carried: Carried, done: Callable[[], None]) -> None:
    """Make a report fit: the header of the original instead of all of it. `done` comes in any case."""

    def opened(reader: ContentReader | SpoolFault | None) -> None:
        if reader is None or isinstance(reader, SpoolFault):
            carried.fitted = b""
        else:
            carried.fitted = without_8bit(reader.read(reader.octets)) or b""
            reader.close()
        done()

    relay.read_content(carried, opened)
