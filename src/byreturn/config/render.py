"""Write configurations: the one in effect, a first one to start from, and the page that explains them all.

    effective_text         for `byreturn check`: TOML, each value with the line it comes from
    default_configuration  for `byreturn init`: a small file that works on the machine it is written on
    reference_page         docs/reference/configuration.md

Promises: the effective text, read again, gives the same configuration. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from byreturn.config.check import Block, Setting
from byreturn.config.errors import Bad, key_text, quoted
from byreturn.config.keys import SECTIONS, Key, Section
from byreturn.config.model import Config
from byreturn.config.names import DomainName

_WIDTH: Final = 100
_COMMENT_COLUMN: Final = 44


def effective_text(config: Config) -> str:
    """Write the configuration in effect as TOML; a comment tells where each value comes from."""
    lines = [f"# The configuration in effect; line numbers are those of {quoted(str(config.file))}."]
    present = {block.section.path for block in config.blocks}
    for section in SECTIONS:
        if section.path not in present:
            lines += ["", f"# no {section.heading}"]
        for block in config.blocks:
            if block.section.path == section.path:
                lines += _block_lines(block)
    return "\n".join(lines) + "\n"


def _block_lines(block: Block) -> Iterator[str]:
    yield ""
    if block.section.heading:
        yield block.section.heading
    for setting in block.settings:
        yield from _setting_lines(setting)


def _setting_lines(setting: Setting) -> Iterator[str]:
    origin = setting.origin if setting.line is None else f"line {setting.line}"
    name = key_text(setting.key.name)
    if setting.value is None:
        yield f"{f'# {name} is not set':<{_COMMENT_COLUMN}}  # {origin}"
        return
    text = setting.key.kind.write(setting.value)
    if len(text) <= _WIDTH or not isinstance(setting.value, tuple) or text.startswith("{"):
        yield f"{f'{name} = {text}':<{_COMMENT_COLUMN}}  # {origin}"
        return
    # A long list has a line for each element: a thousand mailboxes on one line cannot be read. (TOML does
    # not let a table in braces be broken.)
    yield f"{f'{name} = [':<{_COMMENT_COLUMN}}  # {origin}"
    for element in setting.value:
        yield f"    {setting.key.kind.write((element,))[1:-1]},"
    yield "]"


def default_configuration(data: str, hostname: str, *, domain: str = "example.org") -> str:
    """Write a first configuration: it listens on this machine only, and has one domain to try.

    `data` is the folder of the queue and the mailboxes, as it is to stand in the file. A machine whose name
    is no domain name (`my_laptop`) is called localhost, so that what is written always works.
    """
    if isinstance(DomainName().read(hostname), Bad):
        hostname = "localhost"
    return f"""\
# ByReturn. Every other key has a default: see docs/reference/configuration.md, or run: byreturn check

# The name of this machine, and the folder of the queue and the mailboxes.
hostname = {quoted(hostname)}
data = {quoted(data)}

# Only programs on this machine can connect. For the world: bind = ["0.0.0.0:25", "[::]:25"]
[[listener]]
bind = ["127.0.0.1:2525", "[::1]:2525"]

# Who may send mail to everywhere: nobody but this machine.
[relay]
allow = ["127.0.0.0/8", "::1"]

# A domain whose mailboxes are here; postmaster is always one. Repeat the section for another domain.
[[domain]]
name = {quoted(domain)}
mailboxes = ["info", "sales"]
aliases = {{ office = ["info", "sales"] }}
"""


# --- The reference page -------------------------------------------------------------------------------

_PAGE_HEAD: Final = """\
# Configuration

<!-- Written by `make docs-refresh` from src/byreturn/config/keys.py. Do not edit. -->

ByReturn reads one file, in [TOML](https://toml.io/). `byreturn init` writes a first one, `byreturn check`
tells every error in it, or shows what is in effect and which line each value comes from. A file with an error
is not used at all.

A section in double brackets, such as `[[domain]]`, may be repeated. Values are written like this:

| Value | Examples |
| --- | --- |
| duration | `"250ms"`, `"30s"`, `"15m"`, `"1.5h"`, `"5d"`; zero is `"0s"` |
| size | `"64KiB"`, `"50MiB"`, `"1GB"`; a number without quotation marks counts octets |
| rate | `"100/min"`, `"5/s"`, `"10/15m"`; of octets `"10MiB/min"` |
| network | `"192.0.2.0/24"`, `"2001:db8::/32"`; one address: `"192.0.2.7"` |
| address and port | `"192.0.2.25:25"`, `"[2001:db8::25]:25"`; IPv6 in brackets |
| domain name | `"example.org"`; of a name that is not ASCII, the form that begins with `xn--` |

A small configuration that works on one machine:

```toml
"""


def reference_page() -> str:
    """Write the page with every section and every key."""
    example = default_configuration("byreturn-data", "mail.example.org")
    return _PAGE_HEAD + example + "```\n" + "".join(_section_page(section) for section in SECTIONS)


def _section_page(section: Section) -> str:
    title = f"`{section.heading}`" if section.heading else "Top of the file"
    rows = "".join(_row(key) for key in section.keys)
    return (
        f"\n## {title}\n\n{section.doc}\n\n"
        "| Key | Default | Type | Meaning | Example |\n| --- | --- | --- | --- | --- |\n" + rows
    )


def _row(key: Key) -> str:
    default = "required" if key.is_required else key.otherwise if key.default is None else f"`{key.default}`"
    if key.imc:
        default += f"; `imc`: `{key.imc}`"
    cells = (f"`{key.name}`", default, key.kind.words, key.doc, f"`{key.example}`")
    return f"| {' | '.join(cells)} |\n"
