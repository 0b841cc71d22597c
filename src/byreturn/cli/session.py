"""What every command shares: how it ends, which configuration it uses, and the options that many have.

    0   done                         2   the command line is wrong
    1   the answer is no             75  not now: try again
                                     78  the configuration or the start was refused

A command returns its status, or raises `Ending` with a message in three parts: what happened, what it means,
what to do. Nobody's mistake ends in a traceback; a bug of ours does.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from byreturn.cli.terminal import Terminal
from byreturn.config import Config, ConfigError, load
from byreturn.spool import SpoolReader

DONE: Final = 0
ANSWER_IS_NO: Final = 1
USAGE: Final = 2
TRY_AGAIN: Final = 75  # EX_TEMPFAIL of sysexits.h
REFUSED: Final = 78  # EX_CONFIG
INTERRUPTED: Final = 130  # what a shell says of a program that Ctrl-C ended

CONFIG_NAME: Final = "byreturn.toml"
CONFIG_VARIABLE: Final = "BYRETURN_CONFIG"

Command = TypeVar("Command", bound=Callable[..., Any])


class Ending(Exception):
    """The command ends here, with a message on standard error and a status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Session:
    """One run of the command line."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._named: Path | None = None

    def name_config(self, path: Path) -> None:
        """Use this configuration."""
        self._named = path

    @property
    def config_path(self) -> Path:
        """The configuration: as named on the command line, in the environment, or the one in this folder."""
        return self._named or default_config()

    def config(self) -> Config:
        """Read the configuration for looking at what it leads to."""
        # To ask for the machine's full name can take the DNS's time, and who only looks does not need it.
        return accepted(load(self.config_path, machine_hostname="localhost"))

    def reader(self) -> SpoolReader:
        """Open the spool for looking."""
        return SpoolReader(self.config().data)


def default_config() -> Path:
    """Return the configuration that is used where none is named."""
    return Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_NAME)


def accepted(checked: Config | list[ConfigError]) -> Config:
    """Return a configuration without errors; end with all of them where there are some."""
    if isinstance(checked, Config):
        return checked
    count = "one error" if len(checked) == 1 else f"{len(checked)} errors"
    lines = "\n".join(str(error).rstrip() for error in checked)
    raise Ending(f"the configuration has {count}.\n{lines}", REFUSED)


def full_hostname() -> str:
    """Return the machine's own full name."""
    return socket.getfqdn()


# --- Options ------------------------------------------------------------------------------------------


def _name_config(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None:
        context.find_root().obj.name_config(path)


def config_option(command: Command) -> Command:
    """Add --config; it may stand before or after the name of the command."""
    return click.option(
        "--config",
        metavar="PATH",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_name_config,
        help=f"The configuration file.  [default: ${CONFIG_VARIABLE}, or {CONFIG_NAME} in this folder]",
    )(command)


def json_option(command: Command) -> Command:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")(command)


def limit_option(default: int, most: int) -> Callable[[Command], Command]:
    """Add --limit."""

    def add(command: Command) -> Command:
        return click.option(
            "--limit",
            metavar="N",
            type=click.IntRange(1, most),
            default=default,
            show_default=True,
            help="Show at most so many.",
        )(command)

    return add


def session_of(context: click.Context) -> Session:
    """Return the session of a command."""
    session = context.find_root().obj
    assert isinstance(session, Session)
    return session


pass_session: Final = click.make_pass_decorator(Session)
