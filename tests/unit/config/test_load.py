"""Reading a file: what a good one means, and what stops one that cannot be read at all."""

import tomllib
from ipaddress import ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.config.samples import FILE, MACHINE, SMALLEST, USUAL, errors, everything, read

from byreturn.config import Alias, BrakeConfig, Config, load, load_text
from byreturn.mail import DAY, HOUR, MINUTE, SECOND, Mailbox
from byreturn.policy import NextHop, Rate, RetrySchedule, StaticRoute, Terms, TlsLevel
from byreturn.ports import Endpoint


def test_a_usual_file():
    config = read(USUAL)
    assert config.hostname == "mail.example.org"
    assert config.data == FILE.parent / "byreturn-data"
    assert config.listeners[0].bind == (Endpoint("127.0.0.1", 2525), Endpoint("::1", 2525))
    assert config.relay.allow == (ip_network("127.0.0.0/8"), ip_network("::1"))
    (domain,) = config.domains
    assert domain.mailboxes == ("info", "sales")
    assert domain.aliases == (
        Alias("office", (Mailbox("info", "example.org"), Mailbox("sales", "example.org"))),
    )
    assert config.dns.servers == (Endpoint("127.0.0.1", 5353),)
    assert config.delivery.allow_private == (ip_network("127.0.0.0/8"),)
    assert config.routes == (StaticRoute("*.partner.example", (NextHop("127.0.0.1", 2601),)),)
    assert config.retry == RetrySchedule()
    assert config.report.gather == SECOND
    assert config.limits.message_octets == 50 << 20


def test_the_smallest_file_has_every_default():
    config = read(SMALLEST)
    assert (config.hostname, config.node, config.domains, config.routes) == (MACHINE, 0, (), ())
    assert config.data == FILE.parent / "byreturn-data"
    assert config.listeners[0].trusted_line_ends == "refuse"
    assert config.relay.allow == ()
    assert not config.relay.refuse_unknown_recipients_in_session
    assert config.dns.servers == ()
    assert config.delivery.hello == MACHINE
    assert config.delivery.source_address is None
    assert config.delivery.tls is TlsLevel.OPPORTUNISTIC
    assert config.delivery.tls_roots is None
    assert config.delivery.timeouts.end_of_content == 10 * MINUTE
    assert config.report.postmaster == Mailbox("postmaster", MACHINE)
    assert config.report.delay_notice_after == (4 * HOUR,)
    assert config.limits.recipients == 1000
    assert config.history.keep == 30 * DAY
    assert config.brake == BrakeConfig(known_names=(), denied_destinations=20, keep_trying=4 * HOUR)
    assert config.destinations == ()
    assert config.delivery.connections_per_address == 50
    assert config.log.format == "human"


def test_every_key_can_be_set_at_once():
    config = read(everything())
    assert config.node == 1
    assert config.listeners[0].normalize_from == (ip_network("192.0.2.128/25"),)
    assert config.delivery.source_address == "192.0.2.25"
    assert config.delivery.tls is TlsLevel.REQUIRED
    assert config.delivery.tls_roots == FILE.parent / "roots.pem"
    assert config.log.format == "json"


def test_values_that_follow_from_others():
    text = 'hostname = "Mail.Example.ORG"\n' + SMALLEST
    assert read(text).delivery.hello == "mail.example.org"
    assert read(text).report.postmaster == Mailbox("postmaster", "mail.example.org")
    text += '[[domain]]\nname = "one.example"\nmailboxes = "*"\n'
    text += '[[domain]]\nname = "two.example"\nmailboxes = []\n'
    config = read(text)
    assert config.report.postmaster == Mailbox("postmaster", "one.example")
    assert [domain.mailboxes for domain in config.domains] == ["*", ()]
    text += (
        '[delivery]\nport = 2526\n[[route]]\ndomain = "*"\nhosts = ["a.example", "b.example:25", "[::1]"]\n'
    )
    assert read(text).routes[0].hops == (
        NextHop("a.example", 2526),
        NextHop("b.example", 25),
        NextHop("::1", 2526),
    )


def test_the_data_folder_is_found_from_the_folder_of_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_text(SMALLEST, Path("etc/byreturn.toml"), machine_hostname=MACHINE)
    assert config.data == tmp_path / "etc" / "byreturn-data"
    assert read('data = "../mail"\n' + SMALLEST).data == Path("/etc/byreturn/../mail")
    assert read('data = "/var/lib/byreturn"\n' + SMALLEST).data == Path("/var/lib/byreturn")


