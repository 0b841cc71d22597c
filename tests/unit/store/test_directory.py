"""Who is here: spellings, the postmaster, aliases, sub-addresses, and what a configuration gets told."""

import inspect
import sys

import pytest

from byreturn.mail import Destination, Mailbox
from byreturn.ports import Elsewhere, Here, NotHere
from byreturn.store import LocalDirectory, LocalDomain, check_domains
from byreturn.store.directory import MEMBER_LIMIT, NEAR_LIMIT

HERE = Destination("here.example")
THERE = Destination("there.example")


def domain(*mailboxes, name=HERE, takes_any=False, delimiter="+", **aliases):
    return LocalDomain(
        name,
        None if takes_any else frozenset(mailboxes),
        {alias: tuple(targets) for alias, targets in aliases.items()},
        delimiter,
    )


def mailbox(text):
    local, _, where = text.rpartition("@")
    return Mailbox(local, where)


def here(*members, is_alias=False):
    return Here(tuple(mailbox(member) for member in members), is_alias)


def found(directory, text):
    return directory.find(mailbox(text))


@pytest.mark.parametrize(
    "spelling",
    [
        "info@here.example",
        "INFO@here.example",
        "iNfO@HERE.example",
        "info@here.example.",
        '"info"@here.example',
        '"in\\fo"@here.example',
        '"\\i\\n\\f\\o"@Here.Example.',
    ],
)
def test_every_spelling_of_a_mailbox_reaches_it(spelling):
    directory = LocalDirectory([domain("info")])
    assert found(directory, spelling) == here("info@here.example")
    assert directory.has_mailbox(mailbox(spelling))


@pytest.mark.parametrize("spelling", ['"john doe"', '"John\\ Doe"', '"JOHN DOE"'])
def test_a_local_part_that_needs_quotes_is_stored_with_them(spelling):
    directory = LocalDirectory([domain("John Doe", boss=["john doe"])])
    assert found(directory, f"{spelling}@here.example") == here('"john doe"@here.example')
    assert found(directory, "boss@here.example") == here('"john doe"@here.example', is_alias=True)


@pytest.mark.parametrize(
    "local",
    [
        "p", "po", "post", "postmaste", "postmaster1", "inf", "infos", "nobody", "", '""', "info\0", "in\nfo",
        "../../x", "/etc/passwd", ".", "..", "a|sh", "-flag", "info%else.example", "else.example!info",
        "\N{KELVIN SIGN}urt", "\N{CYRILLIC SMALL LETTER KA}urt", "info@here.example",
    ],
)  # fmt: skip
def test_nothing_but_the_whole_name_matches(local):
    assert LocalDirectory([domain("info", "kurt")]).find(Mailbox(local, HERE)) == NotHere()


@pytest.mark.parametrize("where", ["", ".", "else.example", "xhere.example", "x.here.example", "[192.0.2.1]"])
def test_other_domains_are_elsewhere(where):
    directory = LocalDirectory([domain("info")])
    assert directory.find(Mailbox("info", where)) == Elsewhere()
    assert not directory.is_local(where)
    assert not directory.has_mailbox(Mailbox("info", where))


def test_the_first_domain_is_the_primary_one():
    directory = LocalDirectory([domain("info", name=Destination("Here.Example.")), domain(name=THERE)])
    assert directory.primary_domain == "here.example"
    assert directory.is_local("THERE.example.")


def test_the_same_local_part_in_two_domains_is_two_mailboxes():
    directory = LocalDirectory([domain("info"), domain("info", name=THERE)])
    assert found(directory, "info@here.example") == here("info@here.example")
    assert found(directory, "info@there.example") == here("info@there.example")


# --- The postmaster -----------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["postmaster", "POSTmaster", '"postmaster"', "postmaster+x"])
@pytest.mark.parametrize("takes_any", [False, True])
def test_the_postmaster_is_always_here(spelling, takes_any):
    directory = LocalDirectory([domain(takes_any=takes_any), domain(name=THERE)])
    for where in HERE, THERE:
        expected = here(f"postmaster@{where}")
        assert directory.find(Mailbox(spelling, where)) == expected
        assert directory.has_mailbox(expected.members[0])


