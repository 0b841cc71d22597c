r"""Who is here: the mailboxes and aliases of our own domains.

An address has many spellings and one meaning. So every name is stored once, in one spelling, and the
question of a RCPT is a look-up in a dictionary:

    "In\fo"@Here.Example. --spelling undone--> info --> Here(info@here.example)
    info+shop@here.example --before the "+"---> info --> Here(info@here.example)
    office@here.example    --alias, flattened-> Here(office@here.example, ann@elsewhere.example)

Promises: names match as a whole, never by their beginning (a famous connector gave `p@` and `post@` to the
postmaster). The postmaster is always here. `find` costs the same for ten mailboxes and for a million.
Fails: never after construction. What `check_domains` complains about is still safe to build: an unknown
target stays a member, so that its failure is reported, and an alias that leads to nobody is not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from byreturn.mail import Destination, Mailbox, normal_domain
from byreturn.ports import Elsewhere, Here, NotHere, Whereabouts
from byreturn.store.names import plain_local, stored_local
from byreturn.store.slips import one_slip_away

NEAR_LIMIT: Final = 10
# Each member becomes a row of the spool when mail for the alias is accepted; longer lists need a list server.
MEMBER_LIMIT: Final = 10_000

_POSTMASTER: Final = "postmaster"
_NOT_HERE: Final = NotHere()
_ELSEWHERE: Final = Elsewhere()


class LocalDomain(Struct, frozen=True):
    """A domain of ours, as configured.

    `mailboxes` None: any local part is a mailbox. The targets of an alias are local parts of the same
    domain or full addresses; an alias that names itself means the mailbox of its name. What follows the
    `subaddress_delimiter` in an unknown local part is ignored; empty: nothing is.
    """

    name: Destination
    mailboxes: frozenset[str] | None
    aliases: dict[str, tuple[str, ...]] = {}
    subaddress_delimiter: str = "+"


class _Names:
    """The names of one domain, in their stored spelling, and what they stand for."""

    __slots__ = ("aliases", "delimiter", "found", "mailboxes", "name")

    def __init__(self, domain: LocalDomain) -> None:
        self.name = normal_domain(domain.name)
        self.delimiter = domain.subaddress_delimiter
        self.mailboxes: set[str] | None = None
        if domain.mailboxes is not None:
            self.mailboxes = {stored_local(plain_local(local)) for local in domain.mailboxes}
        self.aliases: dict[str, list[str]] = {}
        for alias, targets in domain.aliases.items():
            self.aliases.setdefault(stored_local(plain_local(alias)), []).extend(targets)
        # RFC 5321 section 4.5.1: mail for the postmaster of every domain of ours is taken.
        self.found: dict[str, Here | NotHere] = {}
        for local in (_POSTMASTER, *(self.mailboxes or ())):
            self.found[local] = Here((Mailbox(local, self.name),), is_alias=False)

    def is_mailbox(self, stored: str, plain: str) -> bool:
        """Whether mail can be stored under exactly this name; of "any", only under what can be printed."""
        if self.mailboxes is None:
            return plain != "" and plain.isprintable()
        return stored in self.mailboxes or stored == _POSTMASTER

    def known_as(self, local: str) -> str | None:
        """Return the stored name that a local part reaches, in whatever spelling; None if it reaches none."""
        plain = plain_local(local)
        stored = stored_local(plain)
        if stored in self.found or stored in self.aliases:
            return stored
        takes_any = self.mailboxes is None
        if self.delimiter and self.delimiter in plain and plain.isprintable():
            # Sub-addressing (RFC 5233 section 1): people give info+shop to a shop and expect to get it as
            # info. Where any local part is a mailbox that holds too, or each tag would be a mailbox more.
            plain_base = plain.partition(self.delimiter)[0]
            base = stored_local(plain_base)
            if base in self.found or base in self.aliases or (takes_any and plain_base):
                return base
        return stored if takes_any and self.is_mailbox(stored, plain) else None


_Places: TypeAlias = Mapping[str, _Names]
_Targets: TypeAlias = Mapping[Mailbox, tuple[Mailbox, ...]]


def _places(domains: Sequence[LocalDomain]) -> dict[str, _Names]:
    return {names.name: names for names in map(_Names, domains)}


class LocalDirectory:
    """The Directory port in memory."""

    def __init__(self, domains: Sequence[LocalDomain]) -> None:
        assert domains, "no local domain: nobody would be postmaster"
        self._places = _places(domains)
        self._primary = normal_domain(domains[0].name)
        targets = _resolve_aliases(self._places)
        for alias in targets:
            members = _members(alias, targets, self._places)
            found = self._places[alias.domain].found
            if members:
                found[alias.local] = Here(members, is_alias=True)
            elif alias.local != _POSTMASTER:
                # To take mail for nobody would be to lose it: refused at RCPT the sender learns of it.
                found[alias.local] = _NOT_HERE

    @property
    def primary_domain(self) -> str:
        """The domain of our own postmaster: the first one."""
        return self._primary

    def is_local(self, domain: str) -> bool:
        """Whether a domain is one of ours."""
        return normal_domain(domain) in self._places

    def find(self, address: Mailbox) -> Whereabouts:
        """Tell whether an address is local, and what it stands for.

        A name in its stored spelling (nearly all of them) costs 0.1 us, any other 0.2 to 1.4 us.
        """
        # A name that stands in the dictionary as given is its own stored spelling: nothing to undo.
        names = self._places.get(address.domain)
        if names is None:
            names = self._places.get(normal_domain(address.domain))
            if names is None:
                # RFC 5321 section 4.1.1.3: <Postmaster> without a domain is ours.
                is_ours = not address.domain and plain_local(address.local) == _POSTMASTER
                return self._places[self._primary].found[_POSTMASTER] if is_ours else _ELSEWHERE
        found = names.found.get(address.local)
        if found is not None:
            return found
        known = names.known_as(address.local)
        if known is None:
            return _NOT_HERE
        # NOT DONE: no cache of what "any local part" found. To make a Here costs 0.1 us; a table that
        #           strangers fill would need a limit, and an answer when it is reached.
        return names.found.get(known) or Here((Mailbox(known, names.name),), is_alias=False)

    def near(self, address: Mailbox) -> tuple[Mailbox, ...]:
        """Name mailboxes and aliases of the same domain that are one slip of the fingers away.

        At most NEAR_LIMIT, and none for a domain that is not ours. Costs 0.4 ms for a name of ten letters.
        """
        names = self._places.get(address.destination)
        if names is None:
            return ()
        plain = plain_local(address.local)
        near: dict[str, None] = {}
        for local in map(stored_local, one_slip_away(plain)):
            if local in near or not isinstance(names.found.get(local), Here):
                continue
            near[local] = None
            if len(near) == NEAR_LIMIT:
                break
        near.pop(stored_local(plain), None)
        return tuple(Mailbox(local, names.name) for local in near)

    def has_mailbox(self, address: Mailbox) -> bool:
        """Whether mail can be stored for exactly this address: the store's question, aliases are none."""
        return _is_mailbox(address, self._places)


