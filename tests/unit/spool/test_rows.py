"""What is written into a row is read back from it, through a database that checks it."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byreturn.mail import (
    NULL_PATH,
    BodyType,
    Cause,
    Destination,
    EnhancedStatus,
    Mailbox,
    Message,
    Notify,
    Origin,
    PeerSaid,
    Phase,
    Priority,
    QueueId,
    Recipient,
    Reply,
    Ret,
    WeFound,
)
from byreturn.policy import FINAL, TRANSITIONS, Fence, Held, InFlight, Parked, Waiting
from byreturn.ports import NewRecipient
from byreturn.spool.rows import (
    EVENT_NAMES,
    FIRST_FINAL,
    STATE_NAMES,
    STATE_NUMBERS,
    finding_from_text,
    finding_text,
    message_from_row,
    message_row,
    recipient_from_row,
    recipient_row,
    state_from_row,
)
from byreturn.spool.statements import SCHEMA, SQL

instants = st.integers(0, 1 << 50)
counts = st.integers(0, 1 << 31)
ids = st.integers(1, (1 << 63) - 1).map(QueueId)
# Everything that UTF-8 can say: NUL, quotes, line ends, the far planes. No lone surrogates: no peer's octets
# are read in a way that makes any.
texts = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(
    ["", "'", '"', "'; DROP TABLE message; --", "\0", "a\0b", "\r\n", "\U0010ffff", "%s", "?1", "\\"]
)
locals_ = texts | st.sampled_from(['"a@b"', '"@"', '"\\""'])
domains = texts.map(lambda text: text.replace("@", "")) | st.sampled_from(
    ["a.example", "A.Example.", "[192.0.2.1]", "[IPv6:2001:db8::1]"]
)
mailboxes = st.builds(Mailbox, locals_, domains)
notifies = st.integers(0, 15).map(Notify)
recipients = st.builds(
    Recipient,
    st.integers(0, 100_000),
    mailboxes,
    mailboxes,
    texts.map(Destination),
    notifies,
    st.none() | texts,
)
statuses = st.builds(EnhancedStatus, st.sampled_from([2, 4, 5]), st.integers(0, 999), st.integers(0, 999))
replies = st.builds(
    Reply, st.integers(200, 599), st.none() | statuses, st.lists(texts, max_size=4).map(tuple)
)
findings = st.builds(PeerSaid, replies, texts, texts, st.sampled_from(Phase)) | st.builds(
    WeFound, st.sampled_from(Cause), texts, texts, texts, st.none() | st.sampled_from(Phase)
)
messages = st.builds(
    Message,
    id=ids,
    reverse_path=st.just(NULL_PATH) | mailboxes,
    accepted_at=instants,
    expires_at=instants,
    octets=counts,
    recipient_count=st.integers(1, 100_000),
    body=st.sampled_from(BodyType),
    ret=st.none() | st.sampled_from(Ret),
    envid=st.none() | texts,
    priority=st.sampled_from(Priority),
    origin=st.builds(Origin, texts, texts, texts),
    about=st.none() | ids,
    message_id=texts,
    subject=texts,
    is_bulk=st.booleans(),
)
first_states = st.builds(Waiting, instants, st.integers(0, 1000)) | st.builds(
    InFlight, st.builds(Fence, st.integers(1, 1 << 40), st.integers(1, 1000))
)
later_states = st.sampled_from((Held, Parked, *FINAL)).flatmap(
    lambda state: st.builds(state, st.integers(0, 1000))
)


@pytest.fixture(scope="module")
def database():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    yield connection
    connection.close()


@given(messages)
def test_a_message_is_read_back(database, message):
    database.execute("DELETE FROM message")
    database.execute(SQL["add_message"], message_row(message))
    row = database.execute(SQL["get_message"], (message.id,)).fetchone()
    assert message_from_row(row) == message


@given(messages, recipients, first_states, st.none() | findings)
def test_a_new_recipient_is_read_back(database, message, recipient, state, finding):
    database.execute("DELETE FROM recipient")
    database.execute(SQL["add_recipient"], recipient_row(message, NewRecipient(recipient, state, finding)))
    row = database.execute(
        "SELECT ordinal, address, given, destination, notify, orcpt, state, due_at, epoch, attempts, finding,"
        " first_outcome_at, expires_at, priority FROM recipient"
    ).fetchone()
    assert recipient_from_row(row[:6]) == recipient
    assert state_from_row(*row[6:10]) == state
    assert finding_from_text(row[10]) == finding
    # A finding at acceptance is the first outcome.
    assert row[11] == (None if finding is None else message.accepted_at)
    assert row[12:] == (message.expires_at, message.priority)
    if isinstance(state, InFlight):
        # When it is interrupted, it is due at once.
        assert row[7] == message.accepted_at


@given(later_states)
def test_a_later_state_is_read_back(state):
    assert state_from_row(STATE_NUMBERS[type(state)], None, None, state.attempts) == state


@given(st.none() | findings)
def test_a_finding_is_read_back(finding):
    assert finding_from_text(finding_text(finding)) == finding


@given(mailboxes, mailboxes)
@settings(max_examples=300)
def test_an_alias_is_told_from_its_target(address, given_):
    recipient = Recipient(0, address, given_, Destination("a.example"))
    row = recipient_row(_MESSAGE, NewRecipient(recipient, Waiting(0, 0)))
    assert recipient_from_row(row[1:7]) == recipient


_MESSAGE = Message(
    id=QueueId(1), reverse_path=NULL_PATH, accepted_at=0, expires_at=0, octets=0, recipient_count=1
)


def test_every_state_and_every_event_has_a_number_or_a_name_of_its_own():
    states = {state for pair in TRANSITIONS.items() for state in (pair[0][0], pair[1])}
    assert set(STATE_NUMBERS) == states
    assert sorted(STATE_NUMBERS.values()) == list(range(len(states)))
    assert len(set(STATE_NAMES)) == len(states)
    assert set(EVENT_NAMES) >= {event for _, event in TRANSITIONS}
    assert len(set(EVENT_NAMES.values())) == len(EVENT_NAMES)


def test_the_numbers_of_the_states_never_change_their_meaning():
    names = {number: state.__name__ for state, number in STATE_NUMBERS.items()}
    assert [names[number] for number in range(9)] == [
        "Waiting", "InFlight", "Held", "Parked", "Delivered", "Failed", "Expired", "Returned", "Discarded",
    ]  # fmt: skip
    assert {STATE_NUMBERS[state] for state in FINAL} == set(range(FIRST_FINAL, 9))


@pytest.mark.parametrize("number", range(-1, 11))
@pytest.mark.parametrize("due_at", [None, 5])
@pytest.mark.parametrize("epoch", [None, 1])
def test_the_database_repeats_the_law(database, number, due_at, epoch):
    database.execute("DELETE FROM recipient")
    row = list(recipient_row(_MESSAGE, NewRecipient(Recipient(0, *_BOBS), Waiting(0, 0))))
    row[8:11] = number, due_at, epoch
    is_lawful = (
        0 <= number <= 8
        and (due_at is not None) == (number in (0, 1))
        and (epoch is not None) == (number == 1)
    )
    if is_lawful:
        database.execute(SQL["add_recipient"], row)
    else:
        with pytest.raises(sqlite3.IntegrityError):
            database.execute(SQL["add_recipient"], row)


_BOBS = (Mailbox("bob", "a.example"), Mailbox("bob", "a.example"), Destination("a.example"))
