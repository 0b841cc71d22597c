"""The person's side: what is shown, in which zone, how wide; and the present instant.

Everything shown is first made as text and then written in one piece, so there is one place where a closed
pipe or a full disk can be met. Colours and the terminal's width are for a terminal; in a pipe lines are as
wide as COLUMNS says, or 80.

Strangers' texts are made harmless in `words`, not here.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from datetime import tzinfo
from io import StringIO
from typing import Any, Final

import click
import msgspec
from rich.console import Console, RenderableType

from byreturn.cli.words import Times
from byreturn.mail import Instant

_NARROWEST: Final = 40
_WIDEST: Final = 120  # beyond it the eye loses the line
JSON_VERSION: Final = 1


class Unwritable(Exception):
    """The answer could not be written. The text says why; none where the reader went away, as readers do."""


def _system_now() -> Instant:
    return time.time_ns() // 1_000_000


class Terminal:
    """Where answers go. Tests give a fixed `now`, `zone` and `width`."""

    def __init__(
        self,
        *,
        now: Callable[[], Instant] = _system_now,
        zone: tzinfo | None = None,
        width: int | None = None,
    ) -> None:
        self.now = now
        self.times = Times(zone)
        self._width = width

    def say(self, text: str = "") -> None:
        """Write a line."""
        try:
            click.echo(text)
        except BrokenPipeError:
            raise Unwritable from None
        except OSError as error:
            raise Unwritable(f"cannot write the answer: {error.strerror}") from None

    def show(self, *parts: RenderableType) -> None:
        """Write tables and texts; those that are strings are wrapped as they are."""
        width = self._width or shutil.get_terminal_size().columns
        is_terminal = sys.stdout is not None and sys.stdout.isatty()
        page = StringIO()
        console = Console(
            file=page,
            force_terminal=is_terminal,
            width=min(max(_NARROWEST, width), _WIDEST),
            markup=False,
            emoji=False,
            highlight=False,
        )
        for part in parts:
            console.print(part)
        # Tables are filled up with spaces to the right, which a pipe and a golden file have no use for.
        self.say("\n".join(line.rstrip() for line in page.getvalue().rstrip("\n").split("\n")))

    def json(self, shape: msgspec.Struct) -> None:
        """Write an answer for programs. ASCII only: a terminal may be looking."""
        answer: dict[str, Any] = {"version": JSON_VERSION, **msgspec.to_builtins(shape)}
        self.say(json.dumps(answer, indent=2))
