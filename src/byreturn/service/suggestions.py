"""Suggestions: gathering, in a moment, what a mistyped address was meant to be.

    lines with an unknown mailbox or domain --none--> done at once, nothing is asked
         |
         '-> the sender's correspondents (kept a minute) + near colleagues, if he is one of us
                 -> suggest -> does the domain take mail? --known of late, or a way to hosts--> offered
                                                          '-- no, or no answer yet ----------> left out

A report never waits longer than WITHIN for all of this: what is not known by then is not offered.

Promises: `done` is called exactly once, perhaps from inside. Nothing is drawn from other people's mail, and
nothing is told of our own people to anybody else. A message without a sender asks nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Final, Generic, TypeAlias, TypeVar

from msgspec import Struct, structs

from byreturn.mail import (
    DAY,
    MINUTE,
    Action,
    Cause,
    Destination,
    Diagnosis,
    Duration,
    Instant,
    Mailbox,
    WeFound,
)
from byreturn.policy import Returned
from byreturn.ports import Correspondent, OwedLine, OwedReport, SpoolFault, Timer, World
from byreturn.report import Kin, Reason, Suggestion, Suggestions, judge, suggest
from byreturn.service.routes import Routes, ToHosts, ToStore, Way

Done: TypeAlias = Callable[[Mapping[int, Suggestions]], None]
_Known: TypeAlias = tuple[tuple[Mailbox, Instant], ...]
Value = TypeVar("Value")


class SuggestionSettings(Struct, frozen=True):
    """How much is looked at. `lines`: of a report, those at most that get suggestions (1 ms each)."""

    within: Duration = 150
    correspondents: int = 1000
    lines: int = 20
    kept: int = 1000
    correspondents_kept: Duration = 1 * MINUTE
    alive_kept: Duration = 1 * DAY


class Wrong(Enum):
    """Which part of an address a diagnosis blames."""

    MAILBOX = "mailbox"
    DOMAIN = "domain"  # it does not exist, say the name servers
    DOMAIN_PERHAPS = "domain, perhaps"  # it exists and takes no mail, or only a peer says that it does not


_REASONS: Final = {
    Reason.NO_SUCH_MAILBOX: Wrong.MAILBOX,
    Reason.NO_SUCH_DOMAIN: Wrong.DOMAIN_PERHAPS,
    Reason.NO_MAIL_THERE: Wrong.DOMAIN_PERHAPS,
    Reason.BROKEN_DOMAIN: Wrong.DOMAIN_PERHAPS,
}


def blamed(diagnosis: Diagnosis | None) -> Wrong | None:
    """Tell which part of the address a diagnosis blames; None: it has another reason, or none."""
    if diagnosis is None:
        return None
    if isinstance(diagnosis, WeFound) and diagnosis.cause is Cause.NO_SUCH_DOMAIN:
        return Wrong.DOMAIN
    return _REASONS.get(judge(diagnosis).reason)


class Suggester:
    """Gathers suggestions; one for all reports."""

    def __init__(self, world: World, routes: Routes, settings: SuggestionSettings) -> None:
        self._world = world
        self._routes = routes
        self._settings = settings
        self._known: _Kept[Mailbox, _Known] = _Kept(settings.kept, settings.correspondents_kept)
        self._alive: _Kept[Destination, None] = _Kept(settings.kept, settings.alive_kept)

    def for_lines(self, owed: OwedReport, *, is_insider: bool, done: Done) -> None:
        """Find suggestions for the lines of a report, by the ordinals of their recipients."""
        sender = owed.message.reverse_path
        lines = [line for line in owed.lines if _is_mistyped(line)][: self._settings.lines]
        if not lines or not isinstance(sender, Mailbox):
            done({})
            return
        search = _Search(self._world, self._settings.within, done)

        def known(correspondents: _Known) -> None:
            if not is_insider:
                # He may have written to an alias of ours, and must not learn here what is behind it.
                correspondents = tuple(one for one in correspondents if not self._is_local(one[0]))
            if not search.is_over:
                found = {
                    line.recipient.ordinal: self._suggest(line, correspondents, is_insider=is_insider)
                    for line in lines
                }
                self._check(search, found, correspondents)

        self._find_known(sender, known)

    def _suggest(self, line: OwedLine, correspondents: _Known, *, is_insider: bool) -> Suggestions:
        failed = line.recipient.given
        wrong = blamed(line.finding)
        is_colleague = is_insider and wrong is Wrong.MAILBOX and self._is_local(failed)
        near = self._world.directory.near(failed) if is_colleague else ()
        found = suggest(
            failed,
            domain_failed=wrong is not Wrong.MAILBOX,
            correspondents=correspondents,
            colleagues=[address.local for address in near],
        )
        is_guess = line.finding is not None and judge(line.finding).is_guess
        is_possible_only = is_guess or wrong is Wrong.DOMAIN_PERHAPS
        return structs.replace(found, is_likely=False) if is_possible_only else found

    def _is_local(self, address: Mailbox) -> bool:
        return self._world.directory.is_local(address.domain)

    # --- Correspondents -------------------------------------------------------------------------------

    def _find_known(self, sender: Mailbox, done: Callable[[_Known], None]) -> None:
        now = self._world.clock.now()
        kept = self._known.get(sender, now)
        if kept is not None:
            done(kept)
            return

        def answered(result: Sequence[Correspondent] | SpoolFault) -> None:
            if isinstance(result, SpoolFault):
                done(())
                return
            known = tuple((one.address, one.at) for one in result)
            self._known.put(sender, known, self._world.clock.now())
            done(known)

        self._world.spool.correspondents(sender, self._settings.correspondents, answered)

    # --- Does it take mail? ---------------------------------------------------------------------------

    def _check(self, search: _Search, found: Mapping[int, Suggestions], correspondents: _Known) -> None:
        now = self._world.clock.now()
        alive = {
            address.destination for address, at in correspondents if now - at < self._settings.alive_kept
        }
        for domain in {one.address.destination for each in found.values() for one in each.candidates}:
            if domain in alive or self._alive.has(domain, now):
                search.alive.add(domain)
            else:
                search.missing.add(domain)
        search.found = found
        for domain in tuple(search.missing):
            self._routes.find(domain, partial(self._on_way, search, domain))
        search.end_if_complete()

    def _on_way(self, search: _Search, domain: Destination, way: Way) -> None:
        if isinstance(way, ToHosts | ToStore):
            # Late answers are of use to the next report.
            self._alive.put(domain, None, self._world.clock.now())
            search.alive.add(domain)
        search.missing.discard(domain)
        search.end_if_complete()


class _Search:
    """One report's search: ends when everything is known, or when its time is over."""

    def __init__(self, world: World, within: Duration, done: Done) -> None:
        self.found: Mapping[int, Suggestions] | None = None
        self.alive: set[Destination] = set()
        self.missing: set[Destination] = set()
        self.is_over = False
        self._done = done
        self._timer: Timer = world.clock.call_later(within, self._end)

    def end_if_complete(self) -> None:
        """End when nothing is missing; harmless when it has ended."""
        if self.found is not None and not self.missing and not self.is_over:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        self._timer.cancel()
        answer = {}
        for ordinal, each in (self.found or {}).items():
            candidates = tuple(filter(self._takes_mail, each.candidates))
            if candidates:
                # What was one of several is not made sure by their being dead.
                answer[ordinal] = Suggestions(candidates, is_likely=each.is_likely)
        self._done(answer)

    def _takes_mail(self, suggestion: Suggestion) -> bool:
        return suggestion.kin is Kin.COLLEAGUE or suggestion.address.destination in self.alive


Key = TypeVar("Key")


class _Kept(Generic[Key, Value]):
    """What is known for a while; of too many the one that was longest not asked for is forgotten."""

    def __init__(self, limit: int, keep: Duration) -> None:
        self._limit = limit
        self._keep = keep
        self._values: OrderedDict[Key, tuple[Instant, Value]] = OrderedDict()

    def has(self, key: Key, now: Instant) -> bool:
        """Whether it is known still."""
        entry = self._values.get(key)
        if entry is None or now - entry[0] >= self._keep:
            return False
        self._values.move_to_end(key)
        return True

    def get(self, key: Key, now: Instant) -> Value | None:
        """Return it if it is known still."""
        return self._values[key][1] if self.has(key, now) else None

    def put(self, key: Key, value: Value, now: Instant) -> None:
        """Keep it from now on."""
        self._values[key] = (now, value)
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)


def _is_mistyped(line: OwedLine) -> bool:
    """Whether the sender may have mistyped it: not if a person sent it back, nor the member of an alias."""
    recipient = line.recipient
    return (
        line.action is Action.FAILED
        and not isinstance(line.state, Returned)
        and recipient.given == recipient.address
        and blamed(line.finding) is not None
    )
