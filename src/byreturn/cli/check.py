"""`byreturn check`: every error in the configuration at once, or what is in effect.

The same function checks for `serve`, so what `check` accepts starts, as far as a file can tell.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import click

from byreturn.cli.answers import check_shape
from byreturn.cli.session import (
    DONE,
    REFUSED,
    Session,
    accepted,
    config_option,
    full_hostname,
    json_option,
    pass_session,
)
from byreturn.cli.words import clean
from byreturn.config import Config, ConfigError, effective_text, load, load_languages
from byreturn.store import check_domains

_IN_DOMAIN: Final = re.compile(r"(?:@| in )(\S+?)(?=[ ,;:.]? )")


def check_file(path: Path) -> Config | list[ConfigError]:
    """Read a configuration and make every check that needs no server."""
    config = load(path, machine_hostname="localhost")
    if isinstance(config, list) or not _names_host(config):
        # Only now: to ask for the machine's full name can take the DNS's time.
        config = load(path, machine_hostname=full_hostname())
    if isinstance(config, list):
        return config
    # A fifth of a second to import, which commands that only look need not pay.
    from byreturn.settings import local_domains  # noqa: PLC0415

    wrong = check_domains(local_domains(config))
    errors = sorted((_error(config, message) for message in wrong), key=lambda error: error.line or 0)
    return errors or config


def _names_host(config: Config) -> bool:
    """Whether the file gives the hostname itself."""
    setting = config.blocks[0].find("hostname")
    return setting is not None and setting.line is not None


def _error(config: Config, message: str) -> ConfigError:
    """Give a complaint about the local domains the line of the domain's aliases, or of its name."""
    named = {found[1] for found in _IN_DOMAIN.finditer(message)}
    for index, block in enumerate(block for block in config.blocks if block.section.path == "domain"):
        name, aliases = block.find("name"), block.find("aliases")
        if name is not None and name.value in named:
            line = name.line if aliases is None or aliases.line is None else aliases.line
            return _complaint(config, line, f"domain[{index}]", message)
    return _complaint(config, None, "", message)


def _complaint(config: Config, line: int | None, key: str, message: str) -> ConfigError:
    # The message holds its own remedy, as its last sentence.
    return ConfigError(str(config.file), line, key, "", message.removesuffix("."), "Nothing was started.", "")


@click.command("check")
@config_option
@json_option
@pass_session
def check_command(session: Session, as_json: bool) -> int:
    """Check the configuration, and show what is in effect.

    Tells every error at once, with its line and what to do. Where there is none, writes the whole
    configuration as it is in effect, with the line or the default that each value comes from, and what is
    wrong in translations, which stops nothing.
    """
    checked = check_file(session.config_path)
    if isinstance(checked, list):
        if not as_json:
            accepted(checked)
        session.terminal.json(check_shape(str(session.config_path), checked))
        return REFUSED
    languages, remarks = load_languages(checked.report.catalogues)
    if as_json:
        session.terminal.json(check_shape(str(session.config_path), checked, languages, remarks))
        return DONE
    session.terminal.say(effective_text(checked).rstrip())
    session.terminal.say(f"\n# Languages there are: {', '.join(sorted(languages))}.")
    for remark in remarks:
        session.terminal.say(f"# {clean(str(remark))}")
    return DONE
