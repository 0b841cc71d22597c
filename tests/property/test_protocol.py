"""The law of SMTP for any octets in any pieces: cuts change nothing, and garbage does no harm.

Streams are put together from words that mean something to a session, because octets by chance never get past
the first command. The limits are small, so that each of them is met.
"""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from tests.dialogues.runner import ServerLine

from byreturn.mail import (
    NULL_PATH,
    Destination,
    EnhancedStatus,
    Mailbox,
    Recipient,
    Reply,
    enhanced_from_text,
)
from byreturn.protocol import (
    Broken,
    BrokenReply,
    ClientPhase,
    ClientSession,
    Closing,
    Content,
    ContentDecoder,
    ContentEncoder,
    ContentFault,
    Ready,
    RecipientAnswered,
    ReplyReader,
    SendContent,
    SessionLimits,
    Transaction,
    TransactionOver,
    encode,
)
from byreturn.protocol.server import Phase

COMMAND, LINE = 64, 20
LIMITS = SessionLimits(
    command_octets=COMMAND,
    content_octets=150,
    content_line_octets=LINE,
    recipients=3,
    errors=4,
    commands_without_effect=4,
)


def cut(octets, places):
    """Cut at places that are given as any numbers."""
    borders = sorted({0, len(octets), *(place % (len(octets) + 1) for place in places)})
    return [octets[before:after] for before, after in pairwise(borders)]


places = st.lists(st.integers(0, 5000), max_size=12) | st.just(range(3000))

# --- The server ---------------------------------------------------------------------------------------

ENVELOPE = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<info@here.example>\r\nDATA\r\n"
words = st.sampled_from(
    [
        ENVELOPE,
        ENVELOPE,
        b"EHLO a\r\n",
        b"HELO a\r\n",
        b"EHLO\r\n",
        b"MAIL FROM:<a@there.example> SIZE=10\r\n",
        b"MAIL FROM:<a@there.example> SIZE=9999\r\n",
        b"RCPT TO:<info@here.example>\r\n",
        b"RCPT TO:<nobody@here.example> NOTIFY=NEVER\r\n",
        b"RCPT TO:<x@elsewhere.example>\r\n",
        b"DATA\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"VRFY x\r\n",
        b"HELP\r\n",
        b"QUIT\r\n",
        b"FOO\r\n",
        b".\r\n",
        b"\r\n.\r\n",
        b"..\r\n",
        b".a\r\n",
        b"a line\r\n",
        b"\r\n",
        b"x" * LINE + b"\r\n",
        b"." + b"x" * LINE + b"\r\n",
        b"x" * (LINE + 1) + b"\r\n",
        b"y" * 2 * LINE,
        b"z" * (COMMAND - 2) + b"\r\n",
        b"z" * (COMMAND - 1) + b"\r\n",
        b"z" * 2 * COMMAND,
        b"12345678\r\n" * 8,
        b"\xc3\xa9\xff",
        b"\r",
        b"\n",
        b"\0",
        b".",
        b" ",
    ]
)
streams = st.lists(words, max_size=14).map(b"".join) | st.lists(
    words | st.binary(max_size=6), max_size=9
).map(b"".join)


def driven(pieces, *, normalizes=False, limits=LIMITS):
    line = ServerLine(limits, normalizes=normalizes)
    for piece in pieces:
        line.send(piece)
    return line


def told(line):
    """All that a session let out, without how its content was cut and how far a refused one had come."""
    output = line.receive(0) or b""
    events = [event for event in line.events if not isinstance(event, Content)]
    is_over = line.receive(0) == b""
    if is_over and events[-1:] == [Closing(True)]:
        # A client that has passed twice its limit *and* sent a bare line end is cut off for one or the other.
        said, _, last = output.removesuffix(b"\r\n").rpartition(b"\r\n")
        output = said + b"\r\n5" if last.startswith((b"521", b"552")) else output
    return output, events, is_over, list(line.host.kept)


@given(streams, places, st.booleans())
@example(b"NOOP " + b"x" * 100 + b"\nNOOP\r\n", range(200), False)
@example(b"NOOP\n" + b"x" * 100 + b"\r\n", range(200), False)
@example(b"NOOP " + b"x" * 100 + b"\r\r\n", [70], False)
@example(b"NOOP " + b"x" * 100 + b"\r\n", range(200), False)
@example(ENVELOPE + b"x" * 50 + b"\n.\r\nRSET\r\n.\r\n", range(200), False)
@example(ENVELOPE + b"x" * 50 + b"\0\r\n.\r\n", range(200), False)
@example(ENVELOPE + b"x" * 50 + b"\r\n\0\r\n.\r\n", range(200), False)
@example(ENVELOPE + b"12345678\r\n" * 16 + b"\0\r\n.\r\n", range(300), False)
@example(ENVELOPE + b"x" * 400 + b"\r\n.\r\n", range(500), False)
@example(ENVELOPE + b"a\n.\nNOOP\n", range(200), True)
def test_how_a_client_cuts_its_octets_changes_nothing(octets, at, normalizes):
    whole = told(driven([octets], normalizes=normalizes))
    pieces = told(driven(cut(octets, at), normalizes=normalizes))
    assert pieces == whole


