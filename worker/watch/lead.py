"""Which of several watchers over one folder leads: by a lease in the store, fenced before each sending.

The leader counts its lease up every few seconds, and asks before it sends whether it still has it. Who
stands by takes the lease over when the count has stood still for a while, at once when it was handed
back or when the leader was a process of this machine that is gone. A leader that reaches no broker gives
way to one who stands by. Only durations are measured, so hosts whose clocks differ agree. It watches
nothing itself. Called by `worker.run.processes`, and by the
watcher's loop through `confirm`.

What a leader that was frozen in the middle of a sending sends late does no harm: its observations
have smaller numbers than all of its successor's (see `observed_above`), and the store drops what is
not newer than what it has seen of a path.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Event

from worker.domain.seeds.visible import one_line
from worker.errors import ContentSyncError, StoreUnavailableError
from worker.store import leases, liveness
from worker.store.engine import Connection, Store
from worker.store.leases import Lease

logger = logging.getLogger("content_sync.watch")

RENEW_SECONDS = 2.5
#: How long the count must stand still. Longer than a scan or a slow store delays a renewal.
LEASE_SECONDS = 8.0
LOOK_SECONDS = 1.0
STAND_BY_NOTED_SECONDS = 5.0
#: How long who gave way leaves the lead to others: each of them looks more often.
GIVEN_WAY_SECONDS = 3 * LOOK_SECONDS
_MICROSECONDS = 1_000_000


class LeadLostError(ContentSyncError):
    """Another process leads by now; what this one knows of the folder may be out of date."""


class Lead:
    """One process's part in leading a task. Times are monotonic seconds, `now` is aware."""

    def __init__(
        self, store: Store, *, now: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._now = now
        self._monotonic = monotonic
        self._holder = uuid.uuid4().hex
        self._host, self._pid, self._place = socket.gethostname(), os.getpid(), _place()
        self._lease: Lease | None = None  # while this process leads
        self._renewed_at = 0.0
        self._seen: tuple[str, int] | None = None
        self._still_since = 0.0
        self._told: str | None = None
        self._noted_at: float | None = None  # while this process stands by
        self._gives_way_until = 0.0
        self._observed = 0
        self.observed_above = 0

    def stand_by(self, stop: Event) -> bool:
        """Wait until this process leads; False when it was told to stop before.

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
        """Lead where nobody does, and tell whether this process leads by now. Commits."""
        try:
            return self._try_to_lead()
        except StoreUnavailableError as error:
            self._seen = None  # that nothing was seen of the leader says nothing of it
            self._tell(f"waiting: {error}")
            return False

    def confirm(self, observed: int) -> None:
        """Make sure that this process leads; renew the lease where that is due.

        `observed` is the largest number that an observation may have had so far. Raises
        `LeadLostError` where another leads, `StoreUnavailableError` where that cannot be told.
        Commits.
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
            # Nobody can have taken it over yet.

    def give_way(self) -> None:
        """Let who stands by lead, where somebody does: this process cannot do what a leader does.

        Then it raises `LeadLostError`, and the lead is to be handed back. Raises `StoreUnavailableError`
        where nobody can tell.
        """
        with self._store.read() as connection:
            heartbeats = liveness.find_heartbeats(connection)
        others = [row.data["host"] for row in leases.standing_by(heartbeats, now=self._now())]
        if others:
            self._gives_way_until = self._monotonic() + GIVEN_WAY_SECONDS
            raise LeadLostError(f"gives way to {one_line(others[0], limit=100)}: standing by")

    def hand_back(self) -> None:
        """Let another lead at once, as far as the store answers. Commits."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        try:
            free = replace(lease, holder="", renewal=lease.renewal + 1, observed=self._observed)
            self._put(free, before=lease.renewal, state="stopped")
        except StoreUnavailableError as error:
            logger.warning("the lead is not handed back: %s", error)

    # The leader.

    def _renew(self, lease: Lease) -> None:
        at = self._monotonic()
        if self._count_up(lease):
            self._renewed_at = at
            return
        # A commit whose answer was lost looks the same, and was ours.
        found = self._find()
        if found is not None and found.holder == self._holder and self._count_up(found):
            self._renewed_at = at
            return
        self._lease = None
        who = "another process" if found is None else _who(found)
        raise LeadLostError(f"{who} leads by now: standing by")

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
            return at >= self._gives_way_until and self._take(lease, "nobody leads", at)
        if self._is_gone(lease):
            return self._take(lease, f"{_who(lease)} is gone", at)
        if self._seen != (lease.holder, lease.renewal):
            self._seen, self._still_since = (lease.holder, lease.renewal), at
        elif at - self._still_since >= LEASE_SECONDS:
            return self._take(lease, f"{_who(lease)} was silent for {LEASE_SECONDS:.0f} s", at)
        self._tell(f"stands by: {_who(lease)} leads since {lease.since}")
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
            # Its clock may be ahead of ours, and it may have numbered for so long without renewal.
            self.observed_above += int(LEASE_SECONDS * _MICROSECONDS)
        self._lease, self._renewed_at = taken, at
        self._seen = self._told = self._noted_at = None
        logger.info("leads: %s", why)
        return True

    def _is_gone(self, lease: Lease) -> bool:
        """Return whether the leader was a process of this very system that has ended."""
        if not self._place or lease.place != self._place:
            return False
        try:
            os.kill(lease.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False  # another user's process
        return False

    def _tell(self, what: str) -> None:
        if what != self._told:
            logger.info("%s", what)
            self._told = what

    # The store.

    def _find(self) -> Lease | None:
        with self._store.read() as connection:
            return leases.find_lease(connection)

    def _put(self, lease: Lease, *, before: int | None, state: str | None = None) -> bool:
        """Write the lease, and with it what this process does from now on; tell whether that went."""

        def work(connection: Connection) -> bool:
            put = leases.put_lease(connection, lease, before=before, now=self._now())
            if put and state is not None:
                self._note(connection, state)
            return put

        return self._store.transact(work)

    def _note(self, connection: Connection, state: str) -> None:
        data = {"state": state, "host": self._host, "pid": self._pid}
        liveness.beat(connection, f"{leases.STAND_BY}{self._host}", data, now=self._now())


def _who(lease: Lease) -> str:
    return f"{one_line(lease.host, limit=100)} (process {lease.pid})"


def _place() -> str:
    """Return what tells this system's process ids from those of others, empty where nothing does."""
    if sys.platform != "linux":
        return ""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""
