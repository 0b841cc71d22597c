"""What every Resolver promises where servers contradict each other: each is heard, and by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.contract.resolvers import STAGES, Stage
from tests.sim.names import Lie

from byreturn.ports import LookupFailed, MxAnswer, MxFound, NoRecords, NoSuchName, Opinion, Verdict

Make = Callable[..., Stage]


@pytest.fixture(params=list(STAGES))
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    stages: list[Stage] = []

    def made(*lies: Lie | None) -> Stage:
        stages.append(STAGES[request.param](*lies))
        return stages[-1]

    yield made
    for stage in stages:
        stage.close()


def poll(stage: Stage, name: str) -> tuple[Opinion, ...]:
    return stage.ask(lambda done: stage.resolver.poll(name, done))


def verdicts(stage: Stage, name: str) -> list[Verdict]:
    opinions = poll(stage, name)
    assert tuple(opinion.server for opinion in opinions) == stage.names
    return [opinion.verdict for opinion in opinions]


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("example.org", Verdict.EXISTS),
        ("EXAMPLE.org.", Verdict.EXISTS),
        ("bare.example.org", Verdict.EXISTS),
        ("missing.example.org", Verdict.DENIED),
        ("", Verdict.EXISTS),
    ],
)
def test_every_server_is_asked_and_named(make: Make, name: str, verdict: Verdict) -> None:
    assert verdicts(make(None, None), name) == [verdict, verdict]


def test_a_liar_is_alone_with_its_denial(make: Make) -> None:
    stage = make(Lie.DENIES_ALL, None)
    assert verdicts(stage, "example.org") == [Verdict.DENIED, Verdict.EXISTS]
    assert verdicts(stage, "") == [Verdict.DENIED, Verdict.EXISTS]


def test_a_liar_may_admit_the_root(make: Make) -> None:
    stage = make(Lie.DENIES_ALL_BUT_THE_ROOT)
    assert verdicts(stage, "example.org") == [Verdict.DENIED]
    assert verdicts(stage, "") == [Verdict.EXISTS]


def test_silence_is_no_word_and_holds_nobody_up_for_ever(make: Make) -> None:
    stage = make(Lie.SILENT, None)
    for _ in range(3):
        assert verdicts(stage, "example.org") == [Verdict.NO_WORD, Verdict.EXISTS]
    stage.tell(0, None)
    assert verdicts(stage, "example.org") == [Verdict.EXISTS, Verdict.EXISTS]


def test_an_opinion_is_never_told_from_inside(make: Make) -> None:
    stage = make(None)
    returned: list[bool] = []
    inside: list[bool] = []

    def asking(done: Callable[[tuple[Opinion, ...]], None]) -> None:
        def tell(opinions: tuple[Opinion, ...]) -> None:
            inside.append(not returned)
            done(opinions)

        stage.resolver.poll("example.org", tell)
        returned.append(True)

    stage.ask(asking)
    assert inside == [False]


def test_all_who_poll_at_the_same_time_are_told(make: Make) -> None:
    stage = make(None)
    told: list[tuple[Opinion, ...]] = []

    def asking(done: Callable[[tuple[Opinion, ...]], None]) -> None:
        stage.resolver.poll("example.org", told.append)
        stage.resolver.poll("example.org", told.append)
        stage.resolver.poll("example.org", done)

    assert [stage.ask(asking), *told] == [(Opinion(stage.names[0], Verdict.EXISTS),)] * 3


def mx(stage: Stage, domain: str, *, anew: bool = False) -> MxAnswer:
    def asking(done: Callable[[MxAnswer], None]) -> None:
        stage.resolver.mx(domain, done, anew=anew)

    return stage.ask(asking)


@pytest.mark.parametrize("domain", ["example.org", "bare.example.org"])
def test_an_absence_is_kept_unless_it_is_asked_for_anew(make: Make, domain: str) -> None:
    stage = make(Lie.DENIES_ALL)
    assert mx(stage, domain) == NoSuchName(stage.names[0])
    stage.tell(0, None)
    assert mx(stage, domain) == NoSuchName(stage.names[0])
    truth = mx(stage, domain, anew=True)
    assert isinstance(truth, MxFound if domain == "example.org" else NoRecords)
    assert mx(stage, domain) == truth


def test_a_poll_hears_past_what_is_kept_and_changes_nothing_in_it(make: Make) -> None:
    stage = make(Lie.DENIES_ALL)
    assert isinstance(mx(stage, "example.org"), NoSuchName)
    stage.tell(0, None)
    assert verdicts(stage, "example.org") == [Verdict.EXISTS]
    assert isinstance(mx(stage, "example.org"), NoSuchName)


def test_look_ups_go_past_a_silent_server(make: Make) -> None:
    stage = make(Lie.SILENT, None)
    assert isinstance(mx(stage, "example.org"), MxFound)
    assert mx(stage, "missing.example.org") == NoSuchName(stage.names[1])


def test_when_all_are_silent_a_look_up_fails(make: Make) -> None:
    stage = make(Lie.SILENT)
    assert isinstance(mx(stage, "example.org"), LookupFailed)
    assert verdicts(stage, "") == [Verdict.NO_WORD]
