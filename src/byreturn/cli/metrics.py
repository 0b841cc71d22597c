"""`byreturn metrics`: the numbers of the running server, as a program that watches it reads them."""

from __future__ import annotations

import click

from byreturn.cli.session import DONE, Session, config_option, pass_session


@click.command("metrics")
@config_option
@pass_session
def metrics_command(session: Session) -> int:
    """Show the numbers of the running server.

    They are in the text form that Prometheus reads, and count from the start of the server.
    """
    folder = session.config().data
    # Only those who ask the server need what it is asked with.
    from byreturn.cli.door import ask, nobody  # noqa: PLC0415
    from byreturn.service.operator import Metrics, Numbers  # noqa: PLC0415

    answer = ask(folder, Metrics())
    if answer is None:
        raise nobody(folder)
    assert isinstance(answer, Numbers), f"an answer to something else: {answer!r}"
    session.terminal.say(answer.text.rstrip())
    return DONE
