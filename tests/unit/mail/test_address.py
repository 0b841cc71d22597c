"""Addresses: what is written is read back, and only the destination is normalised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import (
    NULL_PATH,
    Mailbox,
    NullPath,
    mailbox_from_text,
    normal_domain,
    reverse_path_from_text,
)

labels = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,8}[A-Za-z0-9])?", fullmatch=True)
domains = st.lists(labels, min_size=1, max_size=4).map(".".join)
# A quoted local part may hold an @ of its own.
local_parts = st.from_regex(r'[a-z0-9.!#/+-]{1,12}|"[ -~]{0,12}"', fullmatch=True)
literals = st.sampled_from(["[192.0.2.1]", "[IPv6:2001:db8::1]"])
mailboxes = st.builds(Mailbox, local_parts, domains | literals | st.just(""))


@given(mailboxes)
def test_a_mailbox_is_read_back_as_it_was_written(mailbox):
    assert mailbox_from_text(str(mailbox)) == mailbox


@given(mailboxes | st.just(NULL_PATH))
def test_a_reverse_path_is_read_back_as_it_was_written(path):
    assert reverse_path_from_text(str(path)) == path


def test_the_null_path_is_the_empty_text():
    assert str(NULL_PATH) == ""
    assert reverse_path_from_text("") == NullPath()


def test_text_that_we_never_wrote_is_our_bug():
    with pytest.raises(AssertionError, match="not a mailbox that we wrote"):
        mailbox_from_text("nobody")


@given(domains, st.sampled_from(["", "."]))
def test_a_normal_domain_is_lower_case_without_a_final_dot(domain, dot):
    normal = normal_domain(domain + dot)
    assert normal == domain.lower()
    assert normal_domain(normal) == normal


@given(domains)
def test_spellings_of_a_domain_are_one_destination(domain):
    spellings = {domain, domain.upper(), domain.lower(), domain + ".", domain.swapcase() + "."}
    assert len({normal_domain(spelling) for spelling in spellings}) == 1


@given(mailboxes)
def test_the_text_stays_as_it_was_given_and_only_the_destination_is_normal(mailbox):
    assert str(mailbox) == f"{mailbox.local}@{mailbox.domain}"
    assert mailbox.destination == normal_domain(mailbox.domain)


@given(mailboxes)
def test_a_literal_is_told_by_its_bracket(mailbox):
    assert mailbox.is_literal == (mailbox.domain[:1] == "[")
