"""Whole reports as a person reads them: what is in the files is what the sender gets.

After a change that is meant: `python -m tests.unit.report.test_golden` writes them anew, to be read.
"""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.report.samples import (
    ACCEPTED_AT,
    QUEUED,
    SILENT,
    facts,
    forms,
    human,
    judged,
    line,
    machine,
    said,
)

from byreturn.mail import DAY, HOUR, MINUTE, Cause, Language, Mailbox, PeerSaid, Phase, WeFound, reply
from byreturn.report import (
    Action,
    Audience,
    Kin,
    Progress,
    ReportFacts,
    Standing,
    Suggestion,
    cleared_complaints,
    complaints,
    compose,
    compose_cleared,
    compose_plain,
)

GOLDEN = Path(__file__).parent / "golden"
PARIS = timezone(timedelta(hours=1))
OURS = {
    "reporting_mta": "mx.here.example",
    "zone": PARIS,
    "queue_id": "7K3M-92QX",
    "resolver": "192.0.2.53",
    "composed_at": ACCEPTED_AT + 2_000,
}


def price_list() -> ReportFacts:
    """Two recipients failed, one waits, one was accepted."""
    unknown = reply(550, "5.1.1", "<acounts@customer.example>: User unknown")
    return facts(
        line(
            "sales@suplier.example",
            diagnosis=WeFound(Cause.NO_SUCH_DOMAIN, "NXDOMAIN for suplier.example"),
            found_at=ACCEPTED_AT + 982,
            suggestions=(Suggestion(Mailbox("sales", "supplier.example"), Kin.SAME_DOMAIN),),
            is_likely=True,
        ),
        line(
            "acounts@customer.example",
            diagnosis=PeerSaid(unknown, "mx1.customer.example", "198.51.100.7", Phase.RCPT, "TLS 1.3"),
            found_at=ACCEPTED_AT + 1_034,
            attempts=1,
        ),
        **OURS,
        subject="Price list, March",
        recipient_count=4,
        others=(
            Standing(
                recipient=Mailbox("info", "agency.example"),
                progress=Progress.WAITING,
                at=ACCEPTED_AT + 1_100,
                diagnosis=WeFound(
                    Cause.REFUSED_CONNECTION, "", "mx.agency.example", "192.0.2.9", Phase.CONNECT
                ),
                next_try_at=ACCEPTED_AT + 15 * MINUTE,
                next_notice_at=ACCEPTED_AT + 4 * HOUR,
                gives_up_at=ACCEPTED_AT + 5 * DAY,
                is_told=True,
            ),
            Standing(
                recipient=Mailbox("info", "partner.example"),
                progress=Progress.ACCEPTED,
                at=ACCEPTED_AT + 1_200,
                diagnosis=PeerSaid(QUEUED.reply, "mx.partner.example", "198.51.100.20", Phase.END_OF_CONTENT),
            ),
        ),
    )


def delay() -> ReportFacts:
    return facts(
        line(
            "bert@dead.example",
            Action.DELAYED,
            diagnosis=SILENT,
            attempts=9,
            found_at=ACCEPTED_AT + 4 * HOUR,
            next_try_at=ACCEPTED_AT + 5 * HOUR,
            next_notice_at=ACCEPTED_AT + DAY,
            will_retry_until=ACCEPTED_AT + 5 * DAY,
            is_told=True,
        ),
        **(OURS | {"composed_at": ACCEPTED_AT + 4 * HOUR}),
    )


def successes() -> ReportFacts:
    return facts(
        line("anna@here.example", Action.DELIVERED, diagnosis=WeFound(Cause.STORED)),
        line("carl@partner.example", Action.RELAYED, diagnosis=QUEUED, found_at=ACCEPTED_AT + 700),
        line("team@here.example", Action.EXPANDED, diagnosis=WeFound(Cause.EXPANDED)),
        **OURS,
    )


