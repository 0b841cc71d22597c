"""The part of a report for technical staff: who said what, when, in answer to what.

    2. mx1.customer.example [198.51.100.7], TLSv1.3, try 1, 09:41:07.034, in answer to RCPT TO:
       550 5.1.1 <acounts@customer.example>: User unknown

A peer's reply stands word for word. What we found ourselves is named as ours, with the status that stands
for it. Times are to the millisecond, because two logs have to be laid side by side.

Promises: hosts, addresses and members stand here as far as this reader may know of them (`discretion`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from byreturn.mail import N_, Action, Cause, Instant, PeerSaid, Phase, WeFound
from byreturn.report.audience import Audience
from byreturn.report.discretion import Seen
from byreturn.report.facts import ReportFacts, ReportLine
from byreturn.report.machine import status_of
from byreturn.report.moments import exact
from byreturn.report.page import Evidence, Row
from byreturn.report.safe import readable
from byreturn.report.wording import NAME_LIMIT, finding, host_and_address, reply_lines

_ANSWER_TO: Final = N_("in answer to {command}:")
# The other phases are named by the command that was answered.
_WHERE: Final[Mapping[Phase, str]] = {
    Phase.LOOKUP: N_("at the lookup:"),
    Phase.CONNECT: N_("on connecting:"),
    Phase.GREETING: N_("in its greeting:"),
    Phase.CONTENT: N_("during the content:"),
    Phase.END_OF_CONTENT: N_("in answer to the content:"),
}
# What the name server told us; no host took part.
_FROM_THE_DNS: Final = frozenset(
    {
        Cause.NO_SUCH_DOMAIN, Cause.NULL_MX, Cause.NO_MAIL_HOST, Cause.NO_SUCH_MAIL_HOSTS,
        Cause.LOOKUP_FAILED,
    }
)  # fmt: skip


def evidence_of(
    number: int, line: ReportLine, shown: Seen, facts: ReportFacts, limit: int
) -> Evidence | None:
    """Say on what a recipient's entry rests; None where there is nothing to say."""
    match shown.diagnosis:
        case PeerSaid() as said:
            return Evidence(
                number,
                ", ".join(_answered(said, line, facts)),
                tuple(reply_lines(said.reply, limit, readable)),
            )
        case WeFound() as found:
            return Evidence(number, _found(found, line, facts, limit))
        case _:
            return None


def _answered(said: PeerSaid, line: ReportLine, facts: ReportFacts) -> Iterator[str]:
    language = facts.language
    yield host_and_address(said.host, said.address) or language.say("The mail server that answered")
    if said.tls:
        yield readable(said.tls, NAME_LIMIT)
    yield from _when(line, facts)
    where = _WHERE.get(said.phase)
    yield language.say(where) if where else language.say(_ANSWER_TO, command=said.phase.value)


def _found(found: WeFound, line: ReportLine, facts: ReportFacts, limit: int) -> str:
    language = facts.language
    details = [finding(found, limit, language)]
    details.extend(_when(line, facts))
    if facts.resolver and found.cause in _FROM_THE_DNS and facts.audience is not Audience.OUTSIDER:
        details.append(language.say("resolver {address}", address=readable(facts.resolver, NAME_LIMIT)))
    sentences = [f"{', '.join(details)}."]
    if line.action in (Action.FAILED, Action.DELAYED):
        if found.cause in _FROM_THE_DNS:
            sentences.append(language.say("No mail server was contacted."))
        sentences.append(language.say("Status {status}", status=status_of(line)))
    return " ".join(sentences)


def _when(line: ReportLine, facts: ReportFacts) -> Iterator[str]:
    if line.attempts:
        yield facts.language.say("try {n}", n=line.attempts)
    at: Instant | None = line.found_at or line.last_attempt_at
    if at:
        yield exact(at, facts)


def rows_for_postmaster(facts: ReportFacts) -> tuple[Row, ...]:
    """Say what only the postmaster is told: who sent the message, and from where."""
    if facts.audience is not Audience.POSTMASTER:
        return ()
    language = facts.language
    about = facts.about_reverse_path
    sender = readable(str(about), NAME_LIMIT + 65) if about else language.say("(none)")
    rows = [Row(language.say("Reverse path"), sender)]
    if facts.hello:
        rows.append(Row(language.say("Client"), readable(facts.hello, NAME_LIMIT)))
    return tuple(rows)