@pytest.mark.parametrize("spelling", ["postmaster", "Postmaster", '"postmaster"'])
def test_the_postmaster_without_a_domain_is_that_of_the_primary_domain(spelling):
    directory = LocalDirectory([domain("ann", postmaster=["ann"]), domain(name=THERE)])
    assert directory.find(Mailbox(spelling, "")) == here("ann@here.example", is_alias=True)


def test_the_postmaster_may_be_an_alias():
    directory = LocalDirectory([domain("ann", Postmaster=["ann"])])
    assert found(directory, "postmaster@here.example") == here("ann@here.example", is_alias=True)


@pytest.mark.parametrize("targets", [[], ["postmaster"], ["loop"]])
def test_an_alias_that_leads_nowhere_does_not_take_the_postmaster_away(targets):
    directory = LocalDirectory([domain(postmaster=targets, loop=["postmaster"])])
    assert found(directory, "postmaster@here.example").members == here("postmaster@here.example").members


# --- Any local part -----------------------------------------------------------------------------------


def test_a_domain_may_take_any_local_part():
    directory = LocalDirectory([domain(takes_any=True, sales=["ann", "bob@else.example"])])
    assert found(directory, "Whoever@here.example") == here("whoever@here.example")
    assert found(directory, '"who ever"@here.example') == here('"who ever"@here.example')
    assert found(directory, "whoever+tag@here.example") == here("whoever@here.example")
    assert found(directory, "+tag@here.example") == here("+tag@here.example")
    assert found(directory, "sales@here.example") == here(
        "ann@here.example", "bob@else.example", is_alias=True
    )
    assert directory.has_mailbox(mailbox("whoever@here.example"))


@pytest.mark.parametrize(
    "local", ["", '""', "a\0b", "a\r\nb", '"a\tb"', "a\N{RIGHT-TO-LEFT OVERRIDE}", "a+\0"]
)
def test_any_local_part_does_not_mean_nothing_or_control_characters(local):
    directory = LocalDirectory([domain(takes_any=True)])
    assert directory.find(Mailbox(local, HERE)) == NotHere()
    assert not directory.has_mailbox(Mailbox(local, HERE))


# --- Aliases ------------------------------------------------------------------------------------------


def test_aliases_are_flattened_in_the_order_written_and_everybody_is_taken_once():
    directory = LocalDirectory(
        [
            domain("a", "b", "c", all=["x", "b", "y", "Else@Else.Example"], x=["a", "y"], y=["c", "A"]),
            domain("a", name=THERE, everybody=["all@here.example", "a", "a@there.example"]),
        ]
    )
    assert found(directory, "all@here.example") == here(
        "a@here.example", "c@here.example", "b@here.example", "Else@Else.Example", is_alias=True
    )
    assert found(directory, "everybody@there.example") == here(
        "a@here.example", "c@here.example", "b@here.example", "Else@Else.Example", "a@there.example",
        is_alias=True,
    )  # fmt: skip


def test_an_alias_that_names_itself_means_its_mailbox():
    directory = LocalDirectory([domain("office", "sales", office=["office", "sales"])])
    expected = here("office@here.example", "sales@here.example", is_alias=True)
    assert found(directory, "office@here.example") == expected
    assert directory.has_mailbox(mailbox("office@here.example"))
    assert check_domains([domain("office", "sales", office=["office", "sales"])]) == []


def test_a_mailbox_behind_an_alias_of_its_name_is_reached_by_no_detour():
    # Who forwards office to sales wants no mail in office, whichever way it comes.
    directory = LocalDirectory([domain("office", "sales", office=["sales"], all=["office", "office"])])
    assert found(directory, "all@here.example") == here("sales@here.example", is_alias=True)


