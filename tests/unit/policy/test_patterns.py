"""Patterns: the closest entry of a table, by whole labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.policy.patterns import PatternTable


def table(*patterns):
    return PatternTable({pattern: pattern for pattern in patterns})


ALL = table("*", "*.example", "*.big.example", "big.example", "mx.big.example", "*.far.big.example")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("big.example", "big.example"), ("mx.big.example", "mx.big.example"),
        ("mx2.big.example", "*.big.example"),
        ("a.mx.big.example", "*.big.example"), ("far.big.example", "*.big.example"),
        ("a.far.big.example", "*.far.big.example"), ("a.b.far.big.example", "*.far.big.example"),
        ("notbig.example", "*.example"), ("example", "*"), ("big.example.org", "*"), ("", "*"), ("*", "*"),
        ("192.0.2.1", "*"), (".", "*"), ("a..big.example", "*.big.example"),
    ],
)  # fmt: skip
def test_the_closest_wins(name, pattern):
    assert ALL.closest(name) == pattern


@pytest.mark.parametrize("name", ["big.example", "notbig.example", "example", "", "mx.big.example.org"])
def test_below_a_name_is_neither_the_name_nor_what_only_ends_like_it(name):
    assert table("*.big.example").closest(name) is None


def test_an_empty_table_matches_nothing():
    assert table().closest("there.example") is None


def test_every_name_has_what_stands_for_all():
    assert table("*").closest("there.example") == "*"


def test_a_pattern_is_no_name():
    assert table("*.example").closest("*.example") == "*.example"
    assert table("*", "b.example").closest("*.example") == "*"


names = st.lists(st.sampled_from("ab"), min_size=1, max_size=5).map(".".join)
patterns = st.lists(names.flatmap(lambda name: st.sampled_from([name, f"*.{name}"])), max_size=8)


@given(names, patterns, st.booleans())
def test_the_closest_is_what_comparing_every_pattern_finds(name, some, has_all):
    below = [one for one in some if one.startswith("*.") and name.endswith(one[1:])]
    rest = "*" if has_all else None
    expected = name if name in some else max(below, key=len, default=rest)
    assert table(*some, *(["*"] if has_all else [])).closest(name) == expected
