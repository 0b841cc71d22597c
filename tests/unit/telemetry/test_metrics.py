"""The meter: each fact moves its own number, and strangers make no new ones."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from byreturn.config import COPY_CLASSES
from byreturn.mail import Action
from byreturn.telemetry import Meter

STEPS = ("durable", "mailbox")


def numbers(meter):
    """Read the exposition as Prometheus would: by name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(meter.exposition())
        for sample in family.samples
    }


@pytest.fixture
def meter():
    return Meter(COPY_CLASSES)


def test_everything_begins_at_zero_and_is_there(meter):
    there = numbers(meter)
    assert set(there.values()) == {0.0}
    assert {("ndr_latency_seconds_count", step) for step in STEPS} <= set(there)
    assert {("ndr_reports_total", action.value) for action in Action} <= set(there)


def test_the_latency_falls_into_its_bucket(meter):
    meter.report_durable((Action.FAILED, Action.FAILED), 7)
    meter.report_durable((Action.FAILED,), 280)
    meter.report_arrived(61_000)
    there = numbers(meter)
    assert there["ndr_latency_seconds_count", "durable"] == 2
    assert there["ndr_latency_seconds_sum", "durable"] == pytest.approx(0.287)
    assert there["ndr_latency_seconds_bucket", "0.005", "durable"] == 0
    assert there["ndr_latency_seconds_bucket", "0.01", "durable"] == 1
    assert there["ndr_latency_seconds_bucket", "0.3", "durable"] == 2
    assert there["ndr_latency_seconds_bucket", "60.0", "mailbox"] == 0
    assert there["ndr_latency_seconds_bucket", "120.0", "mailbox"] == 1
    assert there["ndr_reports_total", "failed"] == 3


def test_a_notice_or_a_success_is_counted_and_not_timed(meter):
    meter.report_durable((Action.DELAYED, Action.DELIVERED), 4_000_000)
    there = numbers(meter)
    assert (there["ndr_reports_total", "delayed"], there["ndr_reports_total", "delivered"]) == (1, 1)
    assert there["ndr_latency_seconds_count", "durable"] == 0


def test_a_clock_that_went_back_makes_no_negative_time(meter):
    meter.report_arrived(-5_000)
    assert numbers(meter)["ndr_latency_seconds_sum", "mailbox"] == 0


@pytest.mark.parametrize(
    ("tell", "name"),
    [
        (lambda meter: meter.report_undeliverable("loop"), ("ndr_undeliverable_reports_total", "loop")),
        (lambda meter: meter.postmaster_copied("our-fault"), ("ndr_postmaster_copies_total", "our-fault")),
        (lambda meter: meter.report_rejected_by_lint(), ("ndr_lint_fallbacks_total",)),
        (lambda meter: meter.delay_notice_dropped(), ("ndr_delay_notices_dropped_total",)),
    ],
)
def test_each_fact_moves_its_number_and_no_other(meter, tell, name):
    before = numbers(meter)
    tell(meter)
    tell(meter)
    after = numbers(meter)
    assert {key for key, value in after.items() if value != before.get(key, 0)} == {name}
    assert after[name] == 2


def test_a_word_that_is_not_in_the_list_makes_no_number_of_its_own(meter):
    for index in range(1000):
        meter.report_undeliverable(f"a stranger's word {index}")
    there = numbers(meter)
    assert there["ndr_undeliverable_reports_total", "other"] == 1000
    assert sum(1 for name, *_ in there if name == "ndr_undeliverable_reports_total") == 1


def test_two_meters_count_apart_and_nothing_of_the_process(meter):
    other = Meter(COPY_CLASSES)
    meter.delay_notice_dropped()
    assert numbers(other)[("ndr_delay_notices_dropped_total",)] == 0
    assert set(re.findall(r"^(\w+?)_", meter.exposition(), re.MULTILINE)) == {"ndr"}


def test_the_buckets_reach_from_the_promise_to_the_help_desk(meter):
    edges = re.findall(r'bucket\{le="([^"]+)",step="mailbox"', meter.exposition())
    assert (edges[0], edges[-2:]) == ("0.005", ["600.0", "+Inf"])
