"""Hearing: what others report of mail that we passed on becomes part of its story.

    accepted --may it be a report?--> at most so many wait --> read in a thread --> spool.heard --> journal
                                           '- more: skipped, and counted

A host that accepted a message may find out later that it cannot deliver it, and its report goes to the
sender. The sender has it; with this the postmaster, too, sees it where he looks. It changes nothing else: the
disposition stays, because anybody can write such a report.

Promises: reception never waits for this, and mail goes on whatever is wrong here. Of our own reports none is
read. A flood costs two threads and so many contents, each of a bounded size.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from msgspec import Struct

from byreturn.mail import Mailbox, Message, NullPath, QueueId, Recipient, header_block
from byreturn.ports import ContentReader, HeardReport, SpoolFault, World
from byreturn.protocol import SyntaxFault, mailbox_or_fault
from byreturn.report import Reading, ReadLine, parse_report, reading_of

# Of recipients of the report itself: it goes to one, as a rule; a list of them is somebody's mistake.
_HEARERS: Final = 5

ReadForeign: TypeAlias = Callable[[bytes], Reading | None]


class HearingSettings(Struct, frozen=True):
    """How much is read at once, how much waits for it, and how much of each is looked at.

    `lines` of one report are kept at most: they go into one commit, and mail waits behind it.
    """

    at_work: int = 2
    waiting: int = 100
    octets: int = 256 * 1024
    lines: int = 200


class _Arrived(Struct, frozen=True):
    message: Message
    hearers: tuple[Mailbox, ...]
    content: bytes | None


class Hearing:
    """The desk."""

    def __init__(self, settings: HearingSettings, world: World) -> None:
        self._settings = settings
        self._spool = world.spool
        self._journal = world.journal
        self._worker = world.aside
        self._read_foreign = world.read_foreign
        self._waiting: deque[_Arrived] = deque()
        self._at_work = 0
        self._untold = 0
        self.skipped = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being read."""
        return not self._at_work

    def stop(self) -> None:
        """Begin nothing more."""
        self._waiting.clear()

    def hear(
        self, message: Message, recipients: Iterable[Recipient], content: bytes | None, *, head: bytes
    ) -> None:
        """Read a message that was just accepted, if it may be a report; `content` None: it is in a file."""
        if not may_be_report(message, head):
            return
        if len(self._waiting) >= self._settings.waiting:
            self.skipped += 1
            self._untold += 1
            return
        hearers = tuple(dict.fromkeys(recipient.given for recipient in recipients))[:_HEARERS]
        self._waiting.append(_Arrived(message, hearers, content))
        self._begin()

    # --- Reading --------------------------------------------------------------------------------------

    def _begin(self) -> None:
        while self._waiting and self._at_work < self._settings.at_work:
            self._at_work += 1
            self._open(self._waiting.popleft())
        if self._untold and not self._waiting:
            self._journal.note("reports not read", count=self._untold, why="too many came at once")
            self._untold = 0

    def _open(self, arrived: _Arrived) -> None:
        if arrived.content is not None:
            self._read(arrived, arrived.content[: self._settings.octets])
            return

        def opened(reader: ContentReader | SpoolFault | None) -> None:
            if reader is None or isinstance(reader, SpoolFault):
                self._end(reader)
                return
            octets = reader.read(self._settings.octets)
            reader.close()
            self._read(arrived, octets)

        self._spool.content(arrived.message.id, opened)

    def _read(self, arrived: _Arrived, octets: bytes) -> None:
        def done(reading: Reading | Exception | None) -> None:
            if isinstance(reading, Exception):
                self._end(SpoolFault(f"bug in reading a report: {reading!r}"))
            elif reading is None:
                self._end(None)
            else:
                self._keep(arrived, reading)

        self._worker.submit(lambda: read(octets, self._read_foreign), done)

    def _keep(self, arrived: _Arrived, reading: Reading) -> None:
        report_id = arrived.message.id
        heard = tuple(
            HeardReport(
                reverse_path=hearer,
                report_id=report_id,
                at=arrived.message.accepted_at,
                action=line.action.value,
                text=line.text,
                recipient=_mailbox(line),
                envid=reading.envid,
                message_id=reading.message_id,
            )
            for hearer in arrived.hearers
            for line in reading.lines[: self._settings.lines]
            if line.recipient or reading.envid or reading.message_id
        )[: self._settings.lines]
        if not heard:
            self._end(None)
            return

        def kept(about: tuple[QueueId | None, ...] | SpoolFault) -> None:
            if isinstance(about, SpoolFault):
                self._end(about)
                return
            for message_id, count in Counter(each for each in about if each is not None).items():
                self._journal.report_heard(message_id, report_id, count)
            self._end(None)

        self._spool.heard(heard, kept)

    def _end(self, fault: SpoolFault | None) -> None:
        self._at_work -= 1
        if fault is not None:
            self._journal.fault("hearing", fault.why)
        self._begin()


def may_be_report(message: Message, head: bytes) -> bool:
    """Whether a message may be somebody else's report. Costs 2 us for a usual header block."""
    if message.about is not None or message.origin.listener == "report":
        return False
    if isinstance(message.reverse_path, NullPath):
        return True
    fields = header_block(head).lower()
    # What Auto-Submitted says makes a message bulk, so that most mail need not be searched for it.
    return b"multipart/report" in fields or (message.is_bulk and b"auto-submitted:" in fields)


def read(octets: bytes, read_foreign: ReadForeign) -> Reading | None:
    """Read a report: by the standard, or else in whatever form it is."""
    parsed = parse_report(octets)
    return (reading_of(parsed) if parsed is not None else None) or read_foreign(octets)


def _mailbox(line: ReadLine) -> Mailbox | None:
    address = mailbox_or_fault(line.recipient)
    return None if isinstance(address, SyntaxFault) else address
