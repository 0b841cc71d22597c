"""The parameters of MAIL and RCPT: SIZE, BODY, RET and ENVID; NOTIFY and ORCPT.

Each is read into its type or refused with the reply that its RFC names: 501 for a bad value, 555 for a
keyword that we did not offer (RFC 5321 section 4.1.1.11).
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from byreturn.mail import N_, BodyType, Notify, Reply, Ret, reply
from byreturn.protocol.grammar import SyntaxFault, is_orcpt, is_xtext, parameters_or_fault

ENVID_LIMIT: Final = 500  # RFC 3461 section 4.4 asks for 100
ORCPT_LIMIT: Final = 1000  # RFC 3461 section 4.2 asks for 500
_SIZE_DIGITS: Final = 20  # RFC 1870 section 3
_BODIES: Final = {body.value: body for body in BodyType}
_RETS: Final = {ret.value: ret for ret in Ret}


class MailParameters(Struct, frozen=True):
    """What MAIL asked for. `size` is the client's own estimate; None when it gave none."""

    size: int | None = None
    body: BodyType = BodyType.SEVEN_BIT
    ret: Ret | None = None
    envid: str | None = None


class RcptParameters(Struct, frozen=True):
    """What RCPT asked for."""

    notify: Notify = Notify.ABSENT
    orcpt: str | None = None


NO_MAIL_PARAMETERS: Final = MailParameters()
NO_RCPT_PARAMETERS: Final = RcptParameters()


def _bad(why: str, parameter: str = "") -> Reply:
    if parameter:
        return reply(501, "5.5.4", "Bad parameter {keyword}: {why}", keyword=parameter, why=why)
    return reply(501, "5.5.4", "Bad parameter: {why}", why=why)


def _unknown(keyword: str) -> Reply:
    return reply(555, "5.5.4", "Parameter {keyword} is not known here", keyword=keyword[:20])


def mail_parameters(text: str) -> MailParameters | Reply:
    """Read the parameters of MAIL, or say what to answer."""
    if not text:
        return NO_MAIL_PARAMETERS
    words = parameters_or_fault(text)
    if isinstance(words, SyntaxFault):
        return _bad(words.why, words.parameter)
    size: int | None = None
    body = BodyType.SEVEN_BIT
    ret: Ret | None = None
    envid: str | None = None
    for keyword, value in words.items():
        match keyword:
            case "SIZE":
                if not (value.isdigit() and len(value) <= _SIZE_DIGITS):
                    return _bad(N_("SIZE must be a number of octets"))
                size = int(value)
            case "BODY":
                if value.upper() not in _BODIES:
                    return _bad(N_("BODY must be 7BIT or 8BITMIME"))
                body = _BODIES[value.upper()]
            case "RET":
                # RFC 3461 section 4.3: FULL or HDRS, nothing else.
                if value.upper() not in _RETS:
                    return _bad(N_("RET must be FULL or HDRS"))
                ret = _RETS[value.upper()]
            case "ENVID":
                # RFC 3461 section 4.4
                if len(value) > ENVID_LIMIT or not is_xtext(value):
                    return _bad(N_("ENVID must be xtext of at most 500 octets"))
                envid = value
            case _:
                return _unknown(keyword)
    return MailParameters(size, body, ret, envid)


def rcpt_parameters(text: str) -> RcptParameters | Reply:
    """Read the parameters of RCPT, or say what to answer."""
    if not text:
        return NO_RCPT_PARAMETERS
    words = parameters_or_fault(text)
    if isinstance(words, SyntaxFault):
        return _bad(words.why, words.parameter)
    notify = Notify.ABSENT
    orcpt: str | None = None
    for keyword, value in words.items():
        match keyword:
            case "NOTIFY":
                asked = _notify(value)
                if asked is None:
                    return _bad(N_("NOTIFY must be NEVER alone or a list of SUCCESS, FAILURE and DELAY"))
                notify = asked
            case "ORCPT":
                if len(value) > ORCPT_LIMIT or not is_orcpt(value):
                    return _bad(N_("ORCPT must be addr-type;xtext of at most 1000 octets"))
                orcpt = value
            case _:
                return _unknown(keyword)
    return RcptParameters(notify, orcpt)


def _notify(value: str) -> Notify | None:
    # RFC 3461 section 4.1
    words = value.upper().split(",")
    if words == ["NEVER"]:
        return Notify.NEVER
    asked = Notify.ABSENT
    for word in words:
        if word not in ("SUCCESS", "FAILURE", "DELAY"):
            return None
        flag = Notify[word]
        if asked & flag:
            return None
        asked |= flag
    return asked