def test_an_alias_is_no_mailbox_to_store_into():
    directory = LocalDirectory([domain("ann", sales=["ann"])])
    assert not directory.has_mailbox(mailbox("sales@here.example"))


def test_a_loop_is_taken_once_and_one_without_a_way_out_is_not_here():
    directory = LocalDirectory([domain("ann", a=["b"], b=["c", "ann"], c=["a"], x=["y"], y=["x"], z=["z"])])
    for alias in "abc":
        assert found(directory, f"{alias}@here.example") == here("ann@here.example", is_alias=True)
    for alias in "xyz":
        assert found(directory, f"{alias}@here.example") == NotHere()


def test_a_target_may_be_a_subaddress_or_in_any_spelling():
    directory = LocalDirectory([domain("info", sales=['"INFO"', "info+sales"], more=["Sales@HERE.example."])])
    for alias in "sales", "more":
        assert found(directory, f"{alias}@here.example") == here("info@here.example", is_alias=True)


def test_an_unknown_target_stays_so_that_its_failure_is_reported():
    directory = LocalDirectory([domain("ann", sales=["ann", "Gone"])])
    assert found(directory, "sales@here.example") == here(
        "ann@here.example", "gone@here.example", is_alias=True
    )
    assert not directory.has_mailbox(mailbox("gone@here.example"))


def test_aliases_nested_deeper_than_any_stack():
    depth = 300
    allowed = sys.getrecursionlimit()
    aliases = {f"a{n}": [f"a{n + 1}"] for n in range(depth)}
    chain = [domain(f"a{depth}", **aliases)]
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        assert check_domains(chain) == []
        reached = found(LocalDirectory(chain), "a0@here.example")
        circles = check_domains([domain(**aliases, **{f"a{depth}": ["a0"]})])
    finally:
        sys.setrecursionlimit(allowed)
    assert reached == here(f"a{depth}@here.example", is_alias=True)
    assert len(circles) == 1


# --- Sub-addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("local", "reached"),
    [
        ("info+shop", "info"),
        ("INFO+", "info"),
        ("info+a+b", "info"),
        ('"info+a b"', "info"),
        ('"john doe+shop"', '"john doe"'),
        ("info+known", "info+known"),
        ("sales+x", "info"),
    ],
)
def test_what_follows_the_delimiter_is_ignored_in_an_unknown_name(local, reached):
    directory = LocalDirectory([domain("info", "info+known", "john doe", sales=["info"])])
    assert directory.find(Mailbox(local, HERE)).members == (Mailbox(reached, HERE),)


@pytest.mark.parametrize("local", ["+info", "nobody+info", "info-shop", "p+ostmaster"])
def test_a_subaddress_of_nobody_is_not_here(local):
    assert LocalDirectory([domain("info")]).find(Mailbox(local, HERE)) == NotHere()


def test_the_delimiter_can_be_changed_and_turned_off():
    other = LocalDirectory([domain("info", delimiter="-")])
    assert found(other, "info-shop@here.example") == here("info@here.example")
    assert found(other, "info+shop@here.example") == NotHere()
    off = LocalDirectory([domain("info", delimiter="")])
    assert found(off, "info+shop@here.example") == NotHere()
    anyone = LocalDirectory([domain(takes_any=True, delimiter="")])
    assert found(anyone, "info+shop@here.example") == here("info+shop@here.example")


# --- What a configuration gets told -------------------------------------------------------------------


