"""The server's session where transcripts do not reach: facts for the journal, bugs of ours, bounds."""

import pytest

from byreturn.mail import Mailbox, reply
from byreturn.protocol import (
    Closing,
    Content,
    ContentFault,
    Data,
    EndOfContent,
    Hello,
    Mail,
    Rcpt,
    Refused,
    Reset,
    ServerSession,
    SessionLimits,
)
from byreturn.protocol.server import Phase

OK = reply(250, "2.0.0", "OK")
GO_ON = reply(354, "", "Go on")
NO = reply(550, "5.1.1", "No")


def session(**limits):
    return ServerSession("mail.here.example", SessionLimits(**limits))


def drive(server, octets, answers=None):
    """Feed octets; answer what is asked; return the events."""
    server.receive(octets)
    events = []
    while (event := server.next_event()) is not None:
        events.append(event)
        if server.is_waiting_for_us:
            usual = GO_ON if isinstance(event, Data) else OK
            server.answer((answers or {}).get(type(event), usual))
    return events


def in_content(**limits):
    server = session(**limits)
    drive(server, b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<info@here.example>\r\nDATA\r\n")
    server.take_output()
    return server


def test_questions_come_one_at_a_time_and_in_order():
    server = session()
    server.receive(
        b"EHLO a\r\nMAIL FROM:<b@there.example>\r\nRCPT TO:<info@here.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
    )
    kinds = []
    while (event := server.next_event()) is not None:
        kinds.append(type(event))
        if server.is_waiting_for_us:
            assert server.next_event() is None
            server.answer(GO_ON if isinstance(event, Data) else OK)
    assert kinds == [Hello, Mail, Rcpt, Data, Content, EndOfContent, Closing]


def test_an_answer_without_a_question_is_our_bug():
    with pytest.raises(AssertionError, match="without a question"):
        session().answer(OK)


def test_replies_gather_in_one_write():
    server = session()
    drive(server, b"NOOP\r\nNOOP\r\nEHLO a\r\n")
    output = server.take_output()
    assert output.count(b"250 2.0.0 OK\r\n") == 2
    assert b"250-mail.here.example\r\n" in output
    assert server.take_output() == b""


def test_a_greeting_that_refuses_ends_the_session():
    server = session()
    server.greet(reply(421, "4.7.0", "Too many connections"))
    assert server.take_output() == b"421 4.7.0 Too many connections\r\n"
    assert server.phase is Phase.CLOSED
    assert drive(server, b"EHLO a\r\n") == []
    assert server.take_output() == b""


def test_we_may_end_the_session_with_a_word():
    server = session()
    server.greet(reply(220, "", "Hello"))
    server.receive(b"EHLO a\r\n")
    assert server.next_event() == Hello("a", True)
    assert server.is_waiting_for_us
    server.close(reply(421, "4.3.2", "Stopping"))
    assert not server.is_waiting_for_us
    # Once is enough.
    server.close(reply(421, "4.3.2", "Stopping"))
    assert server.take_output() == b"220 Hello\r\n421 4.3.2 Stopping\r\n"
    assert drive(server, b"NOOP\r\n") == []


def test_rset_and_its_fact():
    server = session()
    assert drive(server, b"RSET\r\n") == [Reset()]
    assert drive(server, b"EHLO a\r\nMAIL FROM:<>\r\nRSET\r\n")[-1] == Reset()
    assert server.phase is Phase.READY


@pytest.mark.parametrize(
    ("octets", "violation"), [(b"QUIT\r\n", False), (b"NOOP\n", True), (b"GET / HTTP/1.1\r\n", True)]
)
def test_a_closing_tells_whether_the_client_broke_the_law(octets, violation):
    assert drive(session(), octets) == [Closing(violation)]


@pytest.mark.parametrize("code", [421, 521])
@pytest.mark.parametrize("kind", [Hello, Mail, Rcpt, Data, EndOfContent])
def test_an_answer_that_ends_the_session_tells_the_host_to_hang_up(kind, code):
    server = session()
    wire = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<info@here.example>\r\nDATA\r\n.\r\nNOOP\r\n"
    events = drive(server, wire, {kind: reply(code, "", "Closing")})
    assert server.phase is Phase.CLOSED
    assert isinstance(events[-1], Closing)
    assert isinstance(events[-2], kind)
    assert server.next_event() is None


def test_too_many_refusals_of_the_host_tell_it_to_hang_up():
    server = session(errors=1)
    wire = b"EHLO a\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<info@here.example>\r\n" * 5
    events = drive(server, wire, {Rcpt: NO})
    assert [type(event) for event in events] == [Hello, Mail, Rcpt, Rcpt, Closing]
    assert server.take_output().endswith(b"421 4.7.0 Too many errors; closing\r\n")


def test_nothing_is_kept_of_what_comes_after_the_end():
    server = session()
    drive(server, b"QUIT\r\n")
    for _ in range(100):
        server.receive(b"x" * 1000)
        assert server.next_event() is None
    assert len(server._buffer) <= 1000


def test_a_host_may_refuse_the_client():
    server = session()
    assert drive(server, b"EHLO a\r\n", {Hello: NO}) == [Hello("a", True)]
    assert server.phase is Phase.GREETED
    assert server.take_output() == b"550 5.1.1 No\r\n"


@pytest.mark.parametrize(
    "octets",
    [
        b"FOO\x1b[2J\r\n",
        b"\x1b\x00\r\n",
        b"EHLO \x1b\r\n",
        b"MAIL FROM:<\x1b[2J>\r\n",
        b"MAIL FROM:<a@there.example> \x07=1\r\n",
        b"MAIL \xff\r\n",
        b"x" * 3000 + b"\r\n",
        b"\xc2\x9b" * 100 + b"\r\n",
    ],
)
def test_what_the_journal_is_told_of_a_refusal_is_bounded_and_printable(octets):
    server = session()
    drive(server, b"EHLO a\r\n")
    (refused,) = drive(server, octets)
    assert isinstance(refused, Refused)
    assert len(refused.command) <= 100
    assert refused.command.isprintable()
    assert refused.reply.is_permanent


def test_what_the_journal_is_told_of_a_bad_recipient_is_printable():
    server = session()
    drive(server, b"EHLO a\r\nMAIL FROM:<>\r\n")
    (refused,) = drive(server, b"RCPT TO:<a\x1b]0;pwned\x07@here.example>\r\n")
    assert refused.command.isprintable()


def test_what_the_journal_is_told_of_a_long_line_does_not_depend_on_its_cuts():
    wire = b"NOOP " + b"x" * 3000 + b"\r\n"
    told = []
    for step in (len(wire), 1000, 1):
        server = session()
        events = []
        for at in range(0, len(wire), step):
            events += drive(server, wire[at : at + step])
        told.append(events)
    assert told[0] == told[1] == told[2]


def test_content_comes_in_pieces_and_its_end_is_asked_about():
    server = in_content()
    assert drive(server, b"one\r\nt") == [Content(b"one\r\n")]
    assert drive(server, b"wo\r\n..") == [Content(b"two\r\n")]
    server.receive(b"\r\n.\r\n")
    assert server.next_event() == Content(b".\r\n")
    assert server.next_event() == EndOfContent(None)
    assert server.is_waiting_for_us
    assert server.take_output() == b""
    server.answer(OK)
    assert server.take_output() == b"250 2.0.0 OK\r\n"


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (b"a\0b\r\n.\r\n", ContentFault.NUL),
        (b"x" * 20 + b"\r\n.\r\n", ContentFault.LONG_LINE),
        (b"12345678\r\n" * 11 + b".\r\n", ContentFault.TOO_LARGE),
    ],
)
def test_a_faulty_content_is_answered_by_the_session_and_told_to_the_host(octets, fault):
    server = in_content(content_octets=100, content_line_octets=10)
    events = drive(server, octets)
    assert events[-1] == EndOfContent(fault)
    assert not server.is_waiting_for_us
    assert server.phase is Phase.READY
    assert server.take_output()[:1] == b"5"


