"""A report as a whole: its parts, what comes back, its bounds, and strangers' text that wants more."""

from __future__ import annotations

import re

import pytest
from tests.unit.report.samples import (
    ACCEPTED_AT,
    CONTENT,
    HEADER,
    SILENT,
    composed,
    facts,
    groups,
    human,
    judged,
    kinds,
    line,
    machine,
    said,
)

from byreturn.mail import DAY, Cause, Mailbox, Phase, Ret, WeFound, header_block
from byreturn.mail.xtext import xtext_encode
from byreturn.report import Action, compose, parse_report
from byreturn.report.returned import HEADER_OCTETS


def returned(content: bytes) -> bytes:
    report = parse_report(content)
    assert report is not None
    assert report.returned is not None
    return report.returned


# --- Structure ----------------------------------------------------------------------------------------


def test_same_facts_same_bytes():
    assert composed(line(), line("b@c.example")) == composed(line(), line("b@c.example"))


def test_stdlib_sees_three_parts():
    content = composed()
    message = judged(content)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert kinds(content) == ["multipart/alternative", "message/delivery-status", "message/rfc822"]
    assert not any(part.defects for part in message.walk())


def test_the_header():
    message = judged(composed(thread=("<1@mx.here.example>", "<2@mx.here.example>")))
    assert message["From"].addresses[0].addr_spec == "postmaster@here.example"
    assert message["From"].addresses[0].display_name == "Mail delivery at mx.here.example"
    assert message["To"].addresses[0].addr_spec == "clara@here.example"
    assert message["Subject"] == "Not delivered: Offer for the spring fair"
    assert message["Date"].datetime.timestamp() * 1000 == facts().composed_at
    assert message["Message-ID"] == "<0G5XK3Z9T8W2N@mx.here.example>"
    assert message["In-Reply-To"] == "<offer-17@here.example>"
    assert message["References"].split() == [
        "<offer-17@here.example>", "<1@mx.here.example>", "<2@mx.here.example>",
    ]  # fmt: skip
    assert message["MIME-Version"] == "1.0"


@pytest.mark.parametrize(
    ("actions", "start"),
    [
        ([Action.FAILED], "Not delivered"),
        ([Action.DELAYED], "Delayed"),
        ([Action.DELIVERED], "Delivered"),
        ([Action.RELAYED], "Accepted by the other server"),
        ([Action.EXPANDED], "Passed on"),
        ([Action.DELIVERED, Action.RELAYED], "Accepted by the other server for one of 2 recipients"),
        ([Action.DELIVERED, Action.FAILED, Action.DELAYED], "Not delivered to one of 3 recipients"),
        ([Action.FAILED, Action.FAILED], "Not delivered to 2 recipients"),
    ],
)
def test_subject_names_the_gravest(actions, start):
    content = composed(*[line(f"r{n}@here.example", action) for n, action in enumerate(actions)])
    assert judged(content)["Subject"] == f"{start}: Offer for the spring fair"


def test_without_subject():
    content = composed(subject="")
    assert judged(content)["Subject"] == "Not delivered"
    assert "Subject   (none)" in human(content)


def test_encoded_subject_is_read_and_encoded_again():
    content = composed(subject="=?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?B?IGF1cyBL9mxu?= (1)")
    assert judged(content)["Subject"] == "Not delivered: Grüße aus Köln (1)"
    assert "Subject   Grüße aus Köln (1)" in human(content)
    assert parse_report(content) is not None
    assert content.isascii()


@pytest.mark.parametrize(
    "subject",
    [
        "word " * 60,
        "x" * 200,
        "ü" * 200,
        "日本語の件名" * 30,
        "=?no-such-charset?B?eHg=?= and more",
        "=?utf-8?B?x?=",
        "=?utf-8?Q?nested_=3D=3Futf-8=3FQ=3Fx=3F=3D?=",
        "half =?utf-8?B?",
    ],
)
def test_any_subject_is_folded_and_survives(subject):
    from byreturn.report.fields import subject_text

    content = composed(subject=subject)
    head = content.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78
    assert judged(content)["Subject"] == f"Not delivered: {subject_text(subject)}"


