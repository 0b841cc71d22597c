"""Messages and batches for the tests of the desks."""

from __future__ import annotations

from typing import Any

from byreturn.mail import (
    DAY,
    NULL_PATH,
    Booking,
    Destination,
    Instant,
    Mailbox,
    Message,
    Origin,
    Priority,
    QueueId,
    Recipient,
)
from byreturn.policy import NextHop, Terms
from byreturn.service.batch import Batch, Carried
from byreturn.service.routes import ToHosts

NOW: Instant = 1_767_225_600_000


def message(
    number: int = 1,
    sender: str = "sender",
    *,
    priority: Priority = Priority.NORMAL,
    is_bulk: bool = False,
    client: str = "127.0.0.9",
    **more: Any,
) -> Message:
    """A message of a sender; the null path for a report."""
    path = NULL_PATH if priority is Priority.REPORT else Mailbox(sender, "here.example")
    return Message(
        id=QueueId(number),
        reverse_path=path,
        accepted_at=NOW,
        expires_at=NOW + DAY,
        octets=1000,
        recipient_count=1,
        priority=priority,
        is_bulk=is_bulk,
        origin=Origin(client),
        **more,
    )


def recipient(ordinal: int = 0, domain: str = "partner.example") -> Recipient:
    address = Mailbox(f"r{ordinal}", domain)
    return Recipient(ordinal, address, address, Destination(domain))


def booking(ordinal: int = 0, domain: str = "partner.example", *, attempt: int = 1) -> Booking:
    return Booking(recipient(ordinal, domain), attempt, NOW + DAY)


def batch(of: Message, *ordinals: int) -> Batch:
    bookings = [booking(ordinal) for ordinal in ordinals or (0,)]
    return Batch(Carried(of, None, len(bookings)), bookings)


def way(*hosts: str, is_static: bool = False, **terms: Any) -> ToHosts:
    hops = tuple(NextHop(host, 25) for host in hosts or ("mx.partner.example",))
    return ToHosts(hops, is_static, Terms(**terms), tuple(map(str, hops)))
