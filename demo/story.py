"""The classic message: one sender, four recipients, one of them at a host that is dead.

    submit --250--> facts of the journal --> the fate of each recipient --+--> news, as they come
                    the sender's mailbox --> reports ---------------------'--> checks, at the end

The story only watches: it reads the connector's journal, the sender's mailbox and what the other hosts
received. Everything that it says is a check with a name, and each can fail.

Promises: `play` ends by `limit`, whatever happens; times are milliseconds since the message was accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import SMTP
from email.utils import format_datetime, localtime, make_msgid
from typing import Final

from demo.world import DEAD, GOOD, LIFETIME_MS, MISSPELLED, RECIPIENTS, SENDER, UNKNOWN, Fact, World, now
from msgspec import Struct

# The dead host's lifetime, its last try, and the four seconds that a second report waits: 13 s, and some more
# for a machine that is busy.
LIMIT_MS: Final = 17_000
# Reports leave a second after the first failure at the latest; the other second is for a slow machine.
IN_TIME_MS: Final = 2_000
# A second report waits 4 s after the last failure, so who has waited longer waits for nothing.
_LAST_REPORT_MS: Final = 6_000
# After the last report so long is watched whether another one comes, which would be one too many.
_ONE_TOO_MANY_MS: Final = 300
_TICK_SECONDS: Final = 0.01

_SAID: Final = re.compile(r"(?P<host>\S+) \[\S+\] in answer to [^:]+: (?P<reply>.*)", re.DOTALL)
_FOUND: Final = re.compile(r"(?P<host>\S+) \[\S+\]: (?P<cause>[a-z0-9-]+)")

SUBJECT: Final = "Invitation to the opening on Friday"
_TEXT: Final = "Dear all,\n\nyou are invited to the opening on Friday at six.\n\nThe office\n"


class Fate(Struct):
    """What is known about a recipient: in words, since when, and whether it is the end."""

    address: str
    words: str = "on its way"
    at: int | None = None
    host: str = ""
    why: str = ""
    ends: tuple[str, ...] = ()
    tried_at: tuple[int, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return bool(self.ends)


class Told(Struct, frozen=True):
    """One recipient in a report's part for programs."""

    address: str
    action: str
    status: str
    diagnostic: str


class Report(Struct, frozen=True):
    """A report, read as a mail program reads it. `at`: when it was seen in the mailbox."""

    at: int
    sender: str
    to: str
    subject: str
    date: str
    message_id: str
    in_reply_to: str
    references: str
    kind: str
    text: str
    told: tuple[Told, ...]


class News(Struct, frozen=True):
    """Something happened: when, to whom, what; with a report, if it is one."""

    at: int
    who: str
    words: str
    report: Report | None = None


class Check(Struct, frozen=True):
    """A claim, whether it is true, and what was seen."""

    name: str
    is_true: bool
    seen: str


