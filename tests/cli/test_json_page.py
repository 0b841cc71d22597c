"""docs/reference/json.md describes every field of every answer."""

import inspect
import re
from pathlib import Path

import msgspec
import pytest

from byreturn.cli import shapes
from byreturn.cli.answers import state_name
from byreturn.cli.shapes import CheckShape, MessageShape, QueueShape, SendTestShape, TraceShape
from byreturn.mail import Action, Phase
from byreturn.policy import Fence, InFlight
from byreturn.spool.rows import EVENT_NAMES, PUT_OFF_WITH_ANOTHER, STATE_NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
SHAPES = [
    shape for _, shape in inspect.getmembers(shapes, inspect.isclass) if issubclass(shape, msgspec.Struct)
]


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape is not msgspec.Struct])
def test_every_field_is_described(shape):
    missing = [name for name in shape.__struct_fields__ if f"`{name}`" not in PAGE]
    assert not missing


def test_every_word_is_described():
    never_kept = ("booked", "given back")
    kept = [*EVENT_NAMES.values(), PUT_OFF_WITH_ANOTHER]
    events = [name.replace(" ", "_") for name in kept if name not in never_kept]
    states = [name.replace(" ", "_") for name in STATE_NAMES]
    assert [word for word in (*events, *states, *Phase, *Action) if f"`{word}`" not in PAGE] == []
    assert state_name(InFlight(Fence(1, 1))) == "in_flight"


# What version 1 promised. A field may be added here; one that is taken away needs a new version.
VERSION_1 = {
    QueueShape: "at server_running recipients totals",
    TraceShape: "at address recipients",
    MessageShape: """at id reverse_path subject message_id accepted_at expires_at octets recipient_count body
        ret envid priority is_bulk about origin recipients later""",
    SendTestShape: "outcome server reverse_path recipient reply id message",
    CheckShape: "file ok errors effective",
    shapes.RecipientShape: """id reverse_path subject octets accepted_at recipient given destination state
        disposition changed_at expires_at attempts next_try_at status diagnosis destination_failing""",
    shapes.LifeShape: "ordinal notify orcpt history reports later",
    shapes.DiagnosisShape: "who host address phase code status lines cause detail",
    shapes.FailingShape: "since failures next_try_at diagnosis others_waiting",
    shapes.AttemptShape: "number event began_at ended_at status diagnosis",
    shapes.ReportShape: "action due_at owed_at is_silent report_id sent_at report_state kind",
    shapes.LaterShape: "at action text report_id host",
    shapes.ReportsShape: "at undeliverable reports",
    shapes.ReportMadeShape: "about",
    shapes.BrakeShape: "at server_running on since why cause destinations_held server",
    shapes.ServerShape: """connections connections_unproven connections_limit recipients_in_flight
        destinations_failing""",
    shapes.ActShape: "at act done destinations note",
    shapes.DestinationsShape: "at server_running destinations limits",
    shapes.DestinationShape: """name waiting in_flight failures since last_try_at next_try_at diagnosis
        took_mail_at denied_since hosts rule""",
    shapes.LimitShape: "hosts kind value reason learned_at ends_at suggestion",
    shapes.RuleShape: "match line",
    shapes.TotalsShape: "recipients waiting waiting_for_destination in_flight held parked",
}


@pytest.mark.parametrize("shape", VERSION_1)
def test_version_1_keeps_its_promise(shape):
    assert set(VERSION_1[shape].split()) <= set(shape.__struct_fields__)
    assert re.search(r'`"version": 1`', PAGE)
