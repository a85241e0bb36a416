"""The checks of `doctor`: settings, store, broker, folder, and the parts that should be running.

A check looks for real work: a worker is healthy when it has just consumed a task, not when it answers a
ping; a watcher is healthy when its loop has written its heartbeat. `doctor` repairs nothing. Called by the
command `doctor`, which the containers' health checks run.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from worker.domain.folder.laws import check_unseen
from worker.domain.reviews.instants import ago, is_future, local_time
from worker.errors import ContentSyncError
from worker.library.opened import utc_now
from worker.library.services import Services
from worker.messages.silence_alarm import DELIVERY, SWEEP, longest_silence
from worker.run.check import Check
from worker.run.message_signing import make_signer
from worker.run.tasks import create_app, node_name, send_canary, worker_heartbeat
from worker.run.waiting import waiting_for_people
from worker.settings.model import Settings
from worker.store import leases, library, liveness, paths
from worker.store.engine import Store
from worker.store.migrate import require_schema
from worker.watch.file_system import without_change_times
from worker.watch.ignore import seed_names
from worker.watch.ignored import UNREADABLE, by_reason, look_through
from worker.watch.scan import FAILED, is_marked, walk

WATCHER_SECONDS = 30
BEAT_SECONDS = 40
CANARY_SECONDS = 8
#: How long a forged message makes `doctor` red.
FORGERY_IS_NEWS_FOR = timedelta(hours=1)
#: A worker's container is asked for a heartbeat each 15 seconds; one without any was replaced, or is idle.
WORKS_NOW_FOR = timedelta(seconds=60)
LOW_SPACE_BYTES = 100 * 1024 * 1024
MAX_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


def doctor(settings: Settings, as_: str | None) -> list[Check]:
    """Return the checks of the whole installation, or of one part: watcher, worker or beat.

    A container's health check runs the checks of its part.
    """
    services = Services(settings, now=utc_now)
    try:
        match as_:
            case "watcher":
                return [*_store(services), *_watcher_of_this_host(services)]
            case "beat":
                return [*_store(services), *_beats(services, "beat", BEAT_SECONDS)]
            case "worker":
                return [*_store(services), *_worker(services)]
            case _:
                return list(_everything(services))
    finally:
        services.close()


def _everything(services: Services) -> Iterator[Check]:
    settings = services.settings
    services.require_rules()
    yield Check(name="settings", ok=True, detail=str(settings.config or "built-in defaults"))
    yield Check(name="time zone", ok=True, detail=settings.zone_words)
    stored = _store(services)
    yield from stored
    yield from _broker(services)
    yield from _folder(settings)
    yield from _ignored(settings)
    yield from _private(services.store)
    yield from _space(services.store)
    if all(check.ok for check in stored):
        yield from _beats(services, "watcher", WATCHER_SECONDS)
        if not settings.in_process:
            yield from _beats(services, "beat", BEAT_SECONDS)
        allowed = longest_silence(settings)
        for part in (SWEEP, DELIVERY):
            yield from _beats(services, part, allowed[part].total_seconds())
        yield from _forged_messages(services)
        yield from _judges(services)
        yield from _unread(services)
        yield from waiting_for_people(services)


def _store(services: Services) -> list[Check]:
    try:
        require_schema(services.store)
    except ContentSyncError as error:
        return [Check(name="store", ok=False, detail=str(error))]
    return [Check(name="store", ok=True, detail=services.store.name)]


def _broker(services: Services) -> Iterator[Check]:
    if services.settings.in_process:
        yield Check(name="broker", ok=True, detail="in this process (memory://)")
        return
    try:
        waiting = services.spool.outstanding()
    except ContentSyncError as error:
        yield Check(name="broker", ok=False, detail=str(error))
    else:
        signer = make_signer(services.settings)
        source = signer.source if signer is not None else ""
        signed = f"signed with {source}" if source else "not protected: set broker_secret"
        detail = f"Redis answers; {waiting} batches unconsumed; messages are {signed}"
        yield Check(name="broker", ok=True, detail=detail)


def _folder(settings: Settings) -> Iterator[Check]:
    seeds = settings.seeds
    readable = seeds.is_dir() and os.access(seeds, os.R_OK | os.X_OK)
    detail = (
        str(seeds.resolve()) if readable else f"{seeds.absolute()} is not a folder that can be read"
    )
    marker = settings.brake.marker
    if readable and not is_marked(str(seeds), marker):
        readable = False
        detail = (
            f"its marker {marker} is missing: is {seeds.resolve()} the right folder, and mounted?"
        )
    yield Check(name="seeds", ok=readable, detail=detail)
    if readable and (warning := without_change_times(str(seeds))) is not None:
        yield Check(name="change times", ok=True, detail=warning)
    if readable and MAX_WATCHES.is_file() and not settings.watch.polling:
        folders = 1 + sum(len(names) for _, names, _ in os.walk(seeds))
        limit = int(MAX_WATCHES.read_text(encoding="ascii"))
        yield Check(
            name="inotify",
            ok=folders < limit,
            detail=f"{folders:,} {'folder' if folders == 1 else 'folders'} to watch, "
            f"fs.inotify.max_user_watches is {limit:,}",
        )


def _ignored(settings: Settings) -> Iterator[Check]:
    """Name what the service ignores, which is no fault, but may not be meant."""
    if not (settings.seeds.is_dir() and os.access(settings.seeds, os.R_OK | os.X_OK)):
        return
    names = seed_names(settings.seeds, settings.watch)
    ignored = [
        (path, reason)
        for path, reason in look_through(names)
        if reason is not None and reason != UNREADABLE
    ]
    yield Check(name="ignored", ok=True, detail="; ".join(by_reason(ignored)) or "no name")


def _private(store: Store) -> Iterator[Check]:
    """Name the files of a SQLite store that every user of the machine can read."""
    if not store.is_sqlite:
        return
    files = [Path(f"{store.url.database}{end}").absolute() for end in ("", "-wal", "-shm")]
    found = [file for file in files if file.exists() and file.stat().st_mode & 0o004]
    if found and all(folder.stat().st_mode & 0o001 for folder in files[0].parents):
        names = " ".join(map(str, found))
        yield Check(
            name="store file",
            ok=False,
            detail=f"every user of this machine can read the library: run `chmod o= {names}`",
        )


def _space(store: Store) -> Iterator[Check]:
    if not store.is_sqlite or store.url.database is None:
        return
    folder = Path(store.url.database).parent
    if folder.is_dir():
        free = shutil.disk_usage(folder).free
        yield Check(
            name="space",
            ok=free > LOW_SPACE_BYTES,
            detail=f"{free // 2**20:,} MiB free in {folder}",
        )


def _beats(services: Services, name: str, within_seconds: float) -> Iterator[Check]:
    """Check that a part wrote its heartbeat recently."""
    with services.store.read() as connection:
        rows = liveness.find_heartbeats(connection)
    row = rows.get(name)
    if row is None:
        yield Check(name=name, ok=False, detail="has never run on this store")
        return
    state = str(row.data.get("state", "alive"))
    age = services.now() - row.at
    silent = age.total_seconds() > within_seconds
    yield Check(
        name=name,
        ok=not silent and not is_future(age) and state != "stopped",
        detail=_last_heard(services, state, row.at, silent=silent)
        + (_lead(services, rows) if name == "watcher" else ""),
    )


def _watcher_of_this_host(services: Services) -> Iterator[Check]:
    """Check the watcher of this host, which leads or stands by; if none ever ran here, check the leader."""
    here = socket.gethostname()
    with services.store.read() as connection:
        rows = liveness.find_heartbeats(connection)
    leading, waiting = rows.get("watcher"), rows.get(f"{leases.STAND_BY}{here}")
    if waiting is None or (leading is not None and leading.data.get("host") == here):
        leads = next(_beats(services, "watcher", WATCHER_SECONDS))
        if leads.ok or waiting is None:
            yield leads
            return
    state = waiting.data["state"]
    age = services.now() - waiting.at
    silent = age.total_seconds() > WATCHER_SECONDS
    yield Check(
        name="watcher",
        ok=not silent and not is_future(age) and state == leases.STANDS_BY,
        detail=_last_heard(services, state, waiting.at, silent=silent) + _lead(services, rows),
    )


def _last_heard(services: Services, state: str, at: datetime, *, silent: bool) -> str:
    when = local_time(at, services.settings.zone)
    now = "silent" if silent and state != "stopped" else state
    age = services.now() - at
    why = (
        ": the clock of a machine was set back, or the clocks of two machines differ: set them by NTP"
        if is_future(age)
        else ""
    )
    return f"{now}, last heartbeat {ago(age)} ({when}){why}"


def _lead(services: Services, rows: Mapping[str, Any]) -> str:
    leader = leases.leader(rows)
    if leader is None:
        return "; no watcher leads"
    since = local_time(leader.since, services.settings.zone)
    return f"; {leader.host} (process {leader.pid}) leads since {since}"


def _worker(services: Services) -> Iterator[Check]:
    """Send this host's worker a canary and wait until it is consumed."""
    worker = node_name(None)
    before = _heartbeat(services, worker_heartbeat(worker))
    app = create_app(services.settings, lambda: services)
    try:
        send_canary(app, worker)
    except ContentSyncError as error:
        yield Check(name="worker", ok=False, detail=str(error))
        return
    started = time.monotonic()
    while (took := time.monotonic() - started) < CANARY_SECONDS:
        row = _heartbeat(services, worker_heartbeat(worker))
        if row is not None and (before is None or row.at != before.at):
            yield Check(name="worker", ok=True, detail=f"{worker} consumed a task in {took:.1f} s")
            return
        time.sleep(0.1)
    yield Check(name="worker", ok=False, detail=f"{worker} consumed nothing for {CANARY_SECONDS} s")


