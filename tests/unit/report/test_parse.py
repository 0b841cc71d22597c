"""Reading reports: our own come back as they were, others' as far as they go, and nothing raises."""

from __future__ import annotations

import base64

import pytest
from tests.unit.report.samples import ACCEPTED_AT, CONTENT, HEADER, SILENT, composed, line, said

from byreturn.mail import DAY, EnhancedStatus, Ret, rfc5322_date
from byreturn.report import Action, Typed, parse_report
from byreturn.report.parse import PARSE_OCTETS

# In the manner of other servers: LF for line ends, no space after the semicolon, a nested type.
FOREIGN = b"""\
From: MAILER-DAEMON@mail.example
Content-Type: multipart/report; boundary=simple/boundary;
\treport-type=delivery-status
Subject: Undelivered Mail

preamble that nobody reads
--simple/boundary
Content-Transfer-Encoding: base64

SGFsbG8=
--simple/boundary
Content-Type: message/delivery-status; name=x
Content-Transfer-Encoding: quoted-printable

Reporting-MTA:DNS;mail.example
X-Extra: 1

FINAL-RECIPIENT:rfc822;anna@customer.example
Action: Failed
Status: 5.1.1 (mailbox unknown)
Diagnostic-Code: smtp;550 no =3D
 here

X-Nothing: of interest

Final-Recipient: rfc822;bert@customer.example
--simple/boundary
Content-Type: message/rfc822

Subject: hello

text
--simple/boundary--
epilogue
"""


def test_our_own_report_comes_back():
    failed = line(orcpt="rfc822;Anna+2B1@Customer.example", last_attempt_at=ACCEPTED_AT)
    delayed = line("b@dead.example", Action.DELAYED, diagnosis=SILENT, will_retry_until=ACCEPTED_AT + DAY)
    report = parse_report(composed(failed, delayed, envid="QQ+2B"))
    assert report is not None
    assert report.reporting_mta == Typed("dns", "mx.here.example")
    assert report.received_from_mta == Typed("dns", "pc17.here.example")
    assert report.envelope_id == "QQ+"
    assert report.arrival_date == rfc5322_date(ACCEPTED_AT)
    assert report.returned == CONTENT
    assert report.is_whole
    assert report.text.startswith("Your message was not delivered to one of its 2 recipients.")
    first, second = report.lines
    assert first.original_recipient == Typed("rfc822", "Anna+1@Customer.example")
    assert first.final_recipient == Typed("rfc822", "anna@customer.example")
    assert (first.action, first.status) == ("failed", EnhancedStatus(5, 1, 1))
    assert first.remote_mta == Typed("dns", "mx1.customer.example")
    assert first.diagnostic_kind == "smtp"
    assert first.diagnostic == (
        "550-5.1.1 The email account that you tried to reach does not exist.", "550 5.1.1 Please check it.",
    )  # fmt: skip
    assert first.last_attempt_date == rfc5322_date(ACCEPTED_AT)
    assert first.will_retry_until == ""
    assert (second.action, second.status) == ("delayed", EnhancedStatus(4, 4, 1))
    assert second.diagnostic_kind == "x-byreturn"
    assert second.diagnostic == (str(SILENT),)
    assert second.will_retry_until == rfc5322_date(ACCEPTED_AT + DAY)


def test_a_long_line_of_a_reply_comes_back_whole():
    words = "word " * 300 + "end"
    report = parse_report(composed(line(diagnosis=said(550, "5.1.1", words))))
    assert report is not None
    assert report.lines[0].diagnostic == (f"550 5.1.1 {words}",)


def test_headers_only():
    report = parse_report(composed(ret=Ret.HDRS))
    assert report is not None
    assert (report.returned, report.is_whole) == (HEADER, False)


def test_anothers_report():
    report = parse_report(FOREIGN)
    assert report is not None
    assert report.reporting_mta == Typed("dns", "mail.example")
    assert report.text == "Hallo"
    assert report.envelope_id is None
    assert report.returned == b"Subject: hello\n\ntext"
    first, second = report.lines
    assert first.final_recipient == Typed("rfc822", "anna@customer.example")
    assert (first.action, first.status) == ("failed", EnhancedStatus(5, 1, 1))
    assert first.diagnostic == ("550 no = here",)
    assert (second.action, second.status, second.diagnostic) == ("", None, ())


def test_a_status_in_base64():
    status = base64.encodebytes(b"Reporting-MTA: dns; a.example\n\nFinal-Recipient: rfc822; b@c.example\n")
    report = parse_report(
        b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n"
        b"Content-Transfer-Encoding: base64\n\n" + status + b"--b--"
    )
    assert report is not None
    assert report.lines[0].final_recipient.value == "b@c.example"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"\n",
        CONTENT,
        b"Content-Type: multipart/report",
        b"Content-Type: multipart/report; boundary=\r\n\r\n--\r\n",
        b"Content-Type: multipart/report; boundary=b\r\n\r\n",
        b"Content-Type: multipart/report; boundary=b\r\n\r\n--b--\r\n",
        b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n--b\r\n--b",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nA: b",
        b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n\n",
        b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n"
        b"Content-Transfer-Encoding: base64\n\nx\n--b--",
        b"\0" * 1000,
        b":" * 1000,
    ],
)
def test_what_is_no_report(content):
    assert parse_report(content) is None


def test_a_report_that_breaks_off():
    content = composed()
    for end in range(0, len(content), 7):
        report = parse_report(content[:end])
        assert report is None or "dns".startswith(report.reporting_mta.kind)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (r"utf-8; \x{FC}@x.example", "ü@x.example"),
        (r"utf-8; \x{110000}@x.example", r"\x{110000}@x.example"),
        (r"rfc822; \x{FC}@x.example", r"\x{FC}@x.example"),
    ],
)
def test_escapes_in_an_address(value, read):
    content = composed().replace(b"rfc822; anna@customer.example", value.encode())
    report = parse_report(content)
    assert report is not None
    assert report.lines[0].final_recipient.value == read


def test_hostile_sizes_are_bounded():
    assert parse_report(b"Content-Type: multipart/report;" + b" ;" * PARSE_OCTETS) is None
    start = b"Content-Type: multipart/report; boundary=b\r\n\r\n"
    assert parse_report(start + b"--b\r\n" * 200_000) is None
    status = b"--b\r\nContent-Type: message/delivery-status\r\n\r\nA: b\r\n"
    report = parse_report(start + status + b"\r\nFinal-Recipient: x\r\n" * 50_000)
    assert report is not None
    assert len(report.lines) == 10_000
    report = parse_report(start + status + b"".join(b"F%d: x\r\n" % n for n in range(100_000)))
    assert report is not None
    assert report.lines == ()
