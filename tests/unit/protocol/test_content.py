"""Content: where it ends, what is wrong with it, and its dots. The same however it was cut."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byreturn.protocol import ContentDecoder, ContentEncoder, ContentFault

END = b"\r\n.\r\n"


def pieces(octets, cuts):
    borders = [0, *sorted(cuts), len(octets)]
    return [octets[before:after] for before, after in pairwise(borders)]


def decoded(parts, *, octets_limit=10_000, line_limit=998):
    """What a session does with a decoder: feed what was left over together with what is new."""
    decoder = ContentDecoder(octets_limit, line_limit)
    buffer, content = b"", b""
    for part in parts:
        if decoder.is_done or decoder.fault is ContentFault.BARE_LINE_END:
            buffer += part
            continue
        buffer += part
        octets, at = decoder.take(buffer, 0)
        content += octets
        buffer = buffer[at:]
    return decoder, content, buffer


def verdict(parts, **limits):
    decoder, content, rest = decoded(parts, **limits)
    if decoder.fault is ContentFault.BARE_LINE_END:
        return decoder.fault
    if not decoder.is_done:
        return None
    return (decoder.fault or content), decoder.octets, rest


def octet_by_octet(octets):
    return [octets[at : at + 1] for at in range(len(octets))]


@pytest.mark.parametrize(
    ("wire", "content"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"..a\r\n...b\r\n.\r\n", b".a\r\n..b\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b" .\r\na.\r\n.\r\n", b" .\r\na.\r\n"),
        (b"\xff\x80\r\n.\r\n", b"\xff\x80\r\n"),
        (b". \r\n.\r\n", b" \r\n"),
    ],
)
def test_a_content_ends_at_crlf_dot_crlf_wherever_it_is_cut(wire, content):
    expected = (content, len(content), b"QUIT\r\n")
    wire += b"QUIT\r\n"
    assert verdict([wire]) == expected
    assert verdict(octet_by_octet(wire)) == expected
    for cuts in combinations(range(1, len(wire)), 2):
        assert verdict(pieces(wire, cuts)) == expected


SMUGGLED = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\r\n.\r\n",
    b"\r\n.\r\r\n",
    b"\n\n",
    b"\r\r",
    b"\n",
    b"\r",
    b"\r\n\r",
    b"\n\r\n.\r\n",
    b"\r\n\n.\r\n",
]


@pytest.mark.parametrize("line_end", SMUGGLED)
def test_every_smuggling_form_is_a_violation_wherever_it_is_cut(line_end):
    for start in (b"", b"a", b"a\r\n", b".a"):
        wire = start + line_end + b"MAIL FROM:<>\r\n.\r\n"
        for parts in ([wire], octet_by_octet(wire), *(pieces(wire, (cut,)) for cut in range(1, len(wire)))):
            assert verdict(parts) is ContentFault.BARE_LINE_END, parts


def test_a_bare_line_feed_is_told_before_the_line_ends():
    # A client that ends its lines so waits for our answer now.
    decoder, _, _ = decoded([b"hello\n"])
    assert decoder.fault is ContentFault.BARE_LINE_END


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\r\n", b"\n\r\n"])
@pytest.mark.parametrize("before", [5, 15, 30])
def test_a_long_line_hides_no_bare_line_end(line_end, before):
    wire = b"x" * before + line_end + b"y" * 30 + END
    for cut in range(len(wire)):
        assert verdict(pieces(wire, (cut,)), line_limit=10) is ContentFault.BARE_LINE_END, cut
    assert verdict(octet_by_octet(wire), line_limit=10) is ContentFault.BARE_LINE_END


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"x" * 10, None),
        (b"x" * 11, ContentFault.LONG_LINE),
        (b"x" * 12, ContentFault.LONG_LINE),
        (b"x" * 13, ContentFault.LONG_LINE),
        (b"x" * 40, ContentFault.LONG_LINE),
        # The dot that was doubled on the way does not count.
        (b".." + b"x" * 9, None),
        (b".." + b"x" * 10, ContentFault.LONG_LINE),
        (b".." + b"x" * 11, ContentFault.LONG_LINE),
    ],
)
def test_a_line_may_be_as_long_as_it_may_be(line, fault):
    for wire in (line + END, b"a\r\n" + line + END, b"a\r\n" + line + b"\r\nb" + END):
        for parts in ([wire], octet_by_octet(wire), *(pieces(wire, (cut,)) for cut in range(1, len(wire)))):
            decoder, _, rest = decoded(parts, line_limit=10)
            assert decoder.is_done, parts
            assert decoder.fault is fault, parts
            assert rest == b""


def test_a_dot_in_the_middle_of_a_long_line_ends_nothing():
    wire = b"x" * 50 + b"\r\n" + b"y" * 50 + b".\r\n" + b"z" * 50 + END + b"NOOP\r\n"
    for step in range(1, 60):
        parts = [wire[at : at + step] for at in range(0, len(wire), step)]
        assert verdict(parts, line_limit=10) == (ContentFault.LONG_LINE, 155 + 2, b"NOOP\r\n"), step


@pytest.mark.parametrize("piece", [b"x", b"xxxxxxx", b"x" * 100, b"." * 30])
def test_nothing_is_kept_of_a_line_without_end(piece):
    decoder = ContentDecoder(10_000, 10)
    buffer = b""
    for _ in range(1000):
        buffer += piece
        octets, at = decoder.take(buffer, 0)
        assert octets == b""
        buffer = buffer[at:]
        assert len(buffer) <= 13
    assert decoder.fault is ContentFault.LONG_LINE


@pytest.mark.parametrize(
    "wire",
    [
        b"a\0b" + END,
        b"x" * 50 + b"\0" + END,
        b"\0" + b"x" * 50 + END,
        b"\0\r\n" + b"x" * 50 + END,
        b"x" * 50 + b"\r\n\0" + END,
        b"12345678\r\n" * 20 + b"\0" + END,
        b"\0\r\n" + b"12345678\r\n" * 20 + END,
    ],
)
def test_nul_is_told_whatever_else_is_wrong_and_wherever_it_is_cut(wire):
    for parts in ([wire], octet_by_octet(wire), *(pieces(wire, (cut,)) for cut in range(1, len(wire)))):
        decoder, content, _ = decoded(parts, octets_limit=100, line_limit=10)
        assert decoder.fault is ContentFault.NUL, parts
        assert decoder.is_done
        assert b"\0" not in content


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([b"12345678"] * 10, None),
        ([b"12345678"] * 10 + [b""], ContentFault.TOO_LARGE),
        # RFC 1870: neither the terminating dot nor doubled dots belong to the size of a message.
        ([b"..2345678"] * 10, None),
        ([b"..2345678"] * 10 + [b".."], ContentFault.TOO_LARGE),
        ([b"12345678"] * 10 + [b"x" * 50], ContentFault.LONG_LINE),
        ([b"x" * 50] + [b"12345678"] * 10, ContentFault.LONG_LINE),
    ],
)
def test_a_content_may_be_as_large_as_it_may_be(lines, fault):
    wire = b"\r\n".join(lines) + END
    for parts in ([wire], octet_by_octet(wire), *(pieces(wire, (cut,)) for cut in range(1, len(wire)))):
        decoder, _, rest = decoded(parts, octets_limit=100, line_limit=10)
        assert decoder.is_done
        assert decoder.fault is fault, parts
        assert rest == b""


def test_octets_are_counted_in_a_line_without_end():
    # Or one line could go on for ever without ever being too large.
    decoder, _, rest = decoded([b"x" * 100] * 10, octets_limit=500, line_limit=10)
    assert decoder.octets >= 900
    assert len(rest) <= 13


def test_to_go_on_after_the_end_is_our_bug():
    decoder, _, _ = decoded([b".\r\n"])
    with pytest.raises(AssertionError):
        decoder.take(b"more", 0)


# --- The other direction ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"", b".\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"\r\n", b"\r\n.\r\n"),
        (b"a\r\n.b\r\n..\r\n", b"a\r\n..b\r\n...\r\n.\r\n"),
        (b"a.\r\n .\r\n", b"a.\r\n .\r\n.\r\n"),
    ],
)
def test_dots_are_added_at_the_beginning_of_lines_wherever_the_pieces_are_cut(content, wire):
    for first in range(len(content) + 1):
        for second in range(first, len(content) + 1):
            encoder = ContentEncoder()
            parts = (content[:first], content[first:second], content[second:])
            assert b"".join(map(encoder.encode, parts)) + encoder.end() == wire


lines = st.lists(
    st.sampled_from([b".", b"..", b"a", b""]) | st.from_regex(rb"[ -~]{0,12}", fullmatch=True), max_size=6
)


@given(lines.map(lambda some: b"".join(line + b"\r\n" for line in some)), st.integers(1, 7))
def test_what_is_encoded_is_decoded(content, step):
    encoder = ContentEncoder()
    wire = (
        b"".join(encoder.encode(content[at : at + step]) for at in range(0, len(content), step))
        + encoder.end()
    )
    assert verdict([wire]) == (content, len(content), b"")
    assert verdict(octet_by_octet(wire)) == (content, len(content), b"")
