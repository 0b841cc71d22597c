"""What a report says to people, in which order: from the facts to the page.

    headlines, particulars
    NOT DELIVERED: YOU CAN CORRECT THIS     by who can do something about it
    STILL TRYING: NOTHING TO DO             also those that the report is not about
    HELD, ACCEPTED, IN THE MAILBOX ...
    whom to ask
    for technical staff, by the same numbers

Recipients that the report is not about stand here only: the part for machines has none of them.

A hundred recipients are told of in full; of those beyond only the addresses stand here, and those only up
to a limit. Promises: bounded, however many recipients there are; no sentence promises what we may not keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from byreturn.mail import N_, Action
from byreturn.report.audience import Audience
from byreturn.report.discretion import Seen, seen
from byreturn.report.evidence import evidence_of, rows_for_postmaster
from byreturn.report.facts import Progress, ReportFacts, ReportLine, Standing
from byreturn.report.fields import ADDRESS_LIMIT, subject_text
from byreturn.report.headlines import by_gravity, cleared_headline, cleared_start, send_again, subject_start
from byreturn.report.moments import full, zone_name
from byreturn.report.page import Evidence, Group, Item, Page, Row
from byreturn.report.progress import told_of_other, told_of_success, told_of_waiting
from byreturn.report.reasons import Mender
from byreturn.report.safe import language_tag, readable
from byreturn.report.wording import Entry, entry, headline

# Nobody reads a hundred entries; and a hundred of them, with their words, stay below 200 KiB.
FULL_RECIPIENTS: Final = 100
# What a peer said to one recipient: eight lines of RFC 5321's longest reply.
WORDS_LIMIT: Final = 4 * 1024
# All peers' words together, shared equally; so that 100 recipients make no more than 16 did.
_ALL_WORDS_LIMIT: Final = 64 * 1024
# The list of bare addresses: three thousand ordinary ones. With it this part stays below 256 KiB.
_ADDRESSES_LIMIT: Final = 96 * 1024


class _Place(Enum):
    """The groups, in the order in which they stand on the page."""

    SENDER = N_("Not delivered: you can correct this")
    RECIPIENT = N_("Not delivered: the recipient's side can correct this")
    POSTMASTER = N_("Not delivered: our postmaster can correct this")
    NOBODY = N_("Not delivered")
    RETURNED = N_("Not delivered: returned by our postmaster")
    TRYING = N_("Still trying: nothing to do")
    HELD = N_("Held by our postmaster")
    ACCEPTED = N_("Accepted")
    STORED = N_("In the mailbox")
    EXPANDED = N_("Passed on")
    TOLD = N_("Not delivered: told in another report")
    ENDED = N_("Ended without delivery")


_BY_MENDER: Final = {
    Mender.SENDER: _Place.SENDER,
    Mender.RECIPIENT: _Place.RECIPIENT,
    Mender.POSTMASTER: _Place.POSTMASTER,
    Mender.NOBODY: _Place.NOBODY,
}
_BY_ACTION: Final = {
    Action.DELAYED: _Place.TRYING,
    Action.RELAYED: _Place.ACCEPTED,
    Action.DELIVERED: _Place.STORED,
    Action.EXPANDED: _Place.EXPANDED,
}
_BY_PROGRESS: Final = {
    Progress.WAITING: _Place.TRYING,
    Progress.HELD: _Place.HELD,
    Progress.ACCEPTED: _Place.ACCEPTED,
    Progress.STORED: _Place.STORED,
    Progress.TOLD: _Place.TOLD,
    Progress.ENDED: _Place.ENDED,
}
# As what the evidence of another recipient speaks of him.
_ACTIONS: Final = {
    Progress.WAITING: Action.DELAYED,
    Progress.HELD: Action.DELAYED,
    Progress.ACCEPTED: Action.RELAYED,
    Progress.STORED: Action.DELIVERED,
    Progress.TOLD: Action.FAILED,
    Progress.ENDED: Action.FAILED,
}
_AS_WELL: Final = {
    Action.FAILED: N_("Not delivered either"),
    Action.DELAYED: N_("Delayed as well"),
    Action.RELAYED: N_("Accepted as well"),
    Action.DELIVERED: N_("In the mailbox as well"),
    Action.EXPANDED: N_("Passed on as well"),
}


class _Told(Struct):
    """One recipient with its sentences, before it has its number."""

    place: _Place
    line: ReportLine
    shown: Seen
    told: tuple[str, ...]
    steps: tuple[str, ...] = ()


def page_of(facts: ReportFacts, attached: str = "", *, is_cleared: bool = False) -> Page:
    """Lay out a report; `attached` says what of the original comes with it."""
    lines = by_gravity(facts.lines)
    told = [_of_line(line, facts) for line in lines[:FULL_RECIPIENTS]]
    told.extend(_of_other(other, facts) for other in facts.others)
    groups, evidence = _grouped(told, facts)
    language = facts.language
    title = subject_start(lines, facts.recipient_count, language)
    if is_cleared:
        title = cleared_start(lines, language)
    correctable = sum(each.place is _Place.SENDER for each in told)
    return Page(
        tag=language_tag(language.tag),
        title=title,
        headlines=tuple(_head(lines, correctable, facts, is_cleared=is_cleared)),
        particulars=_particulars(facts),
        groups=(*groups, *_rest(lines[FULL_RECIPIENTS:], facts)),
        closing=tuple(_closing(facts, attached)),
        evidence_heading=language.say("For technical staff"),
        evidence_note=language.say("all times {zone}", zone=zone_name(facts.composed_at, facts.zone)),
        evidence=evidence,
        evidence_rows=rows_for_postmaster(facts),
        mailable=_mailable(facts, lines),
    )


def _head(
    lines: Sequence[ReportLine], correctable: int, facts: ReportFacts, *, is_cleared: bool
) -> Iterator[str]:
    language, total = facts.language, facts.recipient_count
    if facts.audience is Audience.POSTMASTER:
        about = facts.about_reverse_path
        if about is None:
            yield language.say(
                'A copy for our postmaster. "Your message" is a message without a sender (none): '
                "nobody else is told."
            )
        else:
            address = readable(str(about), ADDRESS_LIMIT)
            yield language.say(
                'A copy for our postmaster. "Your message" is the message from {address}.', address=address
            )
    if is_cleared:
        yield cleared_headline(lines, total, language)
        return
    actions = [line.action for line in lines]
    for action in dict.fromkeys(actions):
        yield headline(action, actions.count(action), total, language)
    failed = actions.count(Action.FAILED)
    again = "" if len(lines) > FULL_RECIPIENTS else send_again(correctable, failed, total, language)
    if again and facts.audience is not Audience.POSTMASTER:
        yield again


def _particulars(facts: ReportFacts) -> tuple[Row, ...]:
    language = facts.language
    subject = subject_text(facts.subject) or language.say("(none)")
    accepted = full(facts.accepted_at, language, facts.zone)
    return Row(language.say("Subject"), subject), Row(language.say("Accepted"), accepted)


def _closing(facts: ReportFacts, attached: str) -> Iterator[str]:
    language = facts.language
    named = len(facts.lines) + len(facts.others) + sum(n for _, n in facts.more)
    if named < facts.recipient_count:
        yield language.say(
            "This report is about the recipients named above, and says nothing about the others."
        )
    if attached:
        yield language.say(attached)
    postmaster = readable(str(facts.postmaster), ADDRESS_LIMIT)
    number = readable(facts.queue_id, 64)
    if facts.contact:
        contact = readable(facts.contact, ADDRESS_LIMIT)
        yield language.say(
            "Questions? {postmaster} or {contact}, quoting {number}",
            postmaster=postmaster, contact=contact, number=number,
        )  # fmt: skip
    else:
        yield language.say("Questions? {postmaster}, quoting {number}", postmaster=postmaster, number=number)


def _mailable(facts: ReportFacts, lines: Sequence[ReportLine]) -> tuple[str, ...]:
    addresses = [str(facts.postmaster)]
    for line in lines[:FULL_RECIPIENTS]:
        addresses.extend(str(suggestion.address) for suggestion in line.suggestions)
    # What had to be cleaned is shown, and nobody can write to it.
    return tuple(dict.fromkeys(each for each in addresses if each == readable(each, ADDRESS_LIMIT)))


# --- The groups ---------------------------------------------------------------------------------------


def _of_line(line: ReportLine, facts: ReportFacts) -> _Told:
    shown = seen(line, facts)
    # What the sentences are made from is what this reader may know.
    visible = line if shown.diagnosis is line.diagnosis else replace(line, diagnosis=shown.diagnosis)
    if line.action is Action.FAILED:
        said = entry(visible, facts)
        place = _Place.RETURNED if line.returned else _BY_MENDER[said.mender]
        return _Told(place, line, shown, _sentences(said), said.steps)
    if line.action is Action.DELAYED:
        said = entry(visible, facts)
        told = (*told_of_waiting(line, said, facts), *_sentences(said)[1:])
        return _Told(_Place.TRYING, line, shown, told, said.steps)
    return _Told(_BY_ACTION[line.action], line, shown, told_of_success(visible, facts))


def _of_other(other: Standing, facts: ReportFacts) -> _Told:
    line = ReportLine(
        recipient=other.recipient,
        action=_ACTIONS[other.progress],
        diagnosis=other.diagnosis,
        expired=other.expired,
        found_at=other.at,
        next_try_at=other.next_try_at,
        next_notice_at=other.next_notice_at,
        will_retry_until=other.gives_up_at,
        is_told=other.is_told,
    )
    shown = seen(line, facts)
    place = _BY_PROGRESS[other.progress]
    if other.progress is Progress.WAITING:
        said = entry(replace(line, diagnosis=shown.diagnosis), facts)
        return _Told(place, line, shown, tuple(told_of_waiting(line, said, facts)))
    return _Told(place, line, shown, told_of_other(other, facts))


def _sentences(said: Entry) -> tuple[str, ...]:
    grounds = f"({said.grounds})" if said.grounds else ""
    return tuple(sentence for sentence in (said.cause, said.question, grounds) if sentence)


def _grouped(told: Sequence[_Told], facts: ReportFacts) -> tuple[list[Group], tuple[Evidence, ...]]:
    """Number the recipients through all groups, and lay their evidence beside them."""
    limit = min(WORDS_LIMIT, _ALL_WORDS_LIMIT // max(1, len(told)))
    more = {_BY_PROGRESS[progress]: _more(progress, n, facts) for progress, n in facts.more if n > 0}
    groups: list[Group] = []
    evidence: list[Evidence] = []
    number = 0
    for place in _Place:
        items = []
        for each in told:
            if each.place is not place:
                continue
            number += 1
            address = readable(str(each.line.recipient), ADDRESS_LIMIT)
            items.append(Item(number, address, each.told, each.steps))
            rests_on = evidence_of(number, each.line, each.shown, facts, limit)
            if rests_on is not None:
                evidence.append(rests_on)
        if items or place in more:
            groups.append(Group(facts.language.say(place.value), tuple(items), more=more.get(place, "")))
    return groups, tuple(evidence)


def _more(progress: Progress, n: int, facts: ReportFacts) -> str:
    count = facts.language.count
    match progress:
        case Progress.WAITING:
            return count("and one more: still trying", "and {n} more: still trying", n)
        case Progress.HELD:
            return count("and one more: held", "and {n} more: held", n)
        case Progress.ACCEPTED:
            return count("and one more: accepted", "and {n} more: accepted", n)
        case Progress.STORED:
            return count("and one more: in the mailbox", "and {n} more: in the mailbox", n)
        case Progress.TOLD:
            return count("and one more: told in another report", "and {n} more: told in another report", n)
    return count("and one more: ended without delivery", "and {n} more: ended without delivery", n)


def _rest(lines: Sequence[ReportLine], facts: ReportFacts) -> Iterator[Group]:
    """Those beyond the first hundred: addresses only, and those only up to a limit."""
    language = facts.language
    room = _ADDRESSES_LIMIT
    for action in dict.fromkeys(line.action for line in lines):
        addresses, unnamed = [], 0
        for line in lines:
            if line.action is not action:
                continue
            address = readable(str(line.recipient), ADDRESS_LIMIT)
            room -= 5 + (len(address) if address.isascii() else 4 * len(address))
            if room < 0:
                unnamed += 1
            else:
                addresses.append(address)
        yield Group(
            language.say(_AS_WELL[action]),
            note=language.say("The cause of each is in the part of this report for mail programs."),
            addresses=tuple(addresses),
            more=language.count("and one more", "and {n} more", unnamed) if unnamed else "",
        )
