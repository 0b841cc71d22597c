"""`byreturn brake` and `byreturn retry`: what a person may ask of a server that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click
from rich.table import Table
from rich.text import Text

from byreturn.cli.session import (
    ANSWER_IS_NO,
    DONE,
    Session,
    config_option,
    json_option,
    pass_session,
)
from byreturn.cli.shapes import ActShape, BrakeShape, ServerShape
from byreturn.cli.words import Times, clean, span_text
from byreturn.mail import Instant, iso_date
from byreturn.policy import COUNTED_FOR, BrakeCause
from byreturn.ports import Braked

NOT_RUNNING: Final = "The server does not run: nothing is tried until it is started."
_WHY_LIMIT: Final = 500
_NAME_LIMIT: Final = 255
_ENDS: Final = {
    BrakeCause.LIE: "by itself, when the name servers tell the truth again about what certainly exists",
    BrakeCause.NUMBER: (
        "by itself, when what was denied is there again, or was denied for "
        f"{COUNTED_FOR // 60_000} minutes by name servers that are well"
    ),
    BrakeCause.PERSON: "",
}


def _read_text(limit: int) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """Read a text that the server will take too."""

    def read(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
        if text is None:
            return None
        text = text.strip()
        if not text or not text.isprintable() or len(text) > limit:
            raise click.BadParameter(f"write one line of text, at most {limit} letters.")
        return text

    return read


# --- The brake ----------------------------------------------------------------------------------------


@click.command("brake")
@click.argument("act", required=False, metavar="[release|engage]", type=click.Choice(("release", "engage")))
@click.option(
    "--why",
    metavar="TEXT",
    callback=_read_text(_WHY_LIMIT),
    help="Why it is engaged, for those who look later.",
)
@config_option
@json_option
@pass_session
def brake_command(session: Session, act: str | None, why: str | None, as_json: bool) -> int:
    """Show the brake, release it or engage it.

    While it is on, nothing is given up for what the DNS denies, and no sender is told of such a failure.
    After a release the DNS is believed again, and what was held is judged anew at once.
    """
    if (act == "engage") != (why is not None):
        raise click.UsageError(
            "engage and --why go together: byreturn brake engage --why TEXT", click.get_current_context()
        )
    folder = session.config().data
    if act is None:
        return _show_brake(session, folder, as_json=as_json)
    # Only those who ask the server need what it is asked with.
    from byreturn.cli.door import ask, nobody  # noqa: PLC0415
    from byreturn.service.operator import Acted, EngageBrake, NothingToDo, ReleaseBrake  # noqa: PLC0415

    answer = ask(folder, ReleaseBrake() if why is None else EngageBrake(why))
    match answer:
        case None:
            raise nobody(folder)
        case NothingToDo(why=so):
            _tell(session, f"{act}_brake", f"Nothing to do: {clean(so)}.", as_json=as_json, note=so)
        case Acted(destinations=count, but=but):
            said = _released(count) if why is None else _engaged(count)
            _tell(session, f"{act}_brake", said, as_json=as_json, count=count, note=but, is_done=True)
        case _:
            raise AssertionError(f"an answer to something else: {answer!r}")
    return DONE


def _released(count: int) -> str:
    if not count:
        return "The brake is off. It held nothing back."
    return f"The brake is off. The mail for {_destinations(count)} that it held back is judged anew now."


def _engaged(count: int) -> str:
    text = "The brake is on, until somebody types: byreturn brake release"
    return f"{text}\nIt holds back mail for {_destinations(count)}." if count else text


def _destinations(count: int) -> str:
    return "one destination" if count == 1 else f"{count:,} destinations"


def _tell(
    session: Session,
    act: str,
    said: str,
    *,
    as_json: bool,
    count: int = 0,
    note: str = "",
    is_done: bool = False,
) -> None:
    terminal = session.terminal
    if as_json:
        terminal.json(ActShape(iso_date(terminal.now()), act, is_done, count, note or None))
        return
    terminal.say(said)
    if is_done and note:
        terminal.say(f"But: {clean(note)}.")


def _show_brake(session: Session, folder: Path, *, as_json: bool) -> int:
    from byreturn.cli.door import ask  # noqa: PLC0415
    from byreturn.service.operator import ServerStatus, Status  # noqa: PLC0415

    status = ask(folder, Status())
    braked, held, server = None, None, None
    if isinstance(status, ServerStatus):
        server = ServerShape(
            status.connections,
            status.connections_unproven,
            status.connections_limit,
            status.active_recipients,
            status.failing_destinations,
        )
        if status.brake is not None:
            braked = Braked(status.brake.since, status.brake.why, status.brake.cause)
            held = status.brake.held
    else:
        with session.reader() as reader:
            braked = reader.brake()
    terminal = session.terminal
    now = terminal.now()
    if as_json:
        terminal.json(_brake_shape(braked, held, server, now))
        return DONE
    if braked is None:
        terminal.say("The brake is off: what the DNS denies is believed.")
    else:
        terminal.show(*_brake_page(braked, held, terminal.times, now))
    if server is None:
        terminal.say(NOT_RUNNING)
    else:
        terminal.show(Text(_server_text(server)))
    return DONE


def _brake_shape(
    braked: Braked | None, held: int | None, server: ServerShape | None, now: Instant
) -> BrakeShape:
    return BrakeShape(
        at=iso_date(now),
        server_running=server is not None,
        on=braked is not None,
        since=None if braked is None else iso_date(braked.since),
        why=None if braked is None else braked.why,
        cause=None if braked is None else str(braked.cause),
        destinations_held=held,
        server=server,
    )


def _brake_page(braked: Braked, held: int | None, times: Times, now: Instant) -> list[Text | Table]:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _brake_lines(braked, held, times, now):
        table.add_row(Text(f"  {name}", "dim"), Text(value))
    return [Text("The brake is on: nothing is given up for what the DNS denies.", "bold red"), table]


def _brake_lines(braked: Braked, held: int | None, times: Times, now: Instant) -> Iterator[tuple[str, str]]:
    ago = span_text(max(0, now - braked.since))
    yield "Since", f"{times.brief(braked.since, now)} ({ago} ago)"
    yield "Why", clean(braked.why)
    if held:
        whose = "its" if held == 1 else "their"
        yield "Holds", f"{_destinations(held)}; {whose} mail waits, and no sender is told of a failure"
    elif held is not None:
        yield "Holds", "nothing yet"
    by_itself = _ENDS[braked.cause]
    yield "Ends", f"{by_itself}{'; or by' if by_itself else 'by'} hand: byreturn brake release"
    yield "Times", times.zone_name(now)


def _server_text(server: ServerShape) -> str:
    silent = f" ({server.connections_unproven:,} not answered yet)" if server.connections_unproven else ""
    return (
        f"The server has {server.connections:,} of {server.connections_limit:,} connections{silent}, tries "
        f"{server.recipients_in_flight:,} recipients, and knows {_destinations(server.destinations_failing)} "
        "that do not answer."
    )


# --- A destination ------------------------------------------------------------------------------------


@click.command("retry")
@click.argument("destination", callback=_read_text(_NAME_LIMIT))
@config_option
@json_option
@pass_session
def retry_command(session: Session, destination: str, as_json: bool) -> int:
    """Try a destination that does not answer now.

    One try is made for all the mail that waits there, without waiting for its next time. When it answers,
    everything goes.
    """
    folder = session.config().data
    from byreturn.cli.door import ask, nobody  # noqa: PLC0415
    from byreturn.service.operator import Acted, NothingToDo, Retry  # noqa: PLC0415

    answer = ask(folder, Retry(destination))
    match answer:
        case None:
            raise nobody(folder)
        case Acted(destinations=count):
            said = (
                f"{destination} is tried now, once for all its mail. See what comes of it: byreturn "
                f"destinations {destination}"
            )
            _tell(session, "retry", said, as_json=as_json, count=count, is_done=True)
            return DONE
        case NothingToDo(why=so):
            said = (
                f"Nothing was done for {destination}: {clean(so)}. What its servers have put off is "
                f"tried at its own time: byreturn queue --destination {destination}"
            )
            _tell(session, "retry", said, as_json=as_json, note=so)
            return ANSWER_IS_NO
        case _:
            raise AssertionError(f"an answer to something else: {answer!r}")
