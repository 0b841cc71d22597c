"""`byreturn metrics`: what the server counts, as it is."""

from tests.cli.doors import ScriptedDoor

from byreturn.config import COPY_CLASSES
from byreturn.mail import Action
from byreturn.telemetry import Meter


def test_the_numbers_are_shown_as_the_server_gives_them(byreturn, spool):
    meter = Meter(COPY_CLASSES)
    meter.report_durable((Action.FAILED,), 12)
    text = meter.exposition()
    with ScriptedDoor(byreturn.data, {"answer": "metrics", "text": text}) as there:
        result = byreturn("metrics")
    assert (result.status, result.out, result.err) == (0, text, "")
    assert there.heard == [{"do": "metrics"}]


def test_without_a_server_there_are_none(byreturn, spool):
    result = byreturn("metrics")
    assert (result.status, result.out) == (75, "")
    assert "no server answers at" in result.err
