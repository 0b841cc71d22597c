"""Did you mean? An address that the sender may have wanted to write, a slip of the fingers away.

A slip is one letter too many, too few or wrong, or two neighbours in the wrong order. A domain that does not
exist is compared with domains, an unknown mailbox with the mailboxes of its domain; and a known correspondent
may have been given another top-level domain than his own.

    anna@suplier.example  no such domain    anna@supplier.example   the sender has written to that domain
    anna@gmial.com        no such domain    anna@gmail.com          very many people are there
    ana@here.example      no such mailbox   anna@here.example       a colleague, if the sender is one of us

A report must not ask "did you mean" of what is only possible. So it is *likely* only if nothing else is near,
and if chance would hardly have made it: names of three letters, numbers, and people whose names differ by
their last letter (Mario and Maria) are neighbours without any slip.

Promises: at most two candidates, best first, none of them the address that failed; likely only if single.
Costs under a millisecond for a thousand correspondents. Whether a candidate takes mail is the caller's to
find out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import pairwise
from typing import Final

from msgspec import Struct

from byreturn.mail import Instant, Mailbox, normal_domain
from byreturn.report.domains import COMMON_DOMAINS, LEADING_DOMAINS
from byreturn.report.facts import Kin, Suggestion

CANDIDATES: Final = 2
# Shorter names are neighbours by chance: between two names of three letters lies little.
_SURE_LENGTH: Final = 4
# No address that could be meant is longer than this on either side.
_LONGEST: Final = 255
# What stands before the top-level domain in countries that have domains of a second level.
_SECOND_LEVELS: Final = frozenset({"co", "com", "org", "net", "ac", "or", "ne", "gov", "edu"})
_WORD_ENDS: Final = frozenset(".-_+")
_VOWELS: Final = frozenset("aeiouy")
# Letters that lie side by side, on the keyboards of the English, the German and the French.
_ROWS: Final = (
    "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn",
)  # fmt: skip
_COLUMNS: Final = (
    "qa", "wa", "ws", "es", "ed", "rd", "rf", "tf", "tg", "yg", "yh", "uh", "uj", "ij", "ik", "ok", "ol",
    "pl", "az", "sz", "sx", "dx", "dc", "fc", "fv", "gv", "gb", "hb", "hn", "jn", "jm", "km", "zh", "ay",
)  # fmt: skip
_SIDE_BY_SIDE: Final = frozenset(
    pair
    for keys in (*_ROWS, *_COLUMNS)
    for left, right in pairwise(keys)
    for pair in (left + right, right + left)
)


class Edit(Enum):
    """What happened to the text that was meant."""

    MISSING = "missing"
    EXTRA = "extra"
    WRONG = "wrong"
    SWAPPED = "swapped"


class Slip(Struct, frozen=True):
    """One edit, from what was typed to what was meant: where, and the letters of both."""

    edit: Edit
    at: int
    typed: str
    meant: str


class Suggestions(Struct, frozen=True):
    """What may have been meant, best first; `is_likely`: it is a single one, and hardly anything else."""

    candidates: tuple[Suggestion, ...] = ()
    is_likely: bool = False


NOTHING: Final = Suggestions()


class _Near(Struct, frozen=True):
    """A candidate with what it is judged by. `slip` None: another top-level domain."""

    suggestion: Suggestion
    slip: Slip | None
    rank: int
    is_sure: bool


def suggest(
    failed: Mailbox,
    *,
    domain_failed: bool,
    correspondents: Sequence[tuple[Mailbox, Instant]] = (),
    colleagues: Iterable[str] = (),
    common: Sequence[str] = COMMON_DOMAINS,
) -> Suggestions:
    """Find what was meant by an address whose domain does not exist, or whose mailbox is unknown.

    `correspondents`: who took mail of this sender, and when; `colleagues`: local parts of the failed
    address's domain, given only if it is ours and the sender is one of us.
    """
    if failed.is_literal or len(failed.local) > _LONGEST or len(failed.domain) > _LONGEST:
        return NOTHING
    if domain_failed:
        if failed.destination in common:
            # It is right as it stands; that it failed has another reason.
            return NOTHING
        found = [*_known_domains(failed, correspondents), *_common_domains(failed, common)]
    else:
        found = [*_known_mailboxes(failed, correspondents), *_colleagues(failed, colleagues)]
    return _best(found)


def _best(found: list[_Near]) -> Suggestions:
    """Order the candidates: nearest, then nearest of kin, then by rank; each address once."""
    kinds = tuple(Kin)
    found.sort(key=lambda near: (near.slip is None, kinds.index(near.suggestion.kin), near.rank))
    once: dict[tuple[str, str], _Near] = {}
    for near in found:
        address = near.suggestion.address
        once.setdefault((address.local.casefold(), address.destination), near)
    candidates = tuple(once.values())
    return Suggestions(
        candidates=tuple(near.suggestion for near in candidates[:CANDIDATES]),
        is_likely=len(candidates) == 1 and candidates[0].is_sure,
    )


# --- The domain was wrong -----------------------------------------------------------------------------


def _known_domains(failed: Mailbox, correspondents: Sequence[tuple[Mailbox, Instant]]) -> Iterator[_Near]:
    typed, local = failed.destination, failed.local.casefold()
    slips: dict[str, Slip | None] = {}
    for address, at in correspondents:
        domain = address.destination
        if domain not in slips:
            slip = slip_between(typed, domain)
            if slip is None and not _is_other_top_level(typed, domain):
                continue
            slips[domain] = slip
        slip = slips[domain]
        is_same = address.local.casefold() == local
        meant = address if is_same else Mailbox(failed.local, address.domain)
        kin = Kin.CORRESPONDENT if is_same else Kin.SAME_DOMAIN
        yield _Near(Suggestion(meant, kin), slip, -at, slip is not None and _is_sure_domain(domain, slip))


def _common_domains(failed: Mailbox, common: Sequence[str]) -> Iterator[_Near]:
    typed = failed.destination
    for rank, domain in enumerate(common):
        slip = slip_between(typed, domain)
        if slip is not None:
            meant = Suggestion(Mailbox(failed.local, domain), Kin.COMMON)
            is_sure = domain in LEADING_DOMAINS and _is_sure_domain(domain, slip)
            yield _Near(meant, slip, rank, is_sure)


def _is_sure_domain(meant: str, slip: Slip) -> bool:
    name = meant.partition(".")[0]
    if len(name) < _SURE_LENGTH or _has_digit(slip):
        return False
    # Between countries lies a letter (.be and .de), and so does a short one from a new domain (.be and .bet).
    return slip.at + len(slip.meant) <= len(name) or meant.endswith(".com")


def _is_other_top_level(typed: str, meant: str) -> bool:
    """Whether both are the same name under different top-level domains: supplier.com and supplier.co.uk."""
    name = _under_top_level(meant)
    # Most pairs are told apart by their beginning, without taking the other one to pieces.
    return typed != meant and len(name) > 1 and typed.startswith(name) and _under_top_level(typed) == name


def _under_top_level(domain: str) -> str:
    rest = domain.rpartition(".")[0]
    before, _, last = rest.rpartition(".")
    return before if before and last in _SECOND_LEVELS else rest


# --- The mailbox was wrong ----------------------------------------------------------------------------


def _known_mailboxes(failed: Mailbox, correspondents: Sequence[tuple[Mailbox, Instant]]) -> Iterator[_Near]:
    typed, domain = failed.local.casefold(), failed.destination
    for address, at in correspondents:
        known, theirs = address.local.casefold(), address.destination
        if theirs == domain:
            slip = slip_between(typed, known)
            if slip is not None:
                suggestion = Suggestion(address, Kin.CORRESPONDENT)
                yield _Near(suggestion, slip, -at, _is_sure_mailbox(known, slip))
        elif known == typed and _is_other_top_level(domain, theirs):
            yield _Near(Suggestion(address, Kin.CORRESPONDENT), None, -at, is_sure=False)


def _colleagues(failed: Mailbox, colleagues: Iterable[str]) -> Iterator[_Near]:
    typed = failed.local.casefold()
    for rank, local in enumerate(sorted(colleagues)):
        slip = slip_between(typed, local.casefold())
        if slip is not None:
            meant = Suggestion(Mailbox(local, normal_domain(failed.domain)), Kin.COLLEAGUE)
            yield _Near(meant, slip, rank, _is_sure_mailbox(local.casefold(), slip))


def _is_sure_mailbox(meant: str, slip: Slip) -> bool:
    """Whether it is a slip of the fingers, and hardly the name of somebody else."""
    shorter = len(meant) - (slip.edit is Edit.EXTRA or slip.edit is Edit.MISSING)
    if shorter < _SURE_LENGTH or _has_digit(slip):
        return False
    if slip.edit is Edit.SWAPPED:
        return True
    # The letter where the words part: the first and the last of a word make another name of it.
    at, end = slip.at, slip.at + len(slip.meant)
    is_first = at == 0 or meant[at - 1] in _WORD_ENDS
    is_last = end == len(meant) or meant[end] in _WORD_ENDS
    if is_first or is_last:
        return False
    if slip.edit is Edit.WRONG:
        # Hansen and Hanson are two people; an "n" for an "m" is a finger that missed.
        return slip.typed + slip.meant in _SIDE_BY_SIDE and not _VOWELS & {slip.typed, slip.meant}
    letter = slip.typed or slip.meant
    is_doubled = letter in (meant[at - 1], meant[end])
    return is_doubled or letter not in _VOWELS


def _has_digit(slip: Slip) -> bool:
    """Whether a digit differs: of numbered names each is somebody."""
    return any(letter.isdigit() for letter in slip.typed + slip.meant)


# --- One slip -----------------------------------------------------------------------------------------


def slip_between(typed: str, meant: str) -> Slip | None:
    """Find the one slip that leads from one text to the other; None: they are equal, or further apart.

    Insertion, deletion, replacement, or a swap of neighbours. The longest common beginning and end are taken
    away, and what is left between them must be one of the four; so the cost is the length of the texts.
    """
    if not -1 <= len(typed) - len(meant) <= 1 or typed == meant:
        return None
    shorter = min(len(typed), len(meant))
    at = 0
    while at < shorter and typed[at] == meant[at]:
        at += 1
    end = 0
    while end < shorter - at and typed[-1 - end] == meant[-1 - end]:
        end += 1
    left, right = typed[at : len(typed) - end], meant[at : len(meant) - end]
    match len(left), len(right):
        case 0, 1:
            return Slip(Edit.MISSING, at, left, right)
        case 1, 0:
            return Slip(Edit.EXTRA, at, left, right)
        case 1, 1:
            return Slip(Edit.WRONG, at, left, right)
        case 2, 2 if left == right[::-1]:
            return Slip(Edit.SWAPPED, at, left, right)
        case _:
            return None
