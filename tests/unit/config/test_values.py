"""Quantities and lists: what is read, what is refused, how it is written back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.config.check import toml_value
from byreturn.config.errors import Bad, Complaints, Wrong, quoted, shown
from byreturn.config.lines import Lines
from byreturn.config.values import (
    AllOr,
    Choice,
    Flag,
    ListOf,
    Octets,
    Span,
    Whole,
    duration_text,
    size_text,
)
from byreturn.mail import DAY, HOUR, MINUTE, SECOND

ANY_SPAN = Span(0, 10**9 * DAY)
ANY_SIZE = Octets(0, 1 << 60)


def faults(got):
    assert isinstance(got, Bad), got
    return [wrong.what for wrong in got.wrongs]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0s", 0), ("0ms", 0), ("1ms", 1), ("250ms", 250), ("1s", SECOND), ("1.5h", 90 * MINUTE),
        ("15m", 15 * MINUTE), ("24h", DAY), ("5d", 5 * DAY), ("0.25h", 15 * MINUTE), ("0.001s", 1),
    ],
)  # fmt: skip
def test_durations(text, span):
    assert ANY_SPAN.read(text) == span


@pytest.mark.parametrize(
    "text",
    [
        "", "1", "m", "30 min", "30min", "30 m", " 30m", "30m ", "1h30m", "-5m", "+5m", "1.h", ".5h", "1,5h",
        "5D", "1e3s", "٣m", "1w", "1000000000000000000d", "30m\n",
    ],
)  # fmt: skip
def test_what_is_no_duration(text):
    assert faults(ANY_SPAN.read(text)) == ["not a duration"]


def test_a_duration_counts_whole_milliseconds():
    assert faults(ANY_SPAN.read("0.5ms")) == ["finer than a millisecond"]
    assert faults(ANY_SPAN.read("0.0001s")) == ["finer than a millisecond"]


@pytest.mark.parametrize("value", [5, 0, 1.5, True, ["5m"], {}])
def test_a_duration_has_a_unit(value):
    assert faults(ANY_SPAN.read(value))[0].endswith("where a duration is needed")


def test_the_bounds_of_a_duration_belong_to_it():
    kind = Span(10, 1 * HOUR)
    assert kind.read("10ms") == 10
    assert kind.read("1h") == HOUR
    assert faults(kind.read("9ms")) == faults(kind.read("61m")) == ["out of bounds"]
    assert kind.words == "duration, 10ms to 1h"


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (1500, "1500ms"),
        (90 * SECOND, "90s"),
        (90 * MINUTE, "90m"),
        (DAY, "1d"),
        (36 * HOUR, "36h"),
    ],
)
def test_a_duration_is_written_in_its_largest_whole_unit(span, text):
    assert duration_text(span) == text


@given(st.integers(0, 10**6 * DAY))
def test_a_duration_that_is_written_is_read_as_the_same(span):
    assert ANY_SPAN.read(duration_text(span)) == span


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (0, 0), (1, 1), (4096, 4096), ("64KiB", 65_536), ("50MiB", 50 << 20), ("1GiB", 1 << 30),
        ("2TiB", 2 << 40), ("1kB", 1000), ("1MB", 10**6), ("3GB", 3 * 10**9), ("1TB", 10**12),
        ("1.5KiB", 1536), ("0.5kB", 500), ("0MB", 0),
    ],
)  # fmt: skip
def test_sizes(value, octets):
    assert ANY_SIZE.read(value) == octets


@pytest.mark.parametrize(
    "text", ["", "5", "5 MB", "5M", "5mb", "5KB", "5Kib", "5MIB", "MB", "-5MB", "5.MB", "5B", "1e3kB", "5MB "]
)
def test_what_is_no_size(text):
    assert faults(ANY_SIZE.read(text)) == ["not a size"]


def test_a_size_counts_whole_octets_within_its_bounds():
    assert faults(ANY_SIZE.read("0.0001kB")) == ["not a whole number of octets"]
    assert faults(ANY_SIZE.read(-1)) == ["out of bounds"]
    assert faults(Octets(10, 20).read(9)) == faults(Octets(10, 20).read(21)) == ["out of bounds"]
    assert Octets(10, 20).read(10) == 10
    assert Octets(10, 20).read(20) == 20


@pytest.mark.parametrize("value", [True, 1.0, ["5MB"], {}])
def test_a_size_is_a_number_or_a_text(value):
    assert faults(ANY_SIZE.read(value))[0].endswith("where a size is needed")


@given(st.integers(0, 1 << 60))
def test_a_size_that_is_written_is_read_as_the_same(octets):
    assert ANY_SIZE.read(toml_value(ANY_SIZE.write(octets))) == octets


def test_a_size_is_written_in_its_largest_whole_unit():
    assert [size_text(size) for size in (0, 998, 1024, 1000, 50 << 20, 1 << 30, 10**9)] == [
        "0", "998", "1KiB", "1kB", "50MiB", "1GiB", "1GB",
    ]  # fmt: skip


def test_numbers():
    kind = Whole(1, 63)
    assert kind.read(1) == 1
    assert kind.read(63) == 63
    assert faults(kind.read(0)) == faults(kind.read(64)) == ["out of bounds"]
    for value in (True, 1.0, "1", [1]):
        assert faults(kind.read(value))[0].endswith("where a whole number is needed")


def test_flags_and_choices():
    assert Flag().read(True) is True
    assert Flag().read(False) is False
    assert faults(Flag().read(0)) == ["a whole number where true or false is needed"]
    assert faults(Flag().read("yes")) == ["a text where true or false is needed"]
    kind = Choice(("human", "json"))
    assert kind.read("json") == "json"
    assert faults(kind.read("JSON")) == ["no such choice"]
    assert kind.read("x").wrongs[0].remedy == 'Write "human" or "json".'
    assert kind.words == '`"human"` or `"json"`'


def test_every_fault_of_a_list_is_told_where_it_is():
    got = ListOf(Span(1, HOUR)).read(["1m", "x", 5, "2h"])
    assert [(wrong.at, wrong.what) for wrong in got.wrongs] == [
        ((1,), "not a duration"),
        ((2,), "a whole number where a duration is needed"),
        ((3,), "out of bounds"),
    ]


def test_lists_have_bounds():
    kind = ListOf(Whole(0, 9), most=3, may_be_empty=False)
    assert kind.read([1, 1, 1]) == (1, 1, 1)
    assert faults(kind.read([])) == ["an empty list"]
    assert faults(kind.read([1, 2, 3, 4])) == ["4 values"]
    assert faults(kind.read({})) == ["a table where a list is needed"]
    assert ListOf(Whole(0, 9)).read([]) == ()


def test_a_text_in_place_of_a_list_gets_its_brackets():
    got = ListOf(Span(1, HOUR)).read("5m")
    assert got.wrongs[0].remedy == 'Put square brackets around it: ["5m"].'


def test_a_set_says_which_value_is_there_twice():
    got = ListOf(Whole(0, 9), is_set=True).read([1, 2, 1, 2])
    assert [(wrong.at, wrong.what) for wrong in got.wrongs] == [((2,), "given twice"), ((3,), "given twice")]


def test_a_star_stands_for_all():
    kind = AllOr(ListOf(Choice(("a", "b"))))
    assert kind.read("*") == "*"
    assert kind.read(["a"]) == ("a",)
    assert kind.write("*") == '"*"'
    assert kind.write(("a", "b")) == '["a", "b"]'
    assert 'Or write "*"' in kind.read("a").wrongs[0].remedy
    assert kind.read(["*"]).wrongs[0].at == (0,)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])))
def test_a_quoted_text_is_one_line_of_toml_for_the_same_text(text):
    assert toml_value(quoted(text)) == text
    assert quoted(text).isprintable()


def test_a_long_value_is_shown_by_its_beginning():
    assert shown("x" * 100) == f'"{"x" * 60}"...'
    assert shown("x" * 60) == f'"{"x" * 60}"'
    assert shown(1 << 64) == shown(-(16**5000)) == "(a number beyond 64 bits)"
    assert [shown(value) for value in (True, False, 5, 1.5, [], [1], {}, {"a": 1})] == [
        "true", "false", "5", "1.5", "[]", "[...]", "{}", "{...}",
    ]  # fmt: skip


def test_a_complaint_about_what_is_not_there_shows_no_value():
    complaints = Complaints("x.toml", Lines("a = 5"), {"a": 5})
    for path in (("a", "b", 0), ("b",), ("a",)):
        complaints.about(path, Wrong("wrong", "Remedy."))
    assert list(map(str, complaints.all())) == [
        "x.toml: b: wrong. Nothing was started. Remedy.",
        "x.toml:1: a.b[0]: wrong. Nothing was started. Remedy.",
        "x.toml:1: a = 5: wrong. Nothing was started. Remedy.",
    ]
