"""Replies: ours as they go on the wire, a peer's as hostile text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.mail import EnhancedStatus, Reply, reply
from byreturn.protocol import BrokenReply, ReplyReader, encode, printable


def read(*pieces):
    reader = ReplyReader()
    return [said for piece in pieces for said in reader.receive(piece)], reader


# --- Ours ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "wire"),
    [
        (reply(250, "2.1.0", "OK"), b"250 2.1.0 OK\r\n"),
        (reply(354, "", "Go ahead"), b"354 Go ahead\r\n"),
        (reply(250, "2.0.0", "one", "two"), b"250-2.0.0 one\r\n250 2.0.0 two\r\n"),
        (Reply(250, None, ("a", "B", "c")), b"250-a\r\n250-B\r\n250 c\r\n"),
        (reply(550, "5.1.1", "<jürgen>"), b"550 5.1.1 <j?rgen>\r\n"),
    ],
)
def test_a_reply_on_the_wire(said, wire):
    assert encode(said) == wire


letters = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
long_lines = st.builds(lambda text, times: text * times, letters, st.integers(0, 60))
statuses = st.builds(EnhancedStatus, st.sampled_from([2, 4, 5]), st.integers(0, 999), st.integers(0, 999))
replies = st.builds(
    Reply,
    st.integers(200, 599),
    st.none() | statuses,
    st.lists(long_lines, min_size=1, max_size=5).map(tuple),
)


@given(replies)
def test_a_line_of_ours_has_512_octets_at_most(said):
    # RFC 5321 4.5.3.1.5. A refusal that quotes a long address would have more.
    lines = encode(said).split(b"\r\n")
    assert lines.pop() == b""
    assert len(lines) == len(said.lines)
    assert all(len(line) + 2 <= 512 for line in lines)
    assert all(line[:4] == b"%d-" % said.code for line in lines[:-1])
    assert lines[-1][:4] == b"%d " % said.code


def test_a_refusal_that_quotes_the_longest_address_fits_a_line():
    address = "x" * 255 + "@" + "abc." * 63 + "exa"
    wire = encode(reply(550, "5.1.1", f"<{address}> No such mailbox here; check the spelling"))
    assert len(wire) <= 512
    assert wire.endswith(b"\r\n")


# --- A peer's -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (b"250 OK\r\n", Reply(250, None, ("OK",))),
        (b"250\r\n", Reply(250, None, ("",))),
        (b"250 \r\n", Reply(250, None, ("",))),
        (b"250 OK\n", Reply(250, None, ("OK",))),
        (b"550 5.7.1\r\n", Reply(550, EnhancedStatus(5, 7, 1), ("",))),
        (b"550 5.7.1 \r\n", Reply(550, EnhancedStatus(5, 7, 1), ("",))),
        (b"550 5.7.1x\r\n", Reply(550, None, ("5.7.1x",))),
        (b"250-a\r\n250 b\r\n", Reply(250, None, ("a", "b"))),
        (b"250-a\r\n250\r\n", Reply(250, None, ("a", ""))),
        (b"550-5.1.1 a\r\n550 5.1.1 b\r\n", Reply(550, EnhancedStatus(5, 1, 1), ("a", "b"))),
        (b"550-5.1.1 a\r\n550 b\r\n", Reply(550, EnhancedStatus(5, 1, 1), ("a", "b"))),
        (b"550-a\r\n550 5.1.1 b\r\n", Reply(550, None, ("a", "5.1.1 b"))),
        (b"250 a\rb\0c\x1b\x7f\td\r\n", Reply(250, None, ("a?b?c?? d",))),
        (b"250 \xc3\xa9\xff\r\n", Reply(250, None, ("é\ufffd",))),
        (b"250 " + b"x" * 600 + b"\r\n", Reply(250, None, ("x" * 512,))),
    ],
)
def test_a_reply_is_read(wire, said):
    assert read(wire)[0] == [said]
    assert read(*(wire[at : at + 1] for at in range(len(wire))))[0] == [said]


@pytest.mark.parametrize(
    "wire",
    [
        b"25 ok\r\n",
        b"999 x\r\n",
        b"199 x\r\n",
        b"600 x\r\n",
        b"2500 x\r\n",
        b"250x\r\n",
        b"250\tx\r\n",
        b" 250 x\r\n",
        b"\r\n",
        b"\n",
        b"<html>\r\n",
        b"\x16\x03\x01\n",
        b"\xb2\xb5\xb0 x\r\n",
        b"250-a\r\n251 b\r\n",
        b"250-a\r\n\r\n",
        b"250-a\r\n" * 257,
    ],
)
def test_what_is_no_reply_is_broken(wire):
    with pytest.raises(BrokenReply):
        read(wire)
    with pytest.raises(BrokenReply):
        read(*(wire[at : at + 1] for at in range(len(wire))))


@pytest.mark.parametrize(
    ("octets", "is_broken"), [(2047, False), (2048, False), (2049, True), (2050, True), (5000, True)]
)
def test_a_line_that_is_too_long_is_broken_wherever_it_is_cut(octets, is_broken):
    # Octets before the LF, CR among them.
    wire = b"250 " + b"x" * (octets - 5) + b"\r\n"
    for cut in (len(wire), 1000, octets - 1, octets):
        if is_broken:
            with pytest.raises(BrokenReply, match="more than 2048"):
                read(wire[:cut], wire[cut:])
        else:
            assert len(read(wire[:cut], wire[cut:])[0]) == 1


def test_lines_are_read_up_to_a_limit_and_fewer_are_kept():
    said, _ = read(b"250-a\r\n" * 255 + b"250 b\r\n")
    assert said == [Reply(250, None, ("a",) * 32)]


def test_a_line_without_end_is_not_kept_for_ever():
    reader = ReplyReader()
    for _ in range(204):
        assert reader.receive(b"x" * 10) == []
    with pytest.raises(BrokenReply, match="more than 2048"):
        reader.receive(b"x" * 10)


@pytest.mark.parametrize(
    ("wire", "is_clean"),
    [
        (b"", True),
        (b"250 OK\r\n", True),
        (b"250 OK\r\n2", False),
        (b"250-OK\r\n", False),
        (b"250 OK\r\n\r", False),
    ],
)
def test_a_reader_knows_what_is_left_over(wire, is_clean):
    assert read(wire)[1].is_clean is is_clean


@given(st.binary(max_size=100))
def test_a_strangers_octets_become_text_without_control_characters(octets):
    text = printable(octets)
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text)
    assert len(text) <= len(octets)
