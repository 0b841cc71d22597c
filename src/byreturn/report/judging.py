"""What a diagnosis means: one reason out of the closed list, and how sure we are of it.

Our own findings have a table. A peer's reply is read in four places, and the first that tells decides:

    the text, where it is clear         "user unknown" holds even beside 5.7.1, which says "policy"
    the status, where it is exact       5.2.2 is a full mailbox
    the text, where it hints            a guess
    the status or code, if vague        5.7.0 is some policy; 550 to RCPT is most often no mailbox: a guess

The text goes before the status because statuses are misused more often than words are: Exchange answers 5.4.1
for an unknown mailbox and others 5.7.1, and both say so in words. Nothing that tells is NOT_CLASSIFIED, and
then the peer's own words are quoted.

Promises: total, and linear in the reply, of which a bounded part is read. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from byreturn.mail import Cause, Diagnosis, PeerSaid, Phase, Reply, WeFound
from byreturn.report.clues import LOOKED_AT, clear_reason, hinted_reason, plain
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

# Subject and detail as RFC 3463 and the IANA registry of enhanced status codes define them; from 300 on they
# are Microsoft's own.
_EXACT: Final[Mapping[tuple[int, int], Reason]] = {
    (1, 1): Reason.NO_SUCH_MAILBOX,
    (1, 2): Reason.NO_SUCH_DOMAIN,
    (1, 3): Reason.NO_SUCH_MAILBOX,
    (1, 6): Reason.MAILBOX_CLOSED,
    (1, 7): Reason.SENDER_REFUSED,
    (1, 8): Reason.SENDER_REFUSED,
    (1, 10): Reason.NO_MAIL_THERE,
    (2, 1): Reason.MAILBOX_CLOSED,
    (2, 2): Reason.MAILBOX_FULL,
    (2, 3): Reason.TOO_LARGE,
    (3, 1): Reason.TRY_LATER,
    (3, 2): Reason.TRY_LATER,
    (3, 4): Reason.TOO_LARGE,
    (4, 1): Reason.HOST_DOWN,
    (4, 2): Reason.HOST_DOWN,
    (4, 3): Reason.LOOKUP_FAILED,
    (4, 4): Reason.BROKEN_DOMAIN,
    (4, 5): Reason.TOO_MUCH_MAIL,
    (4, 6): Reason.LOOP,
    (4, 7): Reason.TRY_LATER,
    (5, 1): Reason.BROKEN_DIALOGUE,
    (5, 2): Reason.BROKEN_DIALOGUE,
    (5, 3): Reason.TOO_MANY_RECIPIENTS,
    (5, 4): Reason.BROKEN_DIALOGUE,
    (5, 5): Reason.BROKEN_DIALOGUE,
    (6, 1): Reason.CONTENT,
    (6, 2): Reason.CONTENT,
    (6, 3): Reason.NEEDS_8BIT,
    (6, 5): Reason.NEEDS_8BIT,
    (6, 7): Reason.NEEDS_8BIT,
    (6, 9): Reason.NEEDS_8BIT,
    (7, 2): Reason.POLICY,
    (7, 5): Reason.TLS_FAILED,
    (7, 7): Reason.NOT_AUTHENTICATED,
    (7, 8): Reason.NOT_AUTHENTICATED,
    (7, 10): Reason.TLS_DEMANDED,
    (7, 11): Reason.TLS_DEMANDED,
    (7, 13): Reason.MAILBOX_CLOSED,
    (7, 14): Reason.NOT_AUTHENTICATED,
    (7, 16): Reason.TOO_LARGE,
    (7, 17): Reason.MAILBOX_CLOSED,
    (7, 18): Reason.MAILBOX_CLOSED,
    **dict.fromkeys([(7, detail) for detail in (*range(20, 27), 29)], Reason.NOT_AUTHENTICATED),
    # RFC 7505 section 4.2: the sender's domain takes no mail, so it should send none.
    (7, 27): Reason.SENDER_REFUSED,
    (7, 28): Reason.TOO_MUCH_MAIL,
    # REQUIRETLS was asked for and cannot be had.
    (7, 30): Reason.TLS_DEMANDED,
    (4, 310): Reason.NO_SUCH_DOMAIN,
    (4, 312): Reason.LOOKUP_FAILED,
    (4, 316): Reason.HOST_DOWN,
    (7, 57): Reason.RELAYING,
    (7, 64): Reason.RELAYING,
    (7, 124): Reason.SENDER_REFUSED,
    (7, 133): Reason.SENDER_REFUSED,
    (7, 509): Reason.NOT_AUTHENTICATED,
    (7, 511): Reason.REPUTATION,
    (7, 515): Reason.NOT_AUTHENTICATED,
    **dict.fromkeys([(7, detail) for detail in (*range(606, 651), 705, 708)], Reason.REPUTATION),
}

# A host that is down may come up: whoever refuses for ever with one of these means something else.
_PASSING: Final = frozenset({(4, 1), (4, 2)})

# These say little, and what they say they say truly.
_VAGUE: Final[Mapping[int, Reason]] = {5: Reason.BROKEN_DIALOGUE, 6: Reason.CONTENT, 7: Reason.POLICY}

_BY_CODE: Final[Mapping[int, Reason]] = {
    # RFC 7504 section 3: 521 is of a host that takes no mail at all, and 556 of a domain that does not.
    521: Reason.NO_MAIL_THERE,
    556: Reason.NO_MAIL_THERE,
    530: Reason.RELAYING,
    535: Reason.NOT_AUTHENTICATED,
    551: Reason.NO_SUCH_MAILBOX,
    571: Reason.POLICY,
    **dict.fromkeys([500, 501, 502, 503, 504, 555], Reason.BROKEN_DIALOGUE),
}
_NO_STATUS: Final = frozenset({(0, 0), (1, 0)})
# RFC 5321 section 4.2.3: a bare 550 is "no such mailbox" or "for policy reasons"; the phase tells most.
_BY_CODE_AND_PHASE: Final[Mapping[tuple[int, Phase], Reason]] = {
    (550, Phase.RCPT): Reason.NO_SUCH_MAILBOX,
    (553, Phase.RCPT): Reason.NO_SUCH_MAILBOX,
    (552, Phase.RCPT): Reason.MAILBOX_FULL,
    (552, Phase.MAIL): Reason.TOO_LARGE,
    (552, Phase.CONTENT): Reason.TOO_LARGE,
    (552, Phase.END_OF_CONTENT): Reason.TOO_LARGE,
    (550, Phase.MAIL): Reason.SENDER_REFUSED,
    (553, Phase.MAIL): Reason.SENDER_REFUSED,
    (550, Phase.END_OF_CONTENT): Reason.POLICY,
    (554, Phase.CONNECT): Reason.REPUTATION,
    (554, Phase.GREETING): Reason.REPUTATION,
}


def judge(diagnosis: Diagnosis) -> Judgement:
    """Decide what a diagnosis means to the sender."""
    if isinstance(diagnosis, WeFound):
        return Judgement(OURS[diagnosis.cause])
    return _judge_reply(diagnosis)


def _judge_reply(said: PeerSaid) -> Judgement:
    reply = said.reply
    text = plain(_text(reply))
    # Of a status that disagrees with its code, subject and detail still say what it is about.
    kind = (0, 0) if reply.enhanced is None else (reply.enhanced.subject, reply.enhanced.detail)
    exact = _EXACT.get(kind)
    if reply.is_permanent and kind in _PASSING:
        # Exchange's way to say that it has no such mailbox; with another status these words mean a rule.
        exact = Reason.NO_SUCH_MAILBOX if "recipient address rejected: access denied" in text else None
    sure = clear_reason(text) or exact
    if sure is not None:
        # Who says both "never" and "later" was most likely meant to say one of them.
        return Judgement(sure, is_guess=sure is Reason.TRY_LATER and reply.is_permanent)
    hinted = hinted_reason(text, reply)
    if hinted is None or (hinted.reason is Reason.NOT_CLASSIFIED and kind[0] in _VAGUE):
        return _by_little(said, kind)
    return hinted


def _text(reply: Reply) -> str:
    return " ".join(reply.lines[:LOOKED_AT])[:LOOKED_AT]


def _by_little(said: PeerSaid, kind: tuple[int, int]) -> Judgement:
    """Decide by a vague status, or by the code and what it answered."""
    reply = said.reply
    if reply.is_transient:
        # Whatever was meant: it was put off.
        return Judgement(Reason.TRY_LATER)
    if kind[0] in _VAGUE:
        return Judgement(_VAGUE[kind[0]])
    # What has a status of its own was not meant as the code says it: 553 5.3.5 is about a system.
    guess = None
    if kind in _NO_STATUS:
        guess = _BY_CODE_AND_PHASE.get((reply.code, said.phase)) or _BY_CODE.get(reply.code)
    return Judgement(Reason.NOT_CLASSIFIED) if guess is None else Judgement(guess, is_guess=True)
