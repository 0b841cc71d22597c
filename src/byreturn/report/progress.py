"""How it stands with a recipient that has not failed: what we try, until when, and who took it.

    Its mail server is refusing connections. Next try: about 09:56.
    If it is still unreachable at 13:41 we will tell you. We stop trying on Sun 8 March at 09:41 and tell
    you then.

"Accepted" is what another server said, and no more than that; only a mailbox of ours is certain. What is
announced here is announced only where it is due: no notice where none is coming.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from byreturn.mail import Action, PeerSaid
from byreturn.report.facts import Progress, ReportFacts, ReportLine, Standing
from byreturn.report.moments import about, when
from byreturn.report.reasons import Reason
from byreturn.report.safe import readable
from byreturn.report.wording import NAME_LIMIT, Entry, entry

_UNREACHABLE: Final = frozenset({Reason.HOST_DOWN, Reason.HOST_SILENT, Reason.LOOKUP_FAILED})


def told_of_waiting(line: ReportLine, said: Entry, facts: ReportFacts) -> Iterator[str]:
    """Say what is being tried, when next, and until when."""
    language = facts.language
    now = [said.cause] if said.cause else []
    if line.next_try_at is not None:
        now.append(language.say("Next try: about {time}.", time=about(line.next_try_at, facts)))
    if now:
        yield " ".join(now)
    then = []
    if line.next_notice_at is not None:
        at = when(line.next_notice_at, facts)
        if said.reason in _UNREACHABLE:
            then.append(language.say("If it is still unreachable {when} we will tell you.", when=at))
        else:
            then.append(language.say("If it has not gone through {when} we will tell you.", when=at))
    if line.will_retry_until is not None:
        at = when(line.will_retry_until, facts)
        if line.is_told:
            then.append(language.say("We stop trying {when} and tell you then.", when=at))
        else:
            then.append(language.say("We stop trying {when}.", when=at))
    if then:
        yield " ".join(then)


def told_of_success(line: ReportLine, facts: ReportFacts) -> tuple[str, ...]:
    """Say of a recipient that the report is about how far its message has come."""
    if line.action is not Action.RELAYED:
        return (entry(line, facts).cause,)
    # RFC 3461 section 5.2.2: the trail ends here, and only this much is known.
    return (_accepted(line.recipient.domain, line.found_at, facts, is_there=not line.is_alias),)


def told_of_other(other: Standing, facts: ReportFacts) -> tuple[str, ...]:
    """Say how it stands with a recipient that the report is not about and that does not wait."""
    language = facts.language
    match other.progress:
        case Progress.ACCEPTED:
            is_there = isinstance(other.diagnosis, PeerSaid)
            return (_accepted(other.recipient.domain, other.at, facts, is_there=is_there),)
        case Progress.STORED:
            return (language.say("The message is in the mailbox."),)
        case Progress.HELD:
            return (language.say("Our postmaster has stopped it for now."),)
        case Progress.TOLD:
            return (language.say("It was not delivered; this is told in another report."),)
    return (language.say("It was not delivered, and no report on it will come."),)


def _accepted(domain: str, at: int, facts: ReportFacts, *, is_there: bool) -> str:
    language = facts.language
    name = readable(domain, NAME_LIMIT)
    if not is_there:
        if not at:
            return language.say("It was accepted. We cannot see what happens to it after that.")
        moment = when(at, facts, to_the_second=True)
        return language.say(
            "It was accepted {when}. We cannot see what happens to it after that.", when=moment
        )
    if not at:
        return language.say(
            "The mail server for {domain} accepted your message. "
            "We cannot see what happens to it after that.",
            domain=name,
        )
    return language.say(
        "The mail server for {domain} accepted your message {when}. "
        "We cannot see what happens to it after that.",
        domain=name,
        when=when(at, facts, to_the_second=True),
    )
