"""Reports in the form of those who write most of them: each is read as `of_others/expected.txt` says.

The samples keep to the form of the real ones and to nothing else of them. In the table a line with a name
begins a sample; the lines under it are what must be read, and "nothing" means that it must not be read.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byreturn.report import Reading
from byreturn.report.reading import TEXT_LIMIT
from byreturn.service.hearing import read
from byreturn.transport import read_foreign

SAMPLES = Path(__file__).parent / "of_others"
CONTENTS = {path.stem: path.read_bytes().replace(b"\n", b"\r\n") for path in sorted(SAMPLES.glob("*.eml"))}


def expected() -> dict[str, str]:
    blocks: dict[str, list[str]] = {}
    name = ""
    for line in (SAMPLES / "expected.txt").read_text("utf-8").splitlines():
        if not line.startswith(" "):
            name = line.split(" ")[0]
            blocks[name] = []
        blocks[name].append(line)
    return {name: "\n".join(lines) for name, lines in blocks.items()}


EXPECTED = expected()


def shown(name: str, reading: Reading | None) -> str:
    if reading is None:
        return f"{name}  nothing"
    about = " ".join(
        f"{key}={value}" for key, value in (("envid", reading.envid), ("id", reading.message_id)) if value
    )
    lines = [f"    {line.action.value} {line.recipient} {line.text}".rstrip() for line in reading.lines]
    return "\n".join([f"{name}  {about}".rstrip(), *lines])


def test_every_sample_stands_in_the_table():
    assert sorted(EXPECTED) == sorted(CONTENTS)
    assert len(CONTENTS) >= 30


@pytest.mark.parametrize("name", CONTENTS)
def test_a_report_of_others_is_read(name: str):
    assert shown(name, read(CONTENTS[name], read_foreign)) == EXPECTED[name]


@pytest.mark.parametrize("name", CONTENTS)
def test_bare_line_feeds_make_no_difference(name: str):
    content = CONTENTS[name].replace(b"\r\n", b"\n")
    assert shown(name, read(content, read_foreign)) == EXPECTED[name]


# --- What is no report, and worse ---------------------------------------------------------------------


def check(content: bytes) -> None:
    reading = read(content, read_foreign)
    assert reading is None or reading.lines
    for line in reading.lines if reading else ():
        assert len(line.text) <= TEXT_LIMIT
        assert not set("\r\n\x1b\x00") & set(line.text)


@given(st.binary(max_size=2000))
def test_garbage_never_raises(content: bytes):
    check(content)


@settings(max_examples=200)
@given(st.sampled_from(sorted(CONTENTS)), st.data())
def test_a_damaged_report_never_raises(name: str, data: st.DataObject):
    content = CONTENTS[name]
    at = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(at, min(len(content), at + 400)))
    check(content[:at] + data.draw(st.binary(max_size=40)) + content[end:])


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: multipart/mixed; boundary*0=a\r\n\r\n"
        + b"--a\r\nContent-Type: multipart/mixed; boundary*0=a\r\n\r\n" * 6000,
        b"Content-Type: multipart/report; boundary=a\r\n\r\n" + b"--a\r\n\r\n" * 60_000,
        b"Content-Type: message/rfc822\r\n\r\n" * 10_000,
        b"X-Failed-Recipients: " + b"(" * 300_000 + b"\r\n\r\nx",
        b"Subject: x\r\n\r\nthis message was created automatically by mail delivery software\r\n"
        + b"rcpt to:<" * 40_000,
    ],
    ids=["nested", "many parts", "messages in messages", "comments", "one long line"],
)
def test_what_was_written_to_keep_us_busy_is_not_read(content: bytes):
    assert read(content, read_foreign) is None


def test_what_the_library_says_of_garbage_is_not_logged(caplog: pytest.LogCaptureFixture):
    for content in CONTENTS.values():
        read_foreign(content)
    assert caplog.records == []
