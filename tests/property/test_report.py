"""Reports: what compose writes, parse reads; what is written is mail; and garbage never raises."""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from email.parser import BytesParser
from email.policy import SMTP
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import (
    Cause,
    EnhancedStatus,
    Mailbox,
    PeerSaid,
    Phase,
    Reply,
    Ret,
    WeFound,
    rfc5322_date,
)
from byreturn.mail.xtext import xtext_decode, xtext_encode
from byreturn.report import (
    Action,
    Audience,
    Kin,
    Progress,
    ReportFacts,
    ReportLine,
    Standing,
    Suggestion,
    Typed,
    cleared_complaints,
    complaints,
    compose,
    compose_cleared,
    compose_plain,
    parse_report,
    without_8bit,
)
from byreturn.report.fields import SUBJECT_LIMIT, decode_words, subject_text
from byreturn.report.machine import status_of
from byreturn.report.safe import in_ascii, one_line, readable

instants = st.integers(0, 4_000_000_000_000)
anything = st.text(max_size=200)
names = st.from_regex(r"[a-z]([a-z0-9-]{0,9}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,5}[a-z])?){1,4}", fullmatch=True)
letters = st.characters(categories=["L", "N"], include_characters=".-_+=\\/!#")
mailboxes = st.builds(Mailbox, st.text(letters, min_size=1, max_size=64), names)
wild_mailboxes = st.builds(Mailbox, anything, anything)
words = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=120).map(str.strip)
statuses = st.builds(EnhancedStatus, st.sampled_from([2, 4, 5]), st.integers(0, 999), st.integers(0, 999))


def peers(text, name):
    replies = st.builds(
        Reply, st.integers(200, 559), st.none() | statuses, st.lists(text, max_size=6).map(tuple)
    )
    return st.builds(PeerSaid, replies, name, name, st.sampled_from(Phase))


def findings(text, name):
    return st.builds(WeFound, st.sampled_from(Cause), text, name, name, st.none() | st.sampled_from(Phase))


def report_lines(mailbox, text, name, **more):
    return st.builds(
        ReportLine,
        recipient=mailbox,
        action=st.sampled_from(Action),
        diagnosis=st.none() | peers(text, name) | findings(text, name),
        orcpt=st.none() | text.filter(str.isascii).map(lambda given: f"rfc822;{xtext_encode(given)}"),
        member=st.none() | mailbox,
        expired=st.booleans(),
        returned=st.booleans(),
        attempts=st.integers(0, 1000),
        last_attempt_at=st.none() | instants,
        will_retry_until=st.none() | instants,
        **more,
    )


def later(mailbox, text):
    """What a line may have besides."""
    return {
        "note": text,
        "found_at": instants,
        "next_try_at": st.none() | instants,
        "next_notice_at": st.none() | instants,
        "is_told": st.booleans(),
        "suggestions": st.lists(st.builds(Suggestion, mailbox, st.sampled_from(Kin)), max_size=2).map(tuple),
        "is_likely": st.booleans(),
    }


def reports(mailbox, text, name, lines=None, **more):
    lines = report_lines(mailbox, text, name) if lines is None else lines
    return st.builds(
        ReportFacts,
        reporting_mta=name,
        postmaster=mailbox,
        message_id=st.just("<report@mx.here.example>"),
        composed_at=instants,
        boundary=st.sampled_from(["=_0123456789", "aaaaaaaa"]),
        reverse_path=mailbox,
        accepted_at=instants,
        queue_id=text,
        lines=st.lists(lines, min_size=1, max_size=5).map(tuple),
        header_block=st.binary(max_size=200),
        content=st.none() | st.binary(max_size=200) | st.just(b"A: b\r\n\r\n--=_0123456789\r\n--aaaaaaaaa--"),
        recipient_count=st.integers(0, 6),
        envid=st.none() | text.filter(str.isascii).map(xtext_encode),
        ret=st.none() | st.sampled_from(Ret),
        hello=name,
        original_id=text,
        subject=text,
        thread=st.lists(text, max_size=3).map(tuple),
        **more,
    )


def standings(mailbox, text, name):
    return st.builds(
        Standing,
        recipient=mailbox,
        progress=st.sampled_from(Progress),
        at=instants,
        diagnosis=st.none() | peers(text, name) | findings(text, name),
        next_try_at=st.none() | instants,
        next_notice_at=st.none() | instants,
        gives_up_at=st.none() | instants,
        is_told=st.booleans(),
    )