# --- Aliases ------------------------------------------------------------------------------------------


def _split_target(target: str) -> tuple[str, str]:
    """Split a target into local part and domain; the domain is empty where it is left out."""
    if target.endswith('"') or "@" not in target:
        return target, ""
    local, _, domain = target.rpartition("@")
    return local, domain


def _resolve_target(target: str, home: _Names, places: _Places) -> Mailbox:
    """Return whom a target means: a name of ours as it is stored, or a stranger's exactly as given."""
    local, domain = _split_target(target)
    names = places.get(normal_domain(domain)) if domain else home
    if names is None:
        return Mailbox(local, domain)
    return Mailbox(names.known_as(local) or stored_local(plain_local(local)), names.name)


def _resolve_aliases(places: _Places) -> dict[Mailbox, tuple[Mailbox, ...]]:
    return {
        Mailbox(alias, names.name): tuple(_resolve_target(target, names, places) for target in targets)
        for names in places.values()
        for alias, targets in names.aliases.items()
    }


def _is_mailbox(address: Mailbox, places: _Places) -> bool:
    names = places.get(address.destination)
    plain = plain_local(address.local)
    return names is not None and names.is_mailbox(stored_local(plain), plain)


def _members(alias: Mailbox, targets: _Targets, places: _Places) -> tuple[Mailbox, ...]:
    """Follow an alias to its end, in the order written; everybody is taken once, so a loop ends."""
    members: dict[Mailbox, None] = {}
    seen = {alias}
    waiting = [(alias, target) for target in reversed(targets[alias])]
    while waiting:
        owner, target = waiting.pop()
        if target not in targets or (target == owner and _is_mailbox(target, places)):
            members[target] = None
        elif target not in seen:
            seen.add(target)
            waiting.extend((target, inner) for inner in reversed(targets[target]))
    return tuple(members)


