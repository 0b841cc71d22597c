"""The first part of a report: plain text, for the person who sent the message.

    what happened, and to how many
        subject, and when we took the message
      each recipient: the cause, what can be done, and below that the evidence, indented
    what is attached, and whom to ask

A person reads the first screen. So the gravest news stands first, a hundred recipients are told of in
full, and after those only their addresses stand here; the part for machines has every one.

Promises: lines of at most 76 characters, but for a single long word (a link must stay whole), and never
over 998. What a peer said is broken at spaces only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from byreturn.mail import Action, Instant, PeerSaid, WeFound, rfc5322_date
from byreturn.report.facts import ReportFacts, ReportLine
from byreturn.report.fields import ADDRESS_LIMIT, subject_text
from byreturn.report.safe import readable
from byreturn.report.struck import struck
from byreturn.report.wording import SUBJECTS, entry, finding, headline, reply_lines, who_answered

# Nobody reads a hundred entries; and a hundred of them, with their words, stay below 200 KiB.
FULL_RECIPIENTS: Final = 100
# What a peer said to one recipient: eight lines of RFC 5321's longest reply.
WORDS_LIMIT: Final = 4 * 1024
# All peers' words together, shared equally; so that 100 recipients make no more than 16 did.
_ALL_WORDS_LIMIT: Final = 64 * 1024
# The list of bare addresses: three thousand ordinary ones. With it this part stays below 256 KiB.
_ADDRESSES_LIMIT: Final = 96 * 1024

_ABOUT_THESE: Final = "This report is about the recipients named below, and says nothing about the others."

_WIDTH: Final = 76
_LONG_WORD: Final = 900  # RFC 5322 section 2.1.1: 998 octets, less what may stand around it


def human_text(facts: ReportFacts, attached: str) -> str:
    """Write the part for people; `attached` says what of the original comes with it."""
    lines = facts.lines
    if len(lines) > 1:
        lines = tuple(sorted(lines, key=_gravity))
    out = [wrap(sentence) for sentence in _headlines(lines, facts.recipient_count)]
    out.append("")
    out.append(wrap(f"Subject:  {subject_text(facts.subject) or '(none)'}", "    ", "              "))
    out.append(f"    Accepted: {moment(facts.accepted_at)}")
    if len(lines) < facts.recipient_count:
        out.append("")
        out.append(wrap(_ABOUT_THESE))
    told = lines[:FULL_RECIPIENTS]
    limit = min(WORDS_LIMIT, _ALL_WORDS_LIMIT // len(told))
    for line in told:
        out.extend(_entry(line, facts, limit))
    out.extend(_rest(lines[FULL_RECIPIENTS:]))
    out.append("")
    out.append(wrap(attached))
    out.append("")
    postmaster = readable(str(facts.postmaster), ADDRESS_LIMIT)
    number = readable(facts.queue_id, 64)
    out.append(wrap(f"If you have a question, write to {postmaster} and quote {number}."))
    out.append("")
    return "\r\n".join(out)


_GRAVITY: Final = {action: place for place, action in enumerate(Action)}


def _gravity(line: ReportLine) -> int:
    return _GRAVITY[line.action]


def _headlines(lines: Sequence[ReportLine], total: int) -> Iterator[str]:
    actions = [line.action for line in lines]
    for action in dict.fromkeys(actions):
        yield headline(action, actions.count(action), total)


def _entry(line: ReportLine, facts: ReportFacts, limit: int) -> Iterator[str]:
    """One recipient: what happened, and the evidence."""
    yield ""
    yield f"  {readable(str(line.recipient), ADDRESS_LIMIT)}"
    told = _told(line, facts)
    if told:
        yield wrap(told, "    ")
    match line.diagnosis:
        case PeerSaid() as said:
            yield ""
            yield wrap(who_answered(said), "    ")
            for text in reply_lines(said.reply, limit, lambda text, most: readable(struck(text, line), most)):
                yield wrap(text, "      ", "        ")
        case WeFound() as found if line.action in (Action.FAILED, Action.DELAYED):
            yield ""
            yield wrap(struck(finding(found, limit), line), "    ", "      ")


def _told(line: ReportLine, facts: ReportFacts) -> str:
    """The sentences on one recipient."""
    said = entry(line, facts)
    grounds = f"({said.grounds})" if said.grounds else ""
    return " ".join(part for part in (said.cause, said.question, grounds, *said.steps) if part)


def _rest(lines: Sequence[ReportLine]) -> Iterator[str]:
    """Those beyond the first hundred: addresses only, and those only up to a limit."""
    room, unnamed, action = _ADDRESSES_LIMIT, 0, None
    for line in lines:
        address = f"  {readable(str(line.recipient), ADDRESS_LIMIT)}"
        room -= 4 * len(address) if not address.isascii() else len(address) + 2
        if room < 0:
            unnamed += 1
            continue
        if line.action is not action:
            action = line.action
            yield ""
            yield f"{SUBJECTS[action]} as well (each cause is in the part for mail programs):"
            yield ""
        yield address
    if unnamed:
        yield f"  and {unnamed} more"


def moment(at: Instant) -> str:
    """Write an instant for people: `Tue, 3 Mar 2026 08:41 UTC`."""
    return rfc5322_date(at)[: -len(":06 +0000")] + " UTC"


def wrap(text: str, indent: str = "", hanging: str | None = None) -> str:
    """Break a text into lines at its spaces, indented; `hanging` indents all but the first."""
    if len(indent) + len(text) <= _WIDTH:
        return indent + text
    later = indent if hanging is None else hanging
    lines, line = [], indent
    for word in _words(text):
        if len(line) + len(word) > _WIDTH and line.strip():
            lines.append(line.rstrip())
            line = later
        line += word + " "
    return "\r\n".join([*lines, line.rstrip()])


def _words(text: str) -> Iterator[str]:
    for word in text.split(" "):
        if len(word) <= _LONG_WORD:
            yield word
        else:
            yield from (word[at : at + _LONG_WORD] for at in range(0, len(word), _LONG_WORD))
