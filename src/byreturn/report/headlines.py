"""What a report says first: its subject, and the sentences at its head.

    Not delivered to 2 of 4 recipients: Price list, March

    Your message was not delivered to 2 of its 4 recipients.
    Send it again to those two only, not to everyone.

The gravest action comes first. Numbers are left out where the message had one recipient, or where nobody
knows how many it had. Each sentence stands whole in the catalogue, so that a language may decline it.

Promises: a report says "delivered" of a mailbox of ours only, and asks for nothing that does not help.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from byreturn.mail import N_, Action, Language
from byreturn.report.facts import ReportLine

_STARTS: Final = {
    Action.FAILED: N_("Not delivered"),
    Action.DELAYED: N_("Delayed"),
    Action.RELAYED: N_("Accepted by the other server"),
    Action.DELIVERED: N_("Delivered"),
    Action.EXPANDED: N_("Passed on"),
}
_CLEARED: Final = {
    Action.RELAYED: N_("Accepted after all"),
    Action.DELIVERED: N_("Delivered after all"),
}
_GRAVITY: Final = {action: place for place, action in enumerate(Action)}


def by_gravity(lines: Sequence[ReportLine]) -> tuple[ReportLine, ...]:
    """Put the gravest first, and keep the order otherwise."""
    return tuple(lines) if len(lines) == 1 else tuple(sorted(lines, key=lambda line: _GRAVITY[line.action]))


def subject_start(lines: Sequence[ReportLine], total: int, language: Language) -> str:
    """Say in a few words what a report is about; the original's subject stands behind it."""
    worst = min((line.action for line in lines), key=_GRAVITY.__getitem__)
    n = sum(line.action is worst for line in lines)
    if n == total == 1 or (n == 1 and total < 1):
        return language.say(_STARTS[worst])
    if n < total:
        return _start_of_some(worst, n, total, language)
    return _start_of_all(worst, n, language)


def _start_of_some(action: Action, n: int, total: int, language: Language) -> str:
    """Name the number of those that it is about, and that of all."""
    match action:
        case Action.FAILED:
            return language.count(
                "Not delivered to one of {total} recipients",
                "Not delivered to {n} of {total} recipients",
                n,
                total=total,
            )
        case Action.DELAYED:
            return language.count(
                "Delayed for one of {total} recipients",
                "Delayed for {n} of {total} recipients",
                n,
                total=total,
            )
        case Action.RELAYED:
            return language.count(
                "Accepted by the other server for one of {total} recipients",
                "Accepted by other servers for {n} of {total} recipients",
                n,
                total=total,
            )
        case Action.DELIVERED:
            return language.count(
                "Delivered to one of {total} recipients",
                "Delivered to {n} of {total} recipients",
                n,
                total=total,
            )
    assert action is Action.EXPANDED
    return language.count(
        "Passed on for one of {total} recipients", "Passed on for {n} of {total} recipients", n, total=total
    )


def _start_of_all(action: Action, n: int, language: Language) -> str:
    """Name the number of those that it is about, who are all or all that are known."""
    match action:
        case Action.FAILED:
            return language.count("Not delivered to one recipient", "Not delivered to {n} recipients", n)
        case Action.DELAYED:
            return language.count("Delayed for one recipient", "Delayed for {n} recipients", n)
        case Action.RELAYED:
            return language.count(
                "Accepted by the other server for one recipient",
                "Accepted by other servers for {n} recipients",
                n,
            )
        case Action.DELIVERED:
            return language.count("Delivered to one recipient", "Delivered to {n} recipients", n)
    assert action is Action.EXPANDED
    return language.count("Passed on for one recipient", "Passed on for {n} recipients", n)


def cleared_start(lines: Sequence[ReportLine], language: Language) -> str:
    """Say in a few words that what was delayed has gone through."""
    # "Delivered" only if it is true of all.
    action = min((line.action for line in lines), key=_GRAVITY.__getitem__)
    return language.say(_CLEARED.get(action, _CLEARED[Action.RELAYED]))


def send_again(correctable: int, failed: int, total: int, language: Language) -> str:
    """Say whom to send it to again; empty where that is nobody or everybody."""
    if not correctable or failed >= total:
        return ""
    if correctable < failed:
        return language.say(
            "Send it again only to those recipients for whom you can correct it, not to everyone."
        )
    if correctable == 2:
        return language.say("Send it again to those two only, not to everyone.")
    return language.count(
        "Send it again to that one only, not to everyone.",
        "Send it again to those {n} only, not to everyone.",
        correctable,
    )


def cleared_headline(lines: Sequence[ReportLine], total: int, language: Language) -> str:
    """Say that what was delayed has gone through."""
    if total <= 1:
        return language.say(
            "Your message, of which we told you that it was late, has gone through after all."
        )
    return language.count(
        "Your message, of which we told you that it was late, has gone through to one more recipient.",
        "Your message, of which we told you that it was late, has gone through to {n} more recipients.",
        len(lines),
    )
