"""Did you mean: what a slip of the fingers meant is found, and nothing is called likely that is not."""

from __future__ import annotations

from time import perf_counter

import pytest
from tests.unit.report.typos import sample, typos_of

from byreturn.mail import Mailbox
from byreturn.mail.address import mailbox_from_text
from byreturn.report import Kin, Suggestions, suggest
from byreturn.report.domains import COMMON_DOMAINS
from byreturn.report.suggesting import Edit, Slip, slip_between

# How many of a hundred people with a mailbox at a large provider have it there, roughly.
WEIGHTS = {
    "gmail.com": 30, "outlook.com": 8, "hotmail.com": 10, "yahoo.com": 9, "icloud.com": 6,
    "googlemail.com": 2, "gmx.de": 4, "web.de": 4, "gmx.net": 2, "t-online.de": 3, "freenet.de": 1,
    "orange.fr": 2, "free.fr": 1, "laposte.net": 1, "libero.it": 2, "mail.ru": 2, "yandex.ru": 2,
    "qq.com": 2, "163.com": 1, "naver.com": 1, "comcast.net": 2, "verizon.net": 1, "att.net": 1,
    "btinternet.com": 1, "proton.me": 1, "aol.com": 1,
}  # fmt: skip
# Domains of others, which exist as well, and which nobody put into a list.
OF_OTHERS = (
    "schmidt.example", "gmbh.example", "mailer.example", "gemail.example", "univ-lyon.example", "bbc.example",
    "gov.example", "gmx.example", "outlooks.example", "free.com", "orange.com", "mailo.com", "icloud.org",
    "libera.it", "naver.net", "comcast.com", "proton.com", "att.com", "live.net", "mail.net", "mailbox.com",
    "posteo.com", "web.com", "yandex.net", "yahoo.net", "hotmart.com", "outlet.com", "cloud.com", "zoho.net",
)  # fmt: skip
PEOPLE = (
    "anna.schmidt", "bernhard", "carla.rossi", "d.hoffmann", "elisabeth", "frederic.dupont", "giovanni",
    "hannah", "info", "jan", "karin", "karen", "lukas.meier", "lucas.meier", "mario", "maria", "office",
    "peter.jansen", "sales", "sale", "support", "thomas2", "thomas3", "ursula", "vera", "w.weber",
    "zoe",
)  # fmt: skip


def box(text: str) -> Mailbox:
    return mailbox_from_text(text)


def meant(found: Suggestions) -> list[str]:
    return [str(suggestion.address) for suggestion in found.candidates]


def of_domain(text: str, *known: str) -> Suggestions:
    return suggest(box(text), domain_failed=True, correspondents=[(box(one), 1) for one in known])


def of_mailbox(text: str, *known: str, colleagues: tuple[str, ...] = ()) -> Suggestions:
    correspondents = [(box(one), 1) for one in known]
    return suggest(box(text), domain_failed=False, correspondents=correspondents, colleagues=colleagues)


# --- One slip -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "right", "slip"),
    [
        ("gmal", "gmail", Slip(Edit.MISSING, 3, "", "i")),
        ("gmaail", "gmail", Slip(Edit.EXTRA, 3, "a", "")),
        ("gmsil", "gmail", Slip(Edit.WRONG, 2, "s", "a")),
        ("gmial", "gmail", Slip(Edit.SWAPPED, 2, "ia", "ai")),
        ("mail", "gmail", Slip(Edit.MISSING, 0, "", "g")),
        ("gmai", "gmail", Slip(Edit.MISSING, 4, "", "l")),
        ("", "a", Slip(Edit.MISSING, 0, "", "a")),
        ("gmail", "gmail", None),
        ("gmlai", "gmail", None),
        ("gml", "gmail", None),
        ("ab", "cd", None),
        ("abc", "cba", None),
    ],
)
def test_one_slip_and_no_more(typed: str, right: str, slip: Slip | None):
    assert slip_between(typed, right) == slip


def test_a_slip_is_what_a_table_of_distances_says():
    texts = ["", "a", "b", "ab", "ba", "abc", "acb", "abb", "bab", "aabb", "abab", "baab", "cabab", "abcba"]
    for typed in texts:
        for right in texts:
            assert (slip_between(typed, right) is not None) == (distance(typed, right) == 1), (typed, right)


