"""One log line an outcome, for the person who watches the service work. Used by workers and `sync`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from worker.domain.problem import Severity
from worker.ingest import Outcome

logger = logging.getLogger("content_sync.outcome")


def log_outcomes(outcomes: Sequence[Outcome], *, bulk: bool) -> None:
    """Log what became of a batch: a line each, but one line for all plain new files of a bulk batch."""
    quiet = {"new", "unchanged", "stale"} if bulk else {"stale"}
    for outcome in outcomes:
        if outcome.kind not in quiet:
            log = logger.warning if outcome.kind == "refused" else logger.info
            log("%s", describe(outcome), extra={"path": outcome.path, "outcome": outcome.kind})
    if bulk and (counts := Counter(o.kind for o in outcomes if o.kind in {"new", "unchanged"})):
        logger.info("%s", ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts)))


def describe(outcome: Outcome) -> str:
    """Return an outcome in one line: what, where, and why."""
    parts = [f"{outcome.kind:<9} {outcome.path}"]
    if outcome.number is not None:
        parts.append(f"version {outcome.number}")
    if outcome.moved_from is not None:
        parts.append(f"from {outcome.moved_from}")
    if (change := outcome.change) is not None:
        parts.append(str(change.kind))
        parts.extend(f"{f.field} {_short(f.old)} → {_short(f.new)}" for f in change.fields[:3])
        if change.lines_added or change.lines_removed:
            parts.append(f"+{change.lines_added} −{change.lines_removed} lines")
    errors = [p for p in outcome.problems if p.severity is Severity.ERROR]
    if errors:
        parts.append(f"line {errors[0].span.line}: {errors[0].code} {errors[0].message}")
        if len(errors) > 1:
            parts.append(f"and {len(errors) - 1} more")
    return "  ".join(parts)


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
