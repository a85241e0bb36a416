"""Elects the leader among several watchers of one folder, by a lease in the store.

The leader increments a counter in its lease every few seconds, and confirms before each send that it
still holds the lease. A standby takes the lease over when the counter has not changed for some seconds,
or at once when the leader handed it back or was a process of this machine that has ended. A leader that
reaches no broker gives way to a standby. Only durations are measured, so hosts with different clocks
agree. Called by `worker.run.processes`, and by the watcher's loop through `confirm`.

A leader that freezes during a send may send late. That does no harm: its observation numbers are smaller
than all of its successor's (see `observed_above`), and the store drops what is not newer than what it
has seen of a path.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Event

from worker.domain.folder.snapshot import Batch
from worker.domain.seeds.visible import one_line
from worker.errors import ContentSyncError, StoreUnavailableError
from worker.store import leases, liveness
from worker.store.engine import Connection, Store
from worker.store.leases import Lease

logger = logging.getLogger("content_sync.watch")

RENEW_SECONDS = 2.5
#: How long the counter must stay the same. Longer than a scan or a slow store delays a renewal.
LEASE_SECONDS = 8.0
LOOK_SECONDS = 1.0
STAND_BY_NOTED_SECONDS = 5.0
#: How long a leader that gave way does not lead again. Standbys look more often than that.
GIVEN_WAY_SECONDS = 3 * LOOK_SECONDS
_MICROSECONDS = 1_000_000


class LeadLostError(ContentSyncError):
    """Another process leads now; what this one knows of the folder may be out of date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What a watcher needs if it is one of several, or follows another.

    `confirm` gets the largest number that an observation may have had so far; it raises if another watcher
    leads. `give_way` is called while no broker answers; it raises if another watcher stands by. All
    observation numbers are above `observed_above`. `unfinished` are the batches that an earlier process
    started to ingest and did not finish.
    """

    confirm: Callable[[int], None] = lambda _observed: None
    give_way: Callable[[], None] = lambda: None
    observed_above: int = 0
    unfinished: Iterable[Batch] = ()


class Lead:
    """One process's part in the election. Times are monotonic seconds, `now` is aware.

    `judge` is the ID of the rules and settings by which this process would judge.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        judge: str = "",
    ) -> None:
        self._store = store
        self._now = now
        self._monotonic = monotonic
        self._judge = judge
        self._holder = uuid.uuid4().hex
        self._host, self._pid, self._place = socket.gethostname(), os.getpid(), _place()
        self._lease: Lease | None = None  # while this process leads
        self._renewed_at = 0.0
        self._seen: tuple[str, int] | None = None
        self._still_since = 0.0
        self._logged: str | None = None
        self._noted_at: float | None = None  # while this process stands by
        self._gives_way_until = 0.0
        self._observed = 0
        self.observed_above = 0

    def stand_by(self, stop: Event) -> bool:
        """Wait until this process leads; return False if `stop` is set first.

        Afterwards `observed_above` is what the numbers of all further observations must exceed.
        """
        while not stop.is_set():
            if self.look():
                return True
            stop.wait(LOOK_SECONDS)
        if self._noted_at is not None:
            with suppress(StoreUnavailableError):
                self._store.transact(lambda connection: self._note(connection, "stopped"))
        return False

    def look(self) -> bool:
        """Take the lead if it is free, and return whether this process leads now. Commits."""
        try:
            return self._try_to_lead()
        except StoreUnavailableError as error:
            self._seen = None  # without the store, the leader's silence means nothing
            self._log(f"waiting: {error}")
            return False

    def confirm(self, observed: int) -> None:
        """Ensure that this process leads; renew the lease if that is due. Commits.

        `observed` is the largest number that an observation may have had so far. Raises `LeadLostError`
        if another process leads, `StoreUnavailableError` if that is unknown.
        """
        lease = self._lease
        if lease is None:
            raise LeadLostError("this process does not lead")
        self._observed = max(self._observed, observed)
        if self._monotonic() - self._renewed_at < RENEW_SECONDS:
            return
        try:
            self._renew(lease)
        except StoreUnavailableError:
            if self._monotonic() - self._renewed_at >= LEASE_SECONDS:
                raise
            # No other process can have taken it over yet.

    def give_way(self) -> None:
        """Raise `LeadLostError` if another process stands by: this one cannot do a leader's work.

        The caller then hands the lead back. Raises `StoreUnavailableError` if it is unknown whether a
        process stands by.
        """
        with self._store.read() as connection:
            heartbeats = liveness.find_heartbeats(connection)
        others = [row.data["host"] for row in leases.standing_by(heartbeats, now=self._now())]
        if others:
            self._gives_way_until = self._monotonic() + GIVEN_WAY_SECONDS
            raise LeadLostError(f"giving way to {one_line(others[0], limit=100)}: standing by")

    def hand_back(self) -> None:
        """Free the lease, so that another process can lead at once; log if the store fails. Commits."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        try:
            free = replace(lease, holder="", renewal=lease.renewal + 1, observed=self._observed)
            self._put(free, before=lease.renewal, state="stopped")
        except StoreUnavailableError as error:
            logger.warning("the lead was not handed back: %s", error)

    # The leader.

    def _renew(self, lease: Lease) -> None:
        at = self._monotonic()
        if self._count_up(lease):
            self._renewed_at = at
            return
        # The commit may have succeeded although its confirmation was lost.
        found = self._find()
        if found is not None and found.holder == self._holder and self._count_up(found):
            self._renewed_at = at
            return
        self._lease = None
        who = "another process" if found is None else _who(found)
        raise LeadLostError(f"{who} leads now: standing by")

    def _count_up(self, lease: Lease) -> bool:
        renewed = replace(lease, renewal=lease.renewal + 1, observed=self._observed)
        if not self._put(renewed, before=lease.renewal):
            return False
        self._lease = renewed
        return True

    # Standing by.

    def _try_to_lead(self) -> bool:
        at = self._monotonic()
        lease = self._find()
        if lease is None or not lease.holder:
            free = "no other watcher is running"
            return at >= self._gives_way_until and self._take(lease, free, at)
        if self._has_ended(lease):
            return self._take(lease, f"{_who(lease)} has ended", at)
        if self._seen != (lease.holder, lease.renewal):
            self._seen, self._still_since = (lease.holder, lease.renewal), at
        elif at - self._still_since >= LEASE_SECONDS:
            silent = f"{_who(lease)} was silent for {LEASE_SECONDS:.0f} s"
            return self._take(lease, silent, at)
        self._log(f"standing by: {_who(lease)} leads since {lease.since}")
        if self._noted_at is None or at - self._noted_at >= STAND_BY_NOTED_SECONDS:
            self._noted_at = at
            self._store.transact(lambda connection: self._note(connection, leases.STANDS_BY))
        return False

    def _take(self, before: Lease | None, why: str, at: float) -> bool:
        taken = Lease(
            holder=self._holder,
            host=self._host,
            pid=self._pid,
            place=self._place,
            since=self._now().isoformat(timespec="seconds"),
            renewal=before.renewal + 1 if before else 1,
            observed=before.observed if before else 0,
        )
        if not self._put(taken, before=before.renewal if before else None, state="leads"):
            self._seen = None
            return False
        self._observed = self.observed_above = taken.observed
        if (
            before is not None
            and before.holder
            and not (self._place and before.place == self._place)
        ):
            # Its clock may be ahead of ours, and it may have used numbers for that long since its renewal.
            self.observed_above += int(LEASE_SECONDS * _MICROSECONDS)
        self._lease, self._renewed_at = taken, at
        self._seen = self._logged = self._noted_at = None
        logger.info("leading (%s)", why)
        return True

    def _has_ended(self, lease: Lease) -> bool:
        """Return whether the leader was a process of this machine that has ended."""
        if not self._place or lease.place != self._place:
            return False
        try:
            os.kill(lease.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False  # another user's process
        return False

    def _log(self, what: str) -> None:
        if what != self._logged:
            logger.info("%s", what)
            self._logged = what

    # The store.

    def _find(self) -> Lease | None:
        with self._store.read() as connection:
            return leases.find_lease(connection)

    def _put(self, lease: Lease, *, before: int | None, state: str | None = None) -> bool:
        """Write the lease, and this process's state if it changes; return whether that succeeded."""

        def work(connection: Connection) -> bool:
            put = leases.put_lease(connection, lease, before=before, now=self._now())
            if put and state is not None:
                self._note(connection, state)
            return put

        return self._store.transact(work)

    def _note(self, connection: Connection, state: str) -> None:
        data = {"state": state, "host": self._host, "pid": self._pid, "judge": self._judge}
        liveness.beat(connection, f"{leases.STAND_BY}{self._host}", data, now=self._now())


def _who(lease: Lease) -> str:
    return f"process {lease.pid} on {one_line(lease.host, limit=100)}"


def _place() -> str:
    """Return a name for this system's space of process IDs, empty if there is none."""
    if sys.platform != "linux":
        return ""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""