def distance(a: str, b: str) -> int:
    """The textbook's table: insertions, deletions, replacements, swaps of neighbours."""
    table = {(i, 0): i for i in range(len(a) + 1)} | {(0, j): j for j in range(len(b) + 1)}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            ways = [table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a[i - 1] != b[j - 1])]
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                ways.append(table[i - 2, j - 2] + 1)
            table[i, j] = min(ways)
    return table[len(a), len(b)]


# --- Domains ------------------------------------------------------------------------------------------


def test_a_domain_that_the_sender_has_written_to():
    found = of_domain("sales@suplier.example", "anna@supplier.example")
    assert meant(found) == ["sales@supplier.example"]
    assert (found.candidates[0].kin, found.is_likely) == (Kin.SAME_DOMAIN, True)


def test_a_correspondent_himself_is_of_nearer_kin():
    found = of_domain("Anna@suplier.example", "bert@supplier.example", "anna@supplier.example")
    assert meant(found) == ["anna@supplier.example"]
    assert (found.candidates[0].kin, found.is_likely) == (Kin.CORRESPONDENT, True)


def test_a_common_domain():
    found = of_domain("anna@gmial.com")
    assert (meant(found), found.candidates[0].kin, found.is_likely) == (["anna@gmail.com"], Kin.COMMON, True)


def test_case_and_a_final_dot_do_not_matter():
    assert meant(of_domain("Anna@GMIAL.Com.")) == ["Anna@gmail.com"]


@pytest.mark.parametrize("typed", ["email.co", "zmail.com", "gmx.da", "hotmail.ee", "mail.co"])
def test_two_that_are_near_are_offered_and_neither_is_likely(typed: str):
    found = of_domain(f"anna@{typed}")
    assert found.candidates
    assert not found.is_likely


def test_at_most_two_are_offered():
    assert len(of_domain("anna@zmail.com").candidates) == 2


@pytest.mark.parametrize("typed", ["gnx.de", "eeb.de", "qa.com", "1a3.com"])
def test_short_names_and_numbers_are_never_likely(typed: str):
    assert not of_domain(f"anna@{typed}").is_likely


def test_the_other_top_level_domain_of_a_correspondent_is_possible_and_not_likely():
    for typed, known in (("supplier.com", "supplier.example"), ("supplier.example", "supplier.co.uk")):
        found = of_domain(f"anna@{typed}", f"bert@{known}")
        assert (meant(found), found.is_likely) == ([f"anna@{known}"], False)


def test_a_domain_out_of_the_blue_gets_nothing():
    assert of_domain("anna@no-such-company.example", "bert@supplier.example") == Suggestions()
    assert of_domain("anna@[192.0.2.1]") == Suggestions()
    assert of_domain(f"anna@{'a.' * 600}example") == Suggestions()


def test_the_domain_that_failed_is_no_candidate():
    assert of_domain("anna@gmail.com", "anna@gmail.com", "bert@gmail.com") == Suggestions()


def test_the_latest_correspondents_come_first():
    known = [(box("a@abcde.example"), 1), (box("b@abcdf.example"), 3), (box("c@abcdg.example"), 2)]
    found = suggest(box("x@abcdh.example"), domain_failed=True, correspondents=known)
    assert meant(found) == ["x@abcdf.example", "x@abcdg.example"]


# --- Mailboxes ----------------------------------------------------------------------------------------


def test_a_mailbox_of_the_same_domain():
    found = of_mailbox("acounts@customer.example", "accounts@customer.example", "accounts@other.example")
    assert meant(found) == ["accounts@customer.example"]
    assert (found.candidates[0].kin, found.is_likely) == (Kin.CORRESPONDENT, True)


