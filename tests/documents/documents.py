"""The documents of the project and what is in them: sections, tables, fences, code, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
CHANGELOG = ROOT / "CHANGELOG.md"
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"^(?P<mark>```|~~~)(?P<language>\S*)\n(?P<body>.*?)^(?P=mark)$", re.DOTALL | re.MULTILINE
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_NOT_RUN = re.compile(r"<!-- not run: \S.* -->\n\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """A block of code. `start` and `end` are the offsets of its body in the document."""

    language: str
    body: str
    start: int
    end: int
    says_why_not_run: bool


def current_documents() -> list[Path]:
    """Return the documents that describe the program as it is now."""
    return [README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def all_documents() -> list[Path]:
    """Return the documents, with the one that describes versions before this one."""
    return [*current_documents(), CHANGELOG]


def name_of(document: Path) -> str:
    """Return a document's path in the repository."""
    return document.relative_to(ROOT).as_posix()


def read(document: Path) -> str:
    """Return the text of a document."""
    return document.read_text(encoding="utf-8")


def fences(text: str) -> list[Fence]:
    """Return the blocks of code in their order."""
    return [
        Fence(
            language=found["language"],
            body=found["body"],
            start=found.start("body"),
            end=found.end("body"),
            says_why_not_run=_NOT_RUN.search(text, 0, found.start()) is not None,
        )
        for found in _FENCE.finditer(text)
    ]


def prose(text: str) -> str:
    """Return the text without its blocks of code and its comments."""
    return _COMMENT.sub("", _FENCE.sub("", text))


def code_spans(text: str) -> list[str]:
    """Return the code that stands within lines, each on one line."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(text))]


def links(text: str) -> list[str]:
    """Return where the links and pictures lead."""
    return _LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(text: str, heading: str) -> str:
    """Return what stands below a heading of the second level."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the table rows whose first cell begins with code."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
