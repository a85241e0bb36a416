"""Who answers for a document: the front matter, else the last line of the reviewers file that matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.reviews.owners import (
    NOBODY,
    Owners,
    Ownership,
    OwnerSource,
    answering_routes,
    parse_owners,
)
from worker.domain.reviews.route import Route, Subject

FILE = """\
# Who answers for what.
*                        @content-team
/02_nci_core/            @asha
/05_india_ncg/           @org/oncology ravi@example.org
*glossary*.md            @ravi  # in every folder

/99_local_navigation/*   @navigation
/02_nci_core/drafts/
/02_nci_core/a\\ b.md     @space
\\#numbered.md            @hash
"""


def owners_of(path, *, named=None, text=FILE):
    return parse_owners(text).of(path, named).owners


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("page.md", ("@content-team",)),
        ("02_nci_core/coping/page.md", ("@asha",)),
        ("other/02_nci_core/page.md", ("@content-team",)),
        ("05_india_ncg/page.md", ("@org/oncology", "ravi@example.org")),
        ("02_nci_core/x/glossary-of-terms.md", ("@ravi",)),
        ("99_local_navigation/page.md", ("@navigation",)),
        ("99_local_navigation/delhi/page.md", ("@content-team",)),
        ("02_nci_core/drafts/glossary.md", ()),
        ("02_nci_core/a b.md", ("@space",)),
        ("folder/#numbered.md", ("@hash",)),
        ("02_NCI_core/page.md", ("@content-team",)),
    ],
)
def test_the_last_line_that_matches_names_the_owners(path, owners):
    assert owners_of(path) == owners


@pytest.mark.parametrize(
    ("lines", "owners"),
    [("/a/ @folder\n*x.md @name", ("@name",)), ("*x.md @name\n/a/ @folder", ("@folder",))],
)
def test_a_folder_pattern_has_no_priority_over_a_name(lines, owners):
    assert owners_of("a/x.md", text=lines) == owners


def test_a_file_with_a_space_in_its_name_matches_a_star():
    assert owners_of("docs/a b.md", text="/docs/*.md @asha") == ("@asha",)


def test_owners_in_front_matter_override_every_line():
    assert parse_owners(FILE).of("02_nci_core/page.md", "Ravi Rao") == Ownership(
        owners=("Ravi Rao",), source=OwnerSource.FRONT_MATTER
    )


def test_a_line_without_owners_removes_the_owners():
    assert parse_owners(FILE).of("02_nci_core/drafts/x.md", None) == NOBODY
    assert Owners().of("x.md", None) == NOBODY
    assert Owners().of("x.md", "  ") == NOBODY


@pytest.mark.parametrize(
    ("named", "owners"),
    [
        ("Asha", ("Asha",)),
        ("Rao, Asha", ("Rao, Asha",)),
        ("@asha, @Ravi;@ASHA", ("@asha", "@Ravi")),
        ("asha@example.org ravi@example.org", ("asha@example.org", "ravi@example.org")),
    ],
)
def test_a_field_is_split_only_where_each_part_is_a_handle_or_an_address(named, owners):
    assert owners_of("x.md", named=named) == owners


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "* @a\n* asha",
            "line 2: 'asha' is not an owner; write @name, @organisation/team or an e-mail",
        ),
        ("\n# x\n* @a, @b", "line 3: '@a,' is not an owner"),
        ("!drafts/ @a", "line 1: `!` is not supported"),
        ("[Pages]\n* @a", "line 1: sections are not supported"),
        ("^[Pages] @a", "line 1: sections"),
        ("* @a b\n* c\n* d", r"line 1: 'b' is not an owner.* \(and 2 more\)"),
        ("drafts\\", "line 1: the line ends with a backslash"),
    ],
)
def test_an_unreadable_line_is_reported_by_number(text, message):
    with pytest.raises(ValueError, match=message):
        parse_owners(text)


@given(st.text())
def test_any_text_is_read_or_refused_with_a_line_number(text):
    complaint = "line 0"
    try:
        parse_owners(text).of("02_nci_core/page.md", None)
    except ValueError as error:
        complaint = str(error)
    assert complaint.startswith("line ")


def route(name, **conditions):
    return Route(**({"name": name, "channel": "mail", "kinds": ("review", "held")} | conditions))


@pytest.mark.parametrize("name", ["@Asha", "asha", " ASHA ", "a.rao@example.org"])
def test_a_route_answers_for_all_names_of_its_person(name):
    routes = [
        route("asha", owners=("@asha", "A.Rao@example.org")),
        route("ravi", owners=("ravi",)),
        route("everyone"),
        route("nobody-else", owners=("asha",), fallback=True),
    ]
    answering = answering_routes(Subject(path="x.md", owners=(name,)), routes)
    assert [one.name for one in answering] == ["asha"]


def test_a_route_without_the_review_does_not_answer_for_it():
    subject = Subject(path="02_nci_core/x.md", owners=("asha",))
    for conditions in ({"kinds": ("held",)}, {"paths": ("/01_suchi_oncotalks/",)}):
        assert answering_routes(subject, [route("asha", owners=("asha",), **conditions)]) == []
    assert answering_routes(Subject(path="x.md"), [route("asha", owners=("asha",))]) == []
