"""Plain sentences for people: what happened to a recipient, who can mend it, and what helps.

Everything that a report says is a whole sentence out of a table, said in the reader's language:

    sentences   by cause or reason: what happened
    remedies    by reason: who can mend it, and what to do
    overrides   what a house says in its own words, in place of either

`entry` puts together what is said on one recipient. How it looks is not decided here: the plain text and the
HTML are both written from the same entry, so they say the same.

Nothing is said that we do not know: "accepted" is said for what another host took, "delivered" only for what
lies in a mailbox here; a guess is worded as one; what cannot be told from a reply is quoted.

Promises: nothing in an entry has a control character, and no value can bring in a place of its own. Of an
alias, the address behind it is never named. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from byreturn.mail import (
    DAY,
    ENGLISH,
    HOUR,
    MINUTE,
    N_,
    SECOND,
    Action,
    Cause,
    Duration,
    Language,
    PeerSaid,
    Phase,
    Reply,
    WeFound,
    pair,
)
from byreturn.report.audience import Audience
from byreturn.report.facts import Kin, ReportFacts, ReportLine
from byreturn.report.fields import ADDRESS_LIMIT
from byreturn.report.judging import judge
from byreturn.report.overrides import Override, filled
from byreturn.report.reasons import Judgement, Mender, Reason
from byreturn.report.remedies import (
    ABOUT_THE_MESSAGE,
    ASK_ABOUT_RETURN,
    BEHIND_HELP,
    CALL,
    CHECK_AND_SEND,
    HELP,
    PERHAPS_TAKEN_STEPS,
    READ_ANSWER,
    STEPS_LIMIT,
    Help,
)
from byreturn.report.safe import CUT, one_line, readable
from byreturn.report.sentences import (
    BEHIND,
    FOUND,
    NOTHING_KNOWN,
    PERHAPS_TAKEN,
    PERHAPS_TAKEN_BEHIND,
    REFUSED_BEHIND,
    SAID,
    WITHOUT_A_WORD,
    Behind,
    Found,
)
from byreturn.report.struck import struck

# RFC 1035 section 2.3.4: a name has 255 octets.
NAME_LIMIT: Final = 255
# Replies of more lines are advertisement; the limit keeps a recipient on one screen.
REPLY_LINES: Final = 50
# So much of a peer's words, or an operator's, stands in a sentence of ours; the evidence has them in full.
_QUOTE_LIMIT: Final = 200
_NOTE_LIMIT: Final = 1000


class Entry(Struct, frozen=True, kw_only=True):
    """What is said on one recipient, in sentences of the reader's language.

    `cause`: what happened; one sentence, with one before it on how long we tried or who returned it. `steps`:
    at most three. `question` and `grounds`: "Did you mean ...?" and why we ask; both may be empty. `reason`
    is None for good news. All of it is text, to be escaped where HTML is written.
    """

    reason: Reason | None
    cause: str
    mender: Mender = Mender.NOBODY
    steps: tuple[str, ...] = ()
    is_guess: bool = False
    question: str = ""
    grounds: str = ""


def entry(line: ReportLine, facts: ReportFacts) -> Entry:
    """Say what happened to a recipient."""
    language = facts.language
    places = _places(line, facts)
    if line.action not in (Action.FAILED, Action.DELAYED):
        return Entry(reason=None, cause=language.say(_good_news(line), **places))
    judgement = Judgement(Reason.NOT_CLASSIFIED) if line.diagnosis is None else judge(line.diagnosis)
    override = facts.overrides.find(judgement.reason, language.tag, facts.audience)
    cause = _overridden_cause(override, line, places) or language.say(_cause(line, judgement), **places)
    question, grounds = _question(line, facts)
    return Entry(
        reason=judgement.reason,
        cause=_with_its_history(cause, line, facts),
        mender=_mender(line, judgement, asks=bool(question)),
        steps=_steps(line, facts, judgement, override, places, asks=bool(question)),
        is_guess=judgement.is_guess,
        question=question,
        grounds=grounds,
    )


# --- What stands in the places ------------------------------------------------------------------------


def _places(line: ReportLine, facts: ReportFacts) -> dict[str, str]:
    said = line.diagnosis
    return {
        "address": readable(str(line.recipient), ADDRESS_LIMIT),
        "domain": readable(line.recipient.domain, NAME_LIMIT),
        "host": one_line(said.host, NAME_LIMIT) if said is not None else "",
        "postmaster": readable(str(facts.postmaster), ADDRESS_LIMIT),
        "contact": one_line(facts.contact, _QUOTE_LIMIT) if _is_in_our_house(facts) else "",
        "subject": one_line(facts.subject, _QUOTE_LIMIT),
        "number": readable(facts.queue_id, 64),
        "reply": _quoted(said, line),
    }


def _is_in_our_house(facts: ReportFacts) -> bool:
    return facts.audience is not Audience.OUTSIDER


def _quoted(said: object, line: ReportLine) -> str:
    """A peer's words, short enough for a sentence; quotation marks in them would end the quotation."""
    if not isinstance(said, PeerSaid):
        return ""
    text = struck(" ".join(said.reply.lines)[: 4 * _QUOTE_LIMIT], line)
    return one_line(text, _QUOTE_LIMIT).replace('"', "'").rstrip(" .")


