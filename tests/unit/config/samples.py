"""Configurations to test with: the smallest, a usual one, and one that sets every key to its example."""

from pathlib import Path

from byreturn.config import Config, load_text
from byreturn.config.keys import SECTIONS

FILE = Path("/etc/byreturn/byreturn.toml")
MACHINE = "machine.example.org"

SMALLEST = '[[listener]]\nbind = ["127.0.0.1:2525"]\n'

USUAL = """\
hostname = "mail.example.org"
data = "byreturn-data"
[[listener]]
protocol = "smtp"
bind = ["127.0.0.1:2525", "[::1]:2525"]
[relay]
allow = ["127.0.0.0/8", "::1"]
[[domain]]
name = "example.org"
store = "maildir"
mailboxes = ["info", "sales"]  # or "*"
aliases = { office = ["info", "sales"] }
[dns]
servers = ["127.0.0.1:5353"]   # default: the system's
[delivery]
port = 25
allow_private = ["127.0.0.0/8"]
[[route]]
domain = "*.partner.example"
hosts = ["127.0.0.1:2601"]
[retry]
intervals = ["15m", "30m", "1h", "2h"]
lifetime = { urgent = "24h", normal = "5d", non-urgent = "7d" }
[report]
gather = "1s"
[limits]
message_octets = "50MiB"
recipients = 1000
"""


def read(text: str) -> Config:
    """Read what has no errors."""
    got = load_text(text, FILE, machine_hostname=MACHINE)
    assert isinstance(got, Config), "\n".join(map(str, got))
    return got


def errors(text: str) -> list[str]:
    """Read what has errors; the folder of the file is left out of them."""
    got = load_text(text, Path("byreturn.toml"), machine_hostname=MACHINE)
    assert isinstance(got, list), "no errors"
    return list(map(str, got))


def everything(replaced: dict[tuple[str, str], str] | None = None) -> str:
    """Write a file in which every key stands with its example, or with the TOML given for it."""
    lines = []
    for section in SECTIONS:
        lines += ["", section.heading]
        for key in section.keys:
            lines.append((replaced or {}).get((section.path, key.name), f"{key.name} = {key.example}"))
    return "\n".join(lines)


def line_of(text: str, section_path: str, start: str) -> int:
    """Return the number of the line in a section that begins so."""
    heading = next(section.heading for section in SECTIONS if section.path == section_path)
    lines = text.split("\n")
    first = lines.index(heading)
    return next(number for number, line in enumerate(lines, 1) if number > first and line.startswith(start))