def test_message_ids_that_are_none_are_left_out():
    content = composed(original_id="not an id", thread=("<a@b>\r\nBcc: x@y.example", "<ok@mx.example>"))
    assert judged(content)["References"] == "<ok@mx.example>"
    assert judged(content)["In-Reply-To"] == "<ok@mx.example>"
    assert judged(composed(original_id=""))["References"] is None


def test_the_longest_message_id_has_a_line_for_itself():
    ident = f"<{'i' * 980}@x.example>"[:991] + ">"
    content = composed(original_id=ident, thread=(ident, ident))
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert judged(content)["References"].split() == [ident] * 3


def test_long_threads_are_shortened_in_the_middle():
    content = composed(thread=tuple(f"<{n}@mx.example>" for n in range(100)))
    references = judged(content)["References"].split()
    assert references[0] == "<offer-17@here.example>"
    assert references[1:] == [f"<{n}@mx.example>" for n in range(80, 100)]


# --- What comes back ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ret", "action", "limit", "whole"),
    [
        (None, Action.FAILED, 50_000, True),
        (Ret.FULL, Action.FAILED, 50_000, True),
        (Ret.FULL, Action.FAILED, len(CONTENT), True),
        (Ret.FULL, Action.FAILED, len(CONTENT) - 1, False),
        (Ret.HDRS, Action.FAILED, 50_000, False),
        (Ret.FULL, Action.DELAYED, 50_000, False),
        (None, Action.DELIVERED, 50_000, False),
        (Ret.FULL, Action.RELAYED, 50_000, False),
        (Ret.FULL, Action.EXPANDED, 50_000, False),
    ],
)
def test_what_comes_back(ret, action, limit, whole):
    content = compose(facts(line(action=action), ret=ret), return_limit=limit).content
    assert kinds(content)[2] == ("message/rfc822" if whole else "text/rfc822-headers")
    assert returned(content) == (CONTENT if whole else HEADER)
    assert ("Your message is attached." in human(content)) == whole


def test_one_failure_among_others_brings_the_whole_message():
    assert kinds(composed(line(action=Action.DELIVERED), line("x@y.example")))[2] == "message/rfc822"


def test_content_that_is_gone():
    assert returned(composed(content=None)) == HEADER


def test_8bit_content_is_exact_and_announced():
    content = HEADER + "\r\nGrüße\r\n".encode()
    report = compose(facts(content=content))
    assert report.is_8bit
    message = judged(report.content)
    assert message["Content-Transfer-Encoding"] == "8bit"
    assert message.get_payload(2)["Content-Transfer-Encoding"] == "8bit"
    assert returned(report.content) == content
    assert not compose(facts()).is_8bit


