"""Instants: as a header wants them, as a log wants them, as people say them."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import DAY, HOUR, MINUTE, SECOND, in_words, iso_date, rfc5322_date

instants = st.integers(0, 4_102_444_799_999)  # to the end of 2099
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(instants, zones)
def test_a_date_in_a_header_names_the_second_in_any_zone(at, zone):
    written = rfc5322_date(at, zone)
    assert parsedate_to_datetime(written).timestamp() == at // SECOND
    assert written.isascii()


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
        (1_772_527_266_982, "Tue, 3 Mar 2026 08:41:06 +0000"),
        (2_147_483_648_000, "Tue, 19 Jan 2038 03:14:08 +0000"),
    ],
)
def test_a_date_in_a_header(at, written):
    assert rfc5322_date(at) == written


def test_a_date_in_a_header_has_a_numeric_zone():
    zone = timezone(timedelta(hours=-3, minutes=-30), "NST")
    assert rfc5322_date(1_772_527_266_982, zone) == "Tue, 3 Mar 2026 05:11:06 -0330"


@given(instants)
def test_an_iso_date_tells_the_millisecond(at):
    written = iso_date(at)
    assert written.endswith("Z")
    assert datetime.fromisoformat(written) == datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at)


@given(instants, instants)
def test_iso_dates_sort_as_the_instants_do(one, other):
    assert (iso_date(one) < iso_date(other)) == (one < other)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (0, "0 ms"),
        (250, "250 ms"),
        (1 * SECOND, "1 second"),
        (1_500, "1500 ms"),
        (90 * SECOND, "90 seconds"),
        (1 * MINUTE, "1 minute"),
        (61 * MINUTE, "61 minutes"),
        (1 * HOUR, "1 hour"),
        (25 * HOUR, "25 hours"),
        (1 * DAY, "1 day"),
        (2 * DAY, "2 days"),
        (10 * SECOND + 1, "10 seconds"),
        (2 * DAY + 700, "172801 seconds"),
    ],
)
def test_a_duration_in_words(span, words):
    assert in_words(span) == words


UNITS = {"ms": 1, "second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY}


@given(st.integers(0, 30 * DAY) | st.integers(0, 100).map(lambda n: n * HOUR))
def test_a_duration_in_words_is_the_duration_to_half_a_second(span):
    count, _, unit = in_words(span).partition(" ")
    said = int(count) * UNITS[unit.removesuffix("s") if unit != "ms" else unit]
    assert abs(said - span) <= SECOND // 2
    assert unit == "ms" or (count == "1") != unit.endswith("s")
