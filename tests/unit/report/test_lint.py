"""The linter: what it lets pass, and that each of its rules is one that it keeps."""

from __future__ import annotations

import re

import pytest
from tests.unit.report.samples import ACCEPTED_AT, SILENT, facts, line, said

from byreturn.mail import DAY, Mailbox, Ret
from byreturn.report import (
    Action,
    Audience,
    ReportFacts,
    cleared_complaints,
    complaints,
    compose,
    compose_cleared,
    compose_plain,
)

MEMBER = Mailbox("mia.private", "elsewhere.example")
PLAIN = facts(envid="QQ1")
DELAYED = facts(line(action=Action.DELAYED, diagnosis=SILENT, will_retry_until=ACCEPTED_AT + DAY))
ALIAS = facts(line("team@here.example", diagnosis=said(550, "5.1.1", "unknown"), member=MEMBER))

# The rule that is broken, the report that it is broken in, what stood there and what stands there now.
BROKEN = [
    ("header", PLAIN, rb"\AFrom:", b"From "),
    ("field-count", PLAIN, rb"\r\nDate: [^\r]*", b""),
    ("field-count", PLAIN, rb"\r\nSubject:", b"\r\nSubject: x\r\nSubject:"),
    ("field-unknown", PLAIN, rb"\r\nMIME-Version", b"\r\nBcc: x@y.example\r\nMIME-Version"),
    ("auto-submitted", PLAIN, rb"auto-replied", b"auto-generated"),
    ("date", PLAIN, rb"(\r\nDate: [^\r]*)\+0000", rb"\1GMT"),
    ("message-id", PLAIN, rb"\r\nMessage-ID: <", b"\r\nMessage-ID: "),
    ("to", PLAIN, rb"\r\nTo: <clara@", b"\r\nTo: <carla@"),
    ("from", PLAIN, rb"<postmaster@here.example>\r\nTo", b"<postmaster@there.example>\r\nTo"),
    ("thread", PLAIN, rb"\r\nReferences: <offer-17@", b"\r\nReferences: <offer-18@"),
    ("structure", PLAIN, rb"multipart/report", b"multipart/mixed"),
    ("structure", PLAIN, rb"Content-Type: message/delivery-status", b"Content-Type: text/plain"),
    ("structure", PLAIN, rb"Content-Type: message/rfc822", b"Content-Type: text/html"),
    ("structure", PLAIN, rb"Content-Type: text/html", b"Content-Type: text/richtext"),
    ("report-type", PLAIN, rb"report-type=delivery-status", b"report-type=disposition-notification"),
    ("boundary", PLAIN, rb"--\r\n\Z", b"\r\n"),
    ("boundary", PLAIN, rb'boundary="=_0G', b'boundary="=_0H'),
    ("7-bit", PLAIN, rb"Your message was", "Ihre Nächricht".encode()),
    ("8-bit", PLAIN, rb"Content-Type: message/rfc822", b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit"),
    ("crlf", PLAIN, rb"Your message was", b"Your\nmessage was"),
    ("line-length", PLAIN, rb"Your message was", b"x" * 1000),
    ("control", PLAIN, rb"Your message was", b"Your \x1b[31mmessage was"),
    ("width", PLAIN, rb"Your message was", b"Your message was, as we have found out after some time had gone by, was"),
    ("place", PLAIN, rb"Your message was", b"Your {message} was"),
    ("language", PLAIN, rb"Content-Language: en\r\n", b""),
    ("html", PLAIN, rb"<h1>", b"<h1 onclick=3D\"x\">"),
    ("html", PLAIN, rb"<h1>", b"<img src=3D\"https://x.example/\"><h1>"),
    ("html", PLAIN, rb"<h1>", b"<h1><script>"),
    ("html", PLAIN, rb"</h1>", b""),
    ("html", PLAIN, rb"<h1>", b"<h1>1 < 2"),
    ("html", PLAIN, rb"<h1>", b"<h1>R&D"),
    ("html", PLAIN, rb"mailto:", b"https:"),
    ("html", PLAIN, rb"body\{", b"body{background:url(https://x.example/);"),
    ("html", PLAIN, rb'<html lang=3D"en">', b"<html>"),
    ("groups", PLAIN, rb"\r\nAction: failed", b"\r\nAction: failed\r\nAction: failed"),
    ("groups", PLAIN, rb"\r\nAction: failed", b"\r\nX-Own: x\r\nAction: failed"),
    ("groups", PLAIN, rb"\r\nAction: failed", b"\r\n\r\nAction: failed"),
    ("groups", PLAIN, rb"\r\nAction: failed", b"\r\nno field\r\nAction: failed"),
    ("reporting-mta", PLAIN, rb"Reporting-MTA: dns; ", b"Reporting-MTA: "),
    ("envelope-id", PLAIN, rb"Original-Envelope-Id: [^\r]*\r\n", b""),
    ("final-recipient", PLAIN, rb"Final-Recipient: rfc822; ", b"Final-Recipient: "),
    ("action", PLAIN, rb"Action: failed", b"Action: delayed"),
    ("status", PLAIN, rb"Status: 5.1.1", b"Status: 5.01.1"),
    ("status-class", PLAIN, rb"Status: 5.1.1", b"Status: 4.1.1"),
    ("original-recipient", PLAIN, rb"Final-Recipient:", b"Original-Recipient: rfc822; x@y.example\r\nFinal-Recipient:"),
    ("will-retry-until", PLAIN, rb"\r\nAction:", b"\r\nWill-Retry-Until: Tue, 3 Mar 2026 08:41:06 +0000\r\nAction:"),
    ("date", DELAYED, rb"(Will-Retry-Until: [^\r]*)\+0000", rb"\1UTC"),
    ("diagnostic-code", PLAIN, rb"Diagnostic-Code: smtp; ", b"Diagnostic-Code: "),
    ("member", ALIAS, rb"Diagnostic-Code: smtp; 550 5.1.1", b"Diagnostic-Code: smtp; 550 5.1.1 mia.private@elsewhere.example"),
    ("member", ALIAS, rb"Your message was", b"mia.private@elsewhere.example was"),
    ("member", ALIAS, rb"\r\nDiagnostic-Code", b"\r\nRemote-MTA: dns; mx.elsewhere.example\r\nDiagnostic-Code"),
    ("returned", PLAIN, rb"our offer below", b"our offer beyond"),
]  # fmt: skip


@pytest.mark.parametrize("about", [PLAIN, DELAYED, ALIAS])
def test_what_is_sound_passes(about):
    assert complaints(compose(about).content, about) == ()
    assert complaints(compose_plain(about).content, about) == ()
    assert cleared_complaints(compose_cleared(about).content, about) == ()


@pytest.mark.parametrize(("rule", "about", "before", "after"), BROKEN)
def test_what_breaks_a_rule_is_named(rule: str, about: ReportFacts, before: bytes, after: bytes):
    broken, count = re.subn(before, after, compose(about).content, count=1)
    assert count == 1
    assert rule in {each.partition(":")[0] for each in complaints(broken, about)}


def test_what_the_facts_forbid_is_named():
    content = compose(facts()).content
    assert complaints(content, facts(ret=Ret.HDRS)) == (
        "ret: the whole message, though RET asks for its header",
    )
    assert any(
        each.startswith("received-from") for each in complaints(content, facts(audience=Audience.OUTSIDER))
    )
    late = facts(line(action=Action.DELAYED))
    assert any(each.startswith("ret:") for each in complaints(content, late))
    utf8 = facts(line("jörg@x.example"), takes_utf8=True)
    assert "7-bit: UTF-8 for a way back that does not take it" in complaints(
        compose(utf8).content, facts(line("jörg@x.example"))
    )


def test_a_place_that_a_stranger_wrote_is_no_fault():
    about = facts(line(diagnosis=said(550, "5.1.1", "no such {user}")), subject="{name}, your offer")
    assert complaints(compose(about).content, about) == ()


def test_the_member_may_be_whom_the_sender_wrote_to_or_is():
    about = facts(
        line(
            "team@here.example",
            diagnosis=said(550, "5.1.1", "unknown"),
            member=Mailbox("clara", "here.example"),
        )
    )
    assert complaints(compose(about).content, about) == ()


@pytest.mark.parametrize("garbage", [b"", b"\r\n\r\n", b"\x00" * 100, b"From: x\r\n\r\n", b"a: b\r\n" * 5000])
def test_garbage_is_named_and_never_raises(garbage):
    assert complaints(garbage, PLAIN)
    assert cleared_complaints(garbage, PLAIN)
    assert all(each.isprintable() for each in complaints(garbage, PLAIN))
