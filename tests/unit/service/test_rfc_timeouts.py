"""How long we wait for a peer: RFC 5321 section 4.5.3.2 names the least."""

from __future__ import annotations

from pathlib import Path

import pytest

from byreturn.config import default_configuration, load_text
from byreturn.mail import MINUTE
from byreturn.protocol import ClientPhase
from byreturn.service import Timeouts

LEAST = {
    ClientPhase.GREETING: 5 * MINUTE,
    # Not a limit of the standard, which knows no STARTTLS: a handshake takes two round trips.
    ClientPhase.TLS: 1 * MINUTE,
    ClientPhase.MAIL: 5 * MINUTE,
    ClientPhase.RCPT: 5 * MINUTE,
    ClientPhase.DATA: 2 * MINUTE,
    ClientPhase.CONTENT: 3 * MINUTE,
    ClientPhase.ENDING: 10 * MINUTE,
}


@pytest.mark.parametrize("phase", ClientPhase)
def test_nobody_is_given_up_sooner_than_the_standard_says(phase):
    assert Timeouts().of(phase) >= LEAST.get(phase, 5 * MINUTE)


def test_the_configuration_begins_with_the_same_limits():
    text = default_configuration("data", "mail.here.example")
    config = load_text(text, Path("byreturn.toml"), machine_hostname="mail.here.example")
    assert not isinstance(config, list)
    times, defaults = config.delivery.timeouts, Timeouts()
    assert {name: getattr(times, name) for name in times.__struct_fields__} == {
        name: getattr(defaults, name) for name in defaults.__struct_fields__
    }


def test_a_server_waits_for_its_clients_as_long_as_it_must():
    text = default_configuration("data", "mail.here.example")
    config = load_text(text, Path("byreturn.toml"), machine_hostname="mail.here.example")
    assert not isinstance(config, list)
    # RFC 5321 section 4.5.3.2.7
    assert config.limits.read >= 5 * MINUTE
