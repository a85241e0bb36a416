"""The documents can be reached and read: README first, links that lead somewhere, paths that exist."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest
from documents import (
    DOCS,
    README,
    ROOT,
    all_documents,
    anchors,
    code_spans,
    current_documents,
    fences,
    links,
    name_of,
    read,
)

MOST_LINES_OF_README = 170
#: How a path begins that is one of the repository.
PARTS = ("worker", "config", "tests", "docs", "seeds", ".ci")

each_document = pytest.mark.parametrize("document", all_documents(), ids=name_of)


def inside(document: Path) -> list[tuple[Path, str]]:
    """Return the files and anchors of the repository that a document links to."""
    found = []
    for link in links(read(document)):
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            found.append(((document.parent / path).resolve() if path else document, anchor))
    return found


def test_readme_is_short_enough_for_two_minutes():
    assert len(read(README).splitlines()) <= MOST_LINES_OF_README


def test_readme_begins_with_the_clone_and_two_commands():
    blocks = [fence.body.strip() for fence in fences(read(README)) if fence.language == "sh"]
    assert blocks[0].startswith("git clone")
    assert blocks[1] == "pip install uv && uv run content-sync up"
    assert blocks[2] == "pip install uv && uv run pytest"


@each_document
def test_every_link_leads_to_a_file_and_its_heading(document: Path):
    for path, anchor in inside(document):
        assert path.exists(), path
        if anchor:
            assert anchor in anchors(read(path)), f"{name_of(path)}#{anchor}"


def test_every_document_can_be_reached_from_readme():
    reached, waiting = {README}, [README]
    while waiting:
        for path, _ in inside(waiting.pop()):
            if path.suffix == ".md" and path not in reached:
                reached.add(path)
                waiting.append(path)
    assert {*all_documents(), *DOCS.iterdir()} <= reached


@pytest.mark.parametrize("document", current_documents(), ids=name_of)
def test_every_path_named_exists(document: Path):
    text = read(document)
    made_by_examples = set(chain.from_iterable(fence.body.split() for fence in fences(text)))
    for span in code_spans(text):
        if re.fullmatch(rf"({'|'.join(map(re.escape, PARTS))})/[\w./-]*", span):
            assert (ROOT / span).exists() or span in made_by_examples, span
