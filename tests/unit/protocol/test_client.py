"""The client's session where transcripts do not reach: phases, bugs of ours, and odd moments."""

import pytest

from byreturn.mail import NULL_PATH, Destination, Mailbox, Phase, Recipient
from byreturn.protocol import (
    Broken,
    ClientPhase,
    ClientSession,
    ContentAnswered,
    Extensions,
    HangingUp,
    Ready,
    RecipientAnswered,
    SendContent,
    StartTls,
    Transaction,
    TransactionOver,
)

PIPELINING = b"250-mx.there.example\r\n250 PIPELINING\r\n"
PLAIN = b"250 mx.there.example\r\n"


def recipient(number):
    mailbox = Mailbox(f"r{number}", "there.example")
    return Recipient(number, mailbox, mailbox, Destination("there.example"))


def transaction(count=1):
    return Transaction(NULL_PATH, tuple(map(recipient, range(count))), 100, False)


def ready(hello=PLAIN):
    session = ClientSession("mail.here.example")
    assert session.receive(b"220 mx.there.example\r\n" + hello) == [Ready()]
    session.take_output()
    return session


def test_each_step_has_its_phase():
    session = ClientSession("mail.here.example")
    steps = [session.phase]
    for said in (b"220 hi\r\n", b"502 what\r\n", b"250 hi\r\n"):
        session.receive(said)
        steps.append(session.phase)
    session.begin(transaction())
    steps.append(session.phase)
    for said in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
        session.receive(said)
        steps.append(session.phase)
    session.end_content()
    steps.append(session.phase)
    session.receive(b"250 ok\r\n")
    steps.append(session.phase)
    session.begin(transaction())
    session.receive(b"550 no\r\n")
    steps.append(session.phase)
    session.quit()
    steps.append(session.phase)
    assert steps == [
        ClientPhase.GREETING,
        ClientPhase.HELLO,
        ClientPhase.HELLO,
        ClientPhase.READY,
        ClientPhase.MAIL,
        ClientPhase.RCPT,
        ClientPhase.DATA,
        ClientPhase.CONTENT,
        ClientPhase.ENDING,
        ClientPhase.READY,
        ClientPhase.RESETTING,
        ClientPhase.CLOSED,
    ]


def test_what_must_be_sent_is_taken_once():
    session = ready()
    session.begin(transaction())
    assert session.take_output() == b"MAIL FROM:<>\r\n"
    assert session.take_output() == b""


def test_nothing_is_heard_after_the_end():
    session = ready()
    session.quit()
    assert session.take_output() == b"QUIT\r\n"
    assert session.receive(b"221 bye\r\n") == []
    broken = ClientSession("mail.here.example")
    assert len(broken.receive(b"nonsense\r\n")) == 1
    assert broken.receive(b"220 never mind\r\n") == []
    assert broken.take_output() == b""


def test_to_begin_before_the_peer_is_ready_is_our_bug():
    session = ClientSession("mail.here.example")
    with pytest.raises(AssertionError):
        session.begin(transaction())
    session = ready()
    session.begin(transaction())
    with pytest.raises(AssertionError):
        session.begin(transaction())


def test_to_begin_without_recipients_is_our_bug():
    with pytest.raises(AssertionError):
        ready().begin(transaction(0))


def test_to_send_content_that_nobody_asked_for_is_our_bug():
    session = ready()
    with pytest.raises(AssertionError):
        session.content(b"words")
    with pytest.raises(AssertionError):
        session.end_content()


def test_a_thousand_recipients_go_out_in_one_write():
    session = ready(PIPELINING)
    session.begin(transaction(1000))
    output = session.take_output()
    assert output.count(b"\r\n") == 1002
    assert output.endswith(b"DATA\r\n")
    events = session.receive(b"250 ok\r\n" + b"250 ok\r\n" * 1000 + b"354 go\r\n")
    assert [event.index for event in events if isinstance(event, RecipientAnswered)] == list(range(1000))
    assert events[-1] == SendContent()


def test_half_a_reply_behind_the_last_one_spends_the_connection():
    session = ready(PIPELINING)
    session.begin(transaction())
    session.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    session.end_content()
    events = session.receive(b"250 kept\r\n250 and")
    assert isinstance(events[0], ContentAnswered)
    assert events[0].reply.code == 250
    assert isinstance(events[1], Broken)
    assert TransactionOver() not in events
    assert session.phase is ClientPhase.CLOSED


@pytest.mark.parametrize("code", [421, 250, 550])
def test_what_a_peer_says_unasked_between_messages_spends_the_connection(code):
    session = ready()
    (event,) = session.receive(b"%d whatever\r\n" % code)
    assert isinstance(event, HangingUp if code == 421 else Broken)
    assert session.phase is ClientPhase.CLOSED


