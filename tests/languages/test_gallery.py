"""Every report that we can make, in each language and for each reader, passes our eyes and others'."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import compat32

import pytest
from flufl.bounce import all_failures
from msgspec.structs import replace

from byreturn.config import built_in_words
from byreturn.report import Action, Audience, cleared_complaints, complaints, compose, compose_cleared
from byreturn.report.gallery import specimens

LANGUAGES = built_in_words().languages


@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_linter_has_nothing_to_say(tag: str, audience: Audience) -> None:
    seen = 0
    for specimen in specimens(LANGUAGES[tag], audience):
        seen += 1
        if specimen.is_cleared:
            assert cleared_complaints(compose_cleared(specimen.facts).content, specimen.facts) == ()
        else:
            assert complaints(compose(specimen.facts).content, specimen.facts) == (), specimen.name
    assert seen > 60


@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize("tag", LANGUAGES)
def test_exactly_those_that_failed_are_read(tag: str, audience: Audience) -> None:
    for specimen in specimens(LANGUAGES[tag], audience):
        if specimen.is_cleared:
            continue
        about = specimen.facts
        failed = {
            (line.orcpt or f"rfc822;{line.recipient}").partition(";")[2].encode()
            for line in about.lines
            if line.action is Action.FAILED
        }
        if not failed:
            # With nothing failed, one of its readers takes any address between two commas for a failure.
            about = replace(about, header_block=b"Subject: x\r\n")
        message = BytesParser(policy=compat32).parsebytes(compose(about).content)
        assert all_failures(message)[1] == failed, specimen.name