# --- The cause ----------------------------------------------------------------------------------------

_DELIVERED: Final = N_("The message is in the mailbox.")
_ACCEPTED: Final = N_(
    "The mail server for {domain} accepted the message. We cannot see what happens to it after that."
)
_ACCEPTED_BEHIND: Final = N_(
    "The next mail server accepted the message. We cannot see what happens to it after that."
)


def _good_news(line: ReportLine) -> str:
    match line.action:
        case Action.DELIVERED:
            return _DELIVERED
        case Action.EXPANDED:
            return FOUND[Cause.EXPANDED].failed
        case _:
            # RFC 3461 section 5.2.2: the trail ends here, and only this much is known.
            return _ACCEPTED if line.member is None else _ACCEPTED_BEHIND


# Causes that leave open what became of a message of which everything was sent.
_WITHOUT_AN_ANSWER: Final = frozenset(
    {Cause.SILENT, Cause.LOST_CONNECTION, Cause.UNREACHABLE, Cause.BROKEN_DIALOGUE, Cause.INTERRUPTED}
)


def _is_perhaps_taken(line: ReportLine) -> bool:
    found = line.diagnosis
    return (
        isinstance(found, WeFound)
        and found.phase is Phase.END_OF_CONTENT
        and found.cause in _WITHOUT_AN_ANSWER
    )


def _cause(line: ReportLine, judgement: Judgement) -> str:
    """Choose the sentence; its places are not filled yet."""
    if line.diagnosis is None:
        return _by_action(NOTHING_KNOWN, line)
    if _is_perhaps_taken(line):
        return _by_action(PERHAPS_TAKEN if line.member is None else PERHAPS_TAKEN_BEHIND, line)
    if line.member is not None:
        # What is a guess of the reason is none of this: it was refused.
        behind = REFUSED_BEHIND if judgement.is_guess else BEHIND.get(judgement.reason, REFUSED_BEHIND)
        return _by_action(behind, line)
    if isinstance(line.diagnosis, WeFound):
        return _by_action(FOUND[line.diagnosis.cause], line)
    if judgement.reason is Reason.NOT_CLASSIFIED and not _quoted(line.diagnosis, line):
        return _by_action(WITHOUT_A_WORD, line)
    words = SAID[judgement.reason]
    if judgement.is_guess:
        return words.guessed if line.action is Action.FAILED else words.guessed_trying
    return words.failed if line.action is Action.FAILED else words.trying


