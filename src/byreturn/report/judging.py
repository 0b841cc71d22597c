"""What a diagnosis means: one reason out of the closed list, and how sure we are of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from byreturn.mail import Cause, Diagnosis, PeerSaid, WeFound
from byreturn.report.reasons import Judgement, Reason

OURS: Final[Mapping[Cause, Reason]] = {
    Cause.NO_SUCH_DOMAIN: Reason.NO_SUCH_DOMAIN,
    Cause.NULL_MX: Reason.NO_MAIL_THERE,
    Cause.NO_MAIL_HOST: Reason.NO_MAIL_THERE,
    Cause.NO_SUCH_MAIL_HOSTS: Reason.BROKEN_DOMAIN,
    Cause.LOOKUP_FAILED: Reason.LOOKUP_FAILED,
    Cause.FORBIDDEN_ADDRESS: Reason.BROKEN_DOMAIN,
    Cause.LOOP: Reason.LOOP,
    Cause.HOP_LIMIT: Reason.LOOP,
    Cause.REFUSED_CONNECTION: Reason.HOST_DOWN,
    Cause.UNREACHABLE: Reason.HOST_DOWN,
    Cause.SILENT: Reason.HOST_SILENT,
    Cause.LOST_CONNECTION: Reason.BROKEN_DIALOGUE,
    Cause.BROKEN_DIALOGUE: Reason.BROKEN_DIALOGUE,
    Cause.TLS_NOT_OFFERED: Reason.TLS_DEMANDED,
    Cause.TLS_FAILED: Reason.TLS_FAILED,
    Cause.TOO_LARGE: Reason.TOO_LARGE,
    Cause.NEEDS_8BIT: Reason.NEEDS_8BIT,
    Cause.NO_SUCH_MAILBOX: Reason.NO_SUCH_MAILBOX,
    Cause.STORE_FAILED: Reason.STORE_FAILED,
    Cause.INTERRUPTED: Reason.OUR_FAULT,
    Cause.OUR_BUG: Reason.OUR_FAULT,
    # These two are good news; nothing is to be mended.
    Cause.STORED: Reason.NOT_CLASSIFIED,
    Cause.EXPANDED: Reason.NOT_CLASSIFIED,
}
NOTHING_KNOWN: Final = Judgement(Reason.NOT_CLASSIFIED)


def judge(diagnosis: Diagnosis) -> Judgement:
    """Decide what a diagnosis means to the sender."""
    if isinstance(diagnosis, WeFound):
        return Judgement(OURS[diagnosis.cause])
    return _judge_reply(diagnosis)


def _judge_reply(said: PeerSaid) -> Judgement:
    if said.reply.enhanced is not None and (said.reply.enhanced.subject, said.reply.enhanced.detail) == (
        1,
        1,
    ):
        return Judgement(Reason.NO_SUCH_MAILBOX)
    return NOTHING_KNOWN
