"""The envelope of a report, and the lines of final delivery, in a small simulated world."""

from __future__ import annotations

import re

import pytest
from tests.sim.spools import SqliteMaker
from tests.sim.world import Simulation

from byreturn.mail import BodyType, Notify, NullPath, Priority, id_text


@pytest.fixture(scope="module")
def world():
    """A world without crashes, in which somebody is owed a report."""
    maker = SqliteMaker()
    simulation = Simulation(2, maker, messages=12, crashes=0)
    try:
        simulation.run()
        yield simulation
    finally:
        maker.remove()


@pytest.fixture(scope="module")
def reports(world):
    """Every report that was queued."""
    found = [new for new in world.accepted() if new.message.about is not None]
    assert len(found) > 3
    return found


def test_a_report_has_the_null_reverse_path_so_that_there_is_none_about_it(world, reports):
    # RFC 5321 section 4.5.5
    assert all(isinstance(new.message.reverse_path, NullPath) for new in reports)
    senders = {new.message.id: new.message.reverse_path for new in world.accepted()}
    assert not [new for new in reports if isinstance(senders[new.message.about], NullPath)]


def test_a_report_asks_for_no_report(reports):
    # RFC 3461 section 6.1: no RET, and of NOTIFY only NEVER.
    for new in reports:
        assert new.message.ret is None
        assert new.message.envid is None
        assert {one.recipient.notify for one in new.recipients} == {Notify.NEVER}
        assert {one.recipient.orcpt for one in new.recipients} == {None}


def test_a_report_goes_to_the_reverse_path_and_to_nobody_else(world, reports):
    # RFC 3461 section 6.1, RFC 3464 section 2
    senders = {new.message.id: new.message.reverse_path for new in world.accepted()}
    for new in reports:
        assert {one.recipient.given for one in new.recipients} == {senders[new.message.about]}


def test_a_report_is_mail_like_any_other_but_goes_first(reports):
    for new in reports:
        assert new.message.priority is Priority.REPORT
        assert new.message.body is BodyType.SEVEN_BIT
        assert new.content.startswith(
            b"Received: by mail.here.example id " + id_text(new.message.id).encode()
        )


def test_final_delivery_writes_the_return_path_once_on_top(world):
    # RFC 5321 section 4.4; Delivered-To: RFC 9228
    assert world.mailboxes.stored
    for stored in world.mailboxes.stored.values():
        head = stored.content.partition(b"\r\n\r\n")[0]
        assert re.match(rb"Return-Path: <[^<>\r\n]*>\r\nDelivered-To: [^\r\n]+\r\nReceived: ", head)
        # Of the report's own: a message that it returns begins behind the first empty line.
        assert head.count(b"Return-Path:") == 1
