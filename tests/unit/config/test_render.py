"""What is shown is what is in effect: the effective text, and the first configuration."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.config.samples import SMALLEST, USUAL, everything, read

from byreturn.config import default_configuration, effective_text
from byreturn.config.keys import SECTIONS

MANY = (
    SMALLEST
    + '[[domain]]\nname = "example.org"\nmailboxes = ['
    + ", ".join(f'"box{n}"' for n in range(99))
    + "]\n"
)
IMC = SMALLEST + '[retry]\npreset = "imc"\nlifetime.normal = "3h"\n'
ODD = SMALLEST + '[[domain]]\nname = "example.org"\nmailboxes = "*"\naliases."a.b" = ["x", "y@example.net"]\n'
RULES = (
    IMC
    + """
[[destination]]
match = "partner.example"
message_rate = "60/m"
[[destination]]
match = "mx:*.big.example"
connections = 2
lifetime = "2d"
[delivery]
connections_per_destination = 5
"""
)
SAMPLES = {
    "smallest": SMALLEST,
    "usual": USUAL,
    "everything": everything(),
    "many": MANY,
    "imc": IMC,
    "odd": ODD,
    "rules": RULES,
}


def meaning(config):
    return replace(config, blocks=())


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES)
def test_the_effective_text_means_the_same(text):
    config = read(text)
    assert meaning(read(effective_text(config))) == meaning(config)


optional = [(section, key) for section in SECTIONS for key in section.keys if not section.is_repeated]


@given(st.sets(st.sampled_from(range(len(optional)))))
def test_the_effective_text_of_any_choice_of_keys_means_the_same(chosen):
    left_out = {(section.path, key.name): "" for n, (section, key) in enumerate(optional) if n not in chosen}
    config = read(everything(left_out))
    assert meaning(read(effective_text(config))) == meaning(config)


def test_each_value_tells_where_it_comes_from():
    lines = {line.split(" = ")[0]: line for line in reversed(effective_text(read(USUAL)).splitlines())}
    assert lines["data"].split() == ["data", "=", '"/etc/byreturn/byreturn-data"', "#", "line", "2"]
    assert lines["gather"].endswith("# line 25")
    assert lines["non-urgent"].endswith("# line 23")
    assert lines["probe_limit"].endswith("# default")
    text = effective_text(read(SMALLEST))
    assert "# no [[route]]" in text
    assert "# source_address is not set" in text
    assert "# default: the system's choice" in text
    assert "# default: postmaster at the first domain, or at the hostname" in text
    assert '# preset "imc"' in effective_text(read(IMC))


def test_a_rule_shows_what_holds_for_its_destination_and_where_that_comes_from():
    _, _, text = effective_text(read(RULES)).partition("[[destination]]\n")
    lines = [" ".join(line.split()) for line in text.partition("\n\n")[0].splitlines()]
    assert lines == [
        'match = "partner.example" # line 8',
        "connections = 5 # default: as in [delivery]",
        "messages_per_connection = 100 # default: as in [delivery]",
        "recipients_per_transaction = 100 # default: as in [delivery]",
        'message_rate = "60/min" # line 9',
        "# octet_rate is not set # default: no limit",
        'after_4yz = ["1m", "5m", "15m"] # default: as in [retry]',
        'intervals = ["15m", "30m", "1h", "4h"] # default: as in [retry]',
        'probe_limit = "30m" # default: as in [retry]',
        "# lifetime is not set # default: as in [retry.lifetime]",
        "# source_address is not set # default: as in [delivery]",
        'hello = "machine.example.org" # default: as in [delivery]',
        'tls = "opportunistic" # default: as in [delivery]',
    ]


def test_every_key_is_in_the_effective_text():
    text = effective_text(read(everything()))
    for section in SECTIONS:
        assert section.heading in text
        assert all(f"\n{key.name} = " in text for key in section.keys)


def test_a_long_list_is_broken_and_no_line_runs_away():
    lines = effective_text(read(MANY)).splitlines()
    assert '    "box98",' in lines
    assert max(map(len, lines)) < 140


def test_the_first_configuration_works():
    text = default_configuration('a "quoted" folder', "mail.example.org")
    config = read(text)
    assert config.data.name == 'a "quoted" folder'
    assert config.hostname == "mail.example.org"
    assert all(endpoint.address in {"127.0.0.1", "::1"} for endpoint in config.listeners[0].bind)
    assert all(network.is_loopback for network in config.relay.allow)
    assert [domain.name for domain in config.domains] == ["example.org"]
    assert read(default_configuration("x", "h", domain="a.example")).domains[0].name == "a.example"


@pytest.mark.parametrize("hostname", ["my_laptop", "", "192.0.2.1", 'a"b'])
def test_the_first_configuration_works_on_a_machine_without_a_proper_name(hostname):
    assert read(default_configuration("mail", hostname)).hostname == "localhost"


def test_the_first_configuration_names_only_what_is_not_the_default():
    document = tomllib.loads(default_configuration("mail", "mail.example.org"))
    assert set(document) == {"hostname", "data", "listener", "relay", "domain"}
