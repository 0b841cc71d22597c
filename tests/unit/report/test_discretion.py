"""What a reader is told, and what not: members of an alias, hosts inside, clients, name servers."""

from __future__ import annotations

import pytest
from tests.unit.report.samples import ACCEPTED_AT, composed, facts, forms, groups, human, line, machine, said

from byreturn.mail import Cause, Mailbox, PeerSaid, Phase, WeFound, reply
from byreturn.report import Action, Audience, compose
from byreturn.report.discretion import is_inside

MEMBER = Mailbox("mia.private", "elsewhere.example")
INSIDE = PeerSaid(
    reply(550, "5.1.1", "box3.here.example [10.0.0.5]: no such user"),
    "box3.here.example",
    "10.0.0.5",
    Phase.RCPT,
)


@pytest.mark.parametrize("audience", [Audience.INSIDER, Audience.OUTSIDER])
@pytest.mark.parametrize(
    "diagnosis",
    [
        said(550, "5.1.1", "<mia.private@elsewhere.example>: unknown", "MIA.PRIVATE@ELSEWHERE.EXAMPLE is no user"),
        WeFound(Cause.SILENT, "nothing from mia.private@elsewhere.example", "mx.elsewhere.example", "192.0.2.9",
                Phase.GREETING),
    ],
)  # fmt: skip
@pytest.mark.parametrize("action", [Action.FAILED, Action.DELAYED])
def test_of_an_alias_nobody_learns_the_member(audience, diagnosis, action):
    content = composed(
        line("team@here.example", action, diagnosis=diagnosis, member=MEMBER), audience=audience
    )
    for text in (*forms(content).values(), machine(content)):
        assert "mia.private" not in text.lower()
        assert "mx" not in text.replace("mx.here.example", "")
    assert "Remote-MTA" not in machine(content)


def test_the_postmaster_is_told_the_host_behind_an_alias():
    content = composed(
        line("team@here.example", diagnosis=said(550, "5.1.1", "unknown"), member=MEMBER),
        audience=Audience.POSTMASTER,
    )
    assert "Remote-MTA: dns; mx1.customer.example" in machine(content)
    assert "mx1.customer.example [198.51.100.7]" in human(content)


def test_an_outsider_is_not_told_of_hosts_inside():
    content = composed(line(diagnosis=INSIDE), audience=Audience.OUTSIDER)
    for text in (*forms(content).values(), machine(content)):
        assert "box3" not in text
        assert "10.0.0.5" not in text
        assert "no such user" in text
    assert "10.0.0.5" in human(composed(line(diagnosis=INSIDE)))


def test_an_outsider_is_told_of_his_own_side_as_everybody_is():
    content = composed(line(), audience=Audience.OUTSIDER)
    assert "Remote-MTA: dns; mx1.customer.example" in machine(content)
    assert "mx1.customer.example [198.51.100.7]" in human(content)


def test_an_outsider_is_not_told_of_our_clients_nor_of_our_name_server():
    denied = line(diagnosis=WeFound(Cause.NO_SUCH_DOMAIN))
    outside = composed(denied, audience=Audience.OUTSIDER, resolver="192.0.2.53")
    assert "Received-From-MTA" not in machine(outside)
    assert "192.0.2.53" not in human(outside)
    inside = composed(denied, resolver="192.0.2.53")
    assert groups(inside)[0]["received-from-mta"] == "dns; pc17.here.example"
    assert "resolver 192.0.2.53" in human(inside)


def test_an_outsider_is_not_told_what_is_wrong_with_our_machine():
    broken = line(diagnosis=WeFound(Cause.STORE_FAILED, "/var/mail is full"))
    assert b"/var/mail" not in composed(broken, audience=Audience.OUTSIDER)
    assert b"/var/mail" in composed(broken)


@pytest.mark.parametrize(
    ("host", "address", "inside"),
    [
        ("mx.customer.example", "198.51.100.7", False),
        ("mx.customer.example", "192.168.4.4", True),
        ("mx.customer.example", "fd00::1", True),
        ("fe80::1", "fe80::1", True),
        ("box.here.example", "198.51.100.7", True),
        ("HERE.example.", "", True),
        ("nothere.example", "", False),
        ("exchange01", "", True),
        ("", "", False),
    ],
)
def test_what_is_inside(host, address, inside):
    assert is_inside(host, address, facts()) is inside


def test_a_postmasters_copy_says_whom_it_concerns():
    about = {"audience": Audience.POSTMASTER, "reverse_path": Mailbox("postmaster", "here.example")}
    content = composed(
        line(found_at=ACCEPTED_AT), **about, about_reverse_path=Mailbox("clara", "here.example")
    )
    assert "Reverse path  clara@here.example" in human(content)
    assert b"\r\nTo: <postmaster@here.example>\r\nSubject: Copy: Not delivered: Offer" in content
    assert "(none)" in human(composed(**about))
    # Whose letter it is remains the sender's business.
    assert b"please find our offer" not in compose(facts(**about)).content