def test_a_colleague():
    found = of_mailbox("berhnard@here.example", colleagues=("bernhard", "anna"))
    assert meant(found) == ["bernhard@here.example"]
    assert (found.candidates[0].kin, found.is_likely) == (Kin.COLLEAGUE, True)


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("maria", "mario"), ("jan", "ian"), ("thomas1", "thomas2"), ("karin", "karen"), ("tina", "gina"),
        ("j.smith", "k.smith"), ("hansen", "hanson"), ("maria.rossi", "mario.rossi"), ("philip", "philipp"),
        ("anna", "anna2"), ("bob", "boob"), ("elsabeth", "elisabeth"), ("daniel-b", "daniel-c"),
    ],
)  # fmt: skip
def test_somebody_else_s_name_is_possible_and_not_likely(typed: str, known: str):
    found = of_mailbox(f"{typed}@customer.example", f"{known}@customer.example")
    assert (meant(found), found.is_likely) == ([f"{known}@customer.example"], False)


@pytest.mark.parametrize("typed", ["elisbaeth", "elisabetth", "elisaeth", "elisaveth", "eliisabeth"])
def test_a_slip_of_the_fingers_is_likely(typed: str):
    assert of_mailbox(f"{typed}@customer.example", "elisabeth@customer.example").is_likely


def test_the_same_person_at_the_other_top_level_domain_is_possible():
    found = of_mailbox("anna@gmx.net", "anna@gmx.de", "bert@gmx.de")
    assert (meant(found), found.is_likely) == (["anna@gmx.de"], False)


def test_a_common_domain_tells_nothing_about_a_mailbox():
    assert of_mailbox("anna@gmail.com", "bert@gmail.com") == Suggestions()


# --- A thousand typing errors -------------------------------------------------------------------------


def thousand() -> list[tuple[str, str]]:
    """What was typed, and what was meant; a typing error that leads to somebody else is no failure."""
    typed = []
    for domain, weight in WEIGHTS.items():
        wrong = [typo for typo in typos_of(domain) if is_failing(typo)]
        typed += [(typo, domain) for typo in sample(wrong, weight * 25)]
    return sample(typed, 1000)


def is_failing(typo: str) -> bool:
    return typo not in COMMON_DOMAINS and ".." not in typo and typo.strip(".") == typo


def test_common_domains_are_found_and_none_is_wrong_that_is_likely():
    typed = thousand()
    right = likely = 0
    for typo, domain in typed:
        found = of_domain(f"anna@{typo}")
        right += meant(found)[:1] == [f"anna@{domain}"]
        likely += found.is_likely
        if found.is_likely:
            assert meant(found) == [f"anna@{domain}"], typo
    assert len(typed) == 1000
    assert right >= 800, right
    # A suggester that is never sure would be of no use.
    assert likely >= 500, likely


def test_typing_errors_in_domains_of_others_are_never_put_right_as_common_ones():
    exists = {*COMMON_DOMAINS, *OF_OTHERS}
    wrong = [
        (typo, domain, meant(found))
        for domain in OF_OTHERS
        for typo in typos_of(domain, frozen=".")
        if typo not in exists and (found := of_domain(f"anna@{typo}")).is_likely
    ]
    assert wrong == []


def test_mailboxes_are_found_and_none_is_wrong_that_is_likely():
    """Each of the people in turn is also somebody whom the sender does not know, nor those of a like name."""
    right = count = 0
    for person in PEOPLE:
        known = tuple(f"{one}@customer.example" for one in PEOPLE)
        strangers = tuple(one for one in known if distance(one, f"{person}@customer.example") > 1)
        for typo in sample(typos_of(person, frozen=".0123456789"), 40):
            if typo in PEOPLE:
                continue
            count += 1
            found = of_mailbox(f"{typo}@customer.example", *known)
            right += meant(found)[:1] == [f"{person}@customer.example"]
            if found.is_likely:
                assert meant(found) == [f"{person}@customer.example"], typo
            assert not of_mailbox(f"{typo}@customer.example", *strangers).is_likely, typo
    assert count >= 800
    assert right >= count * 0.9, (right, count)


def test_a_thousand_correspondents_cost_little():
    known = [(box(f"person{n}@company-{n % 400}.example"), n) for n in range(1000)]
    began = perf_counter()
    for n in range(10):
        suggest(box(f"persn@compny-{n}.example"), domain_failed=True, correspondents=known)
    # It takes 1 ms; the bound is wide, because tests run on busy machines.
    assert (perf_counter() - began) / 10 < 0.05
