"""The command line: `byreturn`.

The commands stand in modules of their own; here they are put together, and here is the edge where whatever
a person can do wrong becomes a message and a status.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from byreturn import __version__
from byreturn.cli.check import check_command
from byreturn.cli.destinations import destinations_command
from byreturn.cli.follow import send_test_command
from byreturn.cli.init import init_command
from byreturn.cli.look import queue_command, show_command, trace_command
from byreturn.cli.metrics import metrics_command
from byreturn.cli.operate import brake_command, retry_command
from byreturn.cli.preview import preview_command
from byreturn.cli.reports import reports_command
from byreturn.cli.serve import serve_command
from byreturn.cli.session import DONE, INTERRUPTED, REFUSED, TRY_AGAIN, Ending, Session, config_option
from byreturn.cli.terminal import Terminal, Unwritable
from byreturn.spool import SpoolBusy, SpoolRefused


class _InOrder(click.Group):
    """A group that lists its commands in the order in which a person needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's shape
        """Return the names as they were added."""
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="byreturn", message="%(prog)s %(version)s")
@config_option
def byreturn() -> None:
    """ByReturn, an internet mail connector that answers for every recipient.

    Begin with: byreturn init
    """


for _command in (
    init_command,
    serve_command,
    check_command,
    send_test_command,
    queue_command,
    show_command,
    trace_command,
    reports_command,
    destinations_command,
    retry_command,
    brake_command,
    metrics_command,
    preview_command,
):
    byreturn.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end with its status."""
    sys.exit(run(arguments, Terminal()))


def run(arguments: Sequence[str] | None, terminal: Terminal) -> int:
    """Run a command; return its status."""
    if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):
        # A terminal that knows few letters shows the others by their numbers.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = byreturn.main(arguments, prog_name="byreturn", standalone_mode=False, obj=Session(terminal))
    except Ending as ending:
        click.echo(f"byreturn: {ending}", err=True)
        return ending.status
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SpoolBusy as busy:
        click.echo(f"byreturn: {busy}", err=True)
        return TRY_AGAIN
    except SpoolRefused as refused:
        click.echo(f"byreturn: {refused}", err=True)
        return REFUSED
    except Unwritable as unwritable:
        _forget_output()
        if not str(unwritable):
            return DONE  # Whoever read us has what it wanted.
        click.echo(f"byreturn: {unwritable}", err=True)
        return TRY_AGAIN
    return status if isinstance(status, int) else DONE


def _forget_output() -> None:
    """Let go of what is left in the buffer, or it would be tried again, and fail again, at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
