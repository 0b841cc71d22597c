"""From an address to a path: never two for one, never out of the root; and CRLF wherever it is cut."""

from urllib.parse import unquote_to_bytes

from hypothesis import example, given
from hypothesis import strategies as st

from byreturn.mail import Destination, IdFactory, Mailbox, id_text
from byreturn.ports import Here, NotHere
from byreturn.store import LocalDirectory, LocalDomain
from byreturn.store.delivery import lf_pieces
from byreturn.store.names import file_name, folder_name, plain_local, stored_local

TRICKY = st.text(alphabet='ab.-_%/\\"\0 +@~:h2FéK\N{KELVIN SIGN}\udcff', max_size=12)
TEXTS = TRICKY | st.text(st.characters(codec=None), max_size=400)
DOMAIN = Destination("here.example")


# --- Folders ------------------------------------------------------------------------------------------


@given(TEXTS.filter(bool))
@example(".")
@example("..")
@example("../../x")
@example("/etc/passwd")
@example("x" * 255)
@example("x" * 256)
@example("/" * 86)
def test_a_folder_is_a_name_and_never_a_way(text):
    name = folder_name(text)
    assert 1 <= len(name.encode("ascii")) <= 255
    assert name[0] not in ".-"
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.%ABCDEF")


@given(TEXTS)
def test_a_folder_tells_what_it_was_named_for(text):
    # What can be read back cannot stand for two. Too long to be read back: the hash tells them apart.
    octets = text.encode("utf-8", "surrogatepass")
    name = folder_name(text)
    if "%h" not in name:
        assert unquote_to_bytes(name) == octets
        assert "%h" not in name
    else:
        assert len(name) == 255
        assert len(octets) > 255 / 3


@given(TEXTS, TEXTS)
@example("x" * 300, "x" * 301)
@example("x" * 300, folder_name("x" * 300))
@example("a/b", "a%2Fb")
@example("%2F", "/")
def test_two_texts_have_two_folders(one, other):
    assert (folder_name(one) == folder_name(other)) == (one == other)


# --- Spellings ----------------------------------------------------------------------------------------


@given(TEXTS.map(plain_local))
def test_a_stored_local_part_reads_back_as_the_plain_one(plain):
    # Text between quotes is taken for a quoted form: only then is there something to undo.
    assert plain_local(stored_local(plain_local(plain))) == plain_local(plain)


@given(TEXTS)
def test_spelling_a_stored_local_part_again_changes_nothing(local):
    stored = stored_local(plain_local(local))
    assert stored_local(plain_local(stored)) == stored


@st.composite
def spelled(draw, plain):
    """Draw one of the ways in which RFC 5321 lets a local part be written."""
    cased = "".join(draw(st.sampled_from((letter, letter.upper()))) for letter in plain)
    if draw(st.booleans()) and stored_local(plain) == plain:
        return cased
    quoted = "".join("\\" + letter if letter in '"\\' or draw(st.booleans()) else letter for letter in cased)
    return f'"{quoted}"'


PLAIN = st.text(alphabet='abc.+-_ @"\\%/', min_size=1, max_size=8)


@given(PLAIN.flatmap(lambda plain: st.tuples(st.just(plain), spelled(plain))), st.booleans())
def test_all_spellings_of_a_mailbox_reach_it(pair, takes_any):
    plain, spelling = pair
    domain = LocalDomain(DOMAIN, None if takes_any else frozenset({stored_local(plain)}), {}, "")
    address = Mailbox(stored_local(plain), DOMAIN)
    directory = LocalDirectory([domain])
    assert directory.find(Mailbox(spelling, "HERE.Example.")) == Here((address,), is_alias=False)
    assert directory.has_mailbox(address)
    assert folder_name(plain_local(spelling)) == folder_name(plain)


@given(PLAIN, PLAIN)
@example("p", "postmaster")
@example("info", "inf")
def test_a_mailbox_is_reached_by_its_own_name_only(named, asked):
    directory = LocalDirectory([LocalDomain(DOMAIN, frozenset({stored_local(named)}), {}, "")])
    found = directory.find(Mailbox(stored_local(asked), DOMAIN))
    assert isinstance(found, Here if asked in {named, "postmaster"} else NotHere)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefxyz"), max_size=4).map(tuple)),
    st.frozensets(st.sampled_from("abxyz")),
)
def test_an_alias_stands_for_what_can_be_reached_from_it(aliases, mailboxes):
    """Against the plainest model: everything reachable that is no alias, or a mailbox naming itself."""
    directory = LocalDirectory([LocalDomain(DOMAIN, mailboxes, aliases)])
    for alias in aliases:
        reachable, grown = {alias}, {alias}
        while grown:
            grown = {target for name in grown for target in aliases.get(name, ())} - reachable
            reachable |= grown
        expected = {name for name in reachable if name not in aliases}
        expected |= {name for name in reachable & set(aliases) & mailboxes if name in aliases[name]}
        found = directory.find(Mailbox(alias, DOMAIN))
        members = [member.local for member in found.members] if isinstance(found, Here) else []
        assert sorted(members) == sorted(expected)


# --- Files --------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(1_577_836_800_000, 3_700_000_000_000), st.integers(0, 999)), max_size=20)
)
def test_no_two_deliveries_share_a_file(made):
    ids = IdFactory(3, 0)
    uniques = {f"{id_text(ids.make(at))}-{ordinal}" for at, ordinal in sorted(made)}
    names = {file_name(unique, "mx.here.example")[0] for unique in uniques}
    assert len(names) == len(uniques) == len(made)
    assert all("/" not in name and ":" not in name and len(name) < 200 for name in names)


# --- Line ends ----------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"", b".", b"\r\r\n"]), max_size=12), st.data())
def test_where_a_content_is_cut_changes_nothing(parts, data):
    content = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=6)))
    pieces = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    assert b"".join(lf_pieces(iter(pieces))) == content.replace(b"\r\n", b"\n")
    # And octet by octet.
    assert b"".join(lf_pieces(bytes([octet]) for octet in content)) == content.replace(b"\r\n", b"\n")
