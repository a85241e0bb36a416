"""Lines of a digest as tests need them, and the whole digest that they make."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from jinja2 import Environment

from worker.messages.digest import Digest, write_digest
from worker.messages.digest_sections import STAGES, Changes, DigestLine, make_sections

TODAY = date(2026, 11, 24)


def review(path: str, *, days: int, title: str = "A title", **fields: Any) -> DigestLine:
    """Return a review that is so many days overdue; negative is ahead."""
    given: dict[str, Any] = {
        "path": path,
        "title": title,
        "stage": "overdue" if days > 0 else "due" if days == 0 else "upcoming",
        "due_on": TODAY - timedelta(days=days),
        "days": days,
    }
    return DigestLine(**(given | fields))


def refused(path: str = "nci/facebook.md", **fields: Any) -> DigestLine:
    """Return a refused file with all that is said of one."""
    given: dict[str, Any] = {
        "path": path,
        "title": "Facebook",
        "stage": "refused",
        "line": 7,
        "detail": "the status 'activ' is none of active, inactive, deprecated",
        "hint": "did you mean active?",
    }
    return DigestLine(**(given | fields))


HELD = DigestLine(path="", stage="held", detail="612 of 1,432 documents are gone")


def write_all(
    templates: Environment,
    *lines: DigestLine,
    digest_lines: int = 20,
    totals: dict[str, int] | None = None,
    **fields: Any,
) -> tuple[str, str, str]:
    """Return subject, text and HTML of a digest; `totals` are by stage, where more than the given lines."""
    sections = [
        replace(section, total=(totals or {}).get(section.stage, section.total))
        for section in make_sections(lines, digest_lines)
    ]
    return write_digest(
        Digest(route="clinicians", sections=tuple(sections), **fields),
        today=TODAY,
        snooze_until=date(2026, 12, 1),
        templates=templates,
    )


def a_full_digest(text: str = "A title") -> list[DigestLine]:
    """Return a line of each stage, with this text wherever a text can be."""
    return [
        replace(
            review("a.md", days=1),
            stage=stage,
            title=text,
            owner=text,
            detail=text,
            hint=text,
            changes=Changes(versions=2, risk="high", words=(text,)),
        )
        for stage in STAGES
    ]
