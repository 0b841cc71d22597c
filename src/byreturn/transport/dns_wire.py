"""Questions and replies of the DNS as octets: ours are packed by hand, theirs read once into plain values.

Of what name servers send, nearly all is a few records of five kinds with ordinary names. That is read here,
in a tenth of the library's time; whatever is unusual in the least - another kind or class, an odd name, an
option, octets left over - is the library's to read, and its word holds.

    octets --not ours: id, question, form--> None, unheard
       |----cut short--------------------> Reply(is_cut), nothing in it is read
       |----plain------------------------> Reply
       '----unusual--> dnspython --------> Reply, or None for nonsense

Names are text: in lower case, without the final dot, empty for the root, odd octets escaped as in zone files.

Promises: no octets make anything here fail; where this reads a reply, dnspython reads the same from it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any, Final, TypeAlias

import dns.exception
import dns.message
import dns.name
import dns.rcode
from dns.rdataclass import IN
from dns.rdatatype import AAAA, CNAME, MX, NS, OPT, SOA, A
from msgspec import Struct

from byreturn.mail import normal_domain

Kind: TypeAlias = int

_HEADER: Final = struct.Struct("!HHHHHH")
_RECORD: Final = struct.Struct("!HHIH")
_QUESTION: Final = struct.Struct("!HH")
_IS_REPLY: Final = 0x8000
_OPCODE: Final = 0x7800
_IS_CUT: Final = 0x0200
_CODE: Final = 0x000F
# RFC 6891 section 6.1.2: an OPT record without options. 1232 octets pass every network without fragments.
_OPT: Final = b"\0" + _RECORD.pack(OPT, 1232, 0, 0)
_WITH_EDNS: Final = struct.pack("!HHHHH", 0x0100, 1, 0, 0, 1)
_WITHOUT_EDNS: Final = struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0)

_NAME_OCTETS: Final = 253  # RFC 1035 section 2.3.4: 255 with the first length and the root.
_LABEL_OCTETS: Final = 63
_POINTER: Final = 0xC0
_PLAIN: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
_PLAIN_NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_TTL_LIMIT: Final = 2**31
_KINDS: Final = frozenset({A, CNAME, SOA, MX, AAAA})
# Old servers leave the question out of an error; that is as much of an answer as one with it.
_CODES_ALONE: Final = frozenset({dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED})


class Question(Struct, frozen=True):
    """A name, and a kind of record. `octets` are both as in a message, `folded` the same in lower case."""

    name: str
    kind: Kind
    octets: bytes
    folded: bytes

    def __str__(self) -> str:
        return f"{self.name or '.'} {dns.rdatatype.to_text(dns.rdatatype.RdataType(self.kind))}"

    def packed(self, number: int, *, has_edns: bool) -> bytes:
        """Return the whole message, under an id."""
        if has_edns:
            return number.to_bytes(2) + _WITH_EDNS + self.octets + _OPT
        return number.to_bytes(2) + _WITHOUT_EDNS + self.octets


class Records(Struct, frozen=True):
    """The records of one name and kind, each once, and the shortest of their TTLs in seconds.

    The values are text, of MX a pair of preference and host, of SOA nothing.
    """

    ttl: int
    values: tuple[Any, ...]


class Reply(Struct, frozen=True):
    """What a server said. `owners` own any record of the answer at all, also of kinds that are not read here.

    `zones` are the SOA records beside an absence: each zone, and for how many seconds it vouches for that.
    """

    code: int
    is_cut: bool = False
    records: dict[tuple[str, Kind], Records] = {}
    owners: frozenset[str] = frozenset()
    zones: tuple[tuple[str, int], ...] = ()
    has_servers: bool = False

    def zone_ttl(self, name: str) -> int | None:
        """Say for how many seconds a zone that a name is in vouches for its absence; None: no such zone."""
        for zone, ttl in self.zones:
            # RFC 2308 section 5: the SOA of another place tells nothing about this name.
            if not zone or name == zone or name.endswith(f".{zone}"):
                return ttl
        return None


def question_of(text: str, kind: Kind) -> Question | None:
    """Write a question for an ASCII name; None where the name fits into none, so that it cannot exist."""
    text, octets = _plain_name(text) or _careful_name(text)
    if not octets:
        return None
    octets += _QUESTION.pack(kind, IN)
    return Question(text, kind, octets, octets.lower())


def read_reply(data: bytes, question: Question) -> Reply | None:
    """Read what answers a question; None for everything else. Whether the id is right, the caller knows."""
    if len(data) < _HEADER.size:
        return None
    _, flags, questions, *counts = _HEADER.unpack_from(data)
    if flags & (_IS_REPLY | _OPCODE) != _IS_REPLY:
        return None
    start = _HEADER.size
    if questions == 1:
        start += len(question.octets)
        # Lengths of labels, types and the class are no letters: only the name is compared without case.
        if data[_HEADER.size : start].lower() != question.folded:
            return None
    elif questions or flags & _CODE not in _CODES_ALONE:
        return None
    if flags & _IS_CUT:
        return Reply(flags & _CODE, is_cut=True)
    try:
        return _plain(data, start, flags & _CODE, counts)
    except (_Unusual, IndexError, struct.error):
        return _careful(data)


def _plain_name(text: str) -> tuple[str, bytes] | None:
    """Write an ordinary name in lower case; None if it is none."""
    if len(text) > _NAME_OCTETS or not _PLAIN_NAME.fullmatch(text):
        return None
    octets = b"".join([len(label).to_bytes(1) + label for label in text.encode("ascii").split(b".")])
    return text, octets + b"\0"


def _careful_name(text: str) -> tuple[str, bytes]:
    """Write any name; without octets where it fits into no message."""
    try:
        # With its final dot it is absolute, so that no search list is ever tried.
        name = dns.name.from_text(f"{text}.")
    except dns.exception.DNSException:
        return text, b""
    return _text(name), name.to_wire() or b""


# --- What is plain ------------------------------------------------------------------------------------


class _Unusual(Exception):
    """Not for us to read."""


def _plain(data: bytes, at: int, code: int, counts: list[int]) -> Reply:
    """Read a reply of ordinary records only."""
    answers, authorities, others = counts
    ttls: dict[tuple[str, Kind], int] = {}
    values: dict[tuple[str, Kind], dict[Any, None]] = {}
    end = at
    for name, kind, ttl, start, end in _each(data, at, answers):
        key = name, kind
        value = _value(data, kind, start, end)
        if key not in ttls:
            ttls[key], values[key] = ttl, {value: None}
        elif kind in (CNAME, SOA):
            raise _Unusual  # There may be one; which of two holds is not for us to say.
        else:
            ttls[key] = min(ttl, ttls[key])
            values[key][value] = None
    zones: list[tuple[str, int]] = []
    has_servers = False
    at = end
    for name, kind, ttl, start, end in _each(data, at, authorities):
        if kind == SOA and not zones:
            zones.append((name, min(ttl, _minimum(data, start, end))))
        elif kind == NS and _name(data, start)[1] == end:
            has_servers = True
        else:
            raise _Unusual
    _skip_others(data, end, others)
    return Reply(
        code,
        records={key: Records(ttl, tuple(values[key])) for key, ttl in ttls.items()},
        owners=frozenset([name for name, _ in ttls]),
        zones=tuple(zones),
        has_servers=has_servers,
    )


def _each(data: bytes, at: int, count: int) -> Iterator[tuple[str, Kind, int, int, int]]:
    """Yield name, kind, TTL, start and end of so many records."""
    for _ in range(count):
        name, at = _name(data, at)
        kind, cls, ttl, size = _RECORD.unpack_from(data, at)
        start = at + _RECORD.size
        at = start + size
        if cls != IN or ttl >= _TTL_LIMIT or at > len(data):
            raise _Unusual
        yield name, kind, ttl, start, at


def _skip_others(data: bytes, at: int, count: int) -> None:
    """Pass over addresses of mail hosts and name servers, and an OPT record that says nothing."""
    has_opt = False
    for _ in range(count):
        if data[at] == 0:
            kind, _, extended, size = _RECORD.unpack_from(data, at + 1)
            # The first octet of its TTL is the upper half of the code, the second the version.
            if kind != OPT or has_opt or extended >> 16 or size:
                raise _Unusual
            has_opt = True
            at += 1 + _RECORD.size
        else:
            for _, kind, _, start, end in _each(data, at, 1):
                if (kind, end - start) not in ((A, 4), (AAAA, 16)):
                    raise _Unusual
                at = end
    if at != len(data):
        raise _Unusual


def _value(data: bytes, kind: Kind, start: int, end: int) -> Any:
    """Read the data of one record of the answer."""
    if kind == MX:
        host, at = _name(data, start + 2)
        if at == end:
            return data[start] << 8 | data[start + 1], host
    elif kind == A and end - start == 4:
        return inet_ntop(AF_INET, data[start:end])
    elif kind == AAAA and end - start == 16:
        return inet_ntop(AF_INET6, data[start:end])
    elif kind == CNAME:
        target, at = _name(data, start)
        if at == end:
            return target
    elif kind == SOA:
        _minimum(data, start, end)
        return None
    raise _Unusual


def _minimum(data: bytes, start: int, end: int) -> int:
    """Read the last number of a SOA record."""
    _, at = _name(data, start)
    _, at = _name(data, at)
    if at + 20 != end:
        raise _Unusual
    return int.from_bytes(data[end - 4 : end])


def _name(data: bytes, at: int) -> tuple[str, int]:
    """Read a name of ordinary letters, and say where it ends."""
    labels: list[bytes] = []
    end, lowest = 0, at
    while size := data[at]:
        if size <= _LABEL_OCTETS:
            labels.append(data[at + 1 : at + 1 + size])
            at += 1 + size
        elif size >= _POINTER:
            end = end or at + 2
            at = (size & 0x3F) << 8 | data[at + 1]
            # Each pointer leads further back, so that none leads in a circle.
            if at >= lowest:
                raise _Unusual
            lowest = at
        else:
            raise _Unusual
    if b"".join(labels).translate(None, _PLAIN):
        raise _Unusual
    text = b".".join(labels).lower().decode("ascii")
    if len(text) > _NAME_OCTETS:
        raise _Unusual
    return text, end or at + 1


# --- What the library reads ---------------------------------------------------------------------------


def _careful(data: bytes) -> Reply | None:
    """Read any reply; None for nonsense."""
    try:
        message = dns.message.from_wire(data)
    except Exception:  # noqa: BLE001 - a stranger wrote it: whatever the library makes of it, it is nonsense
        return None
    records: dict[tuple[str, Kind], Records] = {}
    for rrset in message.answer:
        if rrset.rdclass == IN and rrset.rdtype in _KINDS:
            key = (_text(rrset.name), int(rrset.rdtype))
            records[key] = Records(rrset.ttl, tuple(_values(rrset)))
    zones = [
        (_text(rrset.name), min(rrset.ttl, rrset[0].minimum))
        for rrset in message.authority
        if rrset.rdtype == SOA
    ]
    return Reply(
        message.rcode(),
        records=records,
        owners=frozenset(_text(rrset.name) for rrset in message.answer),
        zones=tuple(zones),
        has_servers=any(rrset.rdtype == NS for rrset in message.authority),
    )


def _values(rrset: Any) -> Iterator[Any]:
    for record in rrset:
        match rrset.rdtype:
            case dns.rdatatype.MX:
                yield record.preference, _text(record.exchange)
            case dns.rdatatype.CNAME:
                yield _text(record.target)
            case dns.rdatatype.SOA:
                yield None
            case _:
                yield record.address


def _text(name: dns.name.Name) -> str:
    return normal_domain(name.to_text())
