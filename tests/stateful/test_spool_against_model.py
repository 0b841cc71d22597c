"""SQLite against the dicts: random operations on both, and every answer compared.

The port leaves a few things open, and there the answer of SQLite is only checked against what is allowed:

    claim   which destination goes first when the limit is short; `has_more` may be guessed when a limit or
            a quota was just enough; `next_due_at` may be too early, and if there is no more, never too late
    failing a destination at which nobody waits may be forgotten

Everything else must be equal: the states and histories of all recipients too, after each step. At the end
everything is delivered and forgotten, and the tables must be empty.
"""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace
from tests.contract.spools import (
    ALICE,
    NO_LIMIT,
    OUT_OF_TIME,
    REFUSED,
    RELAYED,
    SILENT,
    STILL_SILENT,
    STORED,
    BoxSettings,
    Mail,
    ModelBox,
    SqliteBox,
    alive,
    failing,
    put_off,
    recipient,
    uncertain,
)

from byreturn.mail import DAY, HOUR, MINUTE, NULL_PATH, SECOND, Mailbox, Notify, Priority, QueueId
from byreturn.policy import BrakeCause, Fence, InFlight, Unbooked, Waiting
from byreturn.ports import Braked, HeardReport, Lesson, NewRecipient, Past, ReportKind, Settled
from byreturn.spool.rows import state_from_row

SETTINGS = BoxSettings(quota=3, keep_octets=3_000, copy_expired=True, copy_expired_reports=True)
PLACES = ("a.example", "b.example", "c.example", "dead.example")
PAUSES = (
    1,
    20,
    SECOND // 2,
    SECOND,
    4 * SECOND,
    16 * SECOND,
    MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    DAY,
)
KINDS = (
    "relayed", "stored", "refused", "refused", "over", "put off", "uncertain", "silent", "given back",
)  # fmt: skip
SHM = Path("/dev/shm")
IS_SEARCH = os.environ.get("HYPOTHESIS_PROFILE") == "search"

notifies = st.sampled_from(
    [Notify.ABSENT] * 3 + [Notify.NEVER, Notify.SUCCESS, Notify.SUCCESS | Notify.FAILURE, Notify.DELAY]
)
pauses = st.sampled_from(PAUSES)
places = st.sampled_from(PLACES)
new_recipients = st.lists(
    st.tuples(
        places, st.sampled_from(["booked", "booked", "now", "later", "put off"]), notifies, st.booleans()
    ),
    min_size=1,
    max_size=4,
)


def bookings_of(claimed):
    return {
        (consignment.message, booking.recipient, booking.attempt, booking.expires_at)
        for consignment in claimed.consignments
        for booking in consignment.bookings
    }


