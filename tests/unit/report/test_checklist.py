"""What the standards demand of a report, one test a number. The numbers are those of the project's list.

Numbers that concern who is owed a report, the envelope of a report or the dialogue are tested where those
are decided; here are those that concern the text of a report.
"""

from __future__ import annotations

import re

import pytest
from tests.unit.report.samples import (
    ACCEPTED_AT,
    CONTENT,
    HEADER,
    QUEUED,
    SILENT,
    UNKNOWN,
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

from byreturn.mail import DAY, Cause, Mailbox, PeerSaid, Phase, Ret, WeFound
from byreturn.report import Action, compose
from byreturn.report import parse_report as parse

FOUND = WeFound(Cause.NO_SUCH_DOMAIN)


def test_07_relayed_is_said_to_be_relayed_and_not_delivered():
    content = composed(line(action=Action.RELAYED))
    assert groups(content)[1]["action"] == "relayed"
    assert groups(content)[1]["status"] == "2.0.0"
    assert "deliver" not in judged(content)["Subject"].lower()
    assert "We cannot see what happens to it after that." in human(content).replace("\n   ", " ")


def test_08_delivered_is_said_of_the_mailbox_alone():
    content = composed(line(action=Action.DELIVERED, diagnosis=WeFound(Cause.STORED)))
    assert groups(content)[1]["action"] == "delivered"
    assert "The message is in the mailbox." in human(content)


def test_11_expanded_is_said_of_an_alias():
    content = composed(line("sales@here.example", Action.EXPANDED, diagnosis=WeFound(Cause.EXPANDED)))
    assert groups(content)[1]["action"] == "expanded"
    assert groups(content)[1]["status"] == "2.0.0"


def test_12_only_the_recipients_of_the_report_are_listed():
    content = composed(line(), recipient_count=3, content=None, header_block=b"Subject: x\r\n")
    assert machine(content).count("Final-Recipient") == 1
    assert b"bert@dead.example" not in content
    assert "says nothing about the others." in human(content).replace("\n", " ")


def test_14_ret_decides_what_comes_back():
    assert kinds(composed(ret=Ret.FULL))[2] == "message/rfc822"
    assert kinds(composed(ret=Ret.HDRS))[2] == "text/rfc822-headers"
    assert kinds(compose(facts(ret=Ret.FULL), return_limit=10).content)[2] == "text/rfc822-headers"
    for action in set(Action) - {Action.FAILED}:
        assert kinds(composed(line(action=action), ret=Ret.FULL))[2] == "text/rfc822-headers"


def test_15_original_envelope_id_is_decoded_with_its_case_kept():
    assert groups(composed(envid="QQ314159+2BabC+3D"))[0]["original-envelope-id"] == "QQ314159+abC="


def test_16_reporting_mta_is_dns_and_fqdn():
    assert groups(composed())[0]["reporting-mta"] == "dns; mx.here.example"
    assert groups(composed(reporting_mta="localhost"))[0]["reporting-mta"] == "x-local-hostname; localhost"


def test_17_original_recipient_iff_orcpt_was_given():
    given = groups(composed(line(orcpt="rfc822;Anna+2BSales@Customer.example")))[1]
    assert given["original-recipient"] == "rfc822; Anna+Sales@Customer.example"
    assert "Original-Recipient" not in machine(composed())
    untyped = groups(composed(line(orcpt="anna+2B@x.example")))[1]
    assert untyped["original-recipient"] == "rfc822; anna+@x.example"


@pytest.mark.parametrize("diagnosis", [None, UNKNOWN, FOUND, said(550, "", "no"), said(421, "4.3.2")])
@pytest.mark.parametrize("action", list(Action))
def test_18_final_recipient_action_and_status_always(action, diagnosis):
    recipient = groups(composed(line(action=action, diagnosis=diagnosis)))[1]
    assert recipient["final-recipient"] == "rfc822; anna@customer.example"
    assert recipient["action"] == action
    klass = {"failed": "5", "delayed": "4"}.get(action, "2")
    assert re.fullmatch(klass + r"\.\d\.\d", recipient["status"])
    if diagnosis is None or (isinstance(diagnosis, PeerSaid) and diagnosis.reply.enhanced is None):
        assert recipient["status"] == f"{klass}.0.0"


def test_19_remote_mta_and_the_exact_reply_line_by_line():
    words = ("mailbox unavailable", "user has  moved;", "(sorry)")
    content = composed(line(diagnosis=said(550, "5.1.1", *words)))
    assert groups(content)[1]["remote-mta"] == "dns; mx1.customer.example"
    assert (
        "\r\nDiagnostic-Code: smtp; 550-5.1.1 mailbox unavailable\r\n"
        " 550-5.1.1 user has  moved;\r\n"
        " 550 5.1.1 (sorry)\r\n"
    ) in machine(content)
    bare = composed(line(diagnosis=said(554, "", "No.", phase=Phase.DATA)))
    assert "\r\nDiagnostic-Code: smtp; 554 No.\r\n" in machine(bare)


def test_19_our_own_finding_is_never_given_as_smtp():
    for action in (Action.FAILED, Action.DELAYED):
        recipient = groups(composed(line(action=action, diagnosis=SILENT)))[1]
        assert recipient["diagnostic-code"].startswith("x-byreturn; ")
    assert "Diagnostic-Code" not in machine(composed(line(action=Action.DELIVERED, diagnosis=FOUND)))


def test_20_addressed_to_the_reverse_path():
    message = judged(composed(reverse_path=Mailbox("clara.brandt", "Here.example")))
    assert [str(address) for address in message["To"].addresses] == ["clara.brandt@Here.example"]
    assert message["Cc"] is message["Bcc"] is None


def test_21_from_a_person_and_the_status_part_is_7bit():
    content = composed(line(diagnosis=said(550, "5.1.1", "Postfach unbekannt: Müller")))
    assert judged(content)["From"].addresses[0].addr_spec == "postmaster@here.example"
    assert machine(content).isascii()
    assert r"M\x{FC}ller" in machine(content)


def test_22_message_group_first_then_the_recipients():
    first, *others = groups(composed(line(), line("b@c.example")))
    assert set(first) == {"reporting-mta", "received-from-mta", "arrival-date"}
    assert [other["final-recipient"] for other in others if other] == [
        "rfc822; anna@customer.example", "rfc822; b@c.example",
    ]  # fmt: skip


def test_23_no_envelope_id_where_none_came():
    assert "Envelope-Id" not in machine(composed())
    assert "Original-Envelope-Id: \r\n" in machine(composed(envid=""))


@pytest.mark.parametrize(
    "hello",
    ["", "[192.0.2.17]", "192.0.2.17", "pc17", "a b.example", "-x.example", "x..example", "ü.example"],
)
def test_24_received_from_a_domain_name_or_not_at_all(hello):
    assert "Received-From-MTA" not in machine(composed(hello=hello))
    assert groups(composed(hello="pc17.here.example"))[0]["received-from-mta"] == "dns; pc17.here.example"
    assert "DSN-Gateway" not in machine(composed())


def test_24_the_clients_address_is_not_shown():
    content = composed(content=None, header_block=b"Subject: x\r\n")
    assert b"192.0.2.17" not in content


def test_25_dates_have_numeric_zones():
    late = line(action=Action.DELAYED, last_attempt_at=ACCEPTED_AT, will_retry_until=ACCEPTED_AT + DAY)
    message, recipient = groups(composed(late))[:2]
    for date in (
        message["arrival-date"], recipient["last-attempt-date"], recipient["will-retry-until"],
    ):  # fmt: skip
        assert re.fullmatch(r"\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", date)


def test_26_the_address_as_received():
    assert groups(composed(line("Anna.Smit@Customer.EXAMPLE")))[1]["final-recipient"] == (
        "rfc822; Anna.Smit@Customer.EXAMPLE"
    )


def test_27_only_the_five_actions():
    assert {action.value for action in Action} == {"failed", "delayed", "delivered", "relayed", "expanded"}
    # Other rooms may say them in any order; a report puts the gravest first.
    assert list(Action)[:2] == [Action.FAILED, Action.DELAYED]


def test_28_status_is_three_plain_numbers():
    for diagnosis in [None, UNKNOWN, *map(WeFound, Cause)]:
        for action in Action:
            for expired in (False, True):
                text = machine(composed(line(action=action, diagnosis=diagnosis, expired=expired)))
                assert re.search(r"\r\nStatus: [245]\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\r\n", text)


@pytest.mark.parametrize("phase", [None, Phase.LOOKUP, Phase.CONNECT])
def test_29_no_remote_mta_where_none_took_part(phase):
    unconnected = WeFound(Cause.UNREACHABLE, "", "mx.dead.example", "192.0.2.9", phase)
    assert "Remote-MTA" not in machine(composed(line(diagnosis=unconnected)))
    assert "Remote-MTA" not in machine(composed(line(diagnosis=FOUND)))
    assert "Remote-MTA: dns; mx.dead.example\r\n" in machine(composed(line(diagnosis=SILENT)))


@pytest.mark.parametrize(
    ("host", "name"), [("192.0.2.9", "[192.0.2.9]"), ("2001:db8::1", "[IPv6:2001:db8::1]")]
)
def test_29_a_remote_mta_known_by_its_address_is_a_literal(host, name):
    peer = PeerSaid(UNKNOWN.reply, host, host, Phase.RCPT)
    assert groups(composed(line(diagnosis=peer)))[1]["remote-mta"] == f"dns; {name}"


def test_30_last_attempt_date_only_if_known():
    assert "Last-Attempt-Date" not in machine(composed())
    known = composed(line(last_attempt_at=ACCEPTED_AT))
    assert groups(known)[1]["last-attempt-date"] == "Tue, 3 Mar 2026 08:41:06 +0000"


def test_31_will_retry_until_only_in_delayed():
    for action in Action:
        text = machine(composed(line(action=action, will_retry_until=ACCEPTED_AT + DAY)))
        assert ("Will-Retry-Until" in text) == (action is Action.DELAYED)


def test_33_report_type_and_the_order_of_the_parts():
    content = composed()
    assert judged(content).get_param("report-type") == "delivery-status"
    assert kinds(content) == ["multipart/alternative", "message/delivery-status", "message/rfc822"]


def test_33_the_part_for_people_is_text_and_then_the_same_as_html():
    people = judged(composed()).get_payload(0)
    assert [part.get_content_type() for part in people.iter_parts()] == ["text/plain", "text/html"]
    assert people["Content-Language"] == "en"
    assert not any(part.defects for part in people.walk())


def test_34_without_instruction_the_whole_message():
    report = parse(composed(ret=None))
    assert report is not None
    assert report.is_whole
    assert report.returned == CONTENT


def test_35_headers_only_has_its_own_type_and_all_the_lines():
    content = composed(ret=Ret.HDRS)
    assert kinds(content)[2] == "text/rfc822-headers"
    report = parse(content)
    assert report is not None
    assert report.returned == HEADER


def test_36_an_address_that_is_not_ascii_has_the_type_utf_8():
    content = composed(line("用户@例子.example", orcpt="utf-8;\\x{7528}@x.example"))
    recipient = groups(content)[1]
    assert recipient["final-recipient"] == r"utf-8; \x{7528}\x{6237}@\x{4F8B}\x{5B50}.example"
    assert recipient["original-recipient"] == r"utf-8; \x{7528}@x.example"
    report = parse(content)
    assert report is not None
    assert report.lines[0].final_recipient.value == "用户@例子.example"
    assert report.lines[0].original_recipient.value == "用@x.example"


def test_37_the_report_stays_7bit_whatever_it_says():
    report = compose(facts(line("用户@例子.example"), subject="件名"))
    assert report.content.isascii()
    assert not report.is_8bit
    assert b"global" not in report.content


def test_37_a_way_back_that_takes_utf_8_gets_the_report_in_it():
    words = said(550, "5.1.1", "Postfach unbekannt: Müller")
    beyond = line("用户@例子.example", diagnosis=words)
    report = compose(facts(beyond, takes_utf8=True))
    assert report.is_8bit
    assert kinds(report.content)[1] == "message/global-delivery-status"
    status = report.content.decode()
    assert "Final-Recipient: utf-8; 用户@例子.example\r\n" in status
    assert "Diagnostic-Code: smtp; 550 5.1.1 Postfach unbekannt: Müller\r\n" in status
    assert "\r\nLocalized-Diagnostic: en; The mail server for 例子.example answered that" in status
    # Nothing in it is beyond ASCII: then the 7-bit form says as much.
    assert kinds(compose(facts(takes_utf8=True)).content)[1] == "message/delivery-status"
    assert kinds(compose(facts(beyond)).content)[1] == "message/delivery-status"


def test_37_a_header_beyond_ascii_comes_back_under_its_own_type():
    block = "From: Jörg\r\nSubject: Grüße\r\n".encode()
    headers = compose(facts(takes_utf8=True, content=None, header_block=block))
    assert kinds(headers.content)[2] == "message/global-headers"
    whole = compose(facts(takes_utf8=True, content=block + b"\r\nx\r\n", header_block=block))
    assert kinds(whole.content)[2] == "message/global"
    for report in (headers, whole):
        read = parse(report.content)
        assert read is not None
        assert read.returned is not None
        assert read.returned.startswith(block)
        assert report.is_8bit


def test_39_one_report_for_all_failed_recipients():
    content = composed(*[line(f"r{n}@x.example") for n in range(5)])
    assert machine(content).count("Action: failed") == 5


def test_44_auto_replied_and_only_once():
    content = composed()
    assert judged(content).get_all("Auto-Submitted") == ["auto-replied"]


def test_46_null_mx_is_5_1_10():
    assert groups(composed(line(diagnosis=WeFound(Cause.NULL_MX))))[1]["status"] == "5.1.10"


@pytest.mark.parametrize(
    ("diagnosis", "action", "expired", "status"),
    [
        (SILENT, Action.FAILED, True, "5.4.7"),
        (said(450, "4.7.1", "greylisted"), Action.FAILED, True, "5.4.7"),
        (None, Action.FAILED, True, "5.4.7"),
        (said(450, "4.7.1", "greylisted"), Action.DELAYED, False, "4.7.1"),
        (WeFound(Cause.LOOP), Action.FAILED, False, "5.4.6"),
        (WeFound(Cause.NO_SUCH_MAIL_HOSTS), Action.FAILED, False, "5.4.4"),
        (WeFound(Cause.LOOKUP_FAILED), Action.DELAYED, False, "4.4.3"),
        (WeFound(Cause.REFUSED_CONNECTION), Action.DELAYED, False, "4.4.1"),
        (said(250, "4.1.1", "odd"), Action.RELAYED, False, "2.0.0"),
        (QUEUED, Action.RELAYED, False, "2.0.0"),
    ],
)
def test_49_the_class_equals_the_action(diagnosis, action, expired, status):
    assert groups(composed(line(action=action, diagnosis=diagnosis, expired=expired)))[1]["status"] == status
