"""Kinds of values that name something: domains, routes, mailboxes, aliases, folders.

A name is good if its form is good; nothing here asks the DNS or looks at the disk. Domains are normalised
as they are for routing, local parts stay as they were given. Pure.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from byreturn.config.errors import Bad, Wrong, bad, key_text, quoted
from byreturn.config.values import not_a
from byreturn.mail import Mailbox, normal_domain
from byreturn.policy import HOSTS_PREFIX

_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", re.ASCII)
_LABEL_LIMIT: Final = 63  # RFC 1034, and RFC 1123 for the letters
_DOMAIN_LIMIT: Final = 253  # as text; 255 octets on the wire
_ATOM: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", re.ASCII)
_LOCAL_LIMIT: Final = 64  # octets of a local part, RFC 5321
_TARGETS_LIMIT: Final = 1_000
_ALIASES_LIMIT: Final = 100_000


def domain_fault(name: str) -> str | None:
    """Tell what keeps a text from being a domain name; None if nothing does."""
    if not name.isascii():
        return 'not ASCII: the name has a form that begins with "xn--"'
    if not name or len(name) > _DOMAIN_LIMIT:
        return "empty" if not name else f"longer than {_DOMAIN_LIMIT} letters"
    labels = name.split(".")
    for label in labels:
        if not label:
            return "a dot too many"
        if len(label) > _LABEL_LIMIT:
            return f'"{label[:12]}..." is longer than {_LABEL_LIMIT} letters'
        if not _LABEL.fullmatch(label):
            return f"{quoted(label)} is not made of letters, digits and inner hyphens"
    return "a number or an address, not a name" if labels[-1].isdigit() else None


class DomainName(Struct, frozen=True):
    """A domain name; normalised to lower case without a final dot."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "domain name"

    def read(self, value: object) -> str | Bad:
        """Read a domain name."""
        remedy = 'Write a name such as "mail.example.org".'
        if not isinstance(value, str):
            return not_a("a domain name", value, remedy)
        name = normal_domain(value)
        fault = domain_fault(name)
        return name if fault is None else bad(f"not a domain name ({fault})", remedy)

    def write(self, value: str) -> str:
        """Write a domain name."""
        return quoted(value)


class Pattern(Struct, frozen=True):
    """What a route is for: a domain, everything below one (`*.example.org`), or everything (`*`)."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return 'domain name, or `"*."` and a domain name, or `"*"`'

    def read(self, value: object) -> str | Bad:
        """Read a pattern."""
        remedy = 'Write "example.org" for the domain, "*.example.org" for all below it, or "*" for all mail.'
        if not isinstance(value, str):
            return not_a("a domain name or pattern", value, remedy)
        if value == "*":
            return value
        pattern = normal_domain(value)
        fault = domain_fault(pattern.removeprefix("*."))
        return pattern if fault is None else bad(f"not a pattern ({fault})", remedy)

    def write(self, value: str) -> str:
        """Write a pattern."""
        return quoted(value)


class DestinationMatch(Struct, frozen=True):
    """Whom a rule is for: a pattern of domains, or after `mx:` one of the hosts that take their mail."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return f'{Pattern().words}; or `"{HOSTS_PREFIX}"` and one of the first two, for hosts'

    def read(self, value: object) -> str | Bad:
        """Read what a rule is for."""
        remedy = (
            'Write "example.org" for the domain, "*.example.org" for all below it, "*" for all mail, or '
            '"mx:mx1.example.org" or "mx:*.example.org" for all mail that such hosts take.'
        )
        if not isinstance(value, str):
            return not_a("a domain name or pattern", value, remedy)
        prefix = HOSTS_PREFIX if value[: len(HOSTS_PREFIX)].lower() == HOSTS_PREFIX else ""
        pattern = Pattern().read(value[len(prefix) :])
        if isinstance(pattern, Bad):
            return bad(pattern.wrongs[0].what, remedy)
        if prefix and pattern == "*":
            return bad("all hosts there are", 'Write "*" for all mail.')
        return prefix + pattern

    def write(self, value: str) -> str:
        """Write what a rule is for."""
        return quoted(value)


class Label(Struct, frozen=True):
    """A short name for people and logs."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "name of up to 32 letters, digits, hyphens"

    def read(self, value: object) -> str | Bad:
        """Read a label."""
        remedy = "Write 1 to 32 letters, digits and hyphens."
        if not isinstance(value, str):
            return not_a("a name", value, remedy)
        return value if len(value) <= 32 and _LABEL.fullmatch(value) else bad("not a name", remedy)

    def write(self, value: str) -> str:
        """Write a label."""
        return quoted(value)


class Delimiter(Struct, frozen=True):
    """What separates a mailbox from its subaddress; empty for nothing."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return 'one of `+ - _ = #`, or `""`'

    def read(self, value: object) -> str | Bad:
        """Read a delimiter."""
        remedy = 'Write one of "+", "-", "_", "=", "#", or "" for no subaddresses.'
        if not isinstance(value, str):
            return not_a("a sign", value, remedy)
        return value if value in {"", "+", "-", "_", "=", "#"} else bad("not a delimiter", remedy)

    def write(self, value: str) -> str:
        """Write a delimiter."""
        return quoted(value)


