"""The brake desk: before the word of the DNS ends anything, others are heard (`policy.brake` has the rules).

    judge --brake on-------------------------------------------------> later
      '--took mail lately-------------------------------------------> later, for hours
      '--witnesses: the root, names that took mail--a server lies----> brake on, later
      |                                           '-no word of them--> later
      '--another name server knows it, or none denies it now----------> later
      '--too many denied---------------------------------------------> brake on, later
      '--------------------------------------------------------------> final

    brake on --each minute: the witnesses again--> they are well again, or a person says so --> off:
                                                   what was held is judged anew, at once
    brake on, by a person-------------------------> only a person says so

The witnesses are believed for ten seconds, so a thousand misspelled addresses cost one round of questions.
Engaging is written down, so that a restart does not forget it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum
from typing import Final, TypeAlias

from byreturn.mail import MINUTE, SECOND, Cause, Destination, Duration, Instant, WeFound
from byreturn.policy import (
    COUNTED_FOR,
    ROOT,
    BrakeCause,
    BrakeRules,
    Testimony,
    are_too_many,
    is_dns_finding,
    is_silent,
    is_tried_on,
    lie_of,
)
from byreturn.ports import Braked, DestinationNews, Opinion, Past, SpoolFault, Timer, Verdict, World
from byreturn.service.routes import Routes

_BELIEVED_FOR: Final[Duration] = 10 * SECOND
_LOOK_EVERY: Final[Duration] = 1 * MINUTE
# After a person, or ten quiet minutes, said that the denials are true, their number alone engages nothing.
_COUNT_AGAIN_AFTER: Final[Duration] = 60 * MINUTE
_WITNESSES: Final = 3
_KNOWN_KEPT: Final = 100
_HELD_KEPT: Final = 10_000
_COUNTED: Final = 20_000
_SAMPLES: Final = 5


class Word(Enum):
    """What comes of a question: nothing speaks against the DNS, or something does."""

    BELIEVED = "believed"
    DOUBTED = "doubted"


Judged: TypeAlias = Callable[[frozenset[Destination]], None]
Answered: TypeAlias = Callable[[Word], None]
Noted: TypeAlias = Callable[[SpoolFault | None], None]


class Brake:
    """The desk."""

    def __init__(self, rules: BrakeRules, world: World, routes: Routes) -> None:
        self._rules = rules
        self._clock = world.clock
        self._spool = world.spool
        self._resolver = world.resolver
        self._journal = world.journal
        self._routes = routes
        self._braked: Braked | None = None
        # Destinations that took mail, the latest last: whoever denies them lies.
        self._known: dict[Destination, None] = {}
        # Since when one of them is denied itself: after hours of that it is no witness any more.
        self._doubted: dict[Destination, Instant] = {}
        self._held: dict[Destination, None] = {}
        self._alive = _Counted()
        self._denied = _Counted()
        self._believed_until: Instant = 0
        self._count_from: Instant = 0
        self._waiting: list[Answered] = []
        self._quiet_looks = 0
        self._timer: Timer | None = None
        self._on_release: list[Callable[[Sequence[Destination]], None]] = []

    def start(
        self, braked: Braked | None, known: Iterable[Destination], failing: Iterable[DestinationNews]
    ) -> None:
        """Take over what the spool remembers; `known`: destinations that took mail, the latest first."""
        for destination in reversed(tuple(known)):
            self._know(destination)
        if braked is not None:
            self._braked = braked
            self.hold(news.destination for news in failing if is_dns_finding(news.finding))
            self._look_later()

    def stop(self) -> None:
        """Look no more."""
        self._stop_looking()

    def follow(self, on_release: Callable[[Sequence[Destination]], None]) -> None:
        """Call when the brake goes off, with the destinations that were held."""
        self._on_release.append(on_release)

    @property
    def is_on(self) -> bool:
        """Whether nothing is given up for what the DNS says."""
        return self._braked is not None

    @property
    def braked(self) -> Braked | None:
        """Since when, and why; None while it is off."""
        return self._braked

    @property
    def held(self) -> int:
        """Of how many destinations mail is held back by it; from 10,000 on no more are counted."""
        return len(self._held)

    # --- What we hear of destinations -----------------------------------------------------------------

    def answered(self, destination: Destination) -> None:
        """A host of a destination has spoken to us about its mail."""
        self._alive.add(destination, self._clock.now())
        if destination in self._known:
            del self._known[destination]
            self._known[destination] = None
        else:
            self._know(destination)

    def found_again(self, destination: Destination) -> None:
        """A name that was denied is there again: if it is denied once more, the hours begin anew."""
        self._spool.denied(destination, None, self._noted)

    def _know(self, destination: Destination) -> None:
        if not self._routes.is_by_dns(destination):
            return  # The DNS is not asked about it, and need not know it.
        self._known[destination] = None
        if len(self._known) > _KNOWN_KEPT:
            self._dismiss(next(iter(self._known)))

    def _dismiss(self, witness: Destination) -> None:
        self._known.pop(witness, None)
        self._doubted.pop(witness, None)

    # --- Judging --------------------------------------------------------------------------------------

    def judge(
        self,
        destinations: Collection[Destination],
        finding: WeFound,
        done: Judged,
        *,
        hosts: Collection[str] = (),
    ) -> None:
        """Say for which destinations a word of the DNS is final; `done` may be called from inside.

        `hosts`: the names that their MX records lead to, where it is these that do not exist.
        """
        if not all(self._routes.is_by_dns(destination) for destination in destinations):
            done(frozenset(destinations))  # A literal, or a route: no name server has said anything.
            return
        if self._braked is not None:
            self.hold(destinations)
            done(frozenset())
            return
        _Judging(self, finding, done, tuple(hosts)).start(tuple(dict.fromkeys(destinations)))

    def hold(self, destinations: Iterable[Destination]) -> None:
        """Note whose mail is tried on because the brake is on."""
        for destination in destinations:
            if len(self._held) < _HELD_KEPT:
                self._held[destination] = None

    def hear_past(self, destination: Destination, done: Answered) -> None:
        """A destination that took mail lately is tried on, whatever the DNS says."""

        def read(past: Past | SpoolFault | None) -> None:
            if isinstance(past, SpoolFault):
                done(Word.DOUBTED)  # Who cannot look must not end anything.
                return
            now = self._clock.now()
            if past is None:
                done(Word.BELIEVED)
                return
            if not is_tried_on(self._rules, past.took_mail_at, past.denied_since, now=now):
                self._dismiss(destination)
                done(Word.BELIEVED)
                return
            if past.denied_since is None:
                self._spool.denied(destination, now, self._noted)
                self._journal.note("denied although it took mail lately; tried on", destination=destination)
            done(Word.DOUBTED)

        self._spool.past(destination, read)

    def _noted(self, fault: SpoolFault | None) -> None:
        if fault is not None:
            self._journal.fault("brake", fault.why)

    def hear_witnesses(self, done: Answered) -> None:
        """A name server that denies what certainly exists is believed about nothing."""
        if self._clock.now() < self._believed_until:
            done(Word.BELIEVED)
            return
        self._waiting.append(done)
        if len(self._waiting) == 1:
            self._ask_witnesses(self._on_witnesses)

    def _ask_witnesses(self, done: Callable[[dict[str, tuple[Testimony, ...]]], None]) -> None:
        recent = list(self._known)[: -_WITNESSES - 1 : -1]
        names = dict.fromkeys((ROOT, *self._rules.known_names, *recent))
        said: dict[str, tuple[Testimony, ...]] = {}

        def hear(name: str, opinions: tuple[Opinion, ...]) -> None:
            said[name] = tuple(_testimony(opinion) for opinion in opinions)
            if len(said) == len(names):
                self._doubt(said)
                done(said)

        for name in names:
            self._resolver.poll(name, lambda opinions, name=name: hear(name, opinions))  # type: ignore[misc]

    def _doubt(self, said: dict[str, tuple[Testimony, ...]]) -> None:
        """A witness that is denied itself for hours has gone, and says nothing about the name servers."""
        now = self._clock.now()
        for name in tuple(self._known):
            some = said.get(name, ())
            if any(one.exists for one in some):
                self._doubted.pop(name, None)
            elif any(one.exists is False for one in some):
                since = self._doubted.setdefault(name, now)
                if now - since >= self._rules.keep_trying:
                    self._dismiss(name)
                    said.pop(name, None)

    def _on_witnesses(self, said: dict[str, tuple[Testimony, ...]]) -> None:
        lie = lie_of(said, set(self._rules.known_names))
        if lie:
            self.engage(lie, BrakeCause.LIE)
        is_well = not lie and not is_silent(said)
        if is_well:
            self._believed_until = self._clock.now() + _BELIEVED_FOR
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done(Word.BELIEVED if is_well else Word.DOUBTED)

    def hear_others(self, names: Collection[str], done: Answered) -> None:
        """What one name server denies, another one may know, or it itself by now: some must still deny it."""
        left = len(names)
        is_denied = True

        def hear(opinions: tuple[Opinion, ...]) -> None:
            nonlocal left, is_denied
            left -= 1
            said = {opinion.verdict for opinion in opinions}
            is_denied = is_denied and Verdict.DENIED in said and Verdict.EXISTS not in said
            if not left:
                done(Word.BELIEVED if is_denied else Word.DOUBTED)

        for name in names:
            self._resolver.poll(name, hear)

    def count(self, destination: Destination) -> bool:
        """Count a destination that is denied; False when they are too many now."""
        now = self._clock.now()
        self._denied.add(destination, now)
        denied, alive = self._denied.count(now), self._alive.count(now)
        if now < self._count_from or not are_too_many(self._rules, denied=denied, alive=alive):
            return True
        minutes = COUNTED_FOR // MINUTE
        self.engage(
            f"the DNS denied {denied} destinations within {minutes} minutes; only {alive} others answered",
            BrakeCause.NUMBER,
        )
        return False

    # --- On and off -----------------------------------------------------------------------------------

    def engage(self, why: str, cause: BrakeCause, done: Noted | None = None) -> None:
        """Give nothing up any more for what the DNS says; `done`: it is written down, or is not.

        Where it is on already, only a person changes anything: it stays on then until a person lets it off.
        """
        before = self._braked
        if before is not None and cause is not BrakeCause.PERSON:
            return
        self._stop_looking()
        self._braked = Braked(self._clock.now() if before is None else before.since, why, cause)
        self._believed_until = 0
        self._quiet_looks = 0
        self._journal.brake_engaged(why)
        self._spool.set_brake(self._braked, done or self._noted)
        self._look_later()

    def release(self, why: str, done: Noted | None = None) -> None:
        """Believe the DNS again, and judge anew what was held; `done`: it is written down, or is not."""
        if self._braked is None:
            return
        now = self._clock.now()
        self._braked = None
        self._count_from = now + _COUNT_AGAIN_AFTER
        self._denied.forget()
        self._stop_looking()
        held, self._held = tuple(self._held), {}
        self._journal.brake_released(why, len(held))
        self._spool.set_brake(None, done or self._noted)
        for follower in self._on_release:
            follower(held)

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self) -> None:
        self._stop_looking()
        if self._braked is None or self._braked.cause is BrakeCause.PERSON:
            return
        self._timer = self._clock.call_later(_LOOK_EVERY, lambda: self._ask_witnesses(self._on_look))

    def _on_look(self, said: dict[str, tuple[Testimony, ...]]) -> None:
        if self._braked is None or self._braked.cause is BrakeCause.PERSON:
            return
        if lie_of(said, set(self._rules.known_names)) or is_silent(said):
            self._quiet_looks = 0
            self._look_later()
        elif self._braked.cause is BrakeCause.LIE:
            self.release("the name servers tell the truth again about what certainly exists")
        else:
            self._look_at_samples()

    def _look_at_samples(self) -> None:
        """The number of denials engaged it: see whether what was denied is still denied, by everybody."""
        samples = list(self._held)[:_SAMPLES]
        left = len(samples)
        is_any_there = False

        def hear(opinions: tuple[Opinion, ...]) -> None:
            nonlocal left, is_any_there
            left -= 1
            is_any_there = is_any_there or any(one.verdict is Verdict.EXISTS for one in opinions)
            if not left:
                self._on_samples(is_any_there=is_any_there)

        for sample in samples:
            self._resolver.poll(sample, hear)
        if not samples:
            self._on_samples(is_any_there=False)

    def _on_samples(self, *, is_any_there: bool) -> None:
        if self._braked is None or self._braked.cause is BrakeCause.PERSON:
            return
        self._quiet_looks += 1
        if is_any_there:
            self.release("what was denied is there again")
        elif self._quiet_looks * _LOOK_EVERY >= COUNTED_FOR:
            self.release(
                f"the same is denied for {COUNTED_FOR // MINUTE} minutes by name servers that are well"
            )
        else:
            self._look_later()


class _Judging:
    """One judgement under way: each destination by itself, then one answer."""

    __slots__ = ("_all", "_brake", "_done", "_final", "_finding", "_hosts", "_left")

    def __init__(self, brake: Brake, finding: WeFound, done: Judged, hosts: tuple[str, ...]) -> None:
        self._brake = brake
        self._finding = finding
        self._done = done
        self._hosts = hosts
        self._all: tuple[Destination, ...] = ()
        self._final: list[Destination] = []
        self._left = 0

    def start(self, destinations: tuple[Destination, ...]) -> None:
        """Ask all questions about each."""
        self._all = destinations
        self._left = len(destinations)
        for destination in destinations:
            self._ask(destination)

    def _ask(self, destination: Destination) -> None:
        brake = self._brake

        def on_past(word: Word) -> None:
            if word is Word.DOUBTED:
                self._answer(destination, word)
            else:
                brake.hear_witnesses(on_witnesses)

        def on_witnesses(word: Word) -> None:
            names = self._denied(destination)
            if word is Word.BELIEVED and names:
                brake.hear_others(names, lambda word: self._answer(destination, word))
            else:
                self._answer(destination, word)

        brake.hear_past(destination, on_past)

    def _denied(self, destination: Destination) -> tuple[str, ...]:
        """The names that are said not to exist."""
        match self._finding.cause:
            case Cause.NO_SUCH_DOMAIN:
                return (destination,)
            case Cause.NO_SUCH_MAIL_HOSTS:
                return self._hosts
            case _:
                return ()

    def _answer(self, destination: Destination, word: Word) -> None:
        if word is Word.BELIEVED and self._brake.count(destination) and not self._brake.is_on:
            self._final.append(destination)
        self._left -= 1
        if self._left:
            return
        if self._brake.is_on:
            # It came on while we asked: what seemed final is held with the rest.
            self._brake.hold(self._all)
            self._final.clear()
        self._done(frozenset(self._final))


class _Counted:
    """How many different destinations there were in the last ten minutes, give or take five."""

    __slots__ = ("_earlier", "_lately", "_since")

    def __init__(self) -> None:
        self._lately: set[Destination] = set()
        self._earlier: set[Destination] = set()
        self._since: Instant = 0

    def add(self, destination: Destination, now: Instant) -> None:
        """Count one."""
        self._turn(now)
        if len(self._lately) < _COUNTED:
            self._lately.add(destination)

    def count(self, now: Instant) -> int:
        """How many there are."""
        self._turn(now)
        return len(self._lately | self._earlier)

    def forget(self) -> None:
        """Begin anew."""
        self._lately.clear()
        self._earlier.clear()

    def _turn(self, now: Instant) -> None:
        if now - self._since >= COUNTED_FOR // 2:
            is_old = now - self._since >= COUNTED_FOR
            self._earlier = set() if is_old else self._lately
            self._lately = set()
            self._since = now


def _testimony(opinion: Opinion) -> Testimony:
    exists = {Verdict.EXISTS: True, Verdict.DENIED: False, Verdict.NO_WORD: None}[opinion.verdict]
    return Testimony(opinion.server, exists)
