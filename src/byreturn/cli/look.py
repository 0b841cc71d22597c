"""`byreturn queue`, `show` and `trace`: looking, which never hurts."""

from __future__ import annotations

from typing import Final

import click

from byreturn.cli.answers import message_shape, queue_shape, trace_shape
from byreturn.cli.operate import NOT_RUNNING
from byreturn.cli.render import life_page, queue_page, trace_page
from byreturn.cli.session import (
    ANSWER_IS_NO,
    DONE,
    Ending,
    Session,
    config_option,
    json_option,
    limit_option,
    pass_session,
)
from byreturn.cli.words import clean
from byreturn.mail import QueueId, id_from_text, id_text, normal_domain
from byreturn.policy import Held, InFlight, Parked, State, Waiting
from byreturn.spool import Selection, SpoolReader

_STATES: Final[dict[str, type[State]]] = {
    "waiting": Waiting,
    "trying": InFlight,
    "held": Held,
    "parked": Parked,
}


def _read_id(_: click.Context, __: click.Parameter, text: str) -> QueueId:
    """Read an id in any case, with or without dashes."""
    number = id_from_text(text)
    if number is None:
        raise click.BadParameter(
            f"{text!r} is no id: an id has 13 letters and digits, such as 0SAPQH0000001."
        )
    return number


@click.command("queue")
@click.option("--destination", metavar="DOMAIN", help="Only mail for this domain.")
@click.option("--state", type=click.Choice(tuple(_STATES)), help="Only mail in this state.")
@click.option("--deferred", is_flag=True, help="Only mail whose next try is later than now.")
@limit_option(100, 100_000)
@config_option
@json_option
@pass_session
def queue_command(
    session: Session,
    destination: str | None,
    state: str | None,
    deferred: bool,
    limit: int,
    as_json: bool,
) -> int:
    """Show the mail that waits, oldest first.

    One entry for each recipient: who wrote, to whom, why it is still here, and when it is tried next.
    """
    terminal = session.terminal
    now = terminal.now()
    selection = Selection(
        destination=None if destination is None else normal_domain(destination),
        state=None if state is None else _STATES[state],
        not_due_before=now if deferred else None,
    )
    with session.reader() as reader:
        view = reader.queue(selection, limit)
        is_gone = reader.server_is_gone()
    if as_json:
        terminal.json(queue_shape(view, now, server_running=not is_gone))
        return DONE
    terminal.show(*queue_page(view, terminal.times, now, is_selection=selection != Selection()))
    if is_gone:
        terminal.say(NOT_RUNNING)
    return DONE


@click.command("show")
@click.argument("message_id", metavar="ID", callback=_read_id)
@config_option
@json_option
@pass_session
def show_command(session: Session, message_id: QueueId, as_json: bool) -> int:
    """Show the life of one message.

    Everything that happened to each of its recipients, who said what, who was told, what comes next and
    when it gives up.
    """
    terminal = session.terminal
    config = session.config()
    with SpoolReader(config.data) as reader:
        life = reader.life(message_id)
        is_gone = reader.server_is_gone()
    now = terminal.now()
    if life is None:
        raise Ending(
            f"no message {id_text(message_id)} in {config.data}. Another server may have it, or it was "
            "forgotten: what is done with is remembered as long as history.keep says. Check the id.",
            ANSWER_IS_NO,
        )
    if as_json:
        terminal.json(message_shape(life, now))
        return DONE
    terminal.show(*life_page(life, terminal.times, now))
    if is_gone and any(entry.next_try_at is not None for entry in life.entries):
        terminal.say(f"\n{NOT_RUNNING}")
    return DONE


@click.command("trace")
@click.argument("address")
@limit_option(50, 100_000)
@config_option
@json_option
@pass_session
def trace_command(session: Session, address: str, limit: int, as_json: bool) -> int:
    """Find messages from or to an address, newest first.

    "<>" finds those that have no sender, such as reports. Where an alias was written to, both its name and
    the addresses that it stands for find the message.
    """
    terminal = session.terminal
    address = address.strip().removeprefix("<").removesuffix(">")
    with session.reader() as reader:
        entries = reader.trace(address, limit)
    now = terminal.now()
    if as_json:
        terminal.json(trace_shape(address, entries, now))
    elif entries:
        terminal.show(*trace_page(entries, terminal.times, now, is_cut=len(entries) == limit))
    else:
        terminal.say(f"No message from or to {clean(address) or '<>'} is known.")
    return DONE if entries else ANSWER_IS_NO