def _path(value: object, noun: str, remedy: str) -> str | Bad:
    if not isinstance(value, str):
        return not_a(noun, value, remedy)
    if not value or "\0" in value:
        return bad("not a path", remedy)
    if value.startswith(("~", "$")):
        return bad("~ and $ are not replaced in it", remedy)
    return value


class Folder(Struct, frozen=True):
    """A folder, relative to the folder of the configuration file."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "folder"

    def read(self, value: object) -> str | Bad:
        """Read a folder's path as text."""
        return _path(value, "a folder", 'Write a path such as "byreturn-data" or "/var/lib/byreturn".')

    def write(self, value: object) -> str:
        """Write a path."""
        return quoted(str(value))


class PemFile(Struct, frozen=True):
    """A file of certificates, relative to the folder of the configuration file."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "file of certificates in PEM"

    def read(self, value: object) -> str | Bad:
        """Read a file's path as text; what is in the file is looked at later."""
        return _path(value, "a file", 'Write a path such as "roots.pem" or "/etc/byreturn/roots.pem".')

    def write(self, value: object) -> str:
        """Write a path."""
        return quoted(str(value))


# --- Addresses of people ------------------------------------------------------------------------------


def _local_fault(local: str) -> str | None:
    """Tell what keeps a text from being a local part; None if nothing does.

    NOT DONE: quoted local parts ("a b"@x). Nobody gives such a name to a mailbox of his own.
    """
    if len(local) > _LOCAL_LIMIT:
        return f"longer than {_LOCAL_LIMIT} octets"
    if not all(_ATOM.fullmatch(atom) for atom in local.split(".")):
        return "it needs ASCII letters, digits or signs, with single dots between them"
    return None


class LocalPart(Struct, frozen=True):
    """The part of an address before the @."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "mailbox name"

    def read(self, value: object) -> str | Bad:
        """Read a local part; kept as given."""
        remedy = 'Write the part before the @ only, such as "info".'
        if not isinstance(value, str):
            return not_a("a mailbox name", value, remedy)
        fault = _local_fault(value)
        return value if fault is None else bad(f"not a mailbox name ({fault})", remedy)

    def write(self, value: str) -> str:
        """Write a local part."""
        return quoted(value)


class Address(Struct, frozen=True):
    """A whole mail address."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "mail address"

    def read(self, value: object) -> Mailbox | Bad:
        """Read an address; the local part is kept as given, the domain normalised."""
        remedy = 'Write an address such as "postmaster@example.org".'
        if not isinstance(value, str):
            return not_a("a mail address", value, remedy)
        local, at, domain = value.rpartition("@")
        if not at:
            return bad("not a mail address (it has no @)", remedy)
        domain = normal_domain(domain)
        fault = _local_fault(local) or domain_fault(domain)
        return Mailbox(local, domain) if fault is None else bad(f"not a mail address ({fault})", remedy)

    def write(self, value: Mailbox) -> str:
        """Write an address."""
        return quoted(str(value))


class Aliases(Struct, frozen=True):
    """Names that stand for mailboxes; targets are mailboxes of the same domain or whole addresses."""

    @property
    def words(self) -> str:
        """The kind in words."""
        return "table: alias = list of mailbox names or mail addresses"

    def read(self, value: object) -> tuple[tuple[str, tuple[str, ...]], ...] | Bad:
        """Read the table; every fault in it is told."""
        remedy = 'Write a table such as { office = ["info", "sales"] }.'
        if not isinstance(value, dict):
            return not_a("a table", value, remedy)
        if len(value) > _ALIASES_LIMIT:
            return bad(f"{len(value)} aliases", f"Write at most {_ALIASES_LIMIT}.")
        wrongs: list[Wrong] = []
        for alias, targets in value.items():
            fault = _local_fault(alias)
            if fault is not None:
                wrongs.append(Wrong(f"not an alias name ({fault})", remedy, (alias,)))
            wrongs += [
                Wrong(wrong.what, wrong.remedy, (alias, *wrong.at)) for wrong in _target_faults(targets)
            ]
        return Bad(tuple(wrongs)) if wrongs else tuple((name, tuple(to)) for name, to in value.items())

    def write(self, value: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
        """Write the table on one line, as TOML wants it."""
        pairs = (f"{key_text(alias)} = [{', '.join(map(quoted, to))}]" for alias, to in value)
        return f"{{ {', '.join(pairs)} }}" if value else "{}"


def _target_faults(targets: object) -> list[Wrong]:
    remedy = 'Write a list of mailbox names or whole addresses, such as ["info", "support@example.net"].'
    if isinstance(targets, dict):
        quotes = 'Put quotation marks around an alias with a dot: "first.last" = ["info"].'
        return list(not_a("a list", targets, quotes).wrongs)
    if not isinstance(targets, list):
        return list(not_a("a list", targets, remedy).wrongs)
    if not 1 <= len(targets) <= _TARGETS_LIMIT:
        return [Wrong(f"{len(targets)} targets", f"Write 1 to {_TARGETS_LIMIT} of them.")]
    wrongs = []
    for index, target in enumerate(targets):
        kind = Address() if isinstance(target, str) and "@" in target else LocalPart()
        got = kind.read(target)
        if isinstance(got, Bad):
            wrongs.append(Wrong(got.wrongs[0].what, remedy, (index,)))
    return wrongs
