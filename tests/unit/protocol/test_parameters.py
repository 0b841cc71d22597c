"""ESMTP parameters: into their types, or the reply that refuses them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import BodyType, Notify, Reply, Ret
from byreturn.protocol import MailParameters, RcptParameters
from byreturn.protocol.parameters import mail_parameters, rcpt_parameters

flags = st.sets(st.sampled_from([Notify.SUCCESS, Notify.FAILURE, Notify.DELAY]), min_size=1)
xtext = st.from_regex(r"([!-*,-<>-~]|\+[2-6][0-9A-F]){1,20}", fullmatch=True)


def code(read):
    assert isinstance(read, Reply)
    assert str(read.enhanced) == "5.5.4"
    return read.code


@given(
    st.none() | st.integers(0, 10**20 - 1),
    st.sampled_from(BodyType),
    st.none() | st.sampled_from(Ret),
    st.none() | xtext,
    st.randoms(use_true_random=False),
)
def test_mail_parameters_are_read_in_any_order_and_any_letters(size, body, ret, envid, random):
    words = [f"BODY={body}"]
    if size is not None:
        words.append(f"Size={size}")
    if ret is not None:
        words.append(f"ret={ret.lower()}")
    if envid is not None:
        words.append(f"EnvId={envid}")
    random.shuffle(words)
    assert mail_parameters(" ".join(words)) == MailParameters(size, body, ret, envid)


@given(flags | st.just({Notify.NEVER}), st.none() | xtext)
def test_rcpt_parameters_are_read_as_they_were_asked(asked, orcpt):
    notify = Notify.ABSENT
    for flag in asked:
        notify |= flag
    orcpt = orcpt and f"rfc822;{orcpt}"
    words = [f"NOTIFY={notify}"] + ([f"ORCPT={orcpt}"] if orcpt else [])
    assert rcpt_parameters(" ".join(words)) == RcptParameters(notify, orcpt)
    assert rcpt_parameters(" ".join(reversed(words)).lower().replace("orcpt", "ORCPT")) is not None


def test_none_at_all():
    assert mail_parameters("") == MailParameters()
    assert rcpt_parameters("") == RcptParameters()


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("SIZE=", 501),
        ("SIZE", 501),
        ("SIZE=-1", 501),
        ("SIZE=+1", 501),
        ("SIZE=1.5", 501),
        ("SIZE=" + "9" * 21, 501),
        ("SIZE=1 SIZE=1", 501),
        ("BODY=BINARYMIME", 501),
        ("BODY", 501),
        ("RET=ALL", 501),
        ("RET", 501),
        ("ENVID=", 501),
        ("ENVID", 501),
        ("ENVID=+0D+0A", 501),
        ("ENVID=" + "x" * 501, 501),
        ("=1", 501),
        ("SMTPUTF8", 555),
        ("AUTH=<>", 555),
        ("NOTIFY=NEVER", 555),
        ("MT-PRIORITY=1", 555),
    ],
)
def test_mail_parameters_refused(text, refused):
    assert code(mail_parameters(text)) == refused


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("NOTIFY=", 501),
        ("NOTIFY", 501),
        ("NOTIFY=ABSENT", 501),
        ("NOTIFY=NEVER,DELAY", 501),
        ("NOTIFY=DELAY,NEVER", 501),
        ("NOTIFY=NEVER,NEVER", 501),
        ("NOTIFY=DELAY,DELAY", 501),
        ("NOTIFY=DELAY,", 501),
        ("NOTIFY=,DELAY", 501),
        ("NOTIFY=DELAY;SUCCESS", 501),
        ("ORCPT=rfc822", 501),
        ("ORCPT=rfc822;a+0Ab", 501),
        ("ORCPT=rfc822;" + "x" * 994, 501),
        ("ORCPT", 501),
        ("NOTIFY=DELAY notify=DELAY", 501),
        ("-=1", 501),
        ("RET=FULL", 555),
        ("X" * 100 + "=1", 555),
    ],
)
def test_rcpt_parameters_refused(text, refused):
    assert code(rcpt_parameters(text)) == refused


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("ENVID=" + "x" * 500, MailParameters(envid="x" * 500)),
        ("SIZE=" + "9" * 20, MailParameters(size=10**20 - 1)),
        ("SIZE=0", MailParameters(size=0)),
    ],
)
def test_parameters_at_their_limits(text, read):
    assert mail_parameters(text) == read
    assert rcpt_parameters("ORCPT=rfc822;" + "x" * 993) == RcptParameters(orcpt="rfc822;" + "x" * 993)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126) | st.just(" "), max_size=60))
def test_garbage_is_read_or_refused(text):
    for read in (mail_parameters(text), rcpt_parameters(text)):
        assert isinstance(read, (MailParameters, RcptParameters)) or read.code in (501, 555)