@given(streams | st.binary(max_size=300), places, st.booleans())
def test_whatever_a_client_sends_our_lines_are_lines(octets, at, normalizes):
    line = driven(cut(octets, at), normalizes=normalizes, limits=SessionLimits())
    output = line.receive(0)
    assert output.endswith(b"\r\n")
    assert output.isascii()
    lines = output.removesuffix(b"\r\n").split(b"\r\n")
    assert all(len(text) + 2 <= 512 for text in lines)
    assert all(text[:3].isdigit() and text[3:4] in b"- " for text in lines)
    assert not any(control in text for text in lines for control in (b"\r", b"\n", b"\0"))


@given(streams, places, st.booleans())
def test_no_content_that_is_let_in_holds_a_bare_line_end_or_nul(octets, at, normalizes):
    line = driven(cut(octets, at), normalizes=normalizes)
    contents = [event.octets for event in line.events if isinstance(event, Content)]
    for content in (*contents, *(kept.content for kept in line.host.kept)):
        assert b"\0" not in content
        assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
        assert not content or content.endswith(b"\r\n")
        assert all(len(text) <= LINE for text in content.split(b"\r\n"))
    assert all(len(kept.content) <= LIMITS.content_octets for kept in line.host.kept)


@given(st.lists(streams, max_size=12), st.booleans())
def test_no_more_is_buffered_than_a_command_a_line_and_what_was_fed(feeds, normalizes):
    line = ServerLine(LIMITS, normalizes=normalizes)
    fed = 0
    for feed in feeds:
        line.send(feed)
        # What was read after the end of a session stays until the host lets the session go.
        fed = max(fed, len(feed)) if line.session.phase is Phase.CLOSED else len(feed)
        held = len(line.session._buffer) + len(line.session._seam)
        assert held <= COMMAND + LINE + 2 + 2 * fed


@given(st.binary(min_size=1, max_size=50), st.sampled_from([b"", ENVELOPE]))
def test_a_client_without_line_ends_fills_no_memory(feed, before):
    feed = feed.replace(b"\r", b"x").replace(b"\n", b"x")
    line = driven([before])
    for _ in range(60):
        line.send(feed)
        assert len(line.session._buffer) <= COMMAND + LINE + 2 + len(feed)


# --- Content ------------------------------------------------------------------------------------------

text_lines = st.lists(st.sampled_from([b"", b".", b"..", b".a", b"a."]) | st.binary(max_size=8), max_size=8)
contents = text_lines.map(
    lambda lines: b"".join(
        bytes(set(line) - {0, 10, 13}) + b"\r\n" if len(line) > 2 else line + b"\r\n" for line in lines
    )
).filter(
    lambda content: (
        content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n") and b"\0" not in content
    )
)


@given(contents, places, places)
def test_what_is_encoded_is_decoded_however_either_is_cut(content, out, back):
    encoder = ContentEncoder()
    wire = b"".join(encoder.encode(piece) for piece in cut(content, out)) + encoder.end()
    assert wire.endswith(b".\r\n")
    assert b"\r\n.\r\n" not in wire[:-2]
    decoder = ContentDecoder(100_000, 998)
    buffer, found = b"", b""
    for piece in cut(wire, back):
        assert not decoder.is_done
        buffer += piece
        octets, at = decoder.take(buffer, 0)
        found += octets
        buffer = buffer[at:]
    assert (decoder.is_done, decoder.fault, buffer) == (True, None, b"")
    assert found == content


@given(streams, places)
def test_a_decoder_lets_out_whole_clean_lines_only(octets, at):
    decoder = ContentDecoder(10_000, LINE)
    buffer = b""
    for piece in cut(octets, at):
        if decoder.is_done or decoder.fault is ContentFault.BARE_LINE_END:
            break
        buffer += piece
        content, place = decoder.take(buffer, 0)
        assert 0 <= place <= len(buffer)
        buffer = buffer[place:]
        assert b"\0" not in content
        assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
        assert not content or (content.endswith(b"\r\n") and decoder.fault is None)


# --- Replies ------------------------------------------------------------------------------------------

statuses = st.builds(EnhancedStatus, st.sampled_from([2, 4, 5]), st.integers(0, 999), st.integers(0, 999))
printable_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=200)
replies = st.builds(
    Reply,
    st.integers(200, 599),
    st.none() | statuses,
    st.lists(
        printable_text.filter(lambda text: enhanced_from_text(text)[0] is None), min_size=1, max_size=5
    ).map(tuple),
)


@given(st.lists(replies, max_size=4), places)
def test_a_reply_is_read_back_as_it_was_written_however_it_is_cut(said, at):
    reader = ReplyReader()
    wire = b"".join(map(encode, said))
    assert [reply for piece in cut(wire, at) for reply in reader.receive(piece)] == said
    assert reader.is_clean


