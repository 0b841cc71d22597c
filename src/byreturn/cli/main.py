"""The command line: `byreturn`."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import click

from byreturn.app import StartRefused, serve
from byreturn.config import load
from byreturn.spool import SpoolRefused


@click.group()
def main() -> None:
    """ByReturn, an internet mail connector that answers for every recipient."""


@main.command("serve")
@click.option("--config", "path", default="byreturn.toml", type=click.Path(path_type=Path))
def serve_command(path: Path) -> None:
    """Run the server."""
    config = load(path, machine_hostname=socket.getfqdn())
    if isinstance(config, list):
        for error in config:
            click.echo(error, err=True)
        sys.exit(78)
    try:
        sys.exit(serve(config))
    except (StartRefused, SpoolRefused) as refused:
        click.echo(f"byreturn: {refused}", err=True)
        sys.exit(78)