def test_an_idle_client_is_bounded_even_in_refused_rset():
    server = session(commands_without_effect=1)
    events = drive(server, b"RSET\r\nRSET\r\nRSET\r\n")
    assert events == [Reset(), Closing(True)]
    assert server.phase is Phase.CLOSED


def test_a_mailbox_comes_out_as_it_was_given():
    server = session()
    events = drive(server, b'EHLO a\r\nMAIL FROM:<"A b"@There.example>\r\nRCPT TO:<Info@Here.example>\r\n')
    assert events[1].reverse_path == Mailbox('"A b"', "There.example")
    assert events[2].forward_path == Mailbox("Info", "Here.example")


# --- Too many recipients ------------------------------------------------------------------------------


def test_recipients_beyond_the_limit_are_no_errors_until_they_are_as_many_again():
    server = session(recipients=10, errors=2)
    wire = b"EHLO a\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<info@here.example>\r\n" * 20 + b"DATA\r\n.\r\n"
    events = drive(server, wire)
    assert sum(isinstance(event, Rcpt) for event in events) == 10
    assert sum(isinstance(event, Refused) for event in events) == 10
    assert isinstance(events[-1], EndOfContent)


def test_recipients_without_end_are_misconduct():
    server = session(recipients=10, errors=2)
    events = drive(server, b"EHLO a\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<info@here.example>\r\n" * 100)
    assert len(events) < 40
    assert events[-1] == Closing(True)


def test_a_host_that_says_too_many_is_obeyed_without_blame():
    server = session(recipients=10, errors=2)
    wire = b"EHLO a\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<info@here.example>\r\n" * 6 + b"NOOP\r\n"
    drive(server, wire, {Rcpt: reply(452, "4.5.3", "Too many recipients")})
    assert server.take_output().endswith(b"250 2.0.0 OK\r\n")
    assert server.phase is Phase.SENDER
    events = drive(server, b"RCPT TO:<info@here.example>\r\n" * 50, {Rcpt: reply(452, "4.5.3", "Too many")})
    assert events[-1] == Closing(True)
