"""The journal: each fact one line on standard error, for people or as JSON.

    2026-03-03T08:41:06.982Z  failed    id=06F2... to=info@partner.example why="mx1...: 550 5.1.1 ..."
    {"at":"2026-03-03T08:41:06.982Z","fact":"failed","id":"06F2...","to":...}

Writing must never stop mail. Lines go to a thread through a queue; when nobody reads the other end and the
queue is full, lines are dropped and counted, and the count is the first line that gets through again.

Texts of strangers are escaped, so that one fact is always one line: no CR, LF or ESC passes.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from byreturn.mail import (
    Action,
    Destination,
    Diagnosis,
    Duration,
    Mailbox,
    Message,
    QueueId,
    Reply,
    id_text,
    in_words,
    iso_date,
)
from byreturn.policy import (
    Event,
    GaveUpOnUs,
    PutOff,
    RanOutOfTime,
    Refused,
    Relayed,
    Stored,
    Unbooked,
    Uncertain,
)
from byreturn.ports import Clock, Endpoint, Lesson

_QUEUE_LIMIT: Final = 20_000
_COMPLAINTS_TOLD: Final = 5
_EVENTS: Final[dict[type[Event], str]] = {
    Relayed: "relayed",
    Stored: "delivered",
    Refused: "failed",
    PutOff: "put off",
    Uncertain: "uncertain",
    RanOutOfTime: "expired",
    GaveUpOnUs: "parked",
}
_encode: Final = msgspec.json.Encoder().encode
Fields: TypeAlias = Mapping[str, str | int | None]


class Journal:
    """Implements `ports.Journal`; counts what it tells."""

    def __init__(self, clock: Clock, layout: Literal["human", "json"], descriptor: int = 2) -> None:
        self._clock = clock
        self._is_json = layout == "json"
        self._writer = _Writer(descriptor)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()

    # --- Facts ----------------------------------------------------------------------------------------

    def client_refused(self, client: Endpoint, listener: str, reply: Reply) -> None:
        """A client was sent away."""
        self._tell("client refused", client=str(client), listener=listener, reply=str(reply))

    def refused(self, client: Endpoint, what: str, reply: Reply) -> None:
        """A command was refused."""
        self._tell("refused", client=str(client), command=what, reply=str(reply))

    def accepted(self, message: Message, recipients: int) -> None:
        """A message was accepted."""
        self._tell(
            "accepted",
            id=id_text(message.id),
            sender=f"<{message.reverse_path}>",
            recipients=recipients,
            octets=message.octets,
            client=message.origin.address,
            message_id=message.message_id,
        )

    def settled(self, message_id: QueueId, address: Mailbox, event: Event, took: Duration) -> None:
        """An outcome; a booking that is given back is none."""
        if isinstance(event, Unbooked):
            return
        diagnosis: Diagnosis | None = getattr(event, "diagnosis", None)
        self._tell(
            _EVENTS[type(event)],
            id=id_text(message_id),
            to=str(address),
            took_ms=took,
            why=None if diagnosis is None else str(diagnosis),
        )

    def lost_fence(self, message_id: QueueId, ordinal: int) -> None:
        """An outcome came too late."""
        self._tell("too late", id=id_text(message_id), recipient=ordinal)

    def destination_failing(
        self, destination: Destination, failures: int, probe_in: Duration, finding: Diagnosis
    ) -> None:
        """A destination does not answer."""
        self._tell(
            "destination failing",
            destination=destination,
            failures=failures,
            next_try_in=in_words(probe_in),
            why=str(finding),
        )

    def destination_recovered(self, destination: Destination) -> None:
        """A destination answers again."""
        self._tell("destination recovered", destination=destination)

    def learned(self, lesson: Lesson) -> None:
        """A host asked us to go easy."""
        self._tell(
            "learned",
            hosts=lesson.hosts,
            what=lesson.kind,
            at_most=lesson.value,
            until=iso_date(lesson.until),
            why=lesson.reason,
        )

    def brake_engaged(self, why: str) -> None:
        """The brake is on."""
        self._tell("brake engaged", why=why, means="nothing is given up for what the DNS denies")

    def brake_released(self, why: str, held: int) -> None:
        """The brake is off."""
        self._tell("brake released", why=why, destinations_held=held)

    def tls_failed(self, finding: Diagnosis) -> None:
        """TLS failed, and mail goes on in clear text."""
        self._tell("TLS failed", now="in clear text", why=str(finding))

    def operator_acted(self, who: str, act: str, about: str) -> None:
        """A person did something."""
        self._tell("operator", who=who, did=act, about=about)

    def expired(self, count: int) -> None:
        """Recipients ran out of time."""
        self._tell("expired", recipients=count)

    def reported(self, about: QueueId, report_id: QueueId, actions: tuple[Action, ...]) -> None:
        """A report was queued."""
        counts = {action.value: actions.count(action) for action in dict.fromkeys(actions)}
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        self._tell("reported", id=id_text(about), report=id_text(report_id), on=said)

    def report_heard(self, about: QueueId, report_id: QueueId, count: int) -> None:
        """A report of somebody else's came in."""
        self._tell("report heard", id=id_text(about), report=id_text(report_id), recipients=count)

    def undeliverable_report(self, message_id: QueueId, address: Mailbox, diagnosis: Diagnosis) -> None:
        """A report could not be delivered."""
        self._tell("report undeliverable", id=id_text(message_id), to=str(address), why=str(diagnosis))

    def report_late(self, about: QueueId, report_id: QueueId, latency: Duration) -> None:
        """A report arrived late."""
        self._tell(
            "report late",
            id=id_text(about),
            report=id_text(report_id),
            took=in_words(latency),
            took_ms=latency,
        )

    def report_rejected_by_lint(self, about: QueueId, complaints: tuple[str, ...]) -> None:
        """A report went out in its plain form."""
        shown = "; ".join(complaints[:_COMPLAINTS_TOLD])
        more = len(complaints) - _COMPLAINTS_TOLD
        self._tell(
            "report rejected",
            id=id_text(about),
            now="in its plain form",
            why=f"{shown}; and {more} more" if more > 0 else shown,
        )

    def fault(self, where: str, why: str) -> None:
        """Something of ours does not work."""
        self._tell("fault", where=where, why=why)

    def note(self, what: str, **facts: str | int) -> None:
        """Something worth knowing."""
        self._tell(what, **facts)

    # --- Lines ----------------------------------------------------------------------------------------

    def _tell(self, fact: str, **fields: str | int | None) -> None:
        at = iso_date(self._clock.now())
        known = {name: value for name, value in fields.items() if value not in (None, "")}
        if self._is_json:
            self._writer.put(_encode({"at": at, "fact": fact, **known}) + b"\n")
        else:
            self._writer.put(human_line(at, fact, known))