def test_nothing_is_said_about_a_sound_configuration():
    sound = [
        domain("ann", "John Doe", '"a@b"', sales=["ann", "x@else.example", '"john doe"', "postmaster"]),
        domain(takes_any=True, name=THERE, a=["whoever", "sales@here.example", '"a@b"@here.example']),
    ]
    assert check_domains(sound) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([], "No local domain"),
        ([domain("a"), domain("b", name=Destination("HERE.example"))], "named twice"),
        ([domain("a", b=["nobody"])], "'nobody', but here.example has no mailbox or alias"),
        ([domain("a", b=["nobody@there.example"]), domain(name=THERE)], "but there.example has no"),
        ([domain("a", b=["a", ""])], "which is no address"),
        ([domain("a", b=["a", "@else.example"])], "which is no address"),
        ([domain("a", b=["a", "x@"])], "which is no address"),
        ([domain("a", b=["a", "x\0@else.example"])], "which is no address"),
        ([domain("a", b=["a", "x@else\n.example"])], "which is no address"),
        ([domain("a", b=[])], "has no target"),
        ([domain("a@here.example")], "no local part"),
        ([domain("")], "no local part"),
        ([domain("a\0b")], "no local part"),
        ([domain("x" * 65)], "no local part"),
        ([domain("\ud800")], "no local part"),
        ([domain(a=["a"])], "in a circle: a@here.example -> a@here.example"),
        ([domain("x", a=["x", "b"], b=["A"])], "a@here.example -> b@here.example -> a@here.example"),
        (
            [domain(a=["a@there.example"]), domain(name=THERE, a=["a@here.example"])],
            "a@here.example -> a@there.example -> a@here.example",
        ),
    ],
)
def test_every_trouble_is_told_in_three_parts(wrong, words):
    (message,) = check_domains(wrong)
    assert words in message
    assert len([part for part in message.split(". ") if part]) >= 3


def test_every_loop_is_told_once():
    messages = check_domains(
        [domain("ann", a=["b", "ann"], b=["a"], c=["d"], d=["e", "a"], e=["c"], f=["c", "e"])]
    )
    assert len(messages) == 2
    assert all("circle" in message for message in messages)


def test_an_alias_with_too_many_members_is_told():
    targets = [f"x{n}@else.example" for n in range(MEMBER_LIMIT + 1)]
    (message,) = check_domains([domain(big=targets, fine=targets[1:])])
    assert message.startswith("Alias big@here.example stands for more than")


def test_what_is_wrong_can_still_be_built():
    directory = LocalDirectory([domain("a", "", b=["nobody", ""], c=[], d=["d"], e=["@", "x@"])])
    assert found(directory, "a@here.example") == here("a@here.example")
    assert found(directory, "c@here.example") == NotHere()


# --- Near names ---------------------------------------------------------------------------------------


def near(directory, text):
    return sorted(address.local for address in directory.near(mailbox(text)))


@pytest.mark.parametrize("typed", ["ana", "annna", "naan", "anma", "anna1", "Anan", "nna", "ann", '"ana"'])
def test_a_mailbox_is_near_by_one_slip(typed):
    directory = LocalDirectory([domain("anna" if typed != "naan" else "nana", "bernhard")])
    assert len(near(directory, f"{typed}@here.example")) == 1


def test_names_that_are_two_slips_away_or_elsewhere_are_not_near():
    directory = LocalDirectory([domain("anna"), domain("aana", name=THERE)])
    assert near(directory, "aa@here.example") == []
    assert near(directory, "anna@here.example") == []
    assert near(directory, "ana@elsewhere.example") == []


def test_an_alias_is_near_and_its_members_and_one_that_leads_to_nobody_are_not():
    directory = LocalDirectory([domain("anna", office=["ann@elsewhere.example"], offica=["offica"])])
    assert near(directory, "offic@here.example") == ["office"]
    assert near(directory, "an@elsewhere.example") == []


def test_few_are_named_however_many_are_near():
    directory = LocalDirectory([domain(*(f"ann{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"))])
    assert len(near(directory, "ann@here.example")) == NEAR_LIMIT


def test_no_name_is_too_odd_to_ask_for():
    directory = LocalDirectory([domain("anna")])
    for local in ("", "a" * 255, '"', '""', "\u00e4nna", "an na"):
        assert set(near(directory, f"{local}@here.example")) <= {"anna"}