def test_the_old_connectors_times_are_a_preset_and_keys_that_are_written_out_win():
    config = read(SMALLEST + '[retry]\npreset = "imc"\n')
    assert config.retry == RetrySchedule(
        intervals=(15 * MINUTE, 30 * MINUTE, 1 * HOUR, 4 * HOUR),
        urgent=24 * HOUR,
        normal=48 * HOUR,
        non_urgent=72 * HOUR,
    )
    config = read(SMALLEST + '[retry]\npreset = "imc"\nintervals = ["1m"]\nlifetime.normal = "3h"\n')
    assert config.retry.intervals == (MINUTE,)
    assert (config.retry.urgent, config.retry.normal, config.retry.non_urgent) == (DAY, 3 * HOUR, 3 * DAY)


# --- Rules for destinations ---------------------------------------------------------------------------

GENERAL = """
[delivery]
connections_per_destination = 7
messages_per_connection = 8
recipients_per_transaction = 9
source_address = "192.0.2.25"
hello = "out.example.org"
[retry]
preset = "imc"
after_4yz = ["2m"]
probe_limit = "10m"
"""


def test_what_a_rule_leaves_out_is_as_for_everybody():
    config = read(SMALLEST + '[[destination]]\nmatch = "Partner.Example."\n' + GENERAL)
    schedule = RetrySchedule(
        after_4yz=(2 * MINUTE,),
        intervals=(15 * MINUTE, 30 * MINUTE, 1 * HOUR, 4 * HOUR),
        probe_limit=10 * MINUTE,
        urgent=1 * DAY,
        normal=2 * DAY,
        non_urgent=3 * DAY,
    )
    assert config.terms == Terms(
        connections=7,
        messages_per_connection=8,
        recipients=9,
        source_address="192.0.2.25",
        hello="out.example.org",
        schedule=schedule,
    )
    assert config.destinations == (replace(config.terms, match="partner.example"),)


def test_what_a_rule_says_wins():
    rule = """
[[destination]]
match = "mx:*.big.example"
connections = 1
messages_per_connection = 2
recipients_per_transaction = 3
message_rate = "10/15m"
octet_rate = "1MiB/s"
after_4yz = []
intervals = ["3h"]
probe_limit = "2h"
lifetime = "12h"
source_address = "192.0.2.26"
hello = "slow.example.org"
"""
    (terms,) = read(SMALLEST + rule + GENERAL).destinations
    assert terms == Terms(
        match="mx:*.big.example",
        connections=1,
        messages_per_connection=2,
        recipients=3,
        message_rate=Rate(10, 15 * MINUTE),
        octet_rate=Rate(1 << 20, SECOND),
        source_address="192.0.2.26",
        hello="slow.example.org",
        schedule=RetrySchedule(
            after_4yz=(),
            intervals=(3 * HOUR,),
            probe_limit=2 * HOUR,
            urgent=12 * HOUR,
            normal=12 * HOUR,
            non_urgent=12 * HOUR,
        ),
    )


def test_a_rule_for_all_other_mail_is_no_default_for_the_other_rules():
    text = '[[destination]]\nmatch = "*"\nconnections = 3\n[[destination]]\nmatch = "partner.example"\n'
    rest, partner = read(SMALLEST + text).destinations
    assert (rest.connections, partner.connections) == (3, 20)


def test_a_lifetime_may_be_shorter_than_the_first_wait():
    assert read(SMALLEST + '[retry]\nlifetime = { normal = "20s" }\n').retry.normal == 20 * SECOND


def test_a_machine_without_a_proper_name_needs_a_hostname():
    got = load_text(SMALLEST, FILE, machine_hostname="my_machine")
    assert "hostname: not set, and the machine's name 'my_machine' will not do" in str(got[0])
    assert isinstance(load_text('hostname = "a.example"\n' + SMALLEST, FILE, machine_hostname=""), Config)
    config = load_text(SMALLEST, FILE, machine_hostname="Machine.Example.")
    assert config.hostname == "machine.example"


def test_private_networks_may_be_as_large_as_they_are():
    config = read(SMALLEST + '[relay]\nallow = ["10.0.0.0/8", "fc00::/7", "fe80::/10"]\n')
    assert len(config.relay.allow) == 3


def test_free_ports_are_not_in_each_others_way():
    assert len(read('[[listener]]\nbind = ["127.0.0.1:0", "127.0.0.1:0"]\n').listeners[0].bind) == 2
    assert len(read('[[listener]]\nbind = ["0.0.0.0:25", "[::]:25"]\n').listeners[0].bind) == 2


