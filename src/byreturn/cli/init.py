"""`byreturn init`: a first configuration that works. It asks nothing and overwrites nothing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

import click

from byreturn.cli.session import (
    ANSWER_IS_NO,
    CONFIG_NAME,
    DONE,
    Ending,
    Session,
    default_config,
    full_hostname,
    pass_session,
)
from byreturn.config import default_configuration

_DATA: Final = "byreturn-data"
_DOMAIN: Final = "example.org"
_ROOM: Final = 80 - 4 - 3  # columns, less what stands before a command and behind it


@click.command("init")
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
@pass_session
def init_command(session: Session, folder: Path) -> int:
    """Write a first configuration into FOLDER (default: this one).

    It listens on this machine only and has one domain to try, so it works as it is. A file that is there
    already is left alone.
    """
    path = folder / CONFIG_NAME
    text = default_configuration(_DATA, full_hostname(), domain=_DOMAIN)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _not_written(path, folder) from None
    except OSError as error:
        raise Ending(
            f"cannot write {path}: {error.strerror}. Nothing was written. Name a folder that you may write "
            "to.",
            ANSWER_IS_NO,
        ) from None
    _tell(session, path)
    return DONE


def _not_written(path: Path, folder: Path) -> Ending:
    if not folder.is_dir():
        return Ending(f"{folder} is a file. Nothing was written. Name a folder.", ANSWER_IS_NO)
    return Ending(
        f"{path} is there already. It was left as it is. Look at it with: byreturn {_option(path)}check. "
        "Or name another folder.",
        ANSWER_IS_NO,
    )


def _option(path: Path) -> str:
    """Return the option that leads to a file; empty where it is the one that is used anyway."""
    return "" if default_config() == path else f"--config {shlex.quote(str(path))} "


def _tell(session: Session, path: Path) -> None:
    start = f"byreturn {_option(path)}"
    commands = (
        (f"{start}check", "see what is in effect"),
        (f"{start}serve", "run the server; Ctrl-C stops it"),
        (f"{start}send-test info@{_DOMAIN}", "in another window: see mail arrive"),
    )
    width = max(len(command) for command, _ in commands)
    is_long = any(width + len(meaning) > _ROOM for _, meaning in commands)
    session.terminal.say(f"Wrote {path}. Type next:\n")
    for command, meaning in commands:
        if is_long:
            session.terminal.say(f"    # {meaning}\n    {command}")
        else:
            session.terminal.say(f"    {command:<{width}}   {meaning}")