reply_octets = st.lists(
    st.sampled_from([b"250", b"550", b"-", b" ", b"\r", b"\n", b"\r\n", b"5.1.1", b"x", b"\0", b"x" * 2100])
    | st.binary(max_size=6),
    max_size=20,
).map(b"".join)


@given(reply_octets, places)
def test_a_peers_octets_are_replies_or_broken_and_bounded(octets, at):
    reader = ReplyReader()
    broken = ""
    for piece in cut(octets, at):
        try:
            found = reader.receive(piece)
        except BrokenReply as fault:
            broken = str(fault)
            break
        for reply in found:
            assert 200 <= reply.code <= 599
            assert 1 <= len(reply.lines) <= 32
            assert all(len(line) <= 512 and "\r" not in line and "\0" not in line for line in reply.lines)
        assert len(reader._buffer) <= 2048
    assert len(broken) < 300
    assert broken.replace("\ufffd", "?").isprintable()


# --- The client ---------------------------------------------------------------------------------------


def recipient(number):
    mailbox = Mailbox(f"r{number}", "there.example")
    return Recipient(number, mailbox, mailbox, Destination("there.example"))


TRANSACTION = Transaction(NULL_PATH, tuple(map(recipient, range(3))), 100, False)
sensible = st.sampled_from(
    [
        b"250 ok\r\n",
        b"250 ok\r\n",
        b"250-a\r\n250 b\r\n",
        b"550 5.1.1 no\r\n",
        b"450 later\r\n",
        b"354 go\r\n",
    ]
)
odd = st.sampled_from(
    [
        b"220 hi\r\n",
        b"421 bye\r\n",
        b"452 4.5.3 too many\r\n",
        b"25 ok\r\n",
        b"999 x\r\n",
        b"250\n",
        b"\r\n",
        b"250-\r\n550 x\r\n",
    ]
)
said_in_a_turn = st.lists(sensible | odd, min_size=1, max_size=6).map(b"".join)
HELLO = [b"220 hi\r\n", b"250-mx\r\n250 PIPELINING\r\n"]
GOOD = b"250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n"
dialogues = st.lists(said_in_a_turn, max_size=6) | st.lists(
    said_in_a_turn | st.sampled_from([GOOD, b"250 kept\r\n"]), max_size=6
).map(lambda turns: HELLO + turns)


def converse(turns, at):
    """Play a peer that says so much in each turn; then it is our turn."""
    session = ClientSession("mail.here.example")
    events, sent = [], b""
    for turn in turns:
        news = [event for piece in cut(turn, at) for event in session.receive(piece)]
        events += news
        for event in news:
            if session.phase is ClientPhase.CLOSED:
                break
            if isinstance(event, (Ready, TransactionOver)):
                session.begin(TRANSACTION)
            elif isinstance(event, SendContent):
                session.content(b".words\r\n")
                session.end_content()
        sent += session.take_output()
    return session, events, sent


def credited(session, events):
    """What a host goes by; that the connection is spent may show before it is said to be ready again."""
    is_spent = session.phase is ClientPhase.CLOSED
    facts = [event for event in events if not isinstance(event, Broken)]
    for at in range(len(facts) - 1, max(-1, len(facts) - 3), -1):
        if is_spent and isinstance(facts[at], (Ready, TransactionOver)):
            del facts[at:]
    return facts, is_spent


@given(dialogues, places)
@example([*HELLO, GOOD, b"250 kept\r\nnonsense\r\n"], range(100))
@example([*HELLO, GOOD, b"250 kept\r\n250 kept\r\n"], [13])
@example([*HELLO, b"250 ok\r\n550 no\r\n25 ok\r\n"], [17])
@example([b"220 hi\r\n", b"250 " + b"x" * 2500 + b"\r\n"], range(2600))
def test_how_a_peer_cuts_its_octets_changes_nothing(turns, at):
    one, events, sent = converse(turns, [])
    other, events_of_pieces, sent_after_pieces = converse(turns, at)
    assert credited(other, events_of_pieces) == credited(one, events)
    assert sent_after_pieces == sent


@given(dialogues | st.lists(st.binary(max_size=40) | reply_octets, max_size=6), places)
@example([b"220 hi\r\n", "250-mx\r\n250 SIZE ²\r\n".encode()], [])
def test_whatever_a_peer_says_the_session_stays_a_session(turns, at):
    session, events, sent = converse(turns, at)
    assert sent.isascii()
    assert not sent or sent.endswith(b"\r\n")
    assert sent.count(b"\r") == sent.count(b"\n") == sent.count(b"\r\n")
    # Broken ends it, and says so once.
    broken = [event for event in events if isinstance(event, Broken)]
    assert broken in ([], events[-1:])
    assert not broken or session.phase is ClientPhase.CLOSED
    assert len(session._reader._buffer) <= 2048 + max(map(len, turns), default=0)
    # Within a transaction each recipient is answered once, and in order.
    indexes = [event.index for event in events if isinstance(event, RecipientAnswered)]
    assert all(later in (before + 1, 0) for before, later in pairwise(indexes))
