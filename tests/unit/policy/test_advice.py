"""What replies ask of us: in the words of real hosts, and out of any junk that comes as a reply."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import HOUR, SECOND, Reply
from byreturn.policy import Advice, Topic, advice_of
from byreturn.protocol.replies import ReplyReader

TABLE = Path(__file__).parent / "replies-of-hosts.txt"
TOPICS = {"connections": Topic.CONNECTIONS, "messages": Topic.MESSAGES, "pace": Topic.PACE, "-": None}
# Where the columns of the table begin.
TIME, WHO, SAID = 21, 27, 45


def rows():
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            after = line[TIME:WHO].strip()
            expected = Advice(TOPICS[line[:TIME].strip()], None if after == "-" else int(after) * SECOND)
            yield line[WHO:SAID].strip(), line[SAID:], expected


ROWS = list(rows())


def said(text):
    (reply,) = ReplyReader().receive(text.replace("\\n", "\r\n").encode() + b"\r\n")
    return reply


def asked(text):
    return advice_of(Reply(451, None, (text,)))


@pytest.mark.parametrize(
    ("who", "text", "expected"), ROWS, ids=[f"{who}: {text[:40]}" for who, text, _ in ROWS]
)
def test_real_replies(who, text, expected):
    assert said(text).is_transient
    assert advice_of(said(text)) == expected


def test_the_table_is_large_and_says_nothing_twice():
    assert len(ROWS) > 100
    assert len({text for _, text, _ in ROWS}) == len(ROWS)
    assert {expected.topic for _, _, expected in ROWS} == set(TOPICS.values())


@pytest.mark.parametrize(("who", "text", "expected"), ROWS[:3])
def test_a_verdict_is_no_advice(who, text, expected):
    assert advice_of(said(f"5{text[1:]}".replace(" 4.", " 5."))) == Advice()
    assert advice_of(Reply(250, None, ("too many connections, try again in 5 minutes",))) == Advice()


def test_shouted_advice_over_several_lines_is_advice():
    reply = Reply(421, None, ("TOO MANY", "CONNECTIONS. TRY AGAIN", "IN 5 MINUTES"))
    assert advice_of(reply) == Advice(Topic.CONNECTIONS, 300 * SECOND)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("try again in 45s", 45), ("try again in 1 min", 60), ("try again in 2 mins", 120),
        ("retry after 20 minutes", 1200), ("try again in 2 hours", 7200), ("try again in 1 hr", 3600),
        ("please wait at least 5 minutes before you send again", 300), ("come back after 90 secs", 90),
        ("try again in 4 minutes and 30 seconds", 270), ("try again in 4m30s", 270),
        ("try again in 1h 5m", 3900), ("deferred for the next 5 minutes", 300),
        ("gray-listed: 5 minutes", 300),
        ("greylisted (300 seconds remaining)", 300), ("rejected for 10 minutes", 600),
        # Within bounds: nobody is asked at once, and nobody may keep mail for days.
        ("try again in 1 second", 10), ("try again in 00:00:03", 10), ("try again in 5 hours", 14_400),
        ("try again in 3 days", 14_400), ("try again in 999999 hours", 14_400),
        ("come back in 99:99:99", 14_400),
    ],
)  # fmt: skip
def test_times(text, seconds):
    assert asked(text).after == seconds * SECOND


@pytest.mark.parametrize(
    "text",
    [
        "try again in 0 seconds", "come back in 00:00:00", "try again later", "try again in 5",
        "try again in 5x",
        "try again in a few minutes", "as of 10:00:00 we are closed", "try again after 14:30:00",
        "at 10:00:00 try again", "try again; you came 20 seconds ago", "timed out after 300 seconds",
        "idle for 5 minutes, closing", "5 minutes", "try again, 3 messages queued", "again <5m@example.com>",
        "try again later id 4.5 s", "try again later 7hq2m9s-1", "message-id 20 min", "retry http://x.example/5m",
        "Deferred: connection timed out after 30 seconds", "greylisted since 5 minutes ago",
        "try again in 1234567 seconds", "delivered 5 minutes after you tried",
    ],
)  # fmt: skip
def test_what_is_no_time_to_come_again(text):
    assert asked(text).after is None


@pytest.mark.parametrize(
    "text",
    [
        "the mail rated as spam", "we accelerate limitless mail", "too many recipients", "too many hops",
        "too many invalid recipients", "connection timed out", "connection refused", "session expired",
        "unlimited connection", "throughput is low",
    ],
)  # fmt: skip
def test_what_asks_for_nothing(text):
    assert asked(text) == Advice()


# --- Junk ---------------------------------------------------------------------------------------------

PIECES = [
    "too many ", "connections ", "messages ", "again ", "in ", "wait", "greylist", "deferred for ",
    "exceeded ",
    "max", "rate", "00:05:00", "5", " minutes", "s", ":", "a ", " ", "per ", "session",
    "for this ", "messages from ",
]  # fmt: skip
texts = st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


@given(st.integers(200, 599), st.lists(texts, max_size=4).map(tuple))
def test_any_text_is_read_and_any_time_is_within_bounds(code, lines):
    advice = advice_of(Reply(code, None, lines))
    assert advice.after is None or 10 * SECOND <= advice.after <= 4 * HOUR
    assert advice == Advice() or 400 <= code <= 499


@pytest.mark.parametrize(
    "piece", [*PIECES, "exceeded x", "again x", "again in 1", "1 ", "0", "messages from x"]
)
def test_a_long_text_takes_no_longer_than_a_short_one(piece):
    text = piece * (65_536 // len(piece))
    best = min(_seconds(text) for _ in range(3))
    # Some 0.3 ms; the rest is for a machine that is busy with other things.
    assert best < 0.02


def _seconds(text):
    start = time.perf_counter()
    asked(text)
    return time.perf_counter() - start