def _unread(services: Services) -> Iterator[Check]:
    """Name each folder that this process or the watcher, maybe another user, cannot read.

    And each file that either could not read for a reason that nobody foresaw.
    """
    begun = walk(seed_names(services.settings.seeds.absolute(), services.settings.watch))
    for _ in begun.pages:
        pass
    with services.store.read() as connection:
        heartbeats = liveness.find_heartbeats(connection)
        found = {*begun.unsure, *liveness.unseen_folders(heartbeats)}
        counts = library.count_live_below(connection, sorted(found))
    breaches = [check_unseen(folder, live) for folder, live in counts.items()]
    detail = "; ".join(f"{breach.path}: {breach.detail}" for breach in breaches)
    yield Check(name="unseen", ok=not breaches, detail=detail or "every folder can be read")
    failed = {path: why for path, why in begun.ignored.items() if why.startswith(FAILED)}
    number, first = liveness.failed_files(heartbeats)
    if number or failed:
        named = "; ".join(f"{path}: {why}" for path, why in sorted((failed | first).items()))
        number = max(number, len(failed | first))
        detail = (
            f"{number:,} {'file' if number == 1 else 'files'} could not be read: {named}; the others are "
            "taken in. The log of the watcher shows where it failed: report it, and save the file again"
        )
        yield Check(name="failed", ok=False, detail=detail)