def _by_action(words: Found | Behind, line: ReportLine) -> str:
    return words.failed if line.action is Action.FAILED else words.trying


def _overridden_cause(override: Override | None, line: ReportLine, places: Mapping[str, str]) -> str | None:
    if override is None or override.cause is None or line.action is not Action.FAILED:
        return None
    # Of an alias, the host and the domain of the member are nobody's business.
    known = places if line.member is None else {**places, "host": "", "domain": ""}
    return filled(override.cause, known)


_RETURNED: Final = N_("Our postmaster returned the message.")
_NOTE: Final = N_('The postmaster says: "{note}"')
_LAST_FINDING: Final = N_("What was last found: {cause}")


def _with_its_history(cause: str, line: ReportLine, facts: ReportFacts) -> str:
    """Put before a failure how long we tried, or who returned it."""
    language = facts.language
    if line.action is not Action.FAILED or not (line.returned or line.expired):
        return cause
    last = "" if line.diagnosis is None else language.say(_LAST_FINDING, cause=cause)
    if line.returned:
        note = one_line(struck(line.note[: 2 * _NOTE_LIMIT], line), _NOTE_LIMIT).replace('"', "'")
        said = language.say(_NOTE, note=note) if note else ""
        return " ".join(part for part in (language.say(_RETURNED), said, last) if part)
    end = line.last_attempt_at or facts.composed_at
    return f"{gave_up(line.attempts, end - facts.accepted_at, language)} {last}".rstrip()


# --- What helps ---------------------------------------------------------------------------------------


def _help(line: ReportLine, judgement: Judgement) -> Help:
    # Of an alias a guess is not told, so nothing can be asked for because of it.
    if line.member is not None and (judgement.is_guess or judgement.reason not in ABOUT_THE_MESSAGE):
        return BEHIND_HELP
    return HELP[judgement.reason]


def _mender(line: ReportLine, judgement: Judgement, *, asks: bool) -> Mender:
    if asks:
        return Mender.SENDER
    if line.returned:
        return Mender.POSTMASTER
    mender = _help(line, judgement).mender
    # While we are still trying it may pass, and whose turn it is need not be said; unless it is ours.
    return mender if line.action is Action.FAILED or mender is Mender.POSTMASTER else Mender.NOBODY


def _steps(
    line: ReportLine,
    facts: ReportFacts,
    judgement: Judgement,
    override: Override | None,
    places: Mapping[str, str],
    *,
    asks: bool,
) -> tuple[str, ...]:
    """Say what the reader can do: nothing while we are still trying, unless the address is in doubt."""
    if asks:
        return (facts.language.say(CHECK_AND_SEND),)
    if line.action is not Action.FAILED:
        return ()
    if override is not None and override.steps is not None:
        known = places if line.member is None else {**places, "host": "", "domain": ""}
        own = [filled(step, known) for step in override.steps]
        if None not in own:
            return tuple(step for step in own if step is not None)[:STEPS_LIMIT]
    return tuple(facts.language.say(step, **places) for step in _own_steps(line, facts, judgement))


def _own_steps(line: ReportLine, facts: ReportFacts, judgement: Judgement) -> tuple[str, ...]:
    if line.returned:
        return (ASK_ABOUT_RETURN,)
    if _is_perhaps_taken(line):
        return PERHAPS_TAKEN_STEPS
    remedy = _help(line, judgement)
    if facts.audience is Audience.POSTMASTER and remedy.postmaster:
        return remedy.postmaster
    steps = remedy.steps
    if not _quoted(line.diagnosis, line):
        steps = tuple(step for step in steps if step != READ_ANSWER)
    if remedy.mender is Mender.POSTMASTER and facts.audience is Audience.INSIDER and facts.contact:
        steps = (*steps, CALL)
    return steps[:STEPS_LIMIT]


# --- Did you mean? ------------------------------------------------------------------------------------

