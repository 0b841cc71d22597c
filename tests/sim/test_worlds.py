"""A fixed set of worlds keeps every law; a seed is a world; and a planted bug is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.sim.__main__ import run

import byreturn.service.attempt
import byreturn.spool.owing
import byreturn.spool.settling
from byreturn.mail import Cause
from byreturn.policy import Fate, Refused, Relayed, TlsLevel
from byreturn.service.attempt import Attempt
from byreturn.service.candidates import Candidates, NobodyTook
from byreturn.spool import SpoolRefused
from byreturn.spool.statements import SQL

SEEDS = range(1, 21)
FAILED_ONCE = [int(line) for line in (Path(__file__).parent / "seeds" / "failed-once").read_text().split()]


@pytest.mark.parametrize("seed", [*SEEDS, *FAILED_ONCE])
def test_no_law_is_broken(seed: int) -> None:
    _, wrong = run(seed)
    assert not wrong, f"python -m tests.sim {seed}"


def test_the_worlds_are_eventful() -> None:
    stories = ["\n".join(run(seed)[0].story) for seed in range(1, 7)]
    everything = "\n".join(stories)
    for event in (
        "CRASH before", "CRASH after", "Refused", "PutOff", "Uncertain", "RanOutOfTime", "reported",
        "expired", "destination_failing", "destination_recovered", "undeliverable_report",
        "tls_failed", "tls-failed", "over TLSv1.3",
    ):  # fmt: skip
        assert event in everything, event


def test_a_seed_is_a_world() -> None:
    assert run(7)[0].story == run(7)[0].story


# --- The harness itself: each of these bugs must be found --------------------------------------------


def _says_never(reply: Any) -> Fate:
    return Fate.ACCEPTED if reply.is_positive else Fate.NEVER


def _refusals_wait_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    flush = Attempt._flush

    def late(self: Attempt) -> None:
        if self._is_done or not any(isinstance(found.outcome, Refused) for found in self._found):
            flush(self)

    monkeypatch.setattr(Attempt, "_flush", late)


def _report_not_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SQL, "mark_reported", "SELECT ?1, ?2, ?3, ?4")


def _lost_reply_counts_as_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        byreturn.service.attempt,
        "Uncertain",
        lambda diagnosis, due_at: Relayed(diagnosis),
    )


def _recovery_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SQL, "release_interrupted", "SELECT ?1")


def _reports_are_not_owed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byreturn.spool.settling, "owe", lambda *_, **__: None)


def _fourth_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byreturn.service.attempt, "fate_of", _says_never)
    monkeypatch.setattr(
        byreturn.service.attempt, "fate_of_recipient", lambda reply, accepted_before: _says_never(reply)
    )


def _required_is_only_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TlsLevel, "is_needed", property(lambda level: False))


def _required_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        TlsLevel, "goes_on_in_clear_text", lambda level, finding: finding.cause is Cause.TLS_FAILED
    )


def _certificates_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TlsLevel, "checks_certificate", property(lambda level: False))


def _no_tls_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Candidates, "verdict", lambda all: NobodyTook((all._findings + all._refusals)[-1]))


@pytest.mark.parametrize(
    "plant",
    [
        _required_is_only_asked_for,
        _required_falls_back,
        _certificates_are_not_looked_at,
        _no_tls_is_final,
        _refusals_wait_for_the_end,
        _report_not_marked,
        _lost_reply_counts_as_delivered,
        _recovery_forgets,
        _reports_are_not_owed,
        _fourth_is_final,
    ],
)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    for seed in range(1, 13):
        try:
            if run(seed)[1]:
                return
        except (AssertionError, SpoolRefused):
            return
    pytest.fail("twelve worlds ran with this bug, and no law was broken")