def test_one_refused_mail_is_forgotten_in_the_next_transaction():
    session = ready(PIPELINING)
    session.begin(transaction())
    session.receive(b"550 no\r\n503 no\r\n503 no\r\n")
    assert session.receive(b"250 reset\r\n")[-1] == TransactionOver()
    session.take_output()
    session.begin(transaction(2))
    events = session.receive(b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n")
    assert [(event.index, event.reply.code) for event in events[:-1]] == [(0, 250), (1, 550)]
    assert events[-1] == SendContent()


def test_a_hanging_up_in_the_middle_of_content_says_so():
    session = ready()
    session.begin(transaction())
    session.receive(b"250 ok\r\n")
    session.receive(b"250 ok\r\n")
    assert session.receive(b"354 go\r\n") == [SendContent()]
    (event,) = session.receive(b"421 tired\r\n")
    assert event.phase is Phase.CONTENT


def test_what_a_group_was_answered_is_held_until_data_is_answered():
    session = ready(PIPELINING)
    session.begin(transaction(2))
    assert session.receive(b"250 ok\r\n550 no\r\n") == []
    assert session.is_holding
    events = session.receive(b"250 ok\r\n354 go\r\n")
    assert [type(event) for event in events] == [RecipientAnswered, RecipientAnswered, SendContent]
    assert not session.is_holding
    assert session.release() == []


def test_what_is_held_is_released_once_when_the_host_has_waited_long_enough():
    session = ready(PIPELINING)
    session.begin(transaction(2))
    session.receive(b"250 ok\r\n550 no\r\n")
    (event,) = session.release()
    assert (event.index, event.reply.code) == (0, 550)
    assert session.release() == []
    # What was believed is not told again, and the group goes on.
    (later, content) = session.receive(b"250 ok\r\n354 go\r\n")
    assert later.index == 1
    assert content == SendContent()


def test_what_was_held_is_not_believed_once_the_count_is_wrong():
    session = ready(PIPELINING)
    session.begin(transaction(2))
    (event,) = session.receive(b"250 ok\r\n550 no\r\n354 go\r\n")
    assert isinstance(event, Broken)
    assert session.release() == []
    assert not session.is_holding


def test_without_pipelining_nothing_is_held():
    session = ready()
    session.begin(transaction(2))
    session.receive(b"250 ok\r\n")
    (event,) = session.receive(b"550 no\r\n")
    assert event.index == 0
    assert not session.is_holding


@pytest.mark.parametrize("rest", [b"250 str", b"250-", b"2", b"\r"])
def test_half_a_reply_behind_a_reset_spends_the_connection(rest):
    # Its other half would be taken for the answer to the next MAIL.
    session = ready()
    session.begin(transaction())
    session.receive(b"550 no\r\n")
    (event,) = session.receive(b"250 reset\r\n" + rest)
    assert isinstance(event, Broken)
    assert session.phase is ClientPhase.CLOSED


def test_half_a_reply_behind_the_hello_spends_the_connection():
    session = ClientSession("mail.here.example")
    session.receive(b"220 mx.there.example\r\n")
    (event,) = session.receive(b"250 mx.there.example\r\n250 str")
    assert isinstance(event, Broken)
    assert session.phase is ClientPhase.CLOSED


# --- TLS ----------------------------------------------------------------------------------------------

STARTTLS = b"250-mx.there.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n"


def securing():
    session = ClientSession("mail.here.example", asks_tls=True, needs_tls=True)
    assert session.receive(b"220 mx.there.example\r\n") == []
    assert session.receive(STARTTLS) == []
    assert session.take_output().endswith(b"\r\nSTARTTLS\r\n")
    return session


def test_tls_has_one_phase_from_the_command_to_the_end_of_the_handshake():
    session = securing()
    assert session.phase is ClientPhase.TLS
    assert session.receive(b"220 go\r\n") == [StartTls()]
    assert session.phase is ClientPhase.TLS
    assert session.take_output() == b""
    session.secured()
    assert session.phase is ClientPhase.HELLO


def test_what_was_offered_in_clear_text_is_forgotten():
    session = securing()
    assert session.extensions.pipelining
    session.receive(b"220 go\r\n")
    session.secured()
    assert session.extensions == Extensions()
    assert session.take_output() == b"EHLO mail.here.example\r\n"
    assert session.receive(PLAIN) == [Ready()]
    session.begin(transaction())
    assert session.take_output() == b"MAIL FROM:<>\r\n"


@pytest.mark.parametrize(
    "behind", [b"2", b"250 mx\r\n", b"421 bye\r\n", b"\x16\x03\x03", b"\r\n", b"x" * 3000]
)
def test_clear_text_behind_the_220_is_never_believed(behind):
    broken = Broken("clear text behind the answer to STARTTLS")
    together, apart = securing(), securing()
    assert together.receive(b"220 go\r\n" + behind) == [broken]
    assert apart.receive(b"220 go\r\n") == [StartTls()]
    assert apart.receive(behind) == [broken]
    for session in (together, apart):
        assert session.phase is ClientPhase.CLOSED
        assert session.receive(b"220 go\r\n") == []
        assert session.take_output() == b""


def test_an_answer_to_starttls_that_came_before_it_was_said_is_not_believed():
    session = ClientSession("mail.here.example", asks_tls=True)
    session.receive(b"220 mx.there.example\r\n")
    session.take_output()
    assert session.receive(STARTTLS + b"220 go\r\n") == [
        Broken("STARTTLS was answered before it was said: 220 go")
    ]


def test_a_tls_that_nobody_needs_is_not_in_the_way():
    session = ClientSession("mail.here.example", asks_tls=True)
    session.receive(b"220 mx.there.example\r\n" + STARTTLS)
    session.take_output()
    assert session.receive(b"454 4.7.0 not now\r\n") == [Ready()]
    assert session.extensions.pipelining
    assert session.receive(b"250 ok\r\n") == [Broken("a reply that answers nothing: 250 ok")]


def test_whoever_needs_tls_asks_for_it():
    with pytest.raises(AssertionError):
        ClientSession("mail.here.example", needs_tls=True)
