"""Routes: every condition that is set must hold, and a route without conditions takes everything."""

import pytest

from worker.domain.reviews.route import Route, Subject, matches_path

KINDS = ("review", "refused", "held")
PAGE = Subject(
    path="02_nci_core/coping/page.md",
    source_type="02_nci_core",
    owners=("ada@example.org",),
    tags=("support", "pdq"),
)


def route(**conditions):
    return Route(**({"name": "team", "channel": "mail", "kinds": KINDS} | conditions))


@pytest.mark.parametrize("kind", KINDS)
def test_a_route_without_conditions_takes_every_document(kind):
    assert route().takes(kind, PAGE)
    assert route().takes(kind, Subject(path="x.md"))


def test_a_route_takes_only_its_kinds():
    assert route(kinds=("held",)).takes("held", PAGE)
    assert not route(kinds=("held",)).takes("review", PAGE)
    assert not route(kinds=()).takes("review", PAGE)


@pytest.mark.parametrize(
    "conditions",
    [
        {"paths": ("02_nci_core/",)},
        {"paths": ("*.md",)},
        {"source_types": ("01_suchi_oncotalks", "02_nci_core")},
        {"owners": ("ada@example.org",)},
        {"tags": ("pdq", "other")},
        {"paths": ("02_nci_core/",), "tags": ("support",), "owners": ("ada@example.org",)},
    ],
)
def test_a_route_takes_documents_that_match_its_conditions(conditions):
    assert route(**conditions).takes("review", PAGE)


@pytest.mark.parametrize(
    "conditions",
    [
        {"paths": ("01_suchi_oncotalks/",)},
        {"source_types": ("03_who_public_health",)},
        {"owners": ("grace@example.org",)},
        {"tags": ("glossary",)},
        {"paths": ("02_nci_core/",), "owners": ("grace@example.org",)},
        {"source_types": ("02_nci_core",), "tags": ("glossary",)},
    ],
)
def test_every_condition_must_hold(conditions):
    assert not route(**conditions).takes("review", PAGE)


@pytest.mark.parametrize("condition", ["source_types", "owners", "tags"])
def test_a_file_with_only_a_path_matches_no_other_condition(condition):
    unread = Subject(path="02_nci_core/broken.md")
    assert not route(**{condition: ("02_nci_core",)}).takes("refused", unread)
    assert route(paths=("02_nci_core/",)).takes("refused", unread)


@pytest.mark.parametrize(
    ("path", "patterns", "matches"),
    [
        ("a/b/c.md", ("b/",), True),
        ("a/b/c.md", ("/b/",), False),
        ("a/b/c.md", ("a/*",), True),
        ("a/b/c.md", ("/*.md",), False),
        ("a/b/c.md", ("**/c.md",), True),
        ("a/b/c.md", ("*.md", "!c.md"), False),
        ("a/b/c.md", ("!c.md", "*.md"), True),
        ("a/B/c.md", ("b/",), False),
        ("a/ü c.md", ("ü*",), True),
        ("a/b/c.md", (), False),
    ],
)
def test_paths_match_as_in_gitignore(path, patterns, matches):
    assert matches_path(path, patterns) is matches