def test_8bit_header_comes_back_in_7bit():
    block = "From: Jörg\r\nSubject: Grüße \r\n".encode() + b"X-Long: " + b"x" * 3000 + b"\r\nX-Bare: a\nb\r\n"
    report = compose(facts(content=None, header_block=block))
    assert not report.is_8bit
    assert report.content.isascii()
    assert returned(report.content) == block
    assert max(map(len, report.content.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("block", [b"", b"\r\nno header here\r\n"])
def test_empty_header_block(block):
    content = composed(header_block=block, content=None)
    assert kinds(content)[2] == "text/rfc822-headers"
    assert returned(content) == b""
    assert "Nothing of your message is attached" in human(content)


def test_content_without_a_header_end():
    odd = b"just one line, and no line end"
    content = composed(header_block=header_block(odd), content=odd)
    assert returned(content) == odd
    assert returned(composed(header_block=header_block(odd), content=None)) == odd


def test_only_the_header_lines_come_back():
    assert returned(composed(header_block=CONTENT, content=None)) == HEADER


def test_a_huge_header_is_cut_at_a_line_and_said_to_be():
    block = b"X-Field: value\r\n" * 10_000
    content = composed(header_block=block, content=None)
    back = returned(content)
    assert HEADER_OCTETS - 20 < len(back) <= HEADER_OCTETS
    assert block.startswith(back)
    assert back.endswith(b"\r\n")
    assert "The first part of the header of your message is attached" in human(content)
    assert len(returned(composed(header_block=b"x" * 100_000, content=None))) == HEADER_OCTETS
    stopped_within_a_line = composed(header_block=b"ab" + block[: HEADER_OCTETS - 2], content=None)
    assert returned(stopped_within_a_line).endswith(b"value\r\n")
    assert "The first part of the header" in human(stopped_within_a_line)


def test_boundary_in_the_original():
    boundary = facts().boundary
    content = HEADER + f"\r\n--{boundary}\r\n--{boundary}.000000\r\n--{boundary}.000001--\r\n".encode()
    report = composed(content=content)
    assert judged(report).get_boundary() == f"{boundary}.000002"
    assert kinds(report)[2] == "message/rfc822"
    assert returned(report) == content


def test_boundary_that_overlaps_itself():
    boundary = "--------"
    content = HEADER + b"-" * 30 + b".000000" + b"-" * 10 + b".000001"
    report = composed(content=content, boundary=boundary)
    assert judged(report).get_boundary() == "--------.000002"
    assert returned(report) == content


def test_boundary_in_a_peers_words():
    report = composed(line(diagnosis=said(550, "5.1.1", f"--{facts().boundary}--")))
    assert len(kinds(report)) == 3
    assert judged(report).get_boundary() != facts().boundary


def test_a_returned_report_inside_a_report():
    inner = composed()
    outer = composed(content=inner, header_block=header_block(inner))
    assert returned(outer) == inner


# --- Strangers' text ----------------------------------------------------------------------------------

EVIL = (
    "x\r\nBcc: victim@y.example\r\n\r\nFinal-Recipient: rfc822; z@y.example\r\n"
    "\x00\x1b[31m\x85\u2028\u202e\n.\n"
)


@pytest.mark.parametrize(
    "hostile",
    [
        {"subject": EVIL},
        {"envid": EVIL},
        {"envid": xtext_encode("".join(c for c in EVIL if c.isascii()))},
        {"hello": EVIL},
        {"original_id": f"<{EVIL}>"},
        {"reverse_path": Mailbox(f'"{EVIL}"', "here.example")},
        {"reporting_mta": EVIL},
        {"queue_id": EVIL},
        {"postmaster": Mailbox(EVIL, "here.example")},
        {"lines": (line(orcpt=f"rfc822;{EVIL}"),)},
        {"lines": (line(orcpt="rfc822;" + xtext_encode("a\r\nBcc: victim@y.example")),)},
        {"lines": (line(orcpt=EVIL),)},
        {"lines": (line(f"{EVIL}@{EVIL}.example"),)},
        {"lines": (line(diagnosis=said(550, "5.7.1", EVIL, EVIL)),)},
        {"lines": (line(diagnosis=WeFound(Cause.SILENT, EVIL, EVIL, EVIL, Phase.GREETING)),)},
    ],
)
def test_injection_is_impossible(hostile):
    content = composed(**hostile)
    written = content.replace(CONTENT, b"")
    assert re.search(rb"(?i)^(bcc|.\[31m)", written, re.MULTILINE) is None
    assert not re.search(rb"[\x00\x1b]|(?<!\r)\n|\r(?!\n)", written)
    assert written.isascii()
    message = judged(content)
    assert message["Bcc"] is None
    assert message.get_all("From") is not None
    assert kinds(content) == ["multipart/alternative", "message/delivery-status", "message/rfc822"]
    assert len(groups(content)) == 2 + (machine(content).endswith("\r\n\r\n"))
    assert [group.get("action") for group in groups(content) if "action" in group] == ["failed"]


def test_control_characters_in_xtext_are_shown_not_obeyed():
    content = composed(line(orcpt="rfc822;a+0D+0ABcc:+20b@c.example"), envid="id+00+1B+2B")
    message, recipient = groups(content)[:2]
    assert message["original-envelope-id"] == r"id\x{00}\x{1B}+"
    assert recipient["original-recipient"] == r"rfc822; a\x{0D}\x{0A}Bcc: b@c.example"


def test_addresses_that_are_not_ascii():
    content = composed(line("müller+1@exämple.example"), reverse_path=Mailbox("jörg", "here.example"))
    assert content.isascii()
    assert groups(content)[1]["final-recipient"] == r"utf-8; m\x{FC}ller\x{2B}1@ex\x{E4}mple.example"
    assert "müller+1@exämple.example" in human(content)
    group = judged(content)["To"].groups[0]
    assert group.display_name == "jörg@here.example"
    assert group.addresses == ()


def test_a_long_link_stays_whole():
    link = "https://mail.example/why?" + "a" * 200
    content = composed(line(diagnosis=said(550, "5.7.1", f"see {link} for the reason")))
    assert link in human(content)


@pytest.mark.parametrize("text", ["x" * 5_000, "word " * 1_000, "ü" * 5_000])
def test_endless_words_of_a_peer_are_bounded(text):
    content = composed(line(diagnosis=said(550, "5.7.1", *[text] * 100)), content=None)
    # Twice, as text and as HTML, and up to six octets a letter.
    assert len(content) < 64_000
    assert max(map(len, content.split(b"\r\n"))) <= 998
    report = parse_report(content)
    assert report is not None
    assert report.lines[0].diagnostic[-1] == "550 ..."


def test_many_short_lines_of_a_peer_are_bounded():
    content = composed(line(diagnosis=said(550, "5.7.1", *["no"] * 500)))
    assert human(content).count("no\n") == 50
    assert "550 ..." in human(content)


# --- Many recipients ----------------------------------------------------------------------------------


def test_a_thousand_recipients():
    words = ["This address was closed when the branch office moved to the new building."] * 50
    many = [
        line(
            f"user{n:04d}.{'x' * 40}@customer.example",
            orcpt=f"rfc822;user{n:04d}.{'x' * 40}@customer.example",
            diagnosis=said(550, "5.1.1", *words),
            last_attempt_at=ACCEPTED_AT,
        )
        for n in range(1000)
    ]
    content = composed(*many)
    assert len(content) < 1024 * 1024
    text = human(content)
    people = text.partition("NOT DELIVERED EITHER")[0]
    assert re.findall(r"(?m)^(\d+)\. user", people) == [str(n) for n in range(1, 101)]
    assert "NOT DELIVERED EITHER\nThe cause of each is in the part of this report for mail programs." in text
    assert len(set(re.findall(r"user\d{4}", text))) == 1000
    report = parse_report(content)
    assert report is not None
    assert [parsed.final_recipient.value for parsed in report.lines] == [str(each.recipient) for each in many]


def test_ten_thousand_recipients_are_all_in_the_part_for_machines():
    many = [line(f"user{n}@{'c' * 40}.example", diagnosis=None) for n in range(10_000)]
    content = composed(*many)
    report = parse_report(content)
    assert report is not None
    assert len(report.lines) == 10_000
    assert re.search(r"\n   and \d{4} more\n", human(content))


def test_the_rest_is_named_by_action():
    many = [line(f"f{n}@x.example") for n in range(101)] + [
        line(f"d{n}@x.example", Action.DELIVERED, diagnosis=WeFound(Cause.STORED)) for n in range(2)
    ]
    text = human(composed(*many))
    note = "The cause of each is in the part of this report for mail programs.\n\n"
    assert f"\nNOT DELIVERED EITHER\n{note}   f100@" in text
    assert f"\nIN THE MAILBOX AS WELL\n{note}   d0@" in text


# --- The caller's duty --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [{"lines": ()}, {"message_id": "x"}, {"boundary": 'a"b\r\nccccc'}, {"boundary": "short"}]
)
def test_what_only_we_can_get_wrong_is_a_bug(wrong):
    broken = facts(**{key: value for key, value in wrong.items() if key != "lines"})
    if "lines" in wrong:
        from msgspec.structs import replace

        broken = replace(broken, lines=())
    with pytest.raises(AssertionError):
        compose(broken)


def test_expiry_after_many_attempts_names_both():
    text = human(
        composed(line("bert@dead.example", diagnosis=SILENT, expired=True, attempts=61,
                      last_attempt_at=ACCEPTED_AT + 5 * DAY))
    )  # fmt: skip
    assert "We tried for 5 days, 61 times, and have stopped." in text.replace("\n   ", " ")
