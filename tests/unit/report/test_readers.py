"""Programs that others wrote to read reports find in ours exactly the recipients that failed."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import compat32

import pytest
from flufl.bounce import all_failures, scan_message
from msgspec.structs import replace
from tests.unit.report.samples import QUEUED, SILENT, facts, line, said
from tests.unit.report.test_golden import REPORTS

from byreturn.mail import Cause, Phase, WeFound
from byreturn.report import Action, ReportFacts, compose, compose_plain, without_8bit

MORE: dict[str, ReportFacts] = {
    "8-bit": facts(content=b"Subject: x\r\n\r\nGr\xfc\xdfe\r\n"),
    "shrunk": facts(is_shrunk=True),
    "encoded-words": facts(subject="Grüße"),
    "no-subject": facts(subject=""),
    "mixture": facts(
        line("a@x.example"),
        line("b@x.example", Action.DELAYED, diagnosis=SILENT),
        line("c@x.example", Action.RELAYED, diagnosis=QUEUED),
        line("d@x.example", diagnosis=None),
        line("e@x.example", expired=True),
        line("f@x.example", returned=True, note="No more of this."),
    ),
    "orcpt": facts(line("a@x.example", orcpt="rfc822;alias@y.example")),
    "many": facts(*[line(f"r{n}@x.example") for n in range(150)]),
    "long-words": facts(line("a@x.example", diagnosis=said(550, "5.7.1", "word " * 900))),
    **{
        cause.value: facts(line("a@x.example", diagnosis=WeFound(cause, phase=Phase.RCPT))) for cause in Cause
    },
}
EVERY = {name: make() for name, make in REPORTS.items()} | MORE


@pytest.mark.parametrize("name", EVERY)
def test_exactly_those_that_failed_are_read(name):
    about = EVERY[name]
    # Where the sender gave an ORCPT, that is the address that they know.
    failed = {
        (each.orcpt or f"rfc822;{each.recipient}").partition(";")[2].encode()
        for each in about.lines
        if each.action is Action.FAILED
    }
    if not failed:
        # With nothing failed, one of its readers takes any address between two commas for a failure.
        about = replace(about, header_block=b"Subject: x\r\n")
    content = compose(about).content
    for report in (content, compose_plain(about).content, without_8bit(content) or content):
        message = BytesParser(policy=compat32).parsebytes(report)
        assert set(scan_message(message)) == failed
        assert all_failures(message)[1] == failed
