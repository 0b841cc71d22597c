"""The table of keys: it agrees with itself, with the model and with what is refused."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.config.samples import FILE, MACHINE, SMALLEST, errors, everything, line_of, read

from byreturn.config import (
    BrakeConfig,
    Config,
    DeliveryConfig,
    DnsConfig,
    DomainConfig,
    HistoryConfig,
    LimitsConfig,
    ListenerConfig,
    LogConfig,
    RelayConfig,
    ReportConfig,
    SenderConfig,
    TimeoutsConfig,
    load_text,
)
from byreturn.config.check import toml_value
from byreturn.config.errors import Bad
from byreturn.config.keys import SECTIONS
from byreturn.policy import RetrySchedule, Terms

ALL = [(section, key) for section in SECTIONS for key in section.keys]
NAMES = [f"{section.path}.{key.name}".lstrip(".") for section, key in ALL]

each_key = pytest.mark.parametrize(("section", "key"), ALL, ids=NAMES)


@each_key
def test_the_example_and_every_default_parse_to_themselves(section, key):
    for text in filter(None, (key.example, key.default, key.imc)):
        value = key.kind.read(toml_value(text))
        assert not isinstance(value, Bad)
        assert key.kind.write(value) == text


@each_key
def test_a_key_explains_itself_in_one_breath(section, key):
    assert key.doc.endswith(".")
    assert 2 <= len(key.doc) <= 230
    assert key.kind.words
    # A default from elsewhere has words for it, one of its own needs none.
    assert not (key.default and key.otherwise)


@each_key
def test_an_example_shows_something_else_than_the_default(section, key):
    assert key.example != key.default or key.name in {"protocol", "store"}


# A date is wrong for every kind; the others are wrong for all but one or two.
NONSENSE = [
    "1979-05-27",
    "[1979-05-27]",
    "{ x = 1979-05-27 }",
    "1.5",
    "-1",
    '"\\u0000"',
    "true",
    "0x" + "F" * 5000,
]


@each_key
def test_a_corrupted_value_is_named_with_its_line(section, key):
    wrong = [text for text in NONSENSE if isinstance(key.kind.read(toml_value(text)), Bad)]
    assert "1979-05-27" in wrong
    for nonsense in wrong:
        text = everything({(section.path, key.name): f"{key.name} = {nonsense}"})
        line = line_of(text, section.path, f"{key.name} = ")
        start = f"byreturn.toml:{line}: {dotted(section, key.name)}"
        assert any(error.startswith(start) for error in errors(text)), errors(text)


@each_key
def test_a_misspelt_key_is_named_with_its_line_and_with_the_key_that_was_meant(section, key):
    for wrong in (f"{key.name}x", f"x{key.name}", f"{key.name}_", key.name[:-1], key.name.upper()):
        text = everything({(section.path, key.name): f"{wrong} = {key.example}"})
        line = line_of(text, section.path, f"{wrong} = ")
        start = f"byreturn.toml:{line}: {dotted(section, wrong)}: unknown key. "
        error = next(error for error in errors(text) if error.startswith(start))
        assert error.endswith(f'Did you mean "{key.name}"?')


@each_key
def test_a_key_without_a_value_to_fall_back_on_is_missed(section, key):
    text = everything({(section.path, key.name): ""})
    if key.is_required:
        line = line_of(text, "", section.heading)
        assert any(
            error.startswith(f"byreturn.toml:{line}: {dotted(section, key.name)}: missing. ")
            for error in errors(text)
        )
    elif key.name == "trusted_line_ends":
        assert "networks without" in errors(text)[0]
    elif key.name == "normalize_from":
        assert "without normalize_from" in errors(text)[0]
    else:
        read(text)


RENAMED = [(section, key) for section, key in ALL if key.formerly]


@pytest.mark.parametrize(("section", "key"), RENAMED, ids=[key.formerly for _, key in RENAMED])
def test_a_key_under_its_former_name_gets_the_new_one(section, key):
    text = everything({(section.path, key.name): f"{key.formerly} = {key.example}"})
    (error,) = errors(text)
    assert error.endswith(
        f'.{key.formerly}: unknown key. Nothing was started. It is called "{key.name}" now.'
    )


def dotted(section, name):
    path = f"{section.path}[0]" if section.is_repeated else section.path
    return f"{path}.{name}".lstrip(".")


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)
toml_values = st.recursive(
    words | st.integers() | st.booleans() | st.floats() | st.dates() | st.datetimes() | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300)
@given(st.sampled_from(ALL), toml_values)
def test_whatever_is_read_can_be_written_and_read_again(entry, value):
    _, key = entry
    got = key.kind.read(value)
    if isinstance(got, Bad):
        assert got.wrongs
        assert all(wrong.what and wrong.remedy.endswith((".", "?")) for wrong in got.wrongs)
    else:
        assert key.kind.read(toml_value(key.kind.write(got))) == got


def test_names_and_sections_are_told_once():
    assert len(set(NAMES)) == len(NAMES)
    paths = [section.path for section in SECTIONS]
    assert len(set(paths)) == len(paths)
    # A section below another one follows it, or TOML could not be written in this order.
    for path in paths:
        assert "." not in path or path.rpartition(".")[0] in paths[: paths.index(path)]
    assert all(first != second for first, second in pairwise(paths))


MODELS = {
    "listener": ListenerConfig,
    "relay": RelayConfig,
    "domain": DomainConfig,
    "dns": DnsConfig,
    "delivery": DeliveryConfig,
    "delivery.timeouts": TimeoutsConfig,
    "report": ReportConfig,
    "sender": SenderConfig,
    "brake": BrakeConfig,
    "limits": LimitsConfig,
    "history": HistoryConfig,
    "log": LogConfig,
}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.path or "top")
def test_the_model_has_a_field_for_every_key_and_no_other(section):
    names = {key.name for key in section.keys}
    if section.path in MODELS:
        fields = set(MODELS[section.path].__struct_fields__)
        assert fields - {"timeouts"} == names
    elif section.path == "":
        assert names <= set(Config.__struct_fields__)
    else:
        assert section.path in {"route", "destination", "retry", "retry.lifetime"}


def test_a_config_holds_what_the_types_of_its_fields_say():
    for text in (SMALLEST, everything()):
        config = read(text)
        for field in (
            *config.listeners, config.relay, *config.domains, config.dns, config.delivery, config.retry,
            config.delivery.timeouts, config.terms, *config.destinations, config.report, *config.senders,
            config.brake, config.limits, config.history, config.log,
        ):  # fmt: skip
            hints = {info.name: info.type for info in msgspec.structs.fields(type(field))}
            for name, hint in hints.items():
                value = getattr(field, name)
                if hint in (int, str, bool):
                    assert type(value) is hint, name
                optional = {
                    "source_address", "tls_roots", "message_rate", "octet_rate", "catalogues", "templates",
                }  # fmt: skip
                assert value is not None or name in optional


def test_the_defaults_of_the_table_are_those_of_the_retry_policy():
    assert read(SMALLEST).retry == RetrySchedule()


def test_the_defaults_of_the_table_are_those_of_the_terms():
    assert read(SMALLEST).terms == Terms(hello=MACHINE)


@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_never_raises(data):
    text = everything()
    at = data.draw(st.integers(0, len(text)))
    until = data.draw(st.integers(at, min(len(text), at + 20)))
    damaged = (
        text[:at]
        + data.draw(words | st.sampled_from(["[", "]", "{", "=", '"', "\n", "[[", "'''"]))
        + text[until:]
    )
    got = load_text(damaged, FILE, machine_hostname=MACHINE)
    assert isinstance(got, Config) or got
    if isinstance(got, list):
        assert all("\n" not in str(error) for error in got)


@given(words)
def test_any_text_is_read_or_refused_and_never_raises(text):
    got = load_text(text, FILE, machine_hostname=MACHINE)
    assert isinstance(got, list)
    assert got
