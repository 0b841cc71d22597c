"""MAIL and RCPT: every way to write them, and the reply that each mistake gets."""

import pytest

from byreturn.mail import NULL_PATH, BodyType, Mailbox, Notify, Reply, Ret
from byreturn.protocol import Mail, MailParameters, Rcpt, RcptParameters
from byreturn.protocol.commands import read_mail, read_rcpt

LIMIT = 1000


def mail(text):
    return read_mail(text, octets_limit=LIMIT)


def refusal(read):
    assert isinstance(read, Reply)
    assert read.is_permanent
    return f"{read.code} {read.enhanced}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM:<>", Mail(NULL_PATH, MailParameters())),
        ("from: <a@there.example>", Mail(Mailbox("a", "there.example"), MailParameters())),
        ("FROM:<@x.example:a@there.example>", Mail(Mailbox("a", "there.example"), MailParameters())),
        (
            "FROM:<a@There.example> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=x",
            Mail(Mailbox("a", "There.example"), MailParameters(1000, BodyType.EIGHT_BIT, Ret.HDRS, "x")),
        ),
    ],
)
def test_mail(text, expected):
    assert mail(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "501 5.5.4"),
        ("TO:<a@there.example>", "501 5.5.4"),
        ("FROM <a@there.example>", "501 5.5.4"),
        ("FROM:a@there.example", "501 5.1.7"),
        ("FROM:<a>", "553 5.1.7"),
        ("FROM:<a@there.example> SIZE=1001", "552 5.3.4"),
        ("FROM:<a@there.example> SIZE=x", "501 5.5.4"),
        ("FROM:<a@there.example> X=1", "555 5.5.4"),
    ],
)
def test_mail_refused(text, expected):
    assert refusal(mail(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TO:<info@here.example>", Rcpt(Mailbox("info", "here.example"), RcptParameters())),
        ("to: <pOstmaster>", Rcpt(Mailbox("pOstmaster", ""), RcptParameters())),
        (
            "TO:<info@here.example> NOTIFY=DELAY ORCPT=rfc822;x",
            Rcpt(Mailbox("info", "here.example"), RcptParameters(Notify.DELAY, "rfc822;x")),
        ),
    ],
)
def test_rcpt(text, expected):
    assert read_rcpt(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "501 5.5.4"),
        ("FROM:<info@here.example>", "501 5.5.4"),
        ("TO:info@here.example", "501 5.1.3"),
        ("TO:<>", "553 5.1.3"),
        ("TO:<info>", "553 5.1.3"),
        ("TO:<info@here.example> NOTIFY=x", "501 5.5.4"),
        ("TO:<info@here.example> X", "555 5.5.4"),
    ],
)
def test_rcpt_refused(text, expected):
    assert refusal(read_rcpt(text)) == expected


@pytest.mark.parametrize(
    "text", ["FROM:<a\x1b[2J@x>", "FROM:<a@x> \x1b=1", "TO:<\0@x>", "TO:<a@x> NOTIFY=\x07"]
)
def test_a_refusal_says_nothing_of_the_text_that_it_refuses(text):
    refused = mail(text) if text.startswith("FROM") else read_rcpt(text)
    assert all(line.isprintable() for line in refused.lines)
