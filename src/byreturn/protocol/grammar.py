r"""The grammar of RFC 5321 and RFC 3461, one function a production.

A function takes text of a stranger and returns a typed value, or a `SyntaxFault` that says what is wrong;
never true or false over the raw text. Nothing here backtracks: each expression is a chain of disjoint
character classes, so time is linear in a length that the session has bounded already.

What is read more generously than written, and why:
  - a local part may have 255 octets, not 64 (RFC 5321 section 4.5.3.1.1 says what *must* be taken; senders
    of mailing lists use more);
  - blanks after the colon of `MAIL FROM:` are skipped, because many small programs send one;
  - a source route `@a,@b:` is read and thrown away (RFC 5321 section 4.1.1.3).
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from msgspec import Struct

from byreturn.mail import N_, NULL_PATH, Mailbox, ReversePath

LOCAL_PART_LIMIT: Final = 255
DOMAIN_LIMIT: Final = 255

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_QUOTED: Final = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN: Final = rf"{_LABEL}(?:\.{_LABEL})*"
_LITERAL: Final = r"\[[0-9A-Za-z:.]{2,60}\]"

_MAILBOX: Final = re.compile(rf"({_ATOM}(?:\.{_ATOM})*|{_QUOTED})@({_DOMAIN}|{_LITERAL})\Z")
_DOMAIN_ALONE: Final = re.compile(rf"{_DOMAIN}\Z")
_SOURCE_ROUTE: Final = re.compile(rf"@(?:{_DOMAIN}|{_LITERAL})(?:,@(?:{_DOMAIN}|{_LITERAL}))*:")
# The path is cut off at the first ">" outside a quoted string.
_ARGUMENT: Final = re.compile(rf' *<((?:{_QUOTED}|[^<>" ])*)>(?: +([!-~]+(?: +[!-~]+)*))? *\Z')
_PARAMETER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?\Z")
# RFC 3461 section 4: xtext. Only what decodes to printable ASCII is taken: a line feed hidden in an ORCPT
# once reached another server's spool file as a new line.
_XTEXT: Final = re.compile(r"(?:[!-*,-<>-~]|\+(?:[2-6][0-9A-F]|7[0-9A-E]))+\Z")
_ORCPT: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*);(.+)\Z")
_HELLO_NAME: Final = re.compile(r"[!-~]{1,255}\Z")


class SyntaxFault(Struct, frozen=True):
    """Text that is not in the grammar: `why` is for the reply, without the text itself.

    `parameter`: which one it is about, empty for none.
    """

    why: str
    parameter: str = ""


def domain_or_fault(text: str) -> str | SyntaxFault:
    """Read a domain name: RFC 1123 labels, which may begin with a digit."""
    if len(text) > DOMAIN_LIMIT:
        return SyntaxFault(N_("the domain is longer than 255 octets"))
    if not _DOMAIN_ALONE.match(text):
        return SyntaxFault(N_("the domain is not a host name"))
    if any(len(label) > 63 for label in text.split(".")):
        return SyntaxFault(N_("a label of the domain is longer than 63 octets"))
    return text


def mailbox_or_fault(text: str) -> Mailbox | SyntaxFault:
    """Read `local-part@domain`."""
    found = _MAILBOX.match(text)
    if found is None:
        if "@" not in text:
            return SyntaxFault(N_("the address has no domain"))
        return SyntaxFault(N_("the address is not of the form local-part@domain"))
    local, domain = found.groups()
    if len(local) > LOCAL_PART_LIMIT:
        return SyntaxFault(N_("the part before the @ is longer than 255 octets"))
    if domain[0] == "[":
        fault = _literal_fault(domain)
        return fault if fault is not None else Mailbox(local, domain)
    if len(domain) > 63:
        checked = domain_or_fault(domain)
        if isinstance(checked, SyntaxFault):
            return checked
    return Mailbox(local, domain)


def literal_address(domain: str) -> str | None:
    """Return the IP address in a literal such as `[192.0.2.1]` or `[IPv6:2001:db8::1]`; None if none."""
    inner = domain[1:-1]
    try:
        if inner[:5].upper() == "IPV6:":
            return str(IPv6Address(inner[5:]))
        return str(IPv4Address(inner))
    except AddressValueError:
        return None


def _literal_fault(domain: str) -> SyntaxFault | None:
    if literal_address(domain) is None:
        return SyntaxFault(N_("the address literal is neither [IPv4] nor [IPv6:address]"))
    return None


def reverse_path_or_fault(text: str) -> ReversePath | SyntaxFault:
    """Read what stood between < and > of MAIL FROM."""
    return mailbox_or_fault(_without_route(text)) if text else NULL_PATH


def forward_path_or_fault(text: str) -> Mailbox | SyntaxFault:
    """Read what stood between < and > of RCPT TO; `postmaster` may stand alone, with an empty domain."""
    # RFC 5321 section 4.1.1.3: <Postmaster> without a domain must be accepted, in any case of letters.
    if text.lower() == "postmaster":
        return Mailbox(text, "")
    return mailbox_or_fault(_without_route(text)) if text else SyntaxFault(N_("the address is empty"))


def _without_route(text: str) -> str:
    if text[0] != "@":
        return text
    found = _SOURCE_ROUTE.match(text)
    return text[found.end() :] if found else text


def path_argument(text: str) -> tuple[str, str] | SyntaxFault:
    """Split `<path> parameters` into what is between < and > and the rest."""
    found = _ARGUMENT.match(text)
    if found is None:
        return SyntaxFault(N_("the address must stand between < and >"))
    path, parameters = found.groups()
    return path, parameters or ""


def parameters_or_fault(text: str) -> dict[str, str] | SyntaxFault:
    """Read ESMTP parameters; a parameter without a value has the empty one. Keys are upper case."""
    parameters: dict[str, str] = {}
    for word in text.split():
        found = _PARAMETER.match(word)
        if found is None:
            return SyntaxFault(N_("a parameter is not of the form KEYWORD=value"))
        keyword = found.group(1).upper()
        if keyword in parameters:
            # RFC 3461 section 4.5: a parameter may stand only once.
            return SyntaxFault(N_("it stands twice"), keyword[:20])
        parameters[keyword] = found.group(2) or ""
    return parameters


def is_xtext(text: str) -> bool:
    """Whether text is xtext that decodes to printable ASCII."""
    return _XTEXT.match(text) is not None


def is_orcpt(text: str) -> bool:
    """Whether text is `addr-type;xtext` (RFC 3461 section 4.2)."""
    found = _ORCPT.match(text)
    return found is not None and is_xtext(found.group(2))


def is_hello_name(text: str) -> bool:
    """Whether an EHLO argument can be kept: one printable word. What it names proves nothing anyway."""
    return _HELLO_NAME.match(text) is not None
