"""Rates: so much in a time, as a person writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.config.check import toml_value
from byreturn.config.errors import Bad
from byreturn.config.rates import MessageRate, OctetRate
from byreturn.mail import DAY, HOUR, MINUTE, SECOND
from byreturn.policy import Rate

MIB = 1 << 20


def fault(kind, value):
    got = kind.read(value)
    assert isinstance(got, Bad), got
    return got.wrongs[0]


@pytest.mark.parametrize(
    ("text", "rate", "written"),
    [
        ("100/min", Rate(100, MINUTE), "100/min"), ("100/m", Rate(100, MINUTE), "100/min"),
        ("100/1min", Rate(100, MINUTE), "100/min"), ("5/s", Rate(5, SECOND), "5/s"),
        ("2000/h", Rate(2000, HOUR), "2000/h"), ("10/15m", Rate(10, 15 * MINUTE), "10/15m"),
        ("10/60m", Rate(10, HOUR), "10/h"), ("1/d", Rate(1, DAY), "1/d"), ("1/24h", Rate(1, DAY), "1/d"),
        ("7/90s", Rate(7, 90 * SECOND), "7/90s"), ("007/s", Rate(7, SECOND), "7/s"),
        ("1000000/s", Rate(1_000_000, SECOND), "1000000/s"),
    ],
)  # fmt: skip
def test_messages_in_a_time(text, rate, written):
    assert MessageRate().read(text) == rate
    assert MessageRate().write(rate) == f'"{written}"'


@pytest.mark.parametrize(
    ("text", "rate", "written"),
    [
        ("10MiB/min", Rate(10 * MIB, MINUTE), "10MiB/min"),
        ("1.5MiB/s", Rate(3 * MIB // 2, SECOND), "1536KiB/s"),
        ("500kB/s", Rate(500_000, SECOND), "500kB/s"), ("5000/s", Rate(5000, SECOND), "5kB/s"),
        ("1025/h", Rate(1025, HOUR), "1025/h"), ("1GiB/12h", Rate(1 << 30, 12 * HOUR), "1GiB/12h"),
    ],
)  # fmt: skip
def test_octets_in_a_time(text, rate, written):
    assert OctetRate().read(text) == rate
    assert OctetRate().write(rate) == f'"{written}"'


@pytest.mark.parametrize(
    "value",
    [
        "", "100", "/min", "100/", "100 /min", "100/ min", "100/min ", "100/week", "100/ms", "1.5/s", "-1/s",
        "1e3/s", "100/-1m", "100/1.5m", "10MiB/min", "100/min/h", "٣/s", "100/m\n", "x" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_rate(value):
    wrong = fault(MessageRate(), value)
    assert wrong.what == "not a rate"
    assert wrong.remedy.endswith('a time, such as "100/min", "5/s" or "10/15m".')


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("10/min", "out of bounds"), ("2TiB/s", "out of bounds"), ("10Mb/min", "not a size"),
        ("0.0001MB/s", "out of bounds"), ("1.0001kB/s", "not a whole number of octets"),
        ("MiB/s", "not a size"),
        ("10 MiB/s", "not a rate"), ("10MiB", "not a rate"), (10, "a whole number where a rate is needed"),
    ],
)  # fmt: skip
def test_what_is_no_rate_of_octets(value, what):
    wrong = fault(OctetRate(), value)
    assert wrong.what == what
    assert wrong.remedy == 'Write a size from 1KiB to 1TiB and a time, such as "10MiB/min" or "500kB/s".'


@pytest.mark.parametrize("text", ["0/s", "1000001/s", "9" * 24 + "/s"])
def test_a_number_of_messages_has_bounds(text):
    assert fault(MessageRate(), text).what == "out of bounds"


@pytest.mark.parametrize("kind", [MessageRate(), OctetRate()])
@pytest.mark.parametrize("time", ["0s", "0h", "2d", "25h", "99999d"])
def test_a_time_has_bounds(kind, time):
    wrong = fault(kind, f"2000/{time}")
    assert (wrong.what, wrong.remedy) == ("out of bounds", "Write a time from 1s to 1d.")


@pytest.mark.parametrize("value", [5, 1.5, True, ["5/s"], {}, None])
def test_a_rate_is_a_text(value):
    assert fault(MessageRate(), value).what.endswith("where a rate is needed")


@given(st.integers(1024, 1_000_000), st.integers(1, 86_400).map(lambda seconds: seconds * SECOND))
def test_a_rate_that_is_written_is_read_as_the_same(amount, per):
    for kind in (MessageRate(), OctetRate()):
        assert kind.read(toml_value(kind.write(Rate(amount, per)))) == Rate(amount, per)