class Story:
    """What was seen so far."""

    def __init__(self, world: World) -> None:
        self.fates = {address: Fate(address) for address in RECIPIENTS}
        self.reports: list[Report] = []
        self.message_id = make_msgid(domain="example.org")
        self.reply = ""
        self.recipients_accepted = 0
        self._world = world
        self.queue_id = ""
        self._calls_seen = 0
        self._accepted_at = now()

    def elapsed(self) -> int:
        """Return how long ago the message was accepted."""
        return max(0, now() - self._accepted_at)

    @property
    def dead_host_calls(self) -> int:
        """How often the dead host was called."""
        return self._world.agency.connections

    @property
    def ended_at(self) -> int | None:
        """When the last recipient met its end; None while one has none."""
        ends = [fate.at for fate in self.fates.values() if fate.is_final and fate.at is not None]
        return max(ends) if len(ends) == len(self.fates) else None

    @property
    def first_failure_at(self) -> int | None:
        """When the first failure was known."""
        failed = [fate.at for fate in self.fates.values() if "failed" in fate.ends and fate.at is not None]
        return min(failed, default=None)

    # --- Watching -------------------------------------------------------------------------------------

    def play(self, limit: int = LIMIT_MS) -> Iterator[News | None]:
        """Send the message and tell what happens; None, many times a second, when nothing does."""
        self.reply = self._world.submit(self._content())
        self._accepted_at = now()
        connector = self._world.connector
        while connector.runs and self.elapsed() < limit and not self._is_over():
            fact = connector.next_fact(_TICK_SECONDS)
            news = self._call_of_the_dead() if fact is None else self._hear(fact)
            if news is not None:
                yield news
            for content in self._world.new_mail():
                yield self._arrived(read_report(content, self.elapsed()))
            yield None

    def _call_of_the_dead(self) -> News | None:
        """The dead host notes who calls: an attempt is seen when it begins, not only when it ends."""
        fate, calls = self.fates[DEAD], self.dead_host_calls
        if fate.is_final or calls == self._calls_seen:
            return None
        self._calls_seen = calls
        fate.words = f"attempt {calls}: no answer yet; still trying"
        return News(self.elapsed(), DEAD, fate.words)

    def _arrived(self, report: Report) -> News:
        self.reports.append(report)
        failed_at = self.first_failure_at
        words = "a report is in the mailbox"
        if failed_at is not None and len(self.reports) == 1:
            words += f", {report.at - failed_at:,} ms after the first failure"
        return News(report.at, SENDER, words, report)

    def _is_over(self) -> bool:
        ended_at, elapsed = self.ended_at, self.elapsed()
        if ended_at is None:
            return False
        if len(self.reports) > 1:
            return elapsed > self.reports[-1].at + _ONE_TOO_MANY_MS
        return elapsed > ended_at + _LAST_REPORT_MS

    def _content(self) -> bytes:
        message = EmailMessage()
        message["From"] = f"The office <{SENDER}>"
        message["To"] = ", ".join(RECIPIENTS)
        message["Subject"] = SUBJECT
        message["Date"] = format_datetime(localtime())
        message["Message-ID"] = self.message_id
        message.set_content(_TEXT)
        return message.as_bytes(policy=SMTP)

    def _hear(self, fact: Fact) -> News | None:
        if fact.name == "accepted" and fact.text("message_id") == self.message_id:
            self.queue_id, self._accepted_at = fact.text("id"), fact.at
            self.recipients_accepted = int(fact.text("recipients"))
            return News(0, SENDER, f"accepted by the connector: {self.reply}")
        fate = self.fates.get(fact.text("to"))
        if not self.queue_id or fact.text("id") != self.queue_id:
            # An end that upkeep finds is told as a number only; there is but one recipient that waits.
            fate = self.fates[DEAD] if fact.name == "expired" and not fact.text("to") else None
        if fate is None:
            return None
        return self._judge(fate, fact)

    def _judge(self, fate: Fate, fact: Fact) -> News | None:
        """Put a fact into words, and keep it as what is known of a recipient."""
        at, why = fact.at - self._accepted_at, fact.text("why")
        said, found = _SAID.match(why), _FOUND.match(why)
        host = said["host"] if said else found["host"] if found else ""
        match fact.name:
            case "relayed":
                words = f"accepted by {host}"
            case "failed" if said:
                words = f"refused by {host}: {said['reply']}"
            case "failed" if why.startswith("no-such-domain"):
                words = "not deliverable: domain does not exist"
            case "failed":
                words = f"not deliverable: {why}"
            case "put off" | "uncertain":
                silent = "no answer; " if found and found["cause"] == "silent" else ""
                words = f"attempt {len(fate.tried_at) + 1}: {silent}still trying"
            case "expired":
                words = f"gave up after {self.dead_host_calls} attempts, none answered"
            case _:
                return None
        fate.words, fate.at, fate.why = words, at, why or fate.why
        fate.host = host or fate.host
        if fact.name in ("put off", "uncertain"):
            fate.tried_at = (*fate.tried_at, at)
        else:
            fate.ends = (*fate.ends, fact.name)
        return News(at, fate.address, words)

    # --- Checking -------------------------------------------------------------------------------------

    def checks(self) -> list[Check]:
        """Judge everything that the demo claims."""
        return [
            *self._check_fates(),
            *self._check_first_report(),
            *self._check_the_rest(),
            *self._check_world(),
        ]

    def _check_fates(self) -> Iterator[Check]:
        yield Check(
            "the connector took the message for four recipients",
            self.reply.startswith("250") and self.recipients_accepted == len(RECIPIENTS),
            f"{self.recipients_accepted} recipients, {self.reply!r}",
        )
        good, misspelled, unknown = (self.fates[address] for address in (GOOD, MISSPELLED, UNKNOWN))
        mine = [one for one in self._world.partner.received if self.message_id.encode() in one.content]
        yield Check(
            "the good address was reached, and its host has the message, once",
            good.ends == ("relayed",)
            and [one.recipients for one in mine] == [(GOOD,)]
            and all(one.acknowledged for one in mine),
            f"{good.words}; messages there: {len(mine)}",
        )
        yield Check(
            "the misspelled domain was found not to exist",
            misspelled.ends == ("failed",) and misspelled.why.startswith("no-such-domain"),
            misspelled.words,
        )
        yield Check(
            "the unknown user was refused by its own host",
            unknown.ends == ("failed",)
            and "mx1.customer.example" in unknown.words
            and "550" in unknown.words,
            unknown.words,
        )

    def _check_first_report(self) -> Iterator[Check]:
        report = self.reports[0] if self.reports else None
        failed_at, dead = self.first_failure_at, self.fates[DEAD]
        waited = None if report is None or failed_at is None else report.at - failed_at
        yield Check(
            f"the first report was in the sender's mailbox within {IN_TIME_MS:,} ms of the first failure",
            waited is not None and waited <= IN_TIME_MS,
            "no report" if waited is None else f"{waited:,} ms",
        )
        told = {} if report is None else {one.address: (one.action, one.status) for one in report.told}
        yield Check(
            "it is a report on the two failures and on nobody else",
            told == {MISSPELLED: ("failed", "5.1.2"), UNKNOWN: ("failed", "5.1.1")},
            str(told or "no report"),
        )
        text = "" if report is None else report.text
        refusal = self.fates[UNKNOWN].words.partition(": ")[2]
        yield Check(
            "its text says why, in the words of whoever said so",
            'The domain "suplier.example" does not exist.' in text.replace("\n   ", " ")
            and bool(refusal)
            and refusal in text,
            f"{len(text)} characters",
        )
        failed, _, trying = text.partition("STILL TRYING")
        yield Check(
            "it says that the dead recipient is still being tried, and that there is nothing to do",
            DEAD in trying and DEAD not in failed and GOOD not in failed,
            f"{len(trying)} characters on the others",
        )
        later = [at for at in dead.tried_at if report is not None and at > report.at]
        yield Check(
            "it did not wait for the dead host, which was tried again after it",
            report is not None
            and len(later) > 1
            and "failed" not in dead.ends
            and (dead.at or 0) > report.at,
            f"attempts that ended later: {len(later)}",
        )

    def _check_the_rest(self) -> Iterator[Check]:
        dead = self.fates[DEAD]
        yield Check(
            "the dead host was tried until the lifetime was over, then given up",
            dead.ends == ("expired",) and (dead.at or 0) >= LIFETIME_MS and self.dead_host_calls > 1,
            f"{dead.words}; calls there: {self.dead_host_calls}",
        )
        told = [[(one.address, one.action, one.status) for one in report.told] for report in self.reports]
        yield Check(
            "it got its own report",
            len(told) > 1 and told[1] == [(DEAD, "failed", "5.4.7")],
            str(told[1] if len(told) > 1 else "no second report"),
        )
        yield Check(
            "both reports are in the thread of the message",
            len(self.reports) > 1
            and all(
                self.message_id == report.in_reply_to and self.message_id in report.references.split()
                for report in self.reports
            )
            and self.reports[0].message_id in self.reports[1].references.split(),
            "; ".join(report.references for report in self.reports) or "no report",
        )
        every = sorted(one[0] for report in told for one in report)
        yield Check(
            "everybody met one end, and every failure was reported once",
            all(len(fate.ends) == 1 for fate in self.fates.values())
            and every == sorted((MISSPELLED, UNKNOWN, DEAD))
            and all(report.kind == "multipart/report" for report in self.reports),
            f"reports: {len(self.reports)}, on {', '.join(every) or 'nobody'}",
        )

    def _check_world(self) -> Iterator[Check]:
        strange = self._world.strange_addresses()
        yield Check(
            "every name of this world leads to this machine",
            not strange,
            ", ".join(strange or sorted(set(self._world.names.addresses()))),
        )
        connector = self._world.connector
        yield Check(
            "the connector reports no fault of its own",
            not connector.faults and connector.status in (None, 0),
            "; ".join(connector.faults[-3:]) or ("it runs" if connector.runs else "stopped in order"),
        )

    def times(self) -> dict[str, int | None]:
        """Return the measured times."""
        reports = [report.at for report in self.reports]
        return {
            "domain_does_not_exist": self.fates[MISSPELLED].at,
            "refused": self.fates[UNKNOWN].at,
            "accepted_there": self.fates[GOOD].at,
            "first_report": reports[0] if reports else None,
            "gave_up": self.fates[DEAD].at if self.fates[DEAD].is_final else None,
            "second_report": reports[1] if len(reports) > 1 else None,
        }