def everything(mailbox, text, name):
    """Reports with all that facts can have in them."""
    return reports(
        mailbox,
        text,
        name,
        lines=report_lines(mailbox, text, name, **later(mailbox, text)),
        others=st.lists(standings(mailbox, text, name), max_size=3).map(tuple),
        more=st.lists(st.tuples(st.sampled_from(Progress), st.integers(0, 999)), max_size=2).map(tuple),
        zone=st.integers(-14 * 4, 14 * 4).map(lambda n: timezone(timedelta(minutes=15 * n))),
        audience=st.sampled_from(Audience),
        takes_utf8=st.booleans(),
        contact=text,
        resolver=name,
        is_shrunk=st.booleans(),
        about_reverse_path=st.none() | mailbox,
    )


orderly = reports(mailboxes, words, names)
wild = reports(wild_mailboxes, anything, anything)
all_orderly = everything(mailboxes, words, names)
all_wild = everything(wild_mailboxes, anything, anything)


def reply_text(reply):
    status = f"{reply.enhanced} " if reply.enhanced else ""
    lines = [f"{reply.code}-{status}{line}".rstrip() for line in reply.lines or ("",)]
    return (*lines[:-1], f"{reply.code} {lines[-1][4:]}".rstrip())


@given(orderly)
def test_what_is_composed_is_parsed(facts):
    report = parse_report(compose(facts).content)
    assert report is not None
    assert report.reporting_mta == Typed("dns", facts.reporting_mta)
    assert report.received_from_mta == Typed("dns", facts.hello)
    assert report.arrival_date == rfc5322_date(facts.accepted_at)
    assert report.envelope_id == (None if facts.envid is None else xtext_decode(facts.envid))
    assert len(report.lines) == len(facts.lines)
    for line, parsed in zip(facts.lines, report.lines, strict=True):
        address = str(line.recipient)
        assert parsed.final_recipient == Typed("rfc822" if address.isascii() else "utf-8", address)
        assert parsed.action == line.action
        assert parsed.status == status_of(line)
        assert parsed.status.klass == {"failed": 5, "delayed": 4}.get(line.action, 2)
        given_as = xtext_decode(line.orcpt.removeprefix("rfc822;")) if line.orcpt else None
        assert parsed.original_recipient == (Typed() if given_as is None else Typed("rfc822", given_as))
        at = line.last_attempt_at
        assert parsed.last_attempt_date == ("" if at is None else rfc5322_date(at))
        until = line.will_retry_until if line.action is Action.DELAYED else None
        assert parsed.will_retry_until == ("" if until is None else rfc5322_date(until))
        if isinstance(line.diagnosis, PeerSaid) and line.member is not None:
            assert parsed.remote_mta == Typed()
            assert parsed.diagnostic_kind == "smtp"
        elif isinstance(line.diagnosis, PeerSaid):
            assert parsed.remote_mta == Typed("dns", line.diagnosis.host)
            assert parsed.diagnostic_kind == "smtp"
            assert parsed.diagnostic == reply_text(line.diagnosis.reply)
        else:
            assert parsed.diagnostic_kind in ("", "x-byreturn")


@given(wild)
def test_what_is_composed_is_mail(facts):
    report = compose(facts)
    parsed = parse_report(report.content)
    assert parsed is not None
    assert len(parsed.lines) == len(facts.lines)
    assert [line.action for line in parsed.lines] == [line.action for line in facts.lines]
    assert parsed.returned is not None
    written = report.content
    if parsed.is_whole:
        assert parsed.returned == facts.content
        end = written.rindex(b"\r\n--")
        written = written[: end - len(parsed.returned)] + written[end:]
        assert report.is_8bit == (not parsed.returned.isascii())
    else:
        assert facts.header_block.startswith(parsed.returned)
        assert not report.is_8bit
    assert re.search(rb"\r(?!\n)|(?<!\r)\n|\x00|\x1b", written) is None
    assert max(map(len, written.split(b"\r\n"))) <= 998
    assert written.isascii()


@given(wild)
def test_the_standard_library_agrees(facts):
    facts_7bit = facts.content is None or facts.content.isascii()
    content = compose(facts).content
    message = BytesParser(policy=SMTP).parsebytes(content)
    assert set(message) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    } | ({"In-Reply-To", "References"} & set(message)) | (
        set() if facts_7bit else {"Content-Transfer-Encoding"} & set(message)
    )  # fmt: skip
    assert len(message) == len(set(message))
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds[:2] == ["multipart/alternative", "message/delivery-status"]
    assert kinds[2:] in (["message/rfc822"], ["text/rfc822-headers"])
    subject = subject_text(facts.subject)
    assert str(message["Subject"]).endswith(f": {subject}" if subject else "")


