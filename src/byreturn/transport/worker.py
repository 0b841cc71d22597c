"""Threads for work that blocks: the answer comes back on the loop.

Whoever hands work over bounds how much; this is only the way there and back:

    loop --submit(work)--> a thread of the pool: work() --call_soon_threadsafe--> loop: done(...)

Promises: `done` is called once for each work, on the loop, never from inside `submit`; with an exception
where the work raised one. Fails: after the loop has ended nobody is told; the work itself is done.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class ThreadWorker:
    """The Worker port for an asyncio loop."""

    def __init__(self, loop: AbstractEventLoop, threads: int, name: str) -> None:
        self._loop = loop
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"byreturn-{name}")

    def submit(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """Do `work` in a thread, then call `done` on the loop."""
        try:
            self._pool.submit(self._run, work, done)
        except RuntimeError as error:
            # Closed: said like every other failure, so that the caller's books stay straight.
            self._loop.call_soon(done, error)

    def _run(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        outcome: T | Exception
        try:
            outcome = work()
        except Exception as error:  # noqa: BLE001 - it is not swallowed here, it changes threads
            outcome = error
        # If the loop is gone this raises into the pool, which forgets it. Nobody would have listened.
        self._loop.call_soon_threadsafe(done, outcome)

    def close(self) -> None:
        """Wait for the work that was begun and end the threads."""
        self._pool.shutdown(wait=True)
