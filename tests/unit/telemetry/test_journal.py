"""Facts about reports, as lines."""

import json
import os

import pytest
from tests.sim.clock import VirtualClock

from byreturn.mail import QueueId
from byreturn.telemetry import Journal


@pytest.fixture
def told(tmp_path):
    """Tell facts to a journal; return its lines, read."""

    def tell(*facts):
        path = tmp_path / "journal"
        with path.open("wb") as file:
            journal = Journal(VirtualClock(), "json", file.fileno())
            for fact in facts:
                fact(journal)
            journal.close()
            os.fsync(file.fileno())
        return [json.loads(line) for line in path.read_text().splitlines()]

    return tell


def test_a_late_report_says_how_late(told):
    (fact,) = told(lambda journal: journal.report_late(QueueId(1), QueueId(2), 90_500))
    assert fact["fact"] == "report late"
    assert (fact["took"], fact["took_ms"]) == ("90 seconds", 90_500)
    assert fact["id"] != fact["report"]


def test_a_report_that_is_not_fit_says_why_and_how_it_went_out(told):
    many = tuple(f"complaint {number}" for number in range(7))
    short, long = told(
        lambda journal: journal.report_rejected_by_lint(QueueId(1), ("no Final-Recipient", "a\r\nb")),
        lambda journal: journal.report_rejected_by_lint(QueueId(1), many),
    )
    assert (short["fact"], short["now"]) == ("report rejected", "in its plain form")
    assert short["why"] == "no Final-Recipient; a\r\nb"
    assert long["why"].endswith("complaint 4; and 2 more")