def test_errors_have_parts_that_programs_can_use():
    (error,) = load_text(
        SMALLEST + '[retry]\nintervals = ["15m",\n "30 min"]\n', FILE, machine_hostname=MACHINE
    )
    assert (error.file, error.line, error.key, error.found) == (
        str(FILE),
        5,
        "retry.intervals[1]",
        '"30 min"',
    )
    assert str(error) == (
        '/etc/byreturn/byreturn.toml:5: retry.intervals[1] = "30 min": not a duration. Nothing was started. '
        'Write a number and a unit, such as "30m" or "1h".'
    )


def test_errors_come_in_the_order_of_their_lines():
    numbers = [
        int(error.split(":")[1])
        for error in errors("z = 1\nb = 2\n[log]\nx = 1\n[[listener]]\nbind = 5\n[dns]\ny=1")
    ]
    assert numbers == sorted(numbers)
    assert len(numbers) == 5


# --- Files --------------------------------------------------------------------------------------------


def problem(path):
    (error,) = load(path, machine_hostname=MACHINE)
    assert error.file == str(path)
    return str(error).replace(f"{path}", "X")


def test_a_file_on_the_disk(tmp_path):
    path = tmp_path / "byreturn.toml"
    path.write_text(USUAL)
    config = load(path, machine_hostname=MACHINE)
    assert isinstance(config, Config)
    assert config.file == path
    assert config.data == tmp_path / "byreturn-data"


def test_a_file_from_an_editor_that_marks_utf_8_and_ends_lines_its_own_way(tmp_path):
    path = tmp_path / "byreturn.toml"
    path.write_bytes(b"\xef\xbb\xbf" + USUAL.replace("\n", "\r\n").encode())
    assert isinstance(load(path, machine_hostname=MACHINE), Config)


def test_a_missing_file(tmp_path):
    assert problem(tmp_path / "none") == (
        "X: no such file. Nothing was started. Name another file, or write one with: byreturn init"
    )


def test_a_folder(tmp_path):
    assert problem(tmp_path) == "X: a folder, not a file. Nothing was started. Name the file in it."


def test_permission_and_other_trouble_is_told(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", refuse)
    assert "no permission to read it" in problem(tmp_path / "x")
    monkeypatch.setattr(Path, "open", fail)
    assert "cannot be read: Input/output error" in problem(tmp_path / "x")


def test_a_file_in_another_encoding(tmp_path):
    path = tmp_path / "byreturn.toml"
    path.write_bytes(b"# one\n# b\xfccher\n")
    assert (
        problem(path)
        == "X:2: not UTF-8: octet 0xFC at position 9. Nothing was started. Save the file as UTF-8."
    )
    path.write_bytes(USUAL.encode("utf-16"))
    assert "X:1: not UTF-8" in problem(path)


def test_a_file_that_cannot_be_a_configuration_for_its_size(tmp_path):
    path = tmp_path / "byreturn.toml"
    path.write_bytes(b"#" * (8 << 20))
    assert isinstance(load(path, machine_hostname=MACHINE), list)
    path.write_bytes(b"#" * ((8 << 20) + 1))
    assert "larger than 8 MiB" in problem(path)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a = 1\na = 2\nb = 3\n", 2, "not TOML: Cannot overwrite a value at column 6"),
        ("\n\na = [\n\n", 3, "not TOML: Invalid value at the end of the file"),
        (
            "[retry.lifetime]\n[retry.lifetime]\n",
            2,
            'not TOML: Cannot declare "retry.lifetime" twice at column 16',
        ),
        ("a = " + "[" * 5000, None, "nested too deeply"),
        ("a = " + "9" * 5000, None, "a number of thousands of digits"),
    ],
)
def test_what_is_not_toml(text, line, what):
    (error,) = load_text(text, FILE, machine_hostname=MACHINE)
    assert (error.line, error.what) == (line, what)


def test_a_complaint_of_the_toml_reader_without_a_place_is_told_as_it_is(monkeypatch):
    def refuse(_):
        raise tomllib.TOMLDecodeError("Odd")

    monkeypatch.setattr(tomllib, "loads", refuse)
    (error,) = load_text("", FILE, machine_hostname=MACHINE)
    assert (error.line, error.what) == (None, "not TOML: Odd")


def test_the_file_of_another_program_is_not_told_key_by_key():
    told = errors("\n".join(f"key{number} = 1" for number in range(5000)))
    assert len(told) == 52
    assert (
        "byreturn.toml: 5000 unknown keys, of which 50 are told. Nothing was started. Is this the right file?"
        in told
    )


def test_sections_have_a_limit():
    told = errors("\n".join(f'[[listener]]\nbind = ["127.0.0.1:{number}"]' for number in range(1, 102)))
    assert told == ["byreturn.toml:1: listener: 101 of them. Nothing was started. Write at most 100."]
