"""What somebody else's report comes down to: who, what became of it, and in which words.

    ParsedReport (all that it says)  --reading_of-->  Reading (what is added to the story of our message)
    a report in no standard form     --elsewhere--/

A stranger wrote all of it, and it may be forged. So nothing here is an outcome: it is told as what others
report. Texts are cleaned and bounded; addresses are as they stand there, and whoever uses one must check it.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from byreturn.mail import Action, EnhancedStatus
from byreturn.report.parse import ParsedLine, ParsedReport, Typed
from byreturn.report.safe import one_line

TEXT_LIMIT: Final = 500
# As long as an ENVID of ours can be.
ENVID_LIMIT: Final = 500
_ADDRESS_LIMIT: Final = 600
_WORD: Final = re.compile(r"[a-z]+")
_ACTIONS: Final[dict[str, Action]] = {
    **{action.value: action for action in Action},
    # As OpenSMTPD and some gateways have it.
    "error": Action.FAILED,
    "fail": Action.FAILED,
    "failure": Action.FAILED,
    "delay": Action.DELAYED,
}
_BY_CLASS: Final = {5: Action.FAILED, 4: Action.DELAYED, 2: Action.DELIVERED}


class ReadLine(Struct, frozen=True):
    """What became of one recipient. `recipient`: an address as it stands there; empty: it is not named."""

    recipient: str
    action: Action
    text: str


class Reading(Struct, frozen=True):
    """What a report says, and what names the message that it is about, as far as it is there."""

    lines: tuple[ReadLine, ...]
    envid: str = ""
    message_id: str = ""


def reading_of(parsed: ParsedReport) -> Reading | None:
    """Bring a report down to what matters to us; None when it says nothing of anybody."""
    lines = tuple(line for line in map(_line, parsed.lines) if line is not None)
    envid = parsed.envelope_id or ""
    is_envid = len(envid) <= ENVID_LIMIT and envid.isascii() and envid.isprintable()
    return Reading(lines, envid if is_envid else "", parsed.original_message_id) if lines else None


def _line(line: ParsedLine) -> ReadLine | None:
    action = _action(line.action, line.status)
    if action is None:
        return None
    # The recipient as we wrote it, before others behind us made another of it.
    address = _address(line.original_recipient) or _address(line.final_recipient)
    return ReadLine(address, action, one_line(_words(line), TEXT_LIMIT))


def _action(text: str, status: EnhancedStatus | None) -> Action | None:
    """Tell what became of a recipient: some put a comment behind the word, some leave it out."""
    word = _WORD.match(text)
    found = _ACTIONS.get(word[0]) if word else None
    return found or (_BY_CLASS.get(status.klass) if status else None)


def _address(typed: Typed) -> str:
    # Where the type was left out the address stands in its place.
    return (typed.value or typed.kind).strip(" \t<>")[:_ADDRESS_LIMIT]


def _words(line: ParsedLine) -> str:
    said = " ".join(line.diagnostic)[: 2 * TEXT_LIMIT].strip() or line.localized or str(line.status or "")
    # Some put an address and an explanation behind the name.
    host = line.remote_mta.value.partition(" ")[0].rstrip(".")[:255]
    return f"{host}: {said}" if host and said else said
