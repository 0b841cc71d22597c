"""Where a key stands: every way in which TOML lets it be written."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.config.errors import path_text
from byreturn.config.lines import Lines

TEXT = '''\
# a comment with [brackets] and "quotes"
top = "[not.a.header]" # = trailing
"quoted key" = 1
'literal.key' = 2
dotted.inner . deep = 3

[plain]
list = [ # comment ]
    "a, ] b",
    'c # d',
    [1, 2],
    { x = 1, "y z" = [
        3] },
]
multi = """
[no header]
a = "b" \\""" ""
five quotes"""""
after = 1
literal = \'\'\'
it's
[no] \'\'\' # comment
last = 1979-05-27 07:32:00
table = { a = 1, b = { c = "}" }, d = [] }
[[many]]
name = 1
[many.below]
name = 2
[[many]]
name = 3
  [[many.deeper]]
  name = 4
  [[many.deeper]]
  name = 5
[ "q.uoted" . plain ]
x = -1.5e3
empty = ""
[below.plain]
'''

EXPECTED = {
    ("top",): 2,
    ("quoted key",): 3,
    ("literal.key",): 4,
    ("dotted",): 5,
    ("dotted", "inner"): 5,
    ("dotted", "inner", "deep"): 5,
    ("plain",): 7,
    ("plain", "list"): 8,
    ("plain", "list", 0): 9,
    ("plain", "list", 1): 10,
    ("plain", "list", 2): 11,
    ("plain", "list", 2, 1): 11,
    ("plain", "list", 3): 12,
    ("plain", "list", 3, "x"): 12,
    ("plain", "list", 3, "y z"): 12,
    ("plain", "list", 3, "y z", 0): 13,
    ("plain", "multi"): 15,
    ("plain", "after"): 19,
    ("plain", "literal"): 20,
    ("plain", "last"): 23,
    ("plain", "table", "b", "c"): 24,
    ("plain", "table", "d"): 24,
    ("many",): 25,
    ("many", 0): 25,
    ("many", 0, "name"): 26,
    ("many", 0, "below"): 27,
    ("many", 0, "below", "name"): 28,
    ("many", 1): 29,
    ("many", 1, "name"): 30,
    ("many", 1, "deeper", 0, "name"): 32,
    ("many", 1, "deeper", 1): 33,
    ("many", 1, "deeper", 1, "name"): 34,
    ("q.uoted", "plain"): 35,
    ("q.uoted", "plain", "x"): 36,
    ("q.uoted", "plain", "empty"): 37,
    ("below",): 38,
    ("below", "plain"): 38,
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_key_has_its_line(line_end):
    text = TEXT.replace("\n", line_end)
    tomllib.loads(text)
    lines = Lines(text)
    assert {path: lines.of(path) for path in EXPECTED} == EXPECTED


def test_every_path_of_the_document_is_found_and_nothing_above_it_is_taken_for_it():
    found = {path: Lines(TEXT).of(path) for path in paths(tomllib.loads(TEXT))}
    assert None not in found.values()
    assert len(Lines(TEXT)._lines) == len(found)


def paths(value, path=()):
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, below in inner:
        yield from paths(below, (*path, name))


def test_what_is_not_in_the_file_has_the_line_of_what_encloses_it():
    lines = Lines(TEXT)
    assert lines.of(("many", 1, "missing")) == 29
    assert lines.of(("plain", "list", 9)) == 8
    assert lines.of(("nothing", "of", "it")) is None
    assert lines.of(()) is None


@pytest.mark.parametrize(
    "text", ["a", "a = ", "[a", "= 3", 'a = "', "a = 1\n[[b\nc = 2", "[" * 5000, "a=" + "[" * 5000]
)
def test_what_is_not_understood_ends_the_scan_and_nothing_else(text):
    assert Lines("first = 1\n" + text).of(("first",)) == 1


bare = st.text("abc_-9", min_size=1, max_size=4)
quoted = st.text(
    st.characters(codec="utf-8", exclude_characters='"\\\x7f', exclude_categories=["Cc", "Cs"]), max_size=6
)
values = st.recursive(
    st.integers() | st.booleans() | quoted,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(bare | quoted, inner, max_size=3),
    max_leaves=8,
)


def write(value, draw):
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{name}" = {write(below, draw)}' for name, below in value.items()) + " }"
    if isinstance(value, list):
        gap = draw(st.sampled_from(["", " ", "\n", " # ] comment\n"]))
        return f"[{gap}" + "".join(f"{write(below, draw)}{gap},{gap}" for below in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


@given(st.dictionaries(bare, values, min_size=1, max_size=4), st.data())
def test_each_key_of_a_generated_file_is_on_the_line_it_was_written_on(document, data):
    text, expected = "", {}
    for name, value in document.items():
        text += data.draw(st.sampled_from(["", "\n", "# [x]\n"]))
        expected[name] = text.count("\n") + 1
        text += f"{name} = {write(value, data.draw)}\n"
    assert tomllib.loads(text) == document
    lines = Lines(text)
    assert {name: lines.of((name,)) for name in document} == expected
    assert set(lines._lines) == set(paths(document))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("retry", "intervals", 1), "retry.intervals[1]"),
        (("listener", 0, "bind", 2), "listener[0].bind[2]"),
        (("domain", 0, "aliases", "first.last", 0), 'domain[0].aliases."first.last"[0]'),
        (("a\nb",), '"a\\u000Ab"'),
        (("x" * 100,), "x" * 60),
    ],
)
def test_a_path_is_written_as_it_would_be_in_a_file(path, text):
    assert path_text(path) == text
