"""The checks of `doctor` for what waits for a person: messages, holds, and unfinished answers.

Called by `worker.run.doctor`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from worker.domain.reviews.instants import local_time
from worker.ingest.holds import unanswered_refusals
from worker.library.services import Services
from worker.run.check import Check
from worker.store import library, unfinished_answers

#: How long a command that changes a file takes at most.
COMMANDS_END_WITHIN = timedelta(minutes=1)
MOST_NAMED = 5


def waiting_for_people(services: Services) -> Iterator[Check]:
    """Yield the checks for everything that a person has to look at."""
    yield from _notices(services)
    yield from _refusals(services)
    yield from _unfinished_answers(services)


def _notices(services: Services) -> Iterator[Check]:
    status = services.status()
    failed, held = status["notices"]["failed"], status["held"]["removals"]
    detail = "none failed"
    if failed:
        detail = (
            f"{failed:,} failed: `content-sync notices --state failed` shows why, "
            "`content-sync notices retry` sends them again"
        )
    yield Check(name="notices", ok=failed == 0, detail=detail)
    for one in status["failing"]:
        since = local_time(one["since"], services.settings.zone)
        detail = f"failing since {since}: {one['error']}"
        yield Check(name=f"channel {one['channel']}", ok=False, detail=detail)
    if held:
        yield Check(
            name="removals",
            ok=False,
            detail=f"{held:,} removals are held: check the folder, then run `content-sync approve`",
        )


def _refusals(services: Services) -> Iterator[Check]:
    """Check that no hold of refusals waits for a person."""
    with services.store.read() as connection:
        refused = library.count_refused_live(connection)
        live = library.count_live(connection)
        hold = unanswered_refusals(connection, services.settings.brake, now=services.now())
    detail = f"{refused:,} of {live:,} live documents have a newer edit that was refused"
    if hold is not None:
        detail += (
            f", {hold.refused:,} of them within 24 hours: check the schema and the program that wrote them "
            "(`content-sync approve --show`), then fix the files, or run `content-sync approve`"
        )
    yield Check(name="refusals", ok=hold is None, detail=detail)


def _unfinished_answers(services: Services) -> Iterator[Check]:
    """Name the answers that may have changed their files or not, and that nobody finished."""
    with services.store.read() as connection:
        answers = unfinished_answers.find(connection, before=services.now() - COMMANDS_END_WITHIN)
    if not answers:
        return
    zone = services.settings.zone
    named = "; ".join(
        f"{one.path} ({one.kind} by {one.data['by']}, {local_time(one.at, zone)})"
        for one in answers[:MOST_NAMED]
    )
    yield Check(
        name="answers",
        ok=False,
        detail=f"{len(answers):,} unfinished: the command was ended, and the service has not seen the file "
        f"that it was to leave. Look at the page, and give the answer again: {named}",
    )
