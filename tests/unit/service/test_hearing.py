"""Hearing: which mail is looked at, what reaches the spool and the journal, and what a flood costs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.service.mail import NOW, message, recipient

from byreturn.mail import Action, InMemory, Mailbox, Message, Origin, Priority, QueueId, Recipient
from byreturn.ports import HeardReport, SpoolFault
from byreturn.report import Reading, ReadLine
from byreturn.service.hearing import Hearing, HearingSettings, may_be_report
from byreturn.transport import read_foreign

SAMPLES = Path(__file__).parent / "of_others"
SENDER = Mailbox("sender", "here.example")
TO_SENDER = (Recipient(0, SENDER, SENDER, SENDER.destination),)
REPORT = (SAMPLES / "postfix.eml").read_bytes().replace(b"\n", b"\r\n")
AUTO = b"From: x@partner.example\r\nAuto-Submitted: auto-replied\r\n\r\ntext"


class FakeSpool:
    """Knows one message, which every report is about; `contents` are what lies in files."""

    def __init__(self) -> None:
        self.reports: list[HeardReport] = []
        self.fault: SpoolFault | None = None
        self.contents: dict[int, Any] = {}
        self.about: QueueId | None = QueueId(1)

    def heard(self, reports: tuple[HeardReport, ...], done: Any) -> None:
        self.reports += reports
        done(self.fault or tuple(self.about for _ in reports))

    def content(self, message_id: QueueId, done: Any) -> None:
        done(self.contents.get(message_id))


class FakeWorker:
    """Does nothing before it is told to."""

    def __init__(self) -> None:
        self.submitted: list[tuple[Any, Any]] = []

    def submit(self, work: Any, done: Any) -> None:
        self.submitted.append((work, done))

    def run(self) -> None:
        work, done = self.submitted.pop(0)
        try:
            outcome = work()
        except Exception as error:
            outcome = error
        done(outcome)

    def run_all(self) -> None:
        while self.submitted:
            self.run()


class Bench:
    def __init__(self, read: Any = read_foreign, **settings: Any) -> None:
        self.spool = FakeSpool()
        self.worker = FakeWorker()
        self.told: list[tuple[Any, ...]] = []
        journal = SimpleNamespace(
            report_heard=lambda *facts: self.told.append(("heard", *facts)),
            fault=lambda where, why: self.told.append(("fault", where, why)),
            note=lambda what, **facts: self.told.append(("note", what, facts["count"])),
        )
        world: Any = SimpleNamespace(spool=self.spool, journal=journal, aside=self.worker, read_foreign=read)
        self.hearing = Hearing(HearingSettings(**settings), world)

    def hear(
        self, content: bytes | None = REPORT, number: int = 7, to: Any = TO_SENDER, head: bytes = b""
    ) -> None:
        self.hearing.hear(report(number), to, content, head=head or (content or b""))


def report(number: int = 7) -> Message:
    return message(number, priority=Priority.REPORT)


def test_a_report_is_added_to_the_story_of_its_message():
    bench = Bench()
    bench.hear()
    assert bench.spool.reports == []
    bench.worker.run()
    assert bench.spool.reports == [
        HeardReport(
            reverse_path=SENDER,
            report_id=QueueId(7),
            at=NOW,
            action="failed",
            text="lmtp.partner.example: 550 5.1.1 <acounts@partner.example> User doesn't exist:"
            " acounts@partner.example",
            recipient=Mailbox("acounts", "partner.example"),
            envid="QQ314159",
            message_id="<price-list@here.example>",
        )
    ]
    assert bench.told == [("heard", QueueId(1), QueueId(7), 1)]
    assert bench.hearing.is_idle


def test_a_report_on_nothing_of_ours_is_not_told():
    bench = Bench()
    bench.spool.about = None
    bench.hear()
    bench.worker.run()
    assert (len(bench.spool.reports), bench.told) == (1, [])


def test_it_is_meant_for_the_address_that_it_came_to():
    bench = Bench()
    verp = Mailbox("list-7=x", "here.example")
    bench.hear(to=(Recipient(0, SENDER, verp, SENDER.destination), *TO_SENDER, *TO_SENDER))
    bench.worker.run()
    assert [each.reverse_path for each in bench.spool.reports] == [verp, SENDER]


def test_a_content_in_a_file_is_read_up_to_its_limit():
    read: list[int] = []
    bench = Bench(read=lambda octets: read.append(len(octets)), octets=1000)
    bench.spool.contents[7] = InMemory(b"Subject: x\r\n\r\n" + b"x" * 5000)
    bench.hear(None)
    bench.hear(b"Subject: x\r\n\r\n" + b"x" * 5000)
    bench.worker.run_all()
    assert read == [1000, 1000]


def test_a_content_that_is_gone_is_not_read():
    bench = Bench()
    bench.hear(None)
    bench.spool.contents[8] = SpoolFault("broken")
    bench.hear(None, 8)
    assert bench.worker.submitted == []
    assert bench.told == [("fault", "hearing", "broken")]
    assert bench.hearing.is_idle


def test_an_address_that_is_none_is_left_out_and_the_rest_is_kept():
    line = ReadLine("not an address", Action.FAILED, "words")
    for reading, count in ((Reading((line,), message_id="<a@b.example>"), 1), (Reading((line,)), 1)):
        bench = Bench(read=lambda _, reading=reading: reading)
        bench.hear(b"x")
        bench.worker.run()
        assert [each.recipient for each in bench.spool.reports] == [None] * count


def test_what_names_neither_recipient_nor_message_is_dropped():
    bench = Bench(read=lambda _: Reading((ReadLine("", Action.FAILED, "words"),)))
    bench.hear(b"x")
    bench.worker.run()
    assert bench.spool.reports == []
    assert bench.hearing.is_idle


def test_a_report_on_very_many_is_bounded():
    lines = tuple(ReadLine(f"a{n}@b.example", Action.FAILED, "") for n in range(50))
    bench = Bench(read=lambda _: Reading(lines), lines=10)
    bench.hear(b"x", to=(*TO_SENDER, recipient(1), recipient(2)))
    bench.worker.run()
    assert len(bench.spool.reports) == 10
    assert bench.told == [("heard", QueueId(1), QueueId(7), 10)]


def test_a_bug_and_a_fault_are_told_and_the_next_report_is_read():
    def broken(octets: bytes) -> None:
        raise ValueError("bug")

    bench = Bench(read=broken)
    bench.hear(b"x")
    bench.spool.fault = SpoolFault("disk")
    bench.hear()
    bench.worker.run_all()
    assert [told[0] for told in bench.told] == ["fault", "fault"]
    assert bench.hearing.is_idle


# --- A flood ------------------------------------------------------------------------------------------


def test_two_are_read_at_once_and_a_hundred_wait():
    bench = Bench()
    for number in range(250):
        bench.hear(number=number)
    assert len(bench.worker.submitted) == 2
    assert bench.hearing.skipped == 250 - 102
    bench.worker.run_all()
    assert len(bench.spool.reports) == 102
    assert [told for told in bench.told if told[0] == "note"] == [("note", "reports not read", 148)]
    bench.hear()
    bench.worker.run_all()
    assert len(bench.spool.reports) == 103
    assert sum(told[0] == "note" for told in bench.told) == 1


def test_after_the_end_nothing_is_begun():
    bench = Bench()
    for number in range(10):
        bench.hear(number=number)
    bench.hearing.stop()
    bench.worker.run_all()
    assert len(bench.spool.reports) == 2


# --- Which mail is looked at --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "head", "expected"),
    [
        (report(), b"Subject: x\r\n\r\n", True),
        (message(), b"Subject: x\r\n\r\nAuto-Submitted: auto-replied\r\n", False),
        (message(is_bulk=True), AUTO, True),
        (message(is_bulk=True), b"List-Id: <l.here.example>\r\n\r\n", False),
        (message(), b"Subject: x\r\nContent-Type: Multipart/Report;\r\n\tboundary=x\r\n\r\n", True),
        (message(about=QueueId(1)), AUTO, False),
    ],
    ids=["null path", "a letter", "auto-submitted", "list", "multipart/report", "ours"],
)
def test_only_what_may_be_a_report_is_looked_at(of: Message, head: bytes, expected: bool):
    assert may_be_report(of, head) is expected


def test_our_own_reports_are_not_heard():
    ours = report()
    ours = Message(
        **{name: getattr(ours, name) for name in ours.__struct_fields__}
        | {"origin": Origin("", "", "report")}
    )
    assert not may_be_report(ours, REPORT)


def test_a_letter_is_not_read():
    bench = Bench()
    bench.hearing.hear(message(), (recipient(),), b"Subject: x\r\n\r\nx", head=b"Subject: x\r\n\r\nx")
    assert bench.worker.submitted == []