def _judges(services: Services) -> Iterator[Check]:
    """Check that all running parts judge by the same rules.

    Else a worker leaves the files to others, and a watcher that stands by would judge all of them again.
    """
    since = services.now() - WORKS_NOW_FOR
    with services.store.read() as connection:
        rows = liveness.find_heartbeats(connection)
        unjudged = paths.count_unjudged(connection, services.verdicts)
    watcher = rows.get("watcher")
    wanted = watcher.data.get("judge") if watcher is not None else None
    others = sorted(
        name.removeprefix(worker_heartbeat(""))
        for name, row in rows.items()
        if name.startswith(worker_heartbeat("")) and row.at >= since
        if wanted and row.data.get("judge") != wanted
    )
    heirs = sorted(
        row.data["host"]
        for row in leases.standing_by(rows, now=services.now())
        if wanted and row.data.get("judge", wanted) != wanted
    )
    another = "another schema, other rules or other settings than"
    if others:
        detail = (
            f"{', '.join(others)}: {another} the watcher's, so it takes no file: give all parts the same"
            " and restart them"
        )
    elif heirs:
        detail = (
            f"{', '.join(heirs)} stands by with {another} the watcher's, and would judge every file again:"
            " give both the same and restart them"
        )
    elif wanted and wanted != services.judge.id:
        detail = f"the watcher runs with {another} this command: restart it if they have changed"
    elif unjudged:
        detail = f"{unjudged:,} {'file is' if unjudged == 1 else 'files are'} judged again by the next scan"
    else:
        detail = "one for all files"
    yield Check(name="judge", ok=not (others or heirs), detail=detail)


def _forged_messages(services: Services) -> Iterator[Check]:
    """Check that nobody without the secret writes messages to the broker."""
    with services.store.read() as connection:
        rows = liveness.find_heartbeats(connection)
    forged = [
        row.data
        for name, row in rows.items()
        if name.startswith(worker_heartbeat("")) and row.data.get("forged")
    ]
    if not forged:
        return
    last = max(data["last_forged_at"] for data in forged)
    recent = services.now() - datetime.fromisoformat(last) < FORGERY_IS_NEWS_FOR
    yield Check(
        name="messages",
        ok=not recent,
        detail=f"{sum(data['forged'] for data in forged)} forged, the last at "
        f"{local_time(last, services.settings.zone)}: unsigned, or "
        "signed with another secret. Do all parts have the same broker_secret? Who else writes to Redis?",
    )


def _heartbeat(services: Services, name: str) -> Any | None:
    with services.store.read() as connection:
        return liveness.find_heartbeats(connection).get(name)
