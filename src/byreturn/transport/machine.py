"""This machine's clock, dice and addresses."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Collection
from functools import lru_cache
from random import SystemRandom  # noqa: TID251 - this module is the Entropy port
from typing import Final

from byreturn.mail import HOUR, Duration, Instant
from byreturn.ports import Endpoint, Timer

_JUMP_LIMIT: Final[Duration] = 1 * HOUR


class SystemClock:
    """Implements `ports.Clock` on an asyncio loop.

    The system's clock is read once. From then on instants follow the monotonic clock, so that setting the
    time of day neither makes mail expire nor stops retries; how far the two have come apart tells whether
    that happened.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> Instant:
        """Return the present instant."""
        return (time.monotonic_ns() + self._offset) // 1_000_000

    def is_trusted(self) -> bool:
        """Whether the system's clock still agrees."""
        return abs(time.time_ns() // 1_000_000 - self.now()) < _JUMP_LIMIT

    def call_later(self, delay: Duration, call: Callable[[], None]) -> Timer:
        """Call once, later."""
        return self._loop.call_later(delay / 1000, call) if delay > 0 else self._loop.call_soon(call)


class SystemEntropy:
    """Implements `ports.Entropy`."""

    def __init__(self) -> None:
        self._random = SystemRandom()

    def lot(self) -> float:
        """Return a number from 0 up to 1."""
        return self._random.random()

    def token(self) -> str:
        """Return letters and digits that nobody can guess."""
        return secrets.token_hex(12)


@lru_cache(maxsize=4096)
def is_local_address(address: str) -> bool:
    """Whether an address is one of this machine's.

    Only a local address can be bound to, so the system itself answers, whatever interfaces there are. An
    address that comes or goes while we run is noticed at the next start.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


class OwnEndpoints:
    """Which endpoints would lead back to ourselves."""

    def __init__(self, bound: Collection[Endpoint]) -> None:
        self._exact = frozenset(bound)
        self._any = frozenset(end.port for end in bound if end.address in ("0.0.0.0", "::"))  # noqa: S104

    def __contains__(self, endpoint: Endpoint) -> bool:
        if endpoint in self._exact:
            return True
        return endpoint.port in self._any and is_local_address(endpoint.address)