@given(all_orderly | all_wild)
def test_whatever_is_composed_passes_the_linter(facts):
    assert complaints(compose(facts).content, facts) == ()


@given(all_orderly | all_wild)
def test_the_note_and_the_plain_form_pass_it_too(facts):
    assert cleared_complaints(compose_cleared(facts).content, facts) == ()
    plain = compose_plain(facts).content
    assert complaints(plain, facts) == ()
    read = parse_report(plain)
    assert read is not None
    assert [line.action for line in read.lines] == [line.action for line in facts.lines]


@given(all_orderly)
def test_text_and_html_say_the_same(facts):
    people = BytesParser(policy=SMTP).parsebytes(compose(facts).content).get_payload(0)
    if facts.is_shrunk:
        assert people.get_content_type() == "text/plain"
        return
    text, html = (part.get_content() for part in people.iter_parts())
    said = re.sub(r"<style>.*</style>|<title>.*</title>|</?(a|bdi)\b[^>]*>", "", html, flags=re.DOTALL)
    said = re.sub(r"<[^>]*>", " ", said)
    shown = re.sub(r"-{64}|(?m:^ *(\d+\.|>) )", " ", text)
    # Headings are in capitals in one and not in the other, and the zone has brackets around it.
    assert sorted(re.findall(r"[^\s()]+", unescape(said).upper())) == sorted(
        re.findall(r"[^\s()]+", shown.upper())
    )


@given(all_orderly | all_wild)
def test_without_8bit_a_report_is_one_in_7_bits(facts):
    report = compose(facts)
    fewer = without_8bit(report.content)
    if not report.is_8bit or report.is_utf8:
        assert fewer is None
        return
    assert fewer is not None
    assert fewer.isascii()
    read, before = parse_report(fewer), parse_report(report.content)
    assert read is not None
    assert before is not None
    assert read.lines == before.lines
    assert read.text == before.text
    assert not read.is_whole


@given(st.binary(max_size=300), all_orderly)
def test_without_8bit_and_the_linter_take_any_octets(content, facts):
    assert without_8bit(content) is None
    assert complaints(content, facts)
    report = compose(facts).content
    without_8bit(report + content)
    assert isinstance(complaints(report[: len(report) // 2] + content, facts), tuple)


@given(st.binary(max_size=2000))
def test_garbage_is_no_report_and_never_raises(content):
    parse_report(content)
    start = b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"
    parse_report(start + content)
    parse_report(start + b"Content-Type: message/delivery-status\r\n" + content)


@given(orderly, st.data())
def test_a_damaged_report_never_raises(facts, data):
    content = bytearray(compose(facts).content)
    for _ in range(data.draw(st.integers(1, 20))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not content:
            break
    parse_report(bytes(content))


@given(st.text(st.characters(max_codepoint=127)))
def test_xtext_comes_back(text):
    encoded = xtext_encode(text)
    assert re.fullmatch(r"[!-~]*", encoded)
    assert "=" not in encoded
    assert xtext_decode(encoded) == text


@given(st.text())
def test_what_is_no_xtext_is_told(text):
    decoded = xtext_decode(text)
    assert (decoded is None) == (re.fullmatch(r"([!-*,-<>-~]|\+[0-7][0-9A-F])*", text) is None)
    if decoded is not None:
        # More than necessary may be written in hex, so it is the text that comes back.
        assert xtext_decode(xtext_encode(decoded)) == decoded


@given(st.text(max_size=300), st.integers(10, 400))
def test_cleaned_text_is_clean_and_bounded(text, limit):
    for clean in (readable, one_line, in_ascii):
        cleaned = clean(text, limit)
        assert len(cleaned) <= limit
        assert re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", cleaned) is None
        assert clean(cleaned, limit) == cleaned
    assert in_ascii(text, limit).isascii()


@given(
    st.text()
    | st.builds(
        "=?{}?{}?{}?= {}".format,
        st.sampled_from(["utf-8", "ISO-2022-JP", "gb18030", "x-none", ""]),
        st.sampled_from(["B", "q", "x"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126)),
        st.text(),
    )
)
def test_any_text_has_encoded_words_read_or_left(text):
    decode_words(text)
    assert len(subject_text(text)) <= SUBJECT_LIMIT
