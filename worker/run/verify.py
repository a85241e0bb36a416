"""Verifies everything that is stored: hashes all of it again, and checks each law that the data can show.

Reads the store in one view, as streams, so that the library may be large and the service may run. A file that
changed after the last scan waits for the next one, and is no breach. The laws are in
`worker.domain.folder.laws`. Changes nothing; `worker.run.repair` does. Called by the command `verify`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from worker.domain.folder import laws
from worker.domain.folder.chain import Checkpoint
from worker.domain.folder.chain_laws import check_chain, check_checkpoint
from worker.domain.folder.laws import Breach, Breaches, Law, LifeEvent
from worker.domain.reviews.ladder import DUE, OVERDUE
from worker.domain.reviews.notice import Notice
from worker.library.opened import open_services
from worker.library.restore import rebuild
from worker.library.services import Services
from worker.reviews.sweep import owed_now
from worker.run.verify_folder import check_folder
from worker.settings.model import Settings
from worker.store import chain, epochs, evidence, liveness
from worker.store.engine import Connection
from worker.store.notices import new_notices
from worker.watch.root import require_folder

Progress = Callable[[int, int], None]

#: How much later than planned a lease may end, because the clocks of two machines differ.
LEASE_SLACK = timedelta(hours=1)
_AT_ONCE = 500


def verify_library(
    settings: Settings, *, most: int, progress: Progress, against: Checkpoint | None = None
) -> Breaches:
    """Check everything with services of its own; see `verify`."""
    with open_services(settings) as services:
        return verify(services, most=most, progress=progress, against=against)


def verify(
    services: Services, *, most: int, progress: Progress, against: Checkpoint | None = None
) -> Breaches:
    """Check everything and return what was found, at most `most` breaches of each law.

    With `against`, also that the events up to this checkpoint are those that it was made of. `progress`
    gets the number of versions and files that are done, and the total. Raises
    `ConfigurationError` if there is no seeds folder, `StoreUnavailableError` if the database does not answer.
    """
    require_folder(services.settings.seeds)
    findings = Breaches(most=most)
    with services.store.read() as connection:
        findings.add(
            Breach(law=Law.DATABASE, path=services.store.name, detail=fault)
            for fault in evidence.database_faults(connection)
        )
        if findings.found:
            return findings  # nothing that a damaged database says can be trusted
        findings.checked.update(evidence.count_rows(connection))
        total = findings.checked["versions"] + findings.checked["documents"]
        done = Counter[str]()

        def step(number: int) -> None:
            done["all"] += number
            progress(min(done["all"], total), total)

        unproven = _check_versions(connection, findings, step)
        _check_documents(connection, services, findings)
        _check_events(connection, findings, against)
        _check_notices(connection, services, findings)
        _check_reminders(connection, services, findings)
        check_folder(services, connection, findings, unproven=unproven, step=step)
        findings.checked["unproven"] += len(unproven)
    return findings


def _check_versions(
    connection: Connection, findings: Breaches, step: Callable[[int], None]
) -> set[str]:
    """Check versions and bodies; return the paths whose newest version no hash proves."""
    unproven: set[str] = set()
    body_of: tuple[str, bool] = ("", False)
    for (_, path), rows in groupby(
        evidence.stored_versions(connection), key=attrgetter("d_id", "d_path")
    ):
        lowest = highest = count = 0
        proven = True
        for version in rows:
            if version.number is None:
                break
            if not proven:
                findings.checked["unproven"] += 1  # an earlier version, which no file can prove
            step(1)
            lowest, highest, count = lowest or version.number, version.number, count + 1
            if version.body_sha256 != body_of[0]:
                breach = laws.check_body(path, version.body_sha256, version.body)
                findings.add([breach])
                body_of = (version.body_sha256, breach is None)
            proven = True
            if body_of[1]:
                rebuilt = rebuild(version.front_matter, version.body, version.sha256)
                findings.add([laws.check_version(path, version, rebuilt.data, exact=rebuilt.exact)])
                proven = rebuilt.exact
        if not proven:
            unproven.add(path)
        findings.add([laws.check_numbers(path, (lowest, highest, count))])
    for row in evidence.unused_bodies(connection):
        findings.add([laws.check_body("", row.sha256, row.body)])
    return unproven


def _check_documents(connection: Connection, services: Services, findings: Breaches) -> None:
    """Check heads, events, and rows about documents that do not exist."""
    policy = services.policy
    for row in evidence.newest_versions(connection):
        findings.add(laws.check_head(row, row.v_number, row.v_metadata, policy, row.withheld))
    for row in evidence.versions_without_event(connection):
        detail = f"no event reports version {row.number}"
        findings.add([Breach(law=Law.EVENT, path=row.path, detail=detail)])
    for row in evidence.events_without_version(connection):
        detail = f"event {row.id} reports version {row.number}, which does not exist"
        findings.add([Breach(law=Law.EVENT, path=row.path, detail=detail)])
    by_document = attrgetter("d_id", "d_path", "d_state")
    for (_, path, state), rows in groupby(evidence.life_events(connection), key=by_document):
        findings.add([laws.check_story(path, state, _story(rows))])
    for path, detail in evidence.ledger_faults(connection):
        findings.add([Breach(law=Law.LEDGER, path=path, detail=detail, repairable=True)])
    for name, row_id, path in evidence.lost_subjects(connection):
        detail = f"row {row_id} of {name} is about a document that does not exist"
        findings.add([Breach(law=Law.SUBJECT, path=path, detail=detail)])


def _check_events(connection: Connection, findings: Breaches, against: Checkpoint | None) -> None:
    """Check that events are those that were added, and those that a checkpoint was made of."""
    findings.add(check_chain(chain.chained_events(connection)))
    if against is not None:
        found = chain.hash_of(connection, against.event)
        findings.add([check_checkpoint(against, epochs.list_epochs(connection), found)])


def _story(rows: Iterable[Any]) -> Iterator[LifeEvent]:
    for row in rows:
        if row.id is not None:
            yield LifeEvent(
                id=row.id, kind=row.kind, path=row.path, moved_from=row.data.get("moved_from")
            )


def _check_notices(connection: Connection, services: Services, findings: Breaches) -> None:
    for path, number, what in evidence.notices_against_the_law(connection):
        findings.add([Breach(law=Law.NOTICE, path=path, detail=f"notice {number}: {what}")])
    for row in evidence.leases_beyond(connection, longest_lease(services)):
        detail = f"notice {row.id} is leased until {row.leased_until.isoformat()}"
        findings.add([Breach(law=Law.LEASE, path=row.path, detail=detail, repairable=True)])


def longest_lease(services: Services) -> datetime:
    """Return the instant, in UTC, beyond which no lease may run."""
    lease = timedelta(seconds=services.settings.delivery.lease_seconds)
    return services.now() + lease + LEASE_SLACK


def _check_reminders(connection: Connection, services: Services, findings: Breaches) -> None:
    """Check that each review due at the last sweep has its notice; without a sweep nothing is owed."""
    sweep = liveness.find_heartbeats(connection).get("sweep")
    if sweep is None or "today" not in sweep.data:
        return
    day, zone = date.fromisoformat(sweep.data["today"]), services.settings.zone
    owed = filter(_is_due, owed_now(connection, services.policy, day, zone=zone))
    while some := list(islice(owed, _AT_ONCE)):
        fresh = new_notices(connection, some)
        sent = evidence.reviews_notified(connection, [notice.document_id or 0 for notice in fresh])
        for notice in fresh:
            if (notice.document_id, notice.due_on, notice.route) not in sent:
                detail = f"due on {notice.due_on}, but the route {notice.route} has no notice"
                findings.add(
                    [Breach(law=Law.REMINDER, path=notice.path, detail=detail, repairable=True)]
                )


def _is_due(notice: Notice) -> bool:
    stage = notice.stage or ""
    return stage == DUE or stage.startswith(OVERDUE)
