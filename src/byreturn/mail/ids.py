"""Identifiers: 64-bit numbers in order of time, written in base 32 for people.

One number says when, where and which, so that a queue sorted by id is sorted by age, two machines never
make the same id, and no counter has to be stored:

    0 | 41 bits: milliseconds since 2020-01-01Z | 6 bits: node | 16 bits: sequence
      '- until 2089                              '- 0..63       '- 65,536 a millisecond

For people the same number is 13 characters of Crockford's base 32, which has no I, L, O or U, so that an
id survives being read out over the telephone. The letters sort as the numbers do.

Promises: ids of one factory rise strictly, even when the clock steps back. Pure: `now` is given.
"""

from __future__ import annotations

from typing import Final, NewType

from byreturn.mail.instants import Instant

QueueId = NewType("QueueId", int)

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_LENGTH: Final = 13
_EPOCH: Final[Instant] = 1_577_836_800_000  # 2020-01-01T00:00Z
_NODE_BITS: Final = 6
_SEQUENCE_BITS: Final = 16
_NODE_MASK: Final = (1 << _NODE_BITS) - 1
_PAIRS: Final = tuple(a + b for a in _ALPHABET for b in _ALPHABET)


def id_text(number: QueueId) -> str:
    """Write an id for people: 13 characters, sorted as the numbers are."""
    pairs = _PAIRS
    return (
        _ALPHABET[number >> 60] + pairs[number >> 50 & 1023] + pairs[number >> 40 & 1023]
        + pairs[number >> 30 & 1023] + pairs[number >> 20 & 1023] + pairs[number >> 10 & 1023]
        + pairs[number & 1023]
    )  # fmt: skip


def id_from_text(text: str) -> QueueId | None:
    """Read an id as a person may write it (any case, dashes, O for 0); None if it is none."""
    letters = text.replace("-", "").replace(" ", "").upper()
    if len(letters) != _LENGTH:
        return None
    number = 0
    for letter in letters:
        value = _VALUES.get(letter)
        if value is None:
            return None
        number = number << 5 | value
    return QueueId(number) if number < 1 << 63 else None


def id_instant(number: QueueId) -> Instant:
    """Tell the millisecond in which an id was made."""
    return (number >> _NODE_BITS + _SEQUENCE_BITS) + _EPOCH


def first_id_at(at: Instant) -> QueueId:
    """Return the smallest id that could be made at an instant: the border for history by age."""
    return QueueId(max(0, at - _EPOCH) << _NODE_BITS + _SEQUENCE_BITS)


class IdFactory:
    """Makes ids for one node; `floor` is the largest id already in use there."""

    __slots__ = ("_last", "_node")

    def __init__(self, node: int, floor: QueueId) -> None:
        assert 0 <= node < 1 << _NODE_BITS
        self._node = node << _SEQUENCE_BITS
        self._last = floor

    def make(self, now: Instant) -> QueueId:
        """Return a new id, larger than every one before."""
        shift = _NODE_BITS + _SEQUENCE_BITS
        fresh = max(0, now - _EPOCH) << shift | self._node
        last = self._last
        if fresh <= last:
            # Within one millisecond, or after the clock stepped back: count on from the last one. Where that
            # would leave our node's numbers (65,536 ids in a millisecond, or a floor that another node
            # made), the next millisecond is borrowed.
            fresh = last + 1
            if fresh >> _SEQUENCE_BITS & _NODE_MASK != self._node >> _SEQUENCE_BITS:
                fresh = (last >> shift) + 1 << shift | self._node
        self._last = QueueId(fresh)
        return self._last