_DID_YOU_MEAN: Final = N_("Did you mean {address}?")
_COULD_IT_BE: Final = N_("Could you have meant {address}?")
_ONE_OF_TWO: Final = N_("Did you mean {first} or {second}?")
_GROUNDS: Final = {
    Kin.CORRESPONDENT: N_("You have sent mail to {address} before."),
    Kin.SAME_DOMAIN: N_("You have sent mail to {domain} before."),
    Kin.COLLEAGUE: N_("There is a mailbox of that name here."),
    Kin.COMMON: N_("Many people have an address at {domain}."),
}


def _question(line: ReportLine, facts: ReportFacts) -> tuple[str, str]:
    """Ask whether another address was meant, and say why we ask; both empty where there is none."""
    language = facts.language
    meant = [one for one in line.suggestions if _is_in_our_house(facts) or one.kin is not Kin.COLLEAGUE]
    addresses = [readable(str(one.address), ADDRESS_LIMIT) for one in meant[:2]]
    if line.returned or not addresses:
        return "", ""
    if len(addresses) > 1:
        return language.say(_ONE_OF_TWO, first=addresses[0], second=addresses[1]), ""
    asked = language.say(_DID_YOU_MEAN if line.is_likely else _COULD_IT_BE, address=addresses[0])
    if facts.audience is Audience.POSTMASTER:
        # "You" would be somebody else; and whom they write to is theirs.
        return asked, ""
    domain = readable(meant[0].address.domain, NAME_LIMIT)
    return asked, language.say(_GROUNDS[meant[0].kin], address=addresses[0], domain=domain)


# --- The evidence -------------------------------------------------------------------------------------


def finding(found: WeFound, limit: int, language: Language = ENGLISH) -> str:
    """Say what we ourselves found, where, and in which detail."""
    exact = FOUND[found.cause].finding
    where = host_and_address(found.host, found.address)
    # What only says the same once more is no detail.
    detail = "" if found.detail == exact else readable(found.detail, limit)
    details = ", ".join(part for part in (where, detail) if part)
    if not details:
        return language.say(N_("We found: {finding}"), finding=language.say(exact))
    return language.say(N_("We found: {finding} ({details})"), finding=language.say(exact), details=details)


def host_and_address(host: str, address: str) -> str:
    """Name a host as `mx.example [192.0.2.1]`, with what of both is known; may be empty."""
    name = readable(host, NAME_LIMIT)
    if not address or address == host:
        return f"[{name}]" if name and address else name
    return f"{name} [{readable(address, NAME_LIMIT)}]".lstrip()


def reply_lines(reply: Reply, limit: int, clean: Callable[[str, int], str]) -> list[str]:
    """Give a reply line by line as it came over the wire, cleaned, within a limit in characters and lines."""
    status = f"{reply.enhanced} " if reply.enhanced else ""
    lines: list[str] = []
    for text in reply.lines or ("",):
        if limit <= 0 or len(lines) == REPLY_LINES:
            lines.append(f"{reply.code} {CUT}")
            return lines
        cleaned = clean(text, limit)
        limit -= len(cleaned) + 1
        lines.append(f"{reply.code}-{status}{cleaned}".rstrip())
    lines[-1] = f"{reply.code} {lines[-1][4:]}".rstrip()
    return lines


# --- What a report says at its head -------------------------------------------------------------------


class _Headline(Struct, frozen=True):
    """One fact on a message: of all its recipients, of some, and of so many where that is not known."""

    all: tuple[str, str]
    some_of: tuple[str, str]
    some: tuple[str, str]


