"""A small town with a client that says what it is told to, and mailboxes whose mail can be read.

    with Office() as office:
        office.partner("p.example", "127.0.1.1", mood=Mood(dsn=True))
        office.start()
        office.say("<ann@here.example> RET=HDRS", "<unknown@p.example> NOTIFY=FAILURE")
        office.run(MINUTE)
        (report,) = office.reports()

So everything takes part that does in life: the dialogue, the desks, the spool, and the way back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace
from tests.sim.local import SimMailboxes
from tests.sim.network import SimStream
from tests.sim.town import Town

from byreturn.mail import SECOND, Destination, Message, NullPath
from byreturn.ports import Endpoint, NewMessage
from byreturn.report import ParsedReport, parse_report
from byreturn.service import Copies
from byreturn.store import LocalDirectory, LocalDomain

HERE = "here.example"
ANN = f"ann@{HERE}"
LETTER = f"From: Ann <{ANN}>\r\nTo: undisclosed-recipients:;\r\nSubject: Lunch\r\n\r\nAt noon?\r\n"


class Office(Town):
    """A town in which people write to each other by SMTP. `copies`: the postmaster's classes."""

    def __init__(self, *, copies: frozenset[str] = frozenset(), **how: Any) -> None:
        super().__init__(**how)
        aliases = {"staff": ("ann", "bob"), "outside": ("unknown@p.example",), "chief": ("bob",)}
        domain = LocalDomain(Destination(HERE), frozenset({"ann", "bob", "postmaster"}), aliases)
        self.directory = LocalDirectory((domain,))
        self.mailboxes = SimMailboxes(self.directory)
        self.settings = replace(self.settings, copies=Copies(copies))

    # --- Mail comes in --------------------------------------------------------------------------------

    def say(self, mail: str, *rcpts: str, content: str = LETTER, client: str = "127.0.0.9") -> list[str]:
        """Hold a dialogue and let it end; return the last lines of the replies, the greeting left out."""
        assert self._process is not None, "nobody lives"
        near = Endpoint(client, self.network.next_port())
        stream = self._process.accept(near, self)
        talk = _Talk(
            stream,
            [
                "EHLO client.example",
                f"MAIL FROM:{mail}",
                *(f"RCPT TO:{rcpt}" for rcpt in rcpts),
                "DATA",
                f"{content}.",
                "QUIT",
            ],
        )
        self.run(SECOND)
        return talk.replies[1:]

    # --- What became of it ----------------------------------------------------------------------------

    def queued(self) -> Iterator[NewMessage]:
        """The reports that were queued."""
        for record in self.records:
            if record.operation == "report" and record.result is True and record.what[1] is not None:
                yield record.what[1]

    def accepted(self) -> list[Message]:
        """The messages that were taken from clients."""
        return [record.what.message for record in self.records if record.operation == "accept"]

    def mail_of(self, address: str) -> list[bytes]:
        """What lies in a mailbox, in the order in which it came."""
        stored = sorted(self.mailboxes.stored.values(), key=lambda one: one.at)
        return [one.content for one in stored if one.address == address]

    def raw_reports(self, address: str = ANN) -> list[bytes]:
        """The reports in a mailbox as they are."""
        return [mail for mail in self.mail_of(address) if parse_report(mail) is not None]

    def reports(self, address: str = ANN) -> list[ParsedReport]:
        """The reports in a mailbox, read."""
        return [read for mail in self.mail_of(address) if (read := parse_report(mail)) is not None]

    def told(self, address: str = ANN) -> list[tuple[str, str]]:
        """Who is spoken of in the reports in a mailbox, and what is said of them."""
        return [
            (line.final_recipient.value, line.action)
            for report in self.reports(address)
            for line in report.lines
        ]

    def goes_to_nobody(self) -> bool:
        """Whether all reports have the null reverse path, and none is about another."""
        made = {new.message.id for new in self.queued()}
        return all(
            isinstance(new.message.reverse_path, NullPath) and new.message.about not in made
            for new in self.queued()
        )


class _Talk:
    """Says a line, or a content, after each whole reply."""

    def __init__(self, stream: SimStream, lines: list[str]) -> None:
        self._stream = stream
        self._lines = lines
        self._buffer = b""
        self.replies: list[str] = []
        stream.use(self)

    def on_data(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n")) >= 0:
            line, self._buffer = self._buffer[:end].decode(), self._buffer[end + 2 :]
            if line[3:4] == " ":
                self.replies.append(line)
                self._go_on()

    def on_writable(self) -> None:
        pass

    def on_closed(self, why: str) -> None:
        pass

    def _go_on(self) -> None:
        if self._lines:
            self._stream.write(f"{self._lines.pop(0)}\r\n".encode())
