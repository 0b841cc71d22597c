"""Strike the address behind an alias out of what others wrote.

Whoever writes to an alias need not know who is behind it. We never say it; but a peer, asked about the
member, repeats it in its reply, in one spelling or another. So before such words are shown to anybody,
every spelling of it that we know is struck out:

    member@domain   <member@domain>   member=domain   member%domain   member (as a word of its own)

Promises: linear in the text; what does not name the member stays as it is. Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from byreturn.mail import Mailbox
from byreturn.report.facts import ReportLine

STRUCK: Final = "***"


def struck(text: str, line: ReportLine) -> str:
    """Return the text without the member behind the line's alias."""
    if line.member is None or not text:
        return text
    return _spellings(line.member).sub(STRUCK, text)


@lru_cache(maxsize=256)
def _spellings(member: Mailbox) -> re.Pattern[str]:
    local = member.local
    locals_ = {local, _bare(local)} - {""}
    domains = {member.domain, member.domain.removesuffix("."), *_other_forms(member.domain)} - {""}
    either_local = "|".join(re.escape(one) for one in sorted(locals_, key=len, reverse=True))
    either_domain = "|".join(re.escape(one) for one in sorted(domains, key=len, reverse=True))
    whole = rf"(?:{either_local})[@=%](?:{either_domain})" if domains else rf"(?:{either_local})@"
    # Alone, the local part counts as a whole word only: within another word it names nobody. The dot at the
    # end of a sentence is no part of a word.
    alone = rf"(?<![\w.@=-])(?:{either_local})(?![\w@=-]|\.\w)"
    return re.compile(f"{whole}|{alone}" if either_local else r"(?!)", re.IGNORECASE)


def _bare(local: str) -> str:
    """Return the local part without the quoting that RFC 5321 asks for."""
    if len(local) > 1 and local[0] == local[-1] == '"':
        return re.sub(r"\\(.)", r"\1", local[1:-1])
    return local


def _other_forms(domain: str) -> set[str]:
    """Return the domain in ASCII or in Unicode, whichever it is not."""
    try:
        if domain.isascii():
            return {domain.encode("ascii").decode("idna")}
        return {domain.encode("idna").decode("ascii")}
    except UnicodeError:
        return set()
