"""`byreturn reports`: what we told senders and the postmaster, and whom nobody could tell.

A report that cannot be delivered makes no other one, so this is where a person finds it. It can be shown in
full as any message can, and its content is kept as long as that of all mail that failed.
"""

from __future__ import annotations

import click

from byreturn.cli.answers import reports_shape
from byreturn.cli.render import reports_page
from byreturn.cli.session import (
    ANSWER_IS_NO,
    DONE,
    Session,
    config_option,
    json_option,
    limit_option,
    pass_session,
)


@click.command("reports")
@click.option("--undeliverable", is_flag=True, help="Only reports that could not be delivered.")
@limit_option(50, 100_000)
@config_option
@json_option
@pass_session
def reports_command(session: Session, undeliverable: bool, limit: int, as_json: bool) -> int:
    """Show the reports that were made, newest first.

    On which message each is, to whom it went, and what became of it. A report that cannot be delivered is
    told to nobody else: --undeliverable finds those.
    """
    terminal = session.terminal
    with session.reader() as reader:
        entries = reader.reports(limit, undeliverable=undeliverable)
    now = terminal.now()
    if as_json:
        terminal.json(reports_shape(entries, now, undeliverable=undeliverable))
    elif entries:
        terminal.show(*reports_page(entries, terminal.times, now, is_cut=len(entries) == limit))
    else:
        what = "report that could not be delivered" if undeliverable else "report"
        terminal.say(f"No {what} is known.")
    return DONE if entries else ANSWER_IS_NO