_HEADLINES: Final[Mapping[Action, _Headline]] = {
    Action.FAILED: _Headline(
        pair(
            "Your message was not delivered.",
            "Your message was not delivered to any of its {n} recipients.",
        ),
        pair(
            "Your message was not delivered to one of its {total} recipients.",
            "Your message was not delivered to {n} of its {total} recipients.",
        ),
        pair(
            "Your message was not delivered to one recipient.",
            "Your message was not delivered to {n} recipients.",
        ),
    ),
    Action.DELAYED: _Headline(
        pair(
            "Your message has not been delivered yet. We are still trying.",
            "Your message has not been delivered to any of its {n} recipients yet. We are still trying.",
        ),
        pair(
            "Your message has not been delivered to one of its {total} recipients yet. We are still trying.",
            "Your message has not been delivered to {n} of its {total} recipients yet. We are still trying.",
        ),
        pair(
            "Your message has not been delivered to one recipient yet. We are still trying.",
            "Your message has not been delivered to {n} recipients yet. We are still trying.",
        ),
    ),
    Action.RELAYED: _Headline(
        pair(
            "Your message was accepted by the next mail server.",
            "Your message was accepted by the next mail server for all of its {n} recipients.",
        ),
        pair(
            "Your message was accepted by the next mail server for one of its {total} recipients.",
            "Your message was accepted by the next mail server for {n} of its {total} recipients.",
        ),
        pair(
            "Your message was accepted by the next mail server for one recipient.",
            "Your message was accepted by the next mail server for {n} recipients.",
        ),
    ),
    Action.DELIVERED: _Headline(
        pair(
            "Your message was delivered.",
            "Your message was delivered to all of its {n} recipients.",
        ),
        pair(
            "Your message was delivered to one of its {total} recipients.",
            "Your message was delivered to {n} of its {total} recipients.",
        ),
        pair(
            "Your message was delivered to one recipient.",
            "Your message was delivered to {n} recipients.",
        ),
    ),
    Action.EXPANDED: _Headline(
        pair(
            "Your message reached an address that stands for others, and was passed on to them.",
            "Your message reached {n} addresses that stand for others, and was passed on to them.",
        ),
        pair(
            "Your message reached an address that stands for others, and was passed on to them.",
            "Your message reached {n} addresses that stand for others, and was passed on to them.",
        ),
        pair(
            "Your message reached an address that stands for others, and was passed on to them.",
            "Your message reached {n} addresses that stand for others, and was passed on to them.",
        ),
    ),
}


def headline(action: Action, count: int, total: int, language: Language = ENGLISH) -> str:
    """Say what happened to `count` of the `total` recipients that the sender named (0: not known)."""
    words = _HEADLINES[action]
    if count == total:
        return language.count(*words.all, count)
    if count < total:
        return language.count(*words.some_of, count, total=total)
    return language.count(*words.some, count)


def gave_up(attempts: int, span: Duration, language: Language = ENGLISH) -> str:
    """Say how long and how often we tried before we gave up."""
    lasted = roughly(span, language)
    if attempts <= 0:
        return language.say(N_("We stopped trying after {span}."), span=lasted)
    return language.count(
        "We tried for {span}, once, and have stopped.",
        "We tried for {span}, {n} times, and have stopped.",
        attempts,
        span=lasted,
    )


_UNITS: Final = (
    (DAY, *pair("{n} day", "{n} days")),
    (HOUR, *pair("{n} hour", "{n} hours")),
    (MINUTE, *pair("{n} minute", "{n} minutes")),
    (SECOND, *pair("{n} second", "{n} seconds")),
)


def roughly(span: Duration, language: Language = ENGLISH) -> str:
    """Say a duration as people do: `5 days`, `26 hours`, `90 minutes`, `9 seconds`."""
    unit = next((unit for unit, _, _ in _UNITS[:-1] if span >= 2 * unit), SECOND)
    count = max(1, round(span / unit))
    # What is a whole number of a larger unit is said in that one: `1 day`, not `24 hours`.
    unit, count = next(
        ((larger, count * unit // larger) for larger, _, _ in _UNITS if not count * unit % larger),
        (unit, count),
    )
    one, many = next((one, many) for of, one, many in _UNITS if of == unit)
    return language.count(one, many, count)
