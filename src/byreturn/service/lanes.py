"""Lanes: how many attempts go to the same hosts at once, and the connections they share.

A lane is a set of hosts and ports and the terms on which they are dealt with; all destinations with that set
share it. It has a line of batches, a window of attempts that grows while the hosts take mail and closes when
they do not, a pace, and connections at rest which the next batch uses. Above all lanes stands the room.

    add(batch) -> line -> attempt (at most `window` at once) -> finished -> next batch on the same connection
                   |                                                    '-> at rest, `idle` at most
                   '- the hosts failed: put off with what was found, all of it

Bounds: the line by the dispatcher's quota per destination and, under a pace, by a minute's worth; connections
by the window, the address table and the room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from byreturn.mail import MINUTE, Destination, Diagnosis, Duration, Instant, PeerSaid
from byreturn.policy import LESSON_HOLDS, Advice, Bucket, PutOff, Rate, Topic, Unbooked, Window, advice_of
from byreturn.ports import Lesson
from byreturn.service.addresses import SLOW
from byreturn.service.attempt import Attempt
from byreturn.service.batch import Batch, Found, HostsFailed
from byreturn.service.connection import Connection, Lost
from byreturn.service.line import Line
from byreturn.service.room import Place
from byreturn.service.routes import ToHosts

if TYPE_CHECKING:
    from byreturn.service.relay import Relay

_PACED: Final[Duration] = 1 * MINUTE


class Lane:
    """One set of hosts."""

    __slots__ = (
        "_at_rest", "_attempts", "_completed_at", "_line", "_messages", "_next_turn_at", "_octets", "_pace",
        "_relay", "_sent", "_sent_before", "_sent_in", "_terms", "_wake_up", "hosts", "lessons", "window",
    )  # fmt: skip

    def __init__(self, relay: Relay, way: ToHosts) -> None:
        now = relay.clock.now()
        terms = way.terms
        self._relay = relay
        self._terms = terms
        # Its name, for people and for what was learned about it.
        self.hosts = " ".join(sorted({hop.host for hop in way.hops}))
        self.window = Window(terms.connections)
        self._line = Line()
        self._attempts: set[Attempt] = set()
        self._at_rest: dict[Connection, _AtRest] = {}
        self._completed_at: Instant = 0
        self._next_turn_at: Instant = 0
        self._messages = None if terms.message_rate is None else Bucket(terms.message_rate, now)
        self._octets = None if terms.octet_rate is None else Bucket(terms.octet_rate, now)
        self._pace: Bucket | None = None
        # How many messages were begun in the minute of that number, and in the one before.
        self._sent, self._sent_in, self._sent_before = 0, 0, 0
        self.lessons: dict[Topic, Lesson] = {}
        self._wake_up = relay.wheel.watch(self.pump)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is in use."""
        return not (self._line or self._attempts or self._at_rest)

    @property
    def waiting(self) -> int:
        """How many batches stand in line."""
        return len(self._line)

    # --- The line -------------------------------------------------------------------------------------

    def add(self, way: ToHosts, batch: Batch) -> None:
        """Let a batch stand in line; under a pace, only if its turn comes within a minute."""
        rate = self._slowest_rate()
        if rate is not None and self._line.ahead_of(batch) >= rate.within(_PACED):
            # Each gets a moment of its own, so that they do not all come back together.
            each = -(-rate.per // rate.amount)
            behind = self._relay.clock.now() + len(self._line) * each
            self._next_turn_at = max(self._next_turn_at + each, behind)
            self._give_back(batch, self._next_turn_at)
            return
        self._line.add(way, batch)
        self.pump()

    def _slowest_rate(self) -> Rate | None:
        lesson = self.lessons.get(Topic.PACE)
        learned = None if lesson is None else Rate(lesson.value, MINUTE)
        rates = [rate for rate in (self._terms.message_rate, learned) if rate is not None]
        return min(rates, key=lambda rate: rate.amount / rate.per, default=None)

    def _give_back(self, batch: Batch, due_at: Instant) -> None:
        """Let a batch wait in the spool: nothing was tried, and nothing counts as tried."""
        now = self._relay.clock.now()
        found = [Found(batch.carried, booking, Unbooked(due_at), now) for booking in batch.left]
        for one in found:
            batch.take(one.booking)
        self._relay.settler.settle(found)

    def give_back(self, attempt: Attempt, way: ToHosts, batch: Batch) -> None:
        """A batch had its turn for nothing, because the hosts have enough of us: it is next again."""
        self._attempts.discard(attempt)
        self._line.put_back(way, batch)

    # --- Starting attempts ----------------------------------------------------------------------------

    def pump(self) -> None:
        """Start attempts while window and pace allow."""
        while self._may_start():
            self._start_one()

    def _may_start(self) -> bool:
        if not self._line:
            return False
        self._forget_lessons()
        if self._busy() >= self.window.size:
            return False
        wait = self._pace_wait()
        if wait:
            self._wake_up.set(wait)
        return not wait

    def _busy(self) -> int:
        """How many places in the window are taken.

        An attempt that has waited long for a first word holds none, as far as the window could grow: its host
        is avoided by those who have another one to go to. But no more than a whole window of them: the other
        host may be as silent.
        """
        attempts = self._attempts
        if len(attempts) < self.window.size or len(attempts) >= self.window.limit:
            return len(attempts)
        now = self._relay.clock.now()
        waits = [now - attempt.began_at for attempt in attempts if attempt.has_alternatives]
        slow = sum(wait >= SLOW for wait in waits)
        if slow < min(len(waits), self.window.size):
            self._wake_up.set(SLOW - max(wait for wait in waits if wait < SLOW))
        return len(attempts) - min(slow, self.window.size)

    def _pace_wait(self) -> Duration:
        now = self._relay.clock.now()
        buckets = [bucket for bucket in (self._messages, self._octets, self._pace) if bucket is not None]
        return max((bucket.wait(now) for bucket in buckets), default=0)

    def _start_one(self) -> None:
        way, batch = self._line.next()
        self._count(batch)
        attempt = Attempt(self._relay, self, way, batch)
        self._attempts.add(attempt)
        attempt.start(self._wake())

    def _count(self, batch: Batch) -> None:
        now = self._relay.clock.now()
        minute = now // MINUTE
        if minute != self._sent_in:
            self._sent_before = self._sent if minute == self._sent_in + 1 else 0
            self._sent, self._sent_in = 0, minute
        self._sent += 1
        for bucket in (self._messages, self._pace):
            if bucket is not None:
                bucket.take(1, now)
        if self._octets is not None:
            self._octets.take(batch.carried.message.octets, now)

    # --- What came of them ----------------------------------------------------------------------------

    def completed(self) -> None:
        """A transaction has come to its end."""
        self._completed_at = self._relay.clock.now()
        self.window.succeeded()

    def completed_since(self, at: Instant) -> bool:
        """Whether another transaction has come to its end since an instant."""
        return self._completed_at > at

    def keep(self, connection: Connection, place: Place) -> None:
        """Keep a connection that an attempt has done with, if it is still good.

        Where others wait for room, this lane stands in line with them for its next message.
        """
        is_used_up = connection.transactions >= self._messages_per_connection()
        if not connection.is_ready or is_used_up or self._relay.room.is_short:
            connection.quit()
            place.leave()
            return
        connection.user = self._at_rest[connection] = _AtRest(self, connection, place)
        connection.rest(self._relay.settings.idle)
        place.rest(connection.quit_resting)

    def finished(self, attempt: Attempt) -> None:
        """An attempt is over."""
        self._attempts.discard(attempt)
        self.pump()

    def failed(
        self, destinations: set[Destination], finding: Diagnosis, began_at: Instant, after: Duration | None
    ) -> None:
        """Nobody answers here: whoever stands in line is put off with what was found."""
        self.window.failed()
        waiting = list(self._line.take_all())
        everybody = destinations.union(*(batch.destinations for batch in waiting))
        schedule = self._terms.schedule
        news = HostsFailed(tuple(sorted(everybody)), finding, began_at, schedule, after)
        self._relay.settler.hear(news)
        now = self._relay.clock.now()
        for batch in waiting:
            bookings = batch.left
            for booking in bookings:
                batch.take(booking)
            put_off = PutOff(finding, now, by_another=True)
            self._relay.settler.settle([Found(batch.carried, booking, put_off, now) for booking in bookings])

    # --- What the hosts ask of us ---------------------------------------------------------------------

    def is_heard_by_others(self, attempt: Attempt) -> bool:
        """Whether the hosts speak with us on other connections."""
        return any(other.is_heard for other in self._attempts if other is not attempt)

    def heed(self, said: PeerSaid, connection: Connection | None) -> Advice:
        """Do what a reply asks of us beyond its code."""
        advice = advice_of(said.reply)
        if advice.topic is None:
            return advice
        value = self._less_of(advice.topic, connection)
        known = self.lessons.get(advice.topic)
        if known is None or value < known.value:
            now = self._relay.clock.now()
            lesson = Lesson(self.hosts, advice.topic, value, str(said), now, now + LESSON_HOLDS)
            self.learn(lesson)
            self._relay.learned(lesson)
        return advice

    def _less_of(self, topic: Topic, connection: Connection | None) -> int:
        """How much of something is less than there was, at least one."""
        if topic is Topic.PACE:
            # A minute that has just begun says little about the pace.
            return max(1, max(self._sent, self._sent_before) // 2)
        if topic is Topic.MESSAGES:
            return max(1, (2 if connection is None else connection.transactions) - 1)
        made = len(self._attempts) + len(self._at_rest)
        unheard = sum(not attempt.is_heard for attempt in self._attempts)
        # A host may be quicker to send one away than to greet the others: half of them, as long as we wait.
        return max(1, made - unheard - 1, made // 2 if unheard else 1)

    def learn(self, lesson: Lesson) -> None:
        """Keep to a lesson until it is over."""
        topic = Topic(lesson.kind)
        self.lessons[topic] = lesson
        if topic is Topic.CONNECTIONS:
            self.window.lower(lesson.value)
        elif topic is Topic.PACE:
            self._pace = Bucket(Rate(lesson.value, MINUTE), self._relay.clock.now())

    def _forget_lessons(self) -> None:
        if not self.lessons:
            return
        now = self._relay.clock.now()
        for topic in [topic for topic, lesson in self.lessons.items() if lesson.until <= now]:
            del self.lessons[topic]
            if topic is Topic.CONNECTIONS:
                self.window.restore()
            elif topic is Topic.PACE:
                self._pace = None

    def _messages_per_connection(self) -> int:
        lesson = self.lessons.get(Topic.MESSAGES)
        most = self._terms.messages_per_connection
        return most if lesson is None else min(most, lesson.value)

    # --- Connections at rest --------------------------------------------------------------------------

    def _wake(self) -> tuple[Connection, Place] | None:
        while self._at_rest:
            connection, resting = self._at_rest.popitem()
            if connection.is_open:
                connection.wake()
                resting.place.wake()
                return connection, resting.place
            resting.place.leave()
        return None

    def forget(self, connection: Connection) -> None:
        """A connection at rest was closed."""
        resting = self._at_rest.pop(connection, None)
        if resting is not None:
            resting.place.leave()

    def stop(self) -> None:
        """Hang up. Who stands in line has not been tried, nor who found nobody that speaks: given back."""
        self._wake_up.stop()
        now = self._relay.clock.now()
        for attempt in tuple(self._attempts):
            is_heard = attempt.is_heard
            attempt.abandon()
            if not is_heard:
                self._give_back(attempt.batch, now)
        for connection in tuple(self._at_rest):
            connection.quit()
        self._attempts.clear()
        self._at_rest.clear()
        for batch in self._line.take_all():
            self._give_back(batch, now)


class _AtRest:
    """The user of a connection that nobody uses: it only waits for its end."""

    __slots__ = ("_connection", "_lane", "place")

    def __init__(self, lane: Lane, connection: Connection, place: Place) -> None:
        self._lane = lane
        self._connection = connection
        self.place = place

    def on_events(self, _events: object) -> None:
        """Whatever a peer says unasked, it is not ready for us any more."""
        self._connection.abort()
        self._lane.forget(self._connection)

    def on_greeted(self) -> None:
        """It has greeted long ago."""

    def on_lost(self, _lost: Lost) -> None:
        """Its rest is over, or the peer closed it."""
        self._lane.forget(self._connection)
