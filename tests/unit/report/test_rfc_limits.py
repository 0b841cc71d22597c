"""Names and addresses in a report are held to what the standards let them be."""

from __future__ import annotations

import pytest
from tests.unit.report.samples import composed, groups, human, line, said

from byreturn.mail import Mailbox, PeerSaid, Phase, reply
from byreturn.report import Action

LONG = "a" * 300 + ".example"


def test_the_name_of_a_host_has_255_octets():
    # RFC 1035 section 2.3.4
    peer = PeerSaid(reply(550, "5.1.1", "no"), LONG, "192.0.2.1", Phase.RCPT)
    content = composed(line(diagnosis=peer), reporting_mta=LONG)
    for name in (groups(content)[0]["reporting-mta"], groups(content)[1]["remote-mta"]):
        assert len(name.partition("; ")[2]) == 255
        assert name.endswith("...")
    assert "a" * 256 not in human(content)


@pytest.mark.parametrize("count", [1, 100])
def test_an_address_is_as_long_as_a_path_may_be_where_there_are_many(count):
    # RFC 5321 section 4.5.3.1.3 has 256 octets; of a few recipients more is shown, of many a little more.
    recipients = [
        line(f"{'x' * 500}{number}@y.example", diagnosis=said(550, "5.1.1", "no")) for number in range(count)
    ]
    shown = groups(composed(*recipients))[1]["final-recipient"].partition("; ")[2]
    assert len(shown) == (320 if count >= 100 else len(f"{'x' * 500}0@y.example"))


def test_the_addresses_in_the_header_are_bounded():
    long = "x" * 400
    there = Mailbox(long, "here.example")
    content = composed(line(action=Action.FAILED), reverse_path=there, postmaster=there)
    header = content.partition(b"\r\n\r\n")[0]
    assert b"x" * 321 not in header
    assert max(map(len, header.split(b"\r\n"))) <= 998