class SpoolAgainstModel(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="byreturn-", dir=SHM if SHM.is_dir() else None))
        self.sqlite = SqliteBox(self.folder / "spool", SETTINGS)
        self.model = ModelBox(SETTINGS)
        self.mails = {}
        # Every booking that was ever made, whether its fence still holds or not: newest last.
        self.booked = []
        self.taken = []

    @property
    def now(self):
        assert self.sqlite.now == self.model.now
        return self.model.now

    def both(self, ask):
        """Ask both, and return the answer that they agree on."""
        from_sqlite, from_model = ask(self.sqlite), ask(self.model)
        assert from_sqlite == from_model
        return from_model

    # --- What happens -----------------------------------------------------------------------------------

    @rule(
        to=new_recipients,
        priority=st.sampled_from(list(Priority)),
        is_null=st.booleans(),
        is_large=st.integers(0, 9).map(lambda n: n == 0),
        lifetime=st.sampled_from([HOUR, DAY, 5 * DAY]),
        size=st.integers(0, 900),
    )
    def accept(self, to, priority, is_null, is_large, lifetime, size):
        now = self.now
        recipients = [
            recipient(
                ordinal,
                f"u{ordinal}@{place}",
                given="all@here.example" if is_alias else "",
                notify=notify,
            )
            for ordinal, (place, _, notify, is_alias) in enumerate(to)
        ]
        mail = self.model.make(
            *recipients,
            priority=priority,
            reverse_path=NULL_PATH if is_null or priority is Priority.REPORT else ALICE,
            content=None if is_large else b"x" * size,
            octets=size,
            lifetime=lifetime,
        )
        first = []
        for one, (_, how, notify, _) in zip(mail.new.recipients, to, strict=True):
            match how:
                case "booked":
                    self.booked.append((mail.id, one.recipient.ordinal, 1, self.model.epoch))
                    first.append(replace(one, state=InFlight(Fence(self.model.epoch, 1))))
                case "later":
                    first.append(replace(one, state=Waiting(now + HOUR, 0), expires_at=now + 2 * HOUR))
                case "now":
                    first.append(replace(one, state=Waiting(now, 0)))
                case "put off":
                    wants_notice = not is_null and notify in (Notify.ABSENT, Notify.DELAY)
                    notices = (now + 4 * HOUR, now + 8 * HOUR) if wants_notice else ()
                    waits = Waiting(now, 0)
                    first.append(NewRecipient(one.recipient, waits, SILENT, notices, now + HOUR))
        expanded = tuple(
            one.recipient.ordinal
            for one in first
            if one.recipient.given != one.recipient.address
            and one.recipient.notify & Notify.SUCCESS
            and mail.new.message.reverse_path != NULL_PATH
        )
        mail = Mail(replace(mail.new, recipients=tuple(first), expanded=expanded), self.model.epoch)
        if is_large:
            assert self.both(lambda box: box.seal(mail.id, b"x" * size)) is None
        assert self.both(lambda box: box.accept(mail.new)) is None
        self.mails[mail.id] = mail

    def event(self, kind, wait):
        match kind:
            case "put off":
                return put_off(self.now + wait)
            case "uncertain":
                return uncertain(self.now + wait)
            case "given back":
                return Unbooked(self.now + wait)
            case "silent":
                return put_off(self.now, SILENT)
            case _:
                return {"relayed": RELAYED, "stored": STORED, "refused": REFUSED, "over": OUT_OF_TIME}[kind]

    @rule(
        choices=st.lists(
            st.tuples(
                st.integers(0, 12),
                st.sampled_from(KINDS),
                pauses,
                st.sampled_from([None, None, None, HOUR, 2 * DAY]),
            ),
            max_size=4,
        ),
        news=st.lists(st.tuples(places, st.integers(0, 2), pauses), max_size=2, unique_by=lambda one: one[0]),
    )
    def settle(self, choices, news):
        settlings = []
        for back, kind, wait, lifetime in choices:
            if back >= len(self.booked):
                continue
            message_id, ordinal, attempt, epoch = self.booked[-1 - back]
            mail = self.mails[message_id]
            event = self.event(kind, wait)
            settling = mail.outcome(
                event,
                ordinal,
                attempt=attempt,
                epoch=epoch,
                began_at=self.now - 5,
                expires_at=None if lifetime is None else self.now + lifetime,
            )
            accepted_at = mail.new.message.accepted_at
            if kind in ("put off", "uncertain", "silent") and mail.new.message.reverse_path != NULL_PATH:
                notices = tuple(accepted_at + hours * HOUR for hours in (4, 5, 6))
                settling = replace(settling, delay_notices=notices, early_notice_at=accepted_at + HOUR)
            settlings.append(replace(settling, is_copied=(message_id + ordinal) % 3 == 0))
        told = [
            failing(place, self.now + wait, failures=count, since=self.now, finding=STILL_SILENT)
            if count
            else alive(place, self.now)
            for place, count, wait in news
        ]
        self.both(lambda box: box.settle(*settlings, news=told))

    @rule(
        limit=st.sampled_from([NO_LIMIT, NO_LIMIT, NO_LIMIT, 0, 1, 2, 5]),
        quotas=st.dictionaries(places, st.integers(-1, 4)),
    )
    def claim(self, limit, quotas):
        due = self.model.spool.due(self.now)
        waiting_at = {life.recipient.destination for _, life, _ in self.model.disk.waiting()}
        one, other = self.sqlite.claim(limit, quotas), self.model.claim(limit, quotas)
        from_sqlite, from_model = bookings_of(one), bookings_of(other)
        assert len(from_sqlite) == len(from_model) <= limit
        self.check_what_is_told(one, other, limit, quotas)
        if len(from_model) == limit and len(due) > limit:
            # The limit decided. Reports at living destinations go before all others all the same.
            self.check_reports_first(from_sqlite, from_model)
            generous = dict.fromkeys(PLACES, NO_LIMIT)
            from_sqlite |= bookings_of(self.sqlite.claim(quotas=generous))
            from_model |= bookings_of(self.model.claim(quotas=generous))
        assert from_sqlite == from_model
        for message, who, attempt, _ in sorted(from_model, key=lambda each: (each[0].id, each[1].ordinal)):
            self.booked.append((message.id, who.ordinal, attempt, self.model.epoch))
        for forgotten in self.model.failing() - self.sqlite.failing():
            assert forgotten not in waiting_at
            del self.model.disk.health[forgotten]

    def check_what_is_told(self, one, other, limit, quotas):
        assert one.has_more >= other.has_more
        taken = Counter(who.destination for _, who, *_ in bookings_of(other))
        if limit == NO_LIMIT and all(
            count < quotas.get(place, SETTINGS.quota) for place, count in (Counter(PLACES) + taken).items()
        ):
            assert not one.has_more
        if other.next_due_at is not None and not one.has_more:
            assert one.next_due_at is not None
            assert one.next_due_at <= other.next_due_at

    def check_reports_first(self, from_sqlite, from_model):
        reports = {one for one in from_model if self.is_living_report(one)}
        if any(not self.is_living_report(one) for one in from_sqlite):
            assert reports <= from_sqlite

    def is_living_report(self, booking):
        message, who, *_ = booking
        return message.priority is Priority.REPORT and who.destination not in self.model.disk.health

    @rule(pause=pauses)
    def time_passes(self, pause):
        for box in (self.sqlite, self.model):
            box.clock.advance(pause)

    @rule(limit=st.sampled_from([1, 2, 100]))
    def look_what_is_owed(self, limit):
        all_due = self.model.owed_due(NO_LIMIT).messages
        one, other = self.sqlite.owed_due(limit), self.model.owed_due(limit)
        assert len(one.messages) == len(other.messages) == min(limit, len(all_due))
        assert sorted(map(self.owed_since, one.messages)) == sorted(map(self.owed_since, other.messages))
        if len(all_due) < limit:
            assert one.next_due_at == other.next_due_at
        elif len(all_due) > limit:
            assert one.next_due_at <= self.now

    def owed_since(self, message_id):
        return min(line.due_at for line in self.model.disk.owed[message_id].values())

    @precondition(lambda self: self.model.disk.owed)
    @rule(which=st.integers(0, 5))
    def take(self, which):
        owing = sorted(self.model.disk.owed)
        owed = self.both(lambda box: box.take_owed(owing[which % len(owing)]))
        if owed is not None:
            self.taken.append(owed)

    @precondition(lambda self: self.taken)
    @rule(is_told=st.booleans(), is_booked=st.booleans(), which=st.integers(0, 3))
    def report(self, is_told, is_booked, which):
        self.tell(self.taken.pop(which % len(self.taken)), is_told=is_told, is_booked=is_booked)

    def tell(self, owed, *, is_told, is_booked):
        if not is_told:
            self.both(lambda box: box.report(owed, None))
            return
        state = InFlight(Fence(self.model.epoch, 1)) if is_booked else Waiting(self.now, 0)
        about = Mail(self.mails[owed.message.id].new, 0)
        new = self.model.report_on(about, "alice@here.example", "boss@b.example", state=state)
        if self.both(lambda box: box.report(owed, new)):
            self.mails[new.message.id] = Mail(new, self.model.epoch)
            if is_booked:
                self.booked += [(new.message.id, ordinal, 1, self.model.epoch) for ordinal in (0, 1)]

    @rule(place=st.sampled_from((*PLACES, "nowhere.example")))
    def probe(self, place):
        self.both(lambda box: box.probe(place))

    @rule(limit=st.sampled_from([NO_LIMIT, 1, 3]))
    def expire(self, limit):
        self.both(lambda box: box.expire(limit))

    @precondition(lambda self: any(True for _ in self.model.disk.waiting()))
    @rule(which=st.integers(0, 5), is_probed=st.booleans(), limit=st.sampled_from([NO_LIMIT, 1]))
    def somebody_runs_out_of_time(self, which, is_probed, limit):
        """Let the time of somebody who waits go by, while the destination does not answer."""
        waiting = list(self.model.disk.waiting())
        _, life, _ = waiting[which % len(waiting)]
        place = life.recipient.destination
        expires_at = life.expires_at
        for box in (self.sqlite, self.model):
            box.clock.run_until(expires_at)
        if is_probed or place not in self.model.failing():
            told = failing(place, self.now + HOUR, since=self.now, finding=STILL_SILENT)
            self.both(lambda box: box.settle(news=[told]))
        self.both(lambda box: box.expire(limit))

    @precondition(lambda self: self.model.disk.owed)
    @rule(is_told=st.booleans())
    def tell_all_that_is_due(self, is_told):
        for message_id in sorted(self.model.disk.owed):
            owed = self.both(lambda box, message_id=message_id: box.take_owed(message_id))
            if owed is not None:
                self.taken.append(owed)
                self.tell(owed, is_told=is_told, is_booked=False)

    @rule(limit=st.sampled_from([1, 2, 100]))
    def correspondents(self, limit):
        self.both(lambda box: box.correspondents(ALICE, limit))

    @precondition(lambda self: self.mails)
    @rule(
        which=st.integers(0, 8),
        is_named=st.booleans(),
        ordinal=st.sampled_from([None, 0, 1, 7]),
        number=st.integers(1, 3),
    )
    def hear(self, which, is_named, ordinal, number):
        mails = list(self.mails.values())
        new = mails[which % len(mails)].new
        known = {one.recipient.ordinal: one.recipient.given for one in new.recipients}
        report = HeardReport(
            reverse_path=ALICE,
            report_id=QueueId(number),
            at=self.now,
            action="failed",
            text="550 no such user",
            recipient=None if ordinal is None else known.get(ordinal, Mailbox("zoe", "z.example")),
            message_id=new.message.message_id if is_named else "",
        )
        self.both(lambda box: box.heard(report, report))

    @rule()
    def purge(self):
        self.both(lambda box: box.purge())

    @rule(place=places, is_denied=st.booleans())
    def hear_of_a_name(self, place, is_denied):
        since = self.now if is_denied else None
        assert self.both(lambda box: box.deny(place, since)) is None

    @rule(hosts=places, kind=st.sampled_from(["recipients", "octets"]), value=st.integers(1, 9), pause=pauses)
    def learn(self, hosts, kind, value, pause):
        lesson = Lesson(hosts, kind, value, "so they said", self.now, self.now + pause)
        assert self.both(lambda box: box.learn(lesson)) is None

    @rule(is_on=st.booleans())
    def brake(self, is_on):
        braked = Braked(self.now, "too many", BrakeCause.NUMBER) if is_on else None
        assert self.both(lambda box: box.set_brake(braked)) is None

    @rule(is_orderly=st.booleans())
    def start_anew(self, is_orderly):
        one, other = (box.restart() if is_orderly else box.crash() for box in (self.sqlite, self.model))
        self.compare_opened(one, other)

    @precondition(lambda self: self.mails)
    @rule(
        is_kept=st.booleans(),
        which=st.integers(0, 20),
        kind=st.sampled_from(["refused", "relayed", "put off"]),
    )
    def die_at_a_settlement(self, is_kept, which, kind):
        if not self.booked:
            return
        message_id, ordinal, attempt, epoch = self.booked[which % len(self.booked)]
        settling = self.mails[message_id].outcome(
            self.event(kind, HOUR), ordinal, attempt=attempt, epoch=epoch
        )
        opened = []
        for box in (self.sqlite, self.model):
            told = []
            box.spool.settle((settling,), (), box.now, told.append)
            opened.append(box.die_at_the_commit(is_kept=is_kept))
            assert told == []
        self.compare_opened(*opened)

    def compare_opened(self, one, other):
        assert (one.epoch, one.floor, one.interrupted, one.parked) == (
            other.epoch, other.floor, other.interrupted, other.parked,
        )  # fmt: skip
        assert (one.known, one.lessons, one.brake) == (other.known, other.lessons, other.brake)
        remembered = {news.destination: news for news in one.failing}
        expected = {news.destination: news for news in other.failing}
        assert remembered.keys() == expected.keys()
        for destination, news in remembered.items():
            # It may be looked at later than it may be probed, when nobody is due there before.
            assert news.due_at >= expected[destination].due_at
            assert replace(news, due_at=0) == replace(expected[destination], due_at=0)

    # --- What must be so --------------------------------------------------------------------------------

    @invariant()
    def recipients_are_in_the_same_state(self):
        rows = self.sqlite.spool._reader.execute(
            "SELECT message_id, ordinal, state, due_at, epoch, attempts, first_outcome_at, expires_at"
            " FROM recipient"
        )
        from_sqlite = {(row[0], row[1]): (state_from_row(*row[2:6]), *row[6:]) for row in rows}
        from_model = {
            (message_id, ordinal): (life.state, life.heard_at, life.expires_at)
            for message_id, lives in self.model.disk.lives.items()
            for ordinal, life in lives.items()
        }
        assert from_sqlite == from_model

    @invariant()
    def the_same_reports_are_owed(self):
        rows = self.sqlite.spool._reader.execute(
            "SELECT message_id, ordinal, action, number, due_at, at FROM owed WHERE report_id IS NULL"
        )
        from_sqlite = {row[:4]: row[4:] for row in rows}
        names = {ReportKind.COPY: "copied"}
        from_model = {
            (message_id, ordinal, names.get(what, what), number): (line.due_at, line.at)
            for message_id, lines in self.model.disk.owed.items()
            for (ordinal, what, number), line in lines.items()
        }
        assert from_sqlite == from_model

    @invariant()
    def the_same_was_heard_later(self):
        for message_id in self.mails:
            assert self.sqlite.later(message_id) == self.model.later(message_id)

    @invariant()
    def contents_are_the_same(self):
        for message_id in self.mails:
            self.both(lambda box, message_id=message_id: box.content(message_id))

    @invariant()
    def the_same_is_known_of_destinations(self):
        rows = self.sqlite.spool._reader.execute(
            "SELECT name, took_mail_at, denied_since FROM known_destination"
        ).fetchall()
        assert {row[0]: Past(*row[1:]) for row in rows} == self.model.disk.known

    @invariant()
    def what_is_kept_is_counted(self):
        (counted,), (summed,) = (
            self.sqlite.spool._reader.execute(sql).fetchone()
            for sql in (
                "SELECT octets FROM kept",
                "SELECT coalesce(sum(size), 0) FROM content WHERE keep_until IS NOT NULL",
            )
        )
        assert counted == summed

    @invariant()
    def only_a_failing_destination_may_be_forgotten(self):
        assert self.sqlite.failing() <= self.model.failing()

    def teardown(self):
        try:
            self.compare_histories()
            self.let_everything_end()
        finally:
            self.sqlite.close()
            shutil.rmtree(self.folder)

    def compare_histories(self):
        for message_id in self.mails:
            self.both(lambda box, message_id=message_id: box.history(message_id))

    def let_everything_end(self):
        """Deliver what can be delivered, tell what is owed, and forget it all; nothing may be left."""
        generous = dict.fromkeys((*PLACES, "here.example"), NO_LIMIT)
        for box in (self.sqlite, self.model):
            box.settle(news=[alive(place, box.now) for place in generous])
        for _ in range(20):
            for box in (self.sqlite, self.model):
                box.clock.advance(DAY)
            one, other = (bookings_of(box.claim(quotas=generous)) for box in (self.sqlite, self.model))
            assert one == other
            self.booked += [(message.id, who.ordinal, n, self.model.epoch) for message, who, n, _ in one]
            self.deliver_all()
            for message_id in self.both(lambda box: box.owed_due(NO_LIMIT)).messages:
                owed = self.both(lambda box, message_id=message_id: box.take_owed(message_id))
                assert self.both(lambda box, owed=owed: box.report(owed, None))
        queue = set(self.model.disk.queue)
        note(f"parked for a person: {len(queue)}")
        for box in (self.sqlite, self.model):
            box.clock.advance(60 * DAY)
        self.both(lambda box: box.purge())
        for table in ("message", "recipient", "attempt", "owed", "content"):
            column = "id" if table == "message" else "message_id"
            left = {row[0] for row in self.sqlite.query(f"SELECT {column} FROM {table}")}
            assert left <= queue, table
        for table in ("destination", "known_destination", "lesson"):
            assert self.sqlite.query(f"SELECT * FROM {table}") == []

    def deliver_all(self):
        settlings = [
            self.mails[message_id].outcome(RELAYED, ordinal, attempt=attempt, epoch=epoch)
            for message_id, ordinal, attempt, epoch in self.booked
        ]
        self.booked.clear()
        settled = self.both(lambda box: box.settle(*settlings))
        assert isinstance(settled, Settled)


TestSpoolAgainstModel = SpoolAgainstModel.TestCase
TestSpoolAgainstModel.settings = settings(
    max_examples=5000 if IS_SEARCH else 250,
    stateful_step_count=50,
    derandomize=not IS_SEARCH,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    print_blob=False,
    # To shrink a failure takes minutes: HYPOTHESIS_PROFILE=search does it.
    phases=set(Phase) if IS_SEARCH else {Phase.explicit, Phase.generate},
    report_multiple_bugs=IS_SEARCH,
)
