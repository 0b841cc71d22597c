"""Session words: every reply of ours goes through the language of the listener, and out in ASCII."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.languages.pseudo import PSEUDO, odd, plain_words

from byreturn.config import load_languages
from byreturn.mail import reply
from byreturn.protocol import Closing, Content, EndOfContent, ServerSession, SessionLimits, encode
from byreturn.protocol.replies import in_ascii, said

GERMAN = load_languages()[0]["de"]
HOST = "mail.example.org"

# Everything that a client can do wrong without the host's help, and what goes well between.
DIALOGUE = (
    rb"""
NONSENSE
EXPN staff
MAIL FROM:<ann@example.org>
EHLO
EHLO two words
EHLO client.example
VRFY
VRFY ann
NOOP
HELP
RSET now
RCPT TO:<ann@example.org>
MAIL TO:<ann@example.org>
MAIL FROM:ann@example.org
MAIL FROM:<ann>
MAIL FROM:<ann@-.example>
MAIL FROM:<ann@[300.1.1.1]>
MAIL FROM:<ann@example.org> SIZE=many
MAIL FROM:<ann@example.org> SIZE=99999999999
MAIL FROM:<ann@example.org> BODY=9BIT
MAIL FROM:<ann@example.org> RET=SOME
MAIL FROM:<ann@example.org> ENVID==
MAIL FROM:<ann@example.org> ENVID=a+b
MAIL FROM:<ann@example.org> BODY=7BIT BODY=7BIT
MAIL FROM:<ann@example.org> WINE=red
MAIL FROM:<ann@example.org>
MAIL FROM:<ann@example.org>
DATA
RCPT FROM:<ann@example.org>
RCPT TO:<>
RCPT TO:<ann@example.org> NOTIFY=ALWAYS
RCPT TO:<ann@example.org> ORCPT=x
RCPT TO:<ann@example.org>
DATA please
QUIT
""".strip().replace(b"\n", b"\r\n")
    + b"\r\n"
)


def played(octets, say, limits=None):
    """Play a client against a session whose host takes everything; return the lines of its replies."""
    session = ServerSession(HOST, limits or SessionLimits(errors=1000), say=say)
    session.greet(reply(220, "", f"{HOST} ESMTP ByReturn"))
    session.receive(octets)
    while (event := session.next_event()) is not None:
        if session.is_waiting_for_us:
            session.answer(reply(354, "", "Go ahead; end with CRLF.CRLF") if is_data(event) else OK)
        elif isinstance(event, Closing):
            break
        else:
            assert not isinstance(event, EndOfContent) or event.fault
            assert not isinstance(event, Content) or event.octets
    return session.take_output().decode("utf-8").split("\r\n")[:-1]


OK = reply(250, "2.0.0", "OK")


def is_data(event):
    return type(event).__name__ == "Data"


VALUES = [
    HOST, "ESMTP ByReturn", "HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT",
    "SIZE", "BODY", "WINE", "ENVID",
    "PIPELINING", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES", "HELP", "VRFY",
]  # fmt: skip


def marked(text):
    """Say a sentence in a language of ASCII, in which every letter is an x."""
    return "".join(re.sub("[A-Za-z]", "x", part) if part[:1] != "{" else part for part in split(text))


def split(text):
    return re.split(r"({\w*})", text)


def test_no_reply_has_a_word_that_was_not_said_in_the_language():
    lines = played(DIALOGUE, marked)
    assert len(lines) > 35
    left = [
        word
        for line in lines
        for word in plain_words(re.sub(r"\bx+\b", " ", line), but=VALUES)
        if not re.fullmatch("x+", word)
    ]
    assert left == []


@pytest.mark.parametrize(
    ("octets", "limits"),
    [
        (b"GET / HTTP/1.1\r\n", SessionLimits()),
        (b"NOOP\n", SessionLimits()),
        (b"X\0\r\n", SessionLimits()),
        (b"\xff\r\n", SessionLimits()),
        (b"EHLO \xff\r\n", SessionLimits()),
        (b"x" * 5000 + b"\r\n", SessionLimits()),
        (b"X\r\nX\r\nX\r\n", SessionLimits(errors=1)),
        (b"NOOP\r\nNOOP\r\n", SessionLimits(commands_without_effect=1)),
        (DIALOGUE[DIALOGUE.index(b"EHLO client") :], SessionLimits(errors=1000, recipients=0)),
    ],
)
def test_what_ends_a_session_is_said_in_the_language_too(octets, limits):
    for line in played(octets, marked, limits):
        assert [word for word in plain_words(line, but=VALUES) if not re.fullmatch("x+", word)] == []


@pytest.mark.parametrize(
    "message", [b"a\0b\r\n", b"x" * 2000 + b"\r\n", b"x\r\n" * 50], ids=["NUL", "long line", "large"]
)
def test_so_is_what_is_wrong_with_a_message(message):
    octets = b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n" + message + b".\r\n"
    last = played(octets, marked, SessionLimits(content_octets=100))[-1]
    assert last[:3] in {"552", "554"}
    assert not [word for word in plain_words(last) if not re.fullmatch("x+", word)]


def test_code_status_and_number_of_replies_are_those_of_english():
    def start(line):
        return re.match(r"\d\d\d[ -](?:\d\.\d\.\d )?", line)[0]

    english = played(DIALOGUE, None)
    for say in (PSEUDO.lookup, GERMAN.lookup, marked):
        assert [start(line) for line in played(DIALOGUE, say)] == [start(line) for line in english]


def test_english_is_what_it_was_without_languages():
    assert played(DIALOGUE, None) == played(DIALOGUE, lambda text: text)


def test_german_is_readable_in_ascii():
    lines = played(DIALOGUE, GERMAN.lookup)
    assert "501 5.1.7 Absender: die Adresse muss zwischen < und > stehen" in lines
    assert "501 5.5.4 Fehlerhafter Parameter BODY: er steht zweimal da" in lines
    refusal = reply(
        550, "5.1.1", "<{address}> No such mailbox here; check the spelling", address="infoo@e.org"
    )
    assert encode(said(refusal, GERMAN.lookup)) == (
        b"550 5.1.1 <infoo@e.org> Dieses Postfach gibt es hier nicht; bitte die Schreibweise pruefen\r\n"
    )


def test_values_are_no_sentences():
    """A client that calls itself by one of our sentences is not translated."""
    refusal = reply(
        550, "5.1.1", "<{address}> No such mailbox here; check the spelling", address="Line too long"
    )
    assert encode(said(refusal, odd)).startswith(b"550 5.1.1 ?<Line too long>")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Größe, Übung, Maß", "Groesse, Uebung, Mass"),
        ("u\u0308ber", "ueber"),
        ("déjà vu", "deja vu"),
        ("„so“ – nicht …", '"so" - nicht ...'),
        ("ﬁn", "fin"),
        ("почта", "?????"),
        ("plain", "plain"),
    ],
)
def test_letters_in_ascii(text, plain):
    assert in_ascii(text) == plain


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_whatever_a_translator_writes_a_line_is_ascii_and_short_enough(text):
    octets = encode(said(reply(550, "5.1.1", "Line too long"), lambda _: text))
    assert octets.isascii()
    assert len(octets) <= 512
    assert octets.startswith(b"550 5.1.1 ")
    assert octets.endswith(b"\r\n")
    assert octets.count(b"\n") == 1