def behind_an_alias() -> ReportFacts:
    """An outsider wrote to an alias; who is behind it, and where, is not told."""
    return facts(
        line(
            "team@here.example",
            diagnosis=said(550, "5.2.1", "<mia.private@elsewhere.example> is disabled"),
            member=Mailbox("mia.private", "elsewhere.example"),
        ),
        **OURS,
        audience=Audience.OUTSIDER,
        more=((Progress.ACCEPTED, 212),),
        recipient_count=213,
    )


def copy() -> ReportFacts:
    return facts(
        line(expired=True, diagnosis=SILENT, attempts=61, last_attempt_at=ACCEPTED_AT + 5 * DAY),
        **(OURS | {"composed_at": ACCEPTED_AT + 5 * DAY}),
        audience=Audience.POSTMASTER,
        reverse_path=Mailbox("postmaster", "here.example"),
        about_reverse_path=Mailbox("clara", "here.example"),
    )


def a_second_failure() -> ReportFacts:
    """One fails when the other reports have long been sent."""
    late = line("bert@dead.example", expired=True, diagnosis=SILENT, attempts=61)
    told = {"at": ACCEPTED_AT + 982, "is_told": True, "progress": Progress.TOLD}
    return facts(
        late,
        **(OURS | {"composed_at": ACCEPTED_AT + 5 * DAY}),
        recipient_count=3,
        others=(
            Standing(
                recipient=Mailbox("sales", "suplier.example"),
                diagnosis=WeFound(Cause.NO_SUCH_DOMAIN, "NXDOMAIN for suplier.example"),
                **told,
            ),
            Standing(recipient=Mailbox("info", "agency.example"), diagnosis=SILENT, expired=True, **told),
        ),
    )


REPORTS = {
    each.__name__: each for each in (price_list, delay, successes, a_second_failure, behind_an_alias, copy)
}


def shown(name: str) -> str:
    content = compose(REPORTS[name]()).content
    subject = judged(content)["Subject"]
    return f"Subject: {subject}\n\n{human(content)}\n{64 * '='}\n{machine(content)}".replace("\r\n", "\n")


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_as_a_person_reads_it(name):
    assert shown(name) == (GOLDEN / f"{name}.txt").read_text("utf-8")


def test_a_report_as_html():
    assert forms(compose(price_list()).content)["text/html"] == (GOLDEN / "price_list.html").read_text(
        "utf-8"
    )


@pytest.mark.parametrize("name", REPORTS)
def test_every_one_of_them_passes_the_linter(name):
    about = REPORTS[name]()
    assert complaints(compose(about).content, about) == ()
    assert complaints(compose_plain(about).content, about) == ()
    assert cleared_complaints(compose_cleared(about).content, about) == ()


BRACKETED = Language(
    "en-x-brackets", lambda text: f"[[{text}]]", lambda one, many, n: f"[[{one if n == 1 else many}]]"
)


@pytest.mark.parametrize("name", REPORTS)
def test_no_word_is_said_but_through_the_language(name):
    text = human(compose(replace(REPORTS[name](), language=BRACKETED)).content).lower()
    unbracketed = " ".join(text.split())
    while "[[" in unbracketed:
        fewer = re.sub(r"\[\[(?:(?!\[\[|\]\]).)*\]\]", " ", unbracketed)
        assert fewer != unbracketed
        unbracketed = fewer
    # What is left are values, and the words of other servers.
    others = {"offer", "for", "the", "spring", "fair", "price", "list", "march", "tls", "queued", "as"}
    others |= {"user", "unknown", "is", "disabled", "ok", "utc"}
    assert set(re.findall(r"(?<![\w@.])[a-z]{2,}(?![\w@.])", unbracketed)) <= others


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in REPORTS:
        (GOLDEN / f"{each}.txt").write_text(shown(each), "utf-8")
    page = forms(compose(price_list()).content)["text/html"]
    (GOLDEN / "price_list.html").write_text(page, "utf-8")
