"""What a peer offers, and what we do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.protocol import Extensions
from byreturn.protocol.extensions import NO_EXTENSIONS, offer, read_extensions


@pytest.mark.parametrize(
    ("lines", "extensions"),
    [
        ([], NO_EXTENSIONS),
        (["mx.there.example"], NO_EXTENSIONS),
        (["PIPELINING"], NO_EXTENSIONS),
        (["hi", "PIPELINING", "8BITMIME", "DSN"], Extensions(pipelining=True, eight_bit=True, dsn=True)),
        (["hi", " pipelining ", "dsn words"], Extensions(pipelining=True, dsn=True)),
        (["hi", "SIZE"], Extensions(size_offered=True)),
        (["hi", "SIZE 0"], Extensions(size_offered=True)),
        (["hi", "SIZE 1000"], Extensions(size_offered=True, size=1000)),
        (["hi", "SIZE   1000  "], Extensions(size_offered=True, size=1000)),
        (["hi", "SIZE 1000", "SIZE 5"], Extensions(size_offered=True, size=1000)),
        (["hi", "SIZE -5"], Extensions(size_offered=True)),
        (["hi", "SIZE 1000 octets"], Extensions(size_offered=True)),
        (["hi", "SIZE " + "9" * 20], Extensions(size_offered=True, size=10**20 - 1)),
        (["hi", "SIZE " + "9" * 21], Extensions(size_offered=True)),
        # Digits that are none in ASCII: of some a number can be made, of others not.
        (["hi", "SIZE ²"], Extensions(size_offered=True)),
        (["hi", "SIZE ①"], Extensions(size_offered=True)),
        (["hi", "SIZE \u0661\u0662"], Extensions(size_offered=True)),
        (["hi", "starttls"], Extensions(starttls=True)),
        (["hi", "", "   ", "X-UNHEARD-OF", "XSTARTTLS", "SMTPUTF8"], NO_EXTENSIONS),
    ],
)
def test_what_a_peer_offers(lines, extensions):
    assert read_extensions(lines) == extensions


@given(st.lists(st.text(max_size=30) | st.text(max_size=10).map(lambda text: f"SIZE {text}"), max_size=10))
def test_garbage_is_read_without_a_crash(lines):
    found = read_extensions(lines)
    assert found.size is None or 0 < found.size < 10**20


@given(st.integers(1, 10**12))
def test_what_we_offer_we_understand(octets_limit):
    offered = offer("mail.here.example", octets_limit)
    assert offered[0] == "mail.here.example"
    assert read_extensions(offered) == Extensions(
        pipelining=True, eight_bit=True, dsn=True, size_offered=True, size=octets_limit
    )
