"""`byreturn serve`: run the server until it is told to stop."""

from __future__ import annotations

import click

from byreturn.cli.check import check_file
from byreturn.cli.session import REFUSED, Ending, Session, accepted, config_option, pass_session
from byreturn.spool import SpoolRefused


@click.command("serve")
@config_option
@pass_session
def serve_command(session: Session) -> int:
    """Run the server.

    It runs in the foreground and writes its journal to standard error, beginning with where it listens.
    SIGTERM or Ctrl-C ends it in order, a second time at once; mail that waits goes on at the next start.
    """
    config = accepted(check_file(session.config_path))
    # A fifth of a second to import, which commands that only look need not pay.
    from byreturn.app import Running, StartRefused, serve  # noqa: PLC0415

    runs: list[Running] = []
    try:
        return serve(config, on_started=runs.append)
    except (StartRefused, SpoolRefused) as refused:
        raise Ending(str(refused), REFUSED) from None
    except OSError as error:
        if runs:
            raise
        where = f"{error.filename}: " if error.filename else ""
        raise Ending(
            f"cannot start: {where}{error.strerror}. Nothing was started; no mail was touched. Check that "
            f"the server's user may write to the data folder {config.data}.",
            REFUSED,
        ) from None
