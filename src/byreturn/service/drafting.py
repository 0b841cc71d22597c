"""Drafting: from what the spool tells of an owed report to the facts that it is made from.

Who reads it, in which language and time zone, who of the other recipients may be named to him: it is all
decided here, from the message's own header, its envelope and the settings. What follows is composing, which
decides nothing.

Promises: nobody is named to a reader who may not know of him. The member of an alias is never named; a
recipient whom the header does not name (Bcc) is named to the author alone; how it stands with our own people
is no outsider's business beyond "accepted". Reads only the head of a content. Pure but for the directory,
which answers from memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from byreturn.mail import (
    MINUTE,
    Action,
    Cause,
    Duration,
    Instant,
    Mailbox,
    Message,
    NullPath,
    QueueId,
    Ret,
    WeFound,
    header_block,
    id_text,
    named_addresses,
)
from byreturn.mail.headers import HEAD_OCTETS
from byreturn.policy import (
    Delivered,
    Discarded,
    Expired,
    Failed,
    Held,
    InFlight,
    IpNetwork,
    Manners,
    Parked,
    Returned,
    State,
    Waiting,
    address_in,
    attempts_of,
    tells_of_failure,
)
from byreturn.ports import Directory, OtherRecipient, OwedLine, OwedReport, ReportKind
from byreturn.report import (
    NO_OVERRIDES,
    OTHERS_LISTED,
    RETURN_OCTETS,
    Audience,
    Overrides,
    Progress,
    ReportFacts,
    ReportLine,
    Standing,
    Suggestions,
)


class ReportSettings(Struct, frozen=True, kw_only=True):
    """Who reports, to whom in what way, and how much of the original comes back.

    `inside`: the networks whose mail is our own people's. `flood`: how many reports one address gets in a
    minute before they shrink. `objective`: by when a report should be in the sender's mailbox; 0: no matter.
    """

    hostname: str
    postmaster: Mailbox
    return_octets: int = RETURN_OCTETS
    contact: str = ""
    manners: Manners = Manners()
    overrides: Overrides = NO_OVERRIDES
    is_html: bool = True
    inside: tuple[IpNetwork, ...] = ()
    resolver: str = ""
    flood: int = 600
    is_suggesting: bool = True
    objective: Duration = 1 * MINUTE


class Drafter:
    """Drafts the facts of reports."""

    def __init__(self, settings: ReportSettings, directory: Directory) -> None:
        self._settings = settings
        self._directory = directory

    def is_inside(self, message: Message) -> bool:
        """Whether the reader of a report on it is one of our own people."""
        path = message.reverse_path
        if isinstance(path, NullPath):
            return False
        return self._directory.is_local(path.destination) or address_in(
            message.origin.address, self._settings.inside
        )

    def octets_wanted(self, owed: OwedReport, octets: int, *, is_shrunk: bool) -> int:
        """How much of the original to read: all that may come back, or its head."""
        wants_all = (
            not is_shrunk
            and owed.kind is ReportKind.REPORT
            and octets <= self._settings.return_octets
            and owed.message.ret is not Ret.HDRS
        )
        return octets if wants_all else HEAD_OCTETS

    def draft(
        self,
        owed: OwedReport,
        content: bytes,
        suggestions: Mapping[int, Suggestions],
        *,
        report_id: QueueId,
        boundary: str,
        now: Instant,
        is_shrunk: bool,
    ) -> ReportFacts:
        """Draft a report; `content` is the original, or what there is of its head."""
        about, settings = owed.message, self._settings
        block = header_block(content[:HEAD_OCTETS])
        is_copy = owed.kind is ReportKind.COPY
        reader = settings.postmaster if is_copy else about.reverse_path
        assert isinstance(reader, Mailbox), "nobody is owed a report on a report"
        inside = self.is_inside(about)
        audience = Audience.POSTMASTER if is_copy else Audience.INSIDER if inside else Audience.OUTSIDER
        others = _others(owed, block, reader, audience)
        return ReportFacts(
            reporting_mta=settings.hostname,
            postmaster=settings.postmaster,
            contact=settings.contact if inside or is_copy else "",
            message_id=report_message_id(report_id, settings.hostname),
            composed_at=now,
            boundary=f"=_{boundary}",
            resolver=settings.resolver,
            language=settings.manners.language_of(reader, b"" if is_copy else block),
            zone=settings.manners.zone_of(reader, b"" if is_copy else block),
            audience=audience,
            overrides=settings.overrides,
            is_html=settings.is_html,
            is_shrunk=is_shrunk,
            reverse_path=reader,
            about_reverse_path=about.reverse_path if isinstance(about.reverse_path, Mailbox) else None,
            accepted_at=about.accepted_at,
            queue_id=id_text(about.id),
            lines=_lines(owed, suggestions),
            header_block=block,
            content=content if len(content) == about.octets else None,
            recipient_count=owed.named_count,
            envid=about.envid,
            ret=about.ret,
            hello=about.origin.hello,
            original_id=about.message_id,
            subject=about.subject,
            thread=owed.thread,
            others=tuple(others[:OTHERS_LISTED]),
            more=tuple(Counter(other.progress for other in others[OTHERS_LISTED:]).items()),
        )


def report_message_id(report_id: QueueId, hostname: str) -> str:
    """The Message-ID of a report; the spool keeps the id alone."""
    return f"<{id_text(report_id)}@{hostname}>"


# --- Those that the report is about -------------------------------------------------------------------


def _lines(owed: OwedReport, suggestions: Mapping[int, Suggestions]) -> tuple[ReportLine, ...]:
    """Say each thing once to the sender: of an alias he knows the name, not the members."""
    said: dict[tuple[Mailbox, Action], ReportLine] = {}
    for line in owed.lines:
        said.setdefault(
            (line.recipient.given, line.action), _line(line, owed, suggestions.get(line.recipient.ordinal))
        )
    return tuple(said.values())


_NONE: Final = Suggestions()


def _line(line: OwedLine, owed: OwedReport, suggestions: Suggestions | None) -> ReportLine:
    recipient, likely = line.recipient, suggestions or _NONE
    return ReportLine(
        recipient=recipient.given,
        action=line.action,
        diagnosis=line.finding,
        orcpt=recipient.orcpt,
        member=recipient.address if recipient.given != recipient.address else None,
        expired=isinstance(line.state, Expired),
        returned=isinstance(line.state, Returned),
        attempts=attempts_of(line.state),
        found_at=line.at,
        last_attempt_at=line.last_attempt_at,
        next_try_at=line.next_try_at,
        next_notice_at=line.notice_at,
        will_retry_until=line.expires_at,
        is_told=tells_of_failure(owed.message.reverse_path, recipient.notify),
        suggestions=likely.candidates,
        is_likely=likely.is_likely,
    )


# --- The others ---------------------------------------------------------------------------------------


def _others(owed: OwedReport, block: bytes, reader: Mailbox, audience: Audience) -> list[Standing]:
    """Those of the others who may be named to this reader; of an alias its name, once."""
    if not owed.others:
        return []
    authors = named_addresses(block, (b"from", b"sender"))
    named = named_addresses(block, (b"to", b"cc"))
    is_author = str(reader).lower() in authors
    concerned = {line.recipient.given for line in owed.lines}
    standings: dict[Mailbox, Standing] = {}
    for other in owed.others:
        given = other.recipient.given
        may_know = is_author or audience is Audience.POSTMASTER or str(given).lower() in named
        if may_know and given not in concerned:
            standings.setdefault(given, _standing(other, owed, audience))
    return list(standings.values())


def _standing(other: OtherRecipient, owed: OwedReport, audience: Audience) -> Standing:
    diagnosis = other.finding
    progress = _progress(other)
    is_alias = other.recipient.given != other.recipient.address
    if audience is Audience.OUTSIDER and progress is Progress.STORED:
        progress = Progress.ACCEPTED
    if is_alias or (audience is Audience.OUTSIDER and isinstance(diagnosis, WeFound)):
        # Where an alias leads, and what our own machines say, is shown to nobody who need not know.
        diagnosis = None
    return Standing(
        recipient=other.recipient.given,
        progress=progress,
        at=other.changed_at,
        diagnosis=diagnosis,
        next_try_at=other.next_try_at,
        next_notice_at=other.notice_at,
        gives_up_at=other.expires_at,
        expired=isinstance(other.state, Expired),
        is_told=other.is_told or tells_of_failure(owed.message.reverse_path, other.recipient.notify),
    )


_PROGRESS: Final[Mapping[type[State], Progress]] = {
    Waiting: Progress.WAITING,
    InFlight: Progress.WAITING,
    Held: Progress.HELD,
    Parked: Progress.HELD,
    Discarded: Progress.ENDED,
}


def _progress(other: OtherRecipient) -> Progress:
    match other.state:
        case Delivered():
            is_stored = isinstance(other.finding, WeFound) and other.finding.cause is Cause.STORED
            return Progress.STORED if is_stored else Progress.ACCEPTED
        case Failed() | Expired() | Returned():
            return Progress.TOLD if other.is_told else Progress.ENDED
        case state:
            return _PROGRESS[type(state)]
