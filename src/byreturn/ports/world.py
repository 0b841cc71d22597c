"""Everything that the desks may ask of the world, in one hand."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from byreturn.ports.clock import Clock, Entropy
from byreturn.ports.journal import Journal
from byreturn.ports.mailboxes import Directory, Mailboxes
from byreturn.ports.meter import Meter
from byreturn.ports.network import Dialer, Endpoint, Resolver
from byreturn.ports.spool import Spool
from byreturn.ports.worker import Worker
from byreturn.report import Reading


class World(Struct, frozen=True):
    """The ports of one server. `epoch` is its spool's; `is_own`: whether an endpoint is one of ours.

    `read_foreign` reads a report in no standard form, or nothing; it blocks, so `aside` runs it.
    """

    clock: Clock
    entropy: Entropy
    spool: Spool
    epoch: int
    resolver: Resolver
    dialer: Dialer
    directory: Directory
    mailboxes: Mailboxes
    journal: Journal
    meter: Meter
    is_own: Callable[[Endpoint], bool]
    aside: Worker
    read_foreign: Callable[[bytes], Reading | None]
