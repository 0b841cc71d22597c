"""The checklist where the dialogue decides: what may be asked for, and what is not offered at all."""

from __future__ import annotations

import pytest

from byreturn.mail import Notify, Ret, reply
from byreturn.protocol import Data, Mail, Rcpt, ServerSession, SessionLimits
from byreturn.protocol.extensions import offer

OK = reply(250, "2.0.0", "OK")
GO_ON = reply(354, "", "Go on")
ASKED = ("NOTIFY=SUCCESS", "NOTIFY=FAILURE,DELAY", "NOTIFY=NEVER", "ORCPT=rfc822;a", "NOTIFY=DELAY ORCPT=x;b")


def said(*lines: str) -> tuple[list[str], list[Mail | Rcpt]]:
    """Say lines to a host that accepts everything: the code of each answer, and what the host was asked."""
    server = ServerSession("mail.here.example", SessionLimits(errors=100))
    codes, asked = [], []
    server.greet(OK)
    for line in ("EHLO client.example", *lines):
        server.take_output()
        server.receive(f"{line}\r\n".encode())
        while (event := server.next_event()) is not None:
            if isinstance(event, Mail | Rcpt):
                asked.append(event)
            if server.is_waiting_for_us:
                server.answer(GO_ON if isinstance(event, Data) else OK)
        codes.append(server.take_output().decode().rpartition("\r\n")[0].rpartition("\r\n")[2][:3])
    return codes[1:], asked


def mail(parameters: str) -> str:
    return said(f"MAIL FROM:<ann@here.example> {parameters}".rstrip())[0][0]


def rcpt(parameters: str) -> str:
    return said("MAIL FROM:<ann@here.example>", f"RCPT TO:<bob@there.example> {parameters}".rstrip())[0][1]


@pytest.mark.parametrize(
    ("value", "means"),
    [
        ("NEVER", Notify.NEVER),
        ("SUCCESS", Notify.SUCCESS),
        ("delay,Failure", Notify.DELAY | Notify.FAILURE),
        ("SUCCESS,FAILURE,DELAY", Notify.SUCCESS | Notify.FAILURE | Notify.DELAY),
    ],
)
def test_01_notify_is_a_list_or_never_alone(value, means):
    codes, asked = said("MAIL FROM:<>", f"RCPT TO:<bob@there.example> NOTIFY={value}")
    assert codes == ["250", "250"]
    assert asked[1].parameters.notify == means


@pytest.mark.parametrize(
    "value", ["NEVER,SUCCESS", "DELAY,NEVER", "NEVER,NEVER", "", "ALWAYS", "SUCCESS,", ","]
)
def test_01_any_other_notify_is_answered_501(value):
    assert rcpt(f"NOTIFY={value}") == "501"


def test_02_what_is_long_is_taken():
    given = "rfc822;" + "x" * 493
    codes, asked = said(
        f"MAIL FROM:<ann@here.example> ENVID={'e' * 100}", f"RCPT TO:<bob@there.example> ORCPT={given}"
    )
    assert codes == ["250", "250"]
    assert (asked[0].parameters.envid, asked[1].parameters.orcpt) == ("e" * 100, given)


def test_02_a_command_of_1036_octets_is_taken():
    start = "RCPT TO:<bob@there.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;"
    line = start + "x" * (1034 - len(start))
    assert len(line) + 2 == 1036
    assert said("MAIL FROM:<>", line)[0] == ["250", "250"]


@pytest.mark.parametrize(("value", "means"), [("FULL", Ret.FULL), ("hdrs", Ret.HDRS)])
def test_03_ret_is_full_or_hdrs(value, means):
    codes, asked = said(f"MAIL FROM:<ann@here.example> RET={value}")
    assert codes == ["250"]
    assert asked[0].parameters.ret is means


@pytest.mark.parametrize("value", ["", "HEADERS", "NONE", "FULL,HDRS"])
def test_03_any_other_ret_is_answered_501(value):
    assert mail(f"RET={value}") == "501"


@pytest.mark.parametrize(
    "parameters",
    ["RET=FULL RET=FULL", "RET=FULL RET=HDRS", "ENVID=a ENVID=a", "ENVID=", "ENVID=a+zz", "ENVID=ü"],
)
def test_04_what_stands_twice_or_is_no_value_is_refused_at_mail(parameters):
    assert mail(parameters)[:2] == "50"
    assert mail(parameters) == "501" or not parameters.isascii()


@pytest.mark.parametrize(
    "parameters",
    ["NOTIFY=NEVER NOTIFY=NEVER", "ORCPT=rfc822;a ORCPT=rfc822;a", "ORCPT=a", "ORCPT=rfc822;a+g1", "ORCPT="],
)
def test_04_what_stands_twice_or_is_no_value_is_refused_at_rcpt(parameters):
    assert rcpt(parameters) == "501"


@pytest.mark.parametrize(
    "answer", [reply(250, "2.1.5", "OK"), reply(550, "5.1.1", "No"), reply(451, "4.3.0", "-")]
)
def test_04_a_good_parameter_changes_no_answer(answer):
    def answers(parameters: str) -> bytes:
        server = ServerSession("mail.here.example", SessionLimits())
        server.receive(f"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<bob@there.example>{parameters}\r\n".encode())
        while (event := server.next_event()) is not None:
            if server.is_waiting_for_us:
                server.answer(answer if isinstance(event, Rcpt) else OK)
        return server.take_output()

    assert {answers(f" {asked}") for asked in ASKED} == {answers("")}


def refused(keyword: str, *parameters: str) -> bool:
    """Whether an extension is not offered, and its parameters are refused as unknown."""
    offered = {line.split()[0] for line in offer("mail.here.example", 1)}
    return keyword not in offered and [mail(each) for each in parameters] == ["555"] * len(parameters)


def test_45_requiretls_is_not_offered_and_is_refused():
    assert refused("REQUIRETLS", "REQUIRETLS")


def test_47_deliverby_is_not_offered_and_is_refused():
    assert refused("DELIVERBY", "BY=120;R", "BY=120;N", "BY=-1;NT")


def test_48_futurerelease_is_not_offered_and_is_refused():
    assert refused("FUTURERELEASE", "HOLDFOR=60", "HOLDUNTIL=2030-01-01T00:00:00Z")
