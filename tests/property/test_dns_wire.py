"""Replies of the DNS: whatever is read here, the library reads the same; and no octets make either fail."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
from dns.rdatatype import AAAA, MX, SOA, A
from hypothesis import example, given, settings
from hypothesis import strategies as st

from byreturn.transport import dns_wire
from byreturn.transport.dns_wire import Records, Reply, question_of, read_reply

PLAIN_NAMES = st.lists(
    st.sampled_from(["a", "mx1", "Mail", "example", "org", "x-y", "_dmarc", "b" * 63]), max_size=3
).map(lambda labels: ".".join([*labels, ""]) or ".")
NAMES = PLAIN_NAMES | st.sampled_from([r"o\.dd.example.", r"\000.org.", "*.a.", "a/b."])
FOURS = st.sampled_from(["192.0.2.1", "0.0.0.0", "255.255.255.255"])
SIXES = st.sampled_from(
    ["2001:db8::1", "::", "::1", "::ffff:192.0.2.1", "::192.0.2.1", "1:0:0:2::3", "fe80::0:1:0"]
)
TTLS = st.integers(0, 2**31 - 1)


def data_of(names, *kinds):
    numbers = st.integers(0, 2**32 - 1)
    all_kinds = {
        "MX": st.builds("{} {}".format, st.integers(0, 65535), names),
        "A": FOURS,
        "AAAA": SIXES,
        "CNAME": names,
        "SOA": st.builds("{} {} 1 2 3 4 {}".format, names, names, numbers),
        "NS": names,
        "TXT": st.just('"a text"'),
    }
    return st.one_of(*(st.tuples(st.just(kind), all_kinds[kind]) for kind in kinds))


def records(names, most, *kinds):
    return st.lists(st.tuples(names, TTLS, data_of(names, *kinds)), max_size=most)


# Ordinary from one end to the other, so that the library is not needed; or anything anywhere.
SECTIONS = st.tuples(
    records(PLAIN_NAMES, 4, "MX", "A", "AAAA") | records(PLAIN_NAMES, 2, "CNAME", "MX", "SOA"),
    records(PLAIN_NAMES, 1, "SOA") | records(PLAIN_NAMES, 3, "NS"),
    records(PLAIN_NAMES, 2, "A", "AAAA"),
) | st.tuples(*3 * [records(NAMES, 4, "MX", "A", "AAAA", "CNAME", "SOA", "NS", "TXT")])
KINDS = st.sampled_from([MX, A, AAAA, SOA])


def message_of(asked, kind, code, sections, has_edns):
    query = dns.message.make_query(asked, kind, use_edns=0 if has_edns else -1)
    said = dns.message.make_response(query)
    said.set_rcode(code)
    for section, records in zip((said.answer, said.authority, said.additional), sections, strict=True):
        for name, ttl, (what, data) in records:
            section.append(dns.rrset.from_text(name, ttl, "IN", what, data))
    return said.to_wire(max_size=65535)


MESSAGES = st.builds(
    message_of,
    st.just("Mail.example.org."),
    KINDS,
    st.sampled_from([dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.BADVERS]),
    SECTIONS,
    st.booleans(),
)


def asked_in(data):
    kind = int.from_bytes(data[30:32])
    question = question_of("mail.example.org", kind)
    assert question is not None
    return question


@given(MESSAGES)
def test_what_is_read_here_the_library_reads_the_same(data):
    reply = read_reply(data, asked_in(data))
    assert reply is not None
    assert reply == dns_wire._careful(data)


@given(MESSAGES, st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=4), st.integers(0, 3))
@settings(max_examples=400)
def test_a_message_that_was_spoilt_is_read_the_same_or_not_at_all(data, changes, cut):
    question = asked_in(data)
    spoilt = bytearray(data[: len(data) - cut])
    for at, octet in changes:
        spoilt[at % len(spoilt)] = octet
    reply = read_reply(bytes(spoilt), question)
    if reply is not None and not reply.is_cut:
        assert reply == dns_wire._careful(bytes(spoilt))


@given(st.binary(max_size=100), st.booleans())
@example(b"", False)
@example(b"\0" * 12, False)
@example(b"\0\0\x80\2\0\0\0\0\0\0\0\0", False)
@example(b"\xc0\x0c\0\1\0\1" * 10, True)
def test_no_octets_make_it_fail(octets, is_behind_a_header):
    question = question_of("mail.example.org", MX)
    head = b"\0\0\x81\x80\0\1\0\1\0\1\0\1" + question.octets
    reply = read_reply(head + octets if is_behind_a_header else octets, question)
    assert reply is None or isinstance(reply, Reply)


@given(NAMES.filter(lambda name: name != "."), KINDS)
def test_a_question_is_the_librarys(name, kind):
    theirs = dns.message.make_query(name, kind, use_edns=0, id=4711)
    question = question_of(name.lower().removesuffix("."), kind)
    assert question.packed(4711, has_edns=True).lower() == theirs.to_wire().lower()
    theirs = dns.message.make_query(name, kind, id=4711)
    assert question.packed(4711, has_edns=False).lower() == theirs.to_wire().lower()
    assert str(question) == f"{name.lower().removesuffix('.')} {kind.name}"


@given(st.text(st.characters(codec="ascii"), max_size=300))
@example("a" * 63 + ".example")
@example("a" * 64 + ".example")
@example(".".join(["a" * 49] * 5))
@example(".".join(["a" * 50] * 5))
@example("")
def test_a_name_fits_into_a_question_or_does_not_as_the_library_finds(text):
    try:
        wire = dns.name.from_text(f"{text}.").to_wire()
    except dns.exception.DNSException:
        wire = None
    question = question_of(text, MX)
    assert (question and question.octets[:-4].lower()) == (wire and wire.lower())


# --- What comes out -----------------------------------------------------------------------------------


def plain(*sections):
    """Read a message for which the library must not be needed."""
    data = message_of("mail.example.org.", MX, 0, sections, True)
    question = asked_in(data)
    counts = [int.from_bytes(data[at : at + 2]) for at in (6, 8, 10)]
    reply = dns_wire._plain(data, 12 + len(question.octets), 0, counts)
    assert reply == read_reply(data, question) == dns_wire._careful(data)
    return reply


def test_ordinary_replies_need_no_library():
    mx = ("mail.example.org.", 300, ("MX", "10 MX1.example.org."))
    again = ("mail.example.org.", 200, ("MX", "10 mx1.Example.org."))
    other = ("Mail.example.org.", 400, ("MX", "5 mx2.example.net."))
    glue = ("mx1.example.org.", 300, ("A", "192.0.2.1"))
    assert plain([mx, again, other], [("example.org.", 300, ("NS", "ns.example.org."))], [glue]) == Reply(
        0,
        records={("mail.example.org", MX): Records(200, ((10, "mx1.example.org"), (5, "mx2.example.net")))},
        owners=frozenset({"mail.example.org"}),
        has_servers=True,
    )
    soa = ("example.org.", 300, ("SOA", "ns.example.org. root.example.org. 1 2 3 4 60"))
    assert plain([], [soa], []).zones == (("example.org", 60),)
    alias = ("mail.example.org.", 300, ("CNAME", "mx1.example.org."))
    six = ("mx1.example.org.", 300, ("AAAA", "2001:db8::1"))
    assert plain([alias, glue, six], [], []).owners == {"mail.example.org", "mx1.example.org"}


def test_a_reply_cut_short_needs_no_reading():
    question = question_of("mail.example.org", MX)
    said = dns.message.make_response(dns.message.make_query("mail.example.org.", MX))
    said.flags |= dns.flags.TC
    assert read_reply(said.to_wire() + b"rest", question) == Reply(0, is_cut=True)


def test_thousands_of_records_are_read_in_no_time():
    records = [("mail.example.org.", 300, ("MX", f"{n} m.example.org.")) for n in range(3000)]
    data = message_of("mail.example.org.", MX, 0, ([], [], []), False)
    wire = b"".join(
        b"\xc0\x0c\0\x0f\0\1\0\0\1\x2c\0\4" + n.to_bytes(2) + b"\xc0\x0c" for n in range(len(records))
    )
    reply = read_reply(data[:6] + len(records).to_bytes(2) + data[8:] + wire, asked_in(data))
    assert len(reply.records["mail.example.org", MX].values) == 3000


def test_zones_vouch_for_what_is_in_them():
    reply = Reply(3, zones=(("example.org", 60),))
    for name, ttl in (("example.org", 60), ("a.example.org", 60), ("anexample.org", None), ("org", None)):
        assert reply.zone_ttl(name) == ttl
    assert Reply(3, zones=(("", 7),)).zone_ttl("example.org") == 7
