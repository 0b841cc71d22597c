"""The operator's desk: what a person may ask of a server that runs, and what is answered.

    a line -> decoded strictly -> a request -> the desk -> an answer -> a line

Requests and answers are closed unions of structs, so another act is another struct, another branch, and
nothing else. Whoever asks has been let in by the door, which says who it is; each act is told to the journal
under that name, as soon as it is done.

Promises: a line that is not understood changes nothing, and hears what is wrong with it. An answer to an act
comes after its commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, TypeAlias, assert_never

import msgspec
from msgspec import Meta, Struct

from byreturn.mail import Destination, Instant, normal_domain
from byreturn.policy import BrakeCause
from byreturn.ports import SpoolFault, World
from byreturn.service.brake import Brake
from byreturn.service.dispatch import Dispatcher
from byreturn.service.relay import Relay
from byreturn.service.routes import NoWay, ToHosts, ToStore, Way
from byreturn.service.settlement import Settlement

WHY_LIMIT: Final = 500
NAME_LIMIT: Final = 255
_COMPLAINT_LIMIT: Final = 300


# --- Requests -----------------------------------------------------------------------------------------


class Status(Struct, frozen=True, tag_field="do", tag="status", forbid_unknown_fields=True):
    """Tell how it stands."""


class ReleaseBrake(Struct, frozen=True, tag_field="do", tag="release_brake", forbid_unknown_fields=True):
    """Believe the DNS again."""


class EngageBrake(Struct, frozen=True, tag_field="do", tag="engage_brake", forbid_unknown_fields=True):
    """Give nothing up for what the DNS says, until a person releases it."""

    why: Annotated[str, Meta(min_length=1, max_length=WHY_LIMIT)]


class Retry(Struct, frozen=True, tag_field="do", tag="retry", forbid_unknown_fields=True):
    """Try a destination that does not answer now, and not at its next time."""

    destination: Annotated[str, Meta(min_length=1, max_length=NAME_LIMIT)]


class FindRoute(Struct, frozen=True, tag_field="do", tag="route", forbid_unknown_fields=True):
    """Tell where the mail for a destination goes, and on which terms."""

    destination: Annotated[str, Meta(min_length=1, max_length=NAME_LIMIT)]


class Metrics(Struct, frozen=True, tag_field="do", tag="metrics", forbid_unknown_fields=True):
    """Tell all numbers."""


Request: TypeAlias = Status | Metrics | ReleaseBrake | EngageBrake | Retry | FindRoute


# --- Answers ------------------------------------------------------------------------------------------


class BrakeSeen(Struct, frozen=True):
    """The brake is on. `held`: of how many destinations mail is held back."""

    since: Instant
    why: str
    cause: BrakeCause
    held: int


class ServerStatus(Struct, frozen=True, tag_field="answer", tag="status"):
    """How it stands; `brake` None: it is off. `connections_unproven`: no word has been heard on them yet."""

    brake: BrakeSeen | None
    connections: int
    connections_unproven: int
    connections_limit: int
    active_recipients: int
    failing_destinations: int


class RouteSeen(Struct, frozen=True, tag_field="answer", tag="route"):
    """Where the mail for a destination goes: here, or to hosts; nowhere where `why` says why.

    `rule`: the `match` of the rule for it; empty: it is dealt with like everybody.
    """

    hosts: tuple[str, ...] = ()
    rule: str = ""
    is_here: bool = False
    why: str = ""


class Numbers(Struct, frozen=True, tag_field="answer", tag="metrics"):
    """All numbers, in the text form that Prometheus reads."""

    text: str


class Acted(Struct, frozen=True, tag_field="answer", tag="done"):
    """It is done; so many destinations are concerned. `but`: what did not go as it should, else empty."""

    destinations: int = 0
    but: str = ""


class NothingToDo(Struct, frozen=True, tag_field="answer", tag="nothing_to_do"):
    """It is so already, or there is nothing to do it to."""

    why: str


class NotUnderstood(Struct, frozen=True, tag_field="answer", tag="not_understood"):
    """This was no request; nothing was done."""

    why: str


class NotNow(Struct, frozen=True, tag_field="answer", tag="not_now"):
    """We could not do it, or cannot tell; the request was right."""

    why: str


Answer: TypeAlias = ServerStatus | RouteSeen | Numbers | Acted | NothingToDo | NotUnderstood | NotNow

_requests: Final[msgspec.json.Decoder[Request]] = msgspec.json.Decoder(Request)
_answers: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)
_encode: Final = msgspec.json.Encoder().encode


def request_line(request: Request) -> bytes:
    """Write a request as the desk reads it."""
    return _encode(request) + b"\n"


def answer_line(answer: Answer) -> bytes:
    """Write an answer."""
    return _encode(answer) + b"\n"


def read_request(line: bytes) -> Request | NotUnderstood:
    """Read a request, strictly: an unknown field may be one that matters."""
    try:
        request = _requests.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return NotUnderstood(f"{_shortened(str(error) or type(error).__name__)}. Nothing was done.")
    match request:
        case EngageBrake(why=text) | Retry(destination=text) | FindRoute(destination=text) if (
            not text.strip() or not text.isprintable()
        ):
            field = "why" if isinstance(request, EngageBrake) else "destination"
            return NotUnderstood(f"{field} must be printable text. Nothing was done.")
        case _:
            return request


def read_answer(line: bytes) -> Answer | None:
    """Read an answer; None where it is none that we know."""
    try:
        return _answers.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _shortened(text: str) -> str:
    return text if len(text) <= _COMPLAINT_LIMIT else f"{text[:_COMPLAINT_LIMIT]}..."


# --- The desk -----------------------------------------------------------------------------------------

Answered: TypeAlias = Callable[[Answer], None]


class Operator:
    """The desk."""

    def __init__(
        self, world: World, brake: Brake, settlement: Settlement, relay: Relay, dispatcher: Dispatcher
    ) -> None:
        self._journal = world.journal
        self._meter = world.meter
        self._brake = brake
        self._settlement = settlement
        self._room = relay.room
        self._routes = relay.routes
        self._dispatcher = dispatcher

    def hear(self, line: bytes, who: str, done: Callable[[bytes], None]) -> None:
        """Do what a line asks; `done` may be called from inside."""

        def answered(answer: Answer) -> None:
            done(answer_line(answer))

        request = read_request(line)
        match request:
            case NotUnderstood():
                answered(request)
            case Status():
                answered(self.status())
            case Metrics():
                answered(Numbers(self._meter.exposition()))
            case ReleaseBrake():
                self.release_brake(who, answered)
            case EngageBrake(why=why):
                self.engage_brake(who, why.strip(), answered)
            case Retry(destination=name):
                self.retry(who, normal_domain(name.strip()), answered)
            case FindRoute(destination=name):
                self._routes.find(normal_domain(name.strip()), lambda way: answered(_route_of(way)))
            case _:
                assert_never(request)

    def not_understood(self, why: str) -> bytes:
        """Answer what is no request."""
        return answer_line(NotUnderstood(why))

    def not_now(self, why: str) -> bytes:
        """Answer what cannot be done at this moment."""
        return answer_line(NotNow(why))

    def status(self) -> ServerStatus:
        """Tell how it stands."""
        brake, room = self._brake, self._room
        braked = brake.braked
        return ServerStatus(
            brake=None if braked is None else BrakeSeen(braked.since, braked.why, braked.cause, brake.held),
            connections=room.taken,
            connections_unproven=room.unproven,
            connections_limit=room.limit,
            active_recipients=self._dispatcher.active,
            failing_destinations=self._settlement.failing_count,
        )

    def release_brake(self, who: str, done: Answered) -> None:
        """Believe the DNS again; what was held is judged anew, at once."""
        if not self._brake.is_on:
            done(NothingToDo("the brake is off"))
            return
        held = self._brake.held
        self._journal.operator_acted(who, "released the brake", "")
        self._brake.release(f"{who} released it", lambda fault: done(self._noted(fault, held)))

    def engage_brake(self, who: str, why: str, done: Answered) -> None:
        """Give nothing up for what the DNS says, until a person releases the brake."""
        braked = self._brake.braked
        if braked is not None and braked.cause is BrakeCause.PERSON:
            done(NothingToDo(f"the brake is on already ({braked.why})"))
            return
        self._journal.operator_acted(who, "engaged the brake", why)
        self._brake.engage(
            f"{who}: {why}",
            BrakeCause.PERSON,
            lambda fault: done(self._noted(fault, self._brake.held)),
        )

    def _noted(self, fault: SpoolFault | None, destinations: int) -> Acted:
        if fault is None:
            return Acted(destinations)
        self._journal.fault("brake", fault.why)
        return Acted(destinations, f"it is not written down, and a restart forgets it: {fault.why}")

    def retry(self, who: str, destination: Destination, done: Answered) -> None:
        """Let a destination that does not answer be tried now, once for all its mail."""

        def asked(is_waited_for: bool | SpoolFault) -> None:  # noqa: FBT001 - the spool's answer
            if isinstance(is_waited_for, SpoolFault):
                self._journal.fault("operator", is_waited_for.why)
                done(NotNow(is_waited_for.why))
            elif not is_waited_for:
                done(NothingToDo("no mail waits for it because it does not answer"))
            else:
                self._journal.operator_acted(who, "had a destination tried now", destination)
                done(Acted(1))

        self._settlement.probe(destination, asked)


def _route_of(way: Way) -> RouteSeen:
    match way:
        case ToStore():
            return RouteSeen(is_here=True)
        case ToHosts(hops=hops, terms=terms):
            return RouteSeen(tuple(sorted({hop.host for hop in hops})), terms.match)
        case NoWay(finding=finding):
            return RouteSeen(why=finding.detail or str(finding.cause))
