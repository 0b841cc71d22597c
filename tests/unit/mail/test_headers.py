"""Header facts: few, bounded, and not to be fooled by folding or by a body that looks like a header."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import HeaderFacts, Priority, header_block, read_facts, trace_line
from byreturn.mail.headers import HEAD_OCTETS

RECEIVED = b"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n"


def facts(*lines):
    return read_facts("".join(f"{line}\r\n" for line in (*lines, "", "body")).encode())


# --- Where the header ends ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "block"),
    [
        (b"", b""),
        (b"\r\nSubject: body\r\n", b""),
        (b"Subject: a\r\n\r\nbody\r\n\r\nmore", b"Subject: a\r\n"),
        (b"Subject: a\r\n", b"Subject: a\r\n"),
        (b"Subject: cut", b"Subject: cut"),
        # A line of blanks is no empty line.
        (b"Subject: a\r\n \r\nX: b\r\n\r\n", b"Subject: a\r\n \r\nX: b\r\n"),
    ],
)
def test_the_header_block_ends_before_the_first_empty_line(content, block):
    assert header_block(content) == block


lines_of_header = st.lists(
    st.from_regex(rb"[A-Za-z-]{1,9}: [ -~]{0,20}", fullmatch=True), min_size=1, max_size=9
)


@given(lines_of_header, st.binary(max_size=50))
def test_header_and_body_together_are_the_content(lines, body):
    header = b"".join(line + b"\r\n" for line in lines)
    assert header_block(header + b"\r\n" + body) == header


# --- Facts --------------------------------------------------------------------------------------------


def test_nothing_said_is_nothing_found():
    assert read_facts(b"") == HeaderFacts()
    assert facts("X-Other: field") == HeaderFacts()


@given(st.integers(0, 150), st.integers(0, 5))
def test_every_received_line_of_the_header_is_a_hop_and_none_of_the_body(hops, in_body):
    content = RECEIVED * hops + b"Subject: a\r\n\r\n" + RECEIVED * in_body
    assert read_facts(content).received_count == hops


@pytest.mark.parametrize(
    "line",
    ["received: a", "RECEIVED:a", "Received\t : a", "Received:\r\n\ta\r\n\tReceived: folded", "Received:"],
)
def test_a_received_line_in_every_spelling_is_one_hop(line):
    assert facts(line).received_count == 1


@pytest.mark.parametrize(
    "line", ["X-Received: a", " Received: a", "Received", "Subject: a\r\n Received: b", "Received-SPF: pass"]
)
def test_what_only_looks_like_a_received_line_is_no_hop(line):
    assert facts(line).received_count == 0


def test_a_loop_shows_in_the_first_octets_of_an_endless_header():
    assert read_facts(RECEIVED * 100_000).received_count == -(-HEAD_OCTETS // len(RECEIVED))


@pytest.mark.parametrize(
    ("line", "message_id"),
    [
        ("Message-ID: <a@there.example>", "<a@there.example>"),
        ("message-id:<a@there.example> (comment)", "<a@there.example>"),
        ("Message-ID:\r\n <folded@there.example>", "<folded@there.example>"),
        ("Message-ID: none at all", ""),
        ("Message-ID: <with blank@there.example>", ""),
        ("Message-ID: <>", ""),
        ("Message-ID: <" + "x" * 991 + ">", ""),
        ("Message-ID: <a\r\nMessage-ID: <b@there.example>", ""),
    ],
)
def test_the_message_id_is_what_stands_in_angle_brackets(line, message_id):
    assert facts(line).message_id == message_id


@pytest.mark.parametrize(
    ("line", "subject"),
    [
        ("Subject: hello", "hello"),
        ("Subject:hello", "hello"),
        ("SUBJECT:   hello  ", "hello"),
        # Unfolding takes the CRLF away and nothing else.
        ("Subject: one\r\n two\r\n\tthree", "one two\tthree"),
        ("Subject: grün", "grün"),
        ("Subject: first\r\nSubject: second", "first"),
        ("Subject: =?utf-8?q?kept_as_it_is?=", "=?utf-8?q?kept_as_it_is?="),
        ("Subject: " + "x" * 2000, "x" * 998),
        ("Subject:", ""),
    ],
)
def test_the_subject_is_unfolded_and_bounded(line, subject):
    assert facts(line).subject == subject


def test_octets_that_are_no_utf8_spoil_nothing():
    assert read_facts(b"Subject: \xff\xfe\r\nReceived: a\r\n\r\n") == HeaderFacts(1, "", "\ufffd\ufffd")


@pytest.mark.parametrize(
    ("lines", "priority"),
    [
        (["Priority: urgent"], Priority.URGENT),
        (["Priority: Non-Urgent"], Priority.NON_URGENT),
        (["Priority: normal"], Priority.NORMAL),
        (["Importance: High"], Priority.URGENT),
        (["Importance: low"], Priority.NON_URGENT),
        (["Importance: high", "Priority: non-urgent"], Priority.NON_URGENT),
        (["Importance: high", "Priority: normal"], Priority.NORMAL),
        (["Importance: high", "Priority:"], Priority.URGENT),
        (["Priority: the greatest ever"], Priority.NORMAL),
        (["X-Priority: 1"], Priority.NORMAL),
    ],
)
def test_priority_comes_from_priority_or_else_from_importance(lines, priority):
    assert facts(*lines).priority is priority


@pytest.mark.parametrize(
    ("line", "is_bulk"),
    [
        ("List-Id: <l.there.example>", True),
        ("List-ID:", True),
        ("Precedence: bulk", True),
        ("Precedence: LIST", True),
        ("Precedence: junk", True),
        ("Precedence: first-class", False),
        ("Auto-Submitted: auto-replied", True),
        ("Auto-Submitted: auto-generated; owner=x", True),
        ("Auto-Submitted: NO", False),
        ("Auto-Submitted: no; reason=x", False),
        ("X-List-Id: a", False),
    ],
)
def test_what_a_list_or_a_machine_wrote_is_bulk(line, is_bulk):
    assert facts(line).is_bulk is is_bulk


@given(st.binary(max_size=400) | lines_of_header.map(b"\r\n".join))
def test_garbage_never_crashes_and_stays_bounded(content):
    found = read_facts(content)
    assert 0 <= found.received_count <= len(content)
    assert len(found.subject) <= 998
    assert len(found.message_id) <= 992


BOMBS = {
    "a million fields": b"X: y\r\n" * 1_000_000,
    "a million hops": b"Received:\r\n" * 1_000_000,
    "one field of 40 MB": b"Subject: " + b"x" * 40_000_000,
    "one field of a million folds": b"Subject: a" + b"\r\n b" * 1_000_000,
    "blanks before a colon that never comes": b"Received" + b" " * 5_000_000,
    "blanks after a colon": b"Received:" + b" " * 5_000_000,
    "brackets that never close": b"Message-ID: " + b"<" * 5_000_000,
    "names that almost fit": b"Received \r\n" * 500_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_header_bomb_costs_no_more_than_its_first_octets(name):
    began = time.process_time()
    found = read_facts(BOMBS[name])
    # Only the first 64 KB are looked at, in one pass; a pass that backtracks takes minutes.
    assert time.process_time() - began < 0.5
    assert found.received_count <= HEAD_OCTETS
    assert len(found.subject) <= 998


# --- Our own line -------------------------------------------------------------------------------------

hello_names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255)


@given(hello_names, st.ip_addresses().map(str), st.sampled_from(["SMTP", "ESMTP"]))
def test_the_trace_line_is_one_field_in_lines_that_mail_may_have(hello, address, protocol):
    line = trace_line(
        hello=hello,
        address=address,
        by="mail.here.example",
        protocol=protocol,
        ident="0000000000000",
        date="Thu, 1 Jan 2026 00:00:00 +0000",
    )
    pieces = line.split(b"\r\n")
    assert pieces.pop() == b""
    assert pieces[0].startswith(b"Received: from ")
    assert all(piece.startswith(b"\t") for piece in pieces[1:])
    assert all(len(piece) <= 998 for piece in pieces)
    assert line.count(b"\r") == line.count(b"\n") == len(pieces)
    assert read_facts(line + b"\r\n").received_count == 1


@pytest.mark.parametrize(
    ("address", "literal"), [("192.0.2.1", b"([192.0.2.1])"), ("2001:db8::1", b"([IPv6:2001:db8::1])")]
)
def test_the_trace_line_writes_an_address_as_a_literal(address, literal):
    line = trace_line(hello="a", address=address, by="b", protocol="SMTP", ident="c", date="d")
    assert line.startswith(b"Received: from a " + literal + b"\r\n")