def _loops(targets: _Targets, places: _Places) -> Iterator[list[Mailbox]]:
    """Find the loops among aliases: a walk in depth with its own stack, however deep they are nested."""
    done: set[Mailbox] = set()
    for start in targets:
        path = {start: 0} if start not in done else {}
        stack = [iter(targets[start])] if path else []
        while stack:
            target = next(stack[-1], None)
            if target is None:
                stack.pop()
                done.add(path.popitem()[0])
            elif target in path:
                loop = list(path)[path[target] :]
                if len(loop) > 1 or not _is_mailbox(target, places):
                    yield loop
            elif target in targets and target not in done:
                path[target] = len(path)
                stack.append(iter(targets[target]))


# --- Questions to a configuration ---------------------------------------------------------------------


def check_domains(domains: Sequence[LocalDomain]) -> list[str]:
    """Tell all that is wrong with the local domains: what, what it means, what to do."""
    if not domains:
        return ["No local domain is named. Nobody would be the postmaster. Name at least one domain."]
    places = _places(domains)
    wrong = [message for domain in domains for message in _check_names(domain, places)]
    if len(places) < len(domains):
        wrong.append(
            "A local domain is named twice. Only the last entry would count. Join the entries of each domain."
        )
    targets = _resolve_aliases(places)
    for loop in _loops(targets, places):
        way = " -> ".join(map(str, (*loop[:10], *(["..."] if len(loop) > 10 else []), loop[0])))
        wrong.append(
            f"Aliases go in a circle: {way}. Nobody is reached that way. Take one of these targets out, or"
            " name the alias among the mailboxes if it is one as well."
        )
    wrong.extend(
        f"Alias {alias} stands for more than {MEMBER_LIMIT} addresses. Every message to it would be copied as"
        " often. Use a list server, or split the alias."
        for alias in targets
        if len(_members(alias, targets, places)) > MEMBER_LIMIT
    )
    return wrong


def _check_names(domain: LocalDomain, places: _Places) -> Iterator[str]:
    home = places[normal_domain(domain.name)]
    for local in (*sorted(domain.mailboxes or ()), *domain.aliases):
        if not _is_nameable(local):
            yield (
                f"{local!r} in {home.name} is no local part. No mail could be addressed to it. Write the part"
                " before the @ alone, with no control characters and at most 64 octets."
            )
    for alias, targets in domain.aliases.items():
        if not targets:
            yield f"Alias {alias} in {home.name} has no target. Its mail is refused. Name one or remove it."
        for target in targets:
            trouble = _target_trouble(target, home, places)
            if trouble:
                yield f"Alias {alias} in {home.name} names {target!r}, {trouble}"


def _is_nameable(local: str) -> bool:
    # RFC 5321 section 4.5.3.1.1: a local part has at most 64 octets.
    is_whole = local.endswith('"') or "@" not in local
    return local.isprintable() and 0 < len(plain_local(local).encode()) <= 64 and is_whole


def _target_trouble(target: str, home: _Names, places: _Places) -> str:
    local, domain = _split_target(target)
    if not _is_nameable(local) or not domain.isprintable() or target.endswith("@"):
        return "which is no address. That member would get nothing. Correct it."
    names = places.get(normal_domain(domain)) if domain else home
    if names is None or names.known_as(local) is not None:
        return ""
    return (
        f"but {names.name} has no mailbox or alias of that name. Its share of the mail would come back to the"
        " sender. Add the mailbox, or correct the alias."
    )