def read_report(content: bytes, at: int) -> Report:
    """Read a report as a mail program does: header, the part for people, the part for programs."""
    message = BytesParser(EmailMessage, policy=SMTP).parsebytes(content)
    body = message.get_body(("plain",))
    return Report(
        at=at,
        sender=_field(message, "From"),
        to=_field(message, "To"),
        subject=_field(message, "Subject"),
        date=_field(message, "Date"),
        message_id=_field(message, "Message-ID"),
        in_reply_to=_field(message, "In-Reply-To"),
        references=" ".join(_field(message, "References").split()),
        kind=message.get_content_type(),
        text="" if body is None else str(body.get_content()).replace("\r\n", "\n"),
        told=tuple(_told(message)),
    )


def _told(message: Message) -> Iterator[Told]:
    for part in message.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        # The first group is about the message, each further one about a recipient.
        groups = part.get_payload()
        for group in groups[1:] if isinstance(groups, list) else ():
            assert isinstance(group, Message)
            yield Told(
                address=_field(group, "Final-Recipient").partition(";")[2].strip(),
                action=_field(group, "Action"),
                status=_field(group, "Status"),
                diagnostic=_field(group, "Diagnostic-Code"),
            )


def _field(message: Message, name: str) -> str:
    return str(message.get(name, "")).strip()