def human_line(at: str, fact: str, fields: Fields) -> bytes:
    """Write a fact for people."""
    words = " ".join(f"{name}={_shown(value)}" for name, value in fields.items())
    return f"{at}  {fact:<20}  {words}\n".encode("utf-8", "backslashreplace")


def _shown(value: str | int | None) -> str:
    text = str(value)
    if text.isprintable():
        return f'"{text}"' if " " in text else text
    return '"' + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text) + '"'


class _Writer:
    """A thread that writes lines, so that a full pipe stops nobody."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._wake = threading.Event()
        self._dropped = 0
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="byreturn-journal", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Queue a line, or count it as dropped."""
        if len(self._lines) >= _QUEUE_LIMIT:
            self._dropped += 1
            return
        self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Write what is left, but do not wait for ever for somebody to read it."""
        self._is_closing = True
        self._wake.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while not (self._is_closing and not self._lines):
            self._wake.wait()
            self._wake.clear()
            while self._lines:
                self._write(self._take())

    def _take(self) -> bytes:
        lines = []
        if self._dropped:
            lines.append(f"({self._dropped} lines were lost, because nobody read them in time)\n".encode())
            self._dropped = 0
        while self._lines and len(lines) < 200:
            lines.append(self._lines.popleft())
        return b"".join(lines)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError:
                # Standard error is closed or full: mail goes on without a journal.
                return
