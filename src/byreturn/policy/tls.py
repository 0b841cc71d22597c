"""How much encryption mail for a destination must have.

    level           asks   in clear text, if TLS cannot be had   certificate
    none            no     always                                -
    opportunistic   yes    yes                                   any
    required        yes    never                                 any
    verified        yes    never                                 valid, and for the host's name

Opportunistic TLS keeps out who only listens: who can change what is said can also take away the offer. So a
handshake that fails is no reason to keep the mail, and the same host is dialled once more in clear text.

Where TLS must be and cannot be had, the host has not taken part, and the mail waits: a certificate that ran
out yesterday is renewed today, and it would be wrong to send mail back for it. Pure.
"""

from __future__ import annotations

from enum import StrEnum

from byreturn.mail import Cause, Reply, WeFound


class TlsLevel(StrEnum):
    """What a destination asks for."""

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"
    VERIFIED = "verified"

    @property
    def is_asked_for(self) -> bool:
        """Whether STARTTLS is said where it is offered."""
        return self is not TlsLevel.NONE

    @property
    def is_needed(self) -> bool:
        """Whether nothing may go in clear text."""
        return self in (TlsLevel.REQUIRED, TlsLevel.VERIFIED)

    @property
    def checks_certificate(self) -> bool:
        """Whether the host must prove its name."""
        return self is TlsLevel.VERIFIED

    def goes_on_in_clear_text(self, finding: WeFound) -> bool:
        """Whether the same host is dialled once more, without TLS, after a connection ended so.

        Only after a TLS that failed: a dialogue that makes no sense is dropped, and what was injected into it
        is no reason to trust the wire.
        """
        # RFC 7435 section 3: opportunistic security never stands in the way of the mail.
        return self is TlsLevel.OPPORTUNISTIC and finding.cause is Cause.TLS_FAILED


def tls_denied(reply: Reply | None) -> WeFound:
    """Say what is in the way where TLS is needed: `reply` refused STARTTLS; None: it was not offered."""
    if reply is None:
        return WeFound(Cause.TLS_NOT_OFFERED, "STARTTLS is not among what it offers")
    return WeFound(Cause.TLS_FAILED, f"it answered to STARTTLS: {reply}")
