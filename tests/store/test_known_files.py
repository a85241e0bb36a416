"""The files that the store expects in the folder: with hashes, and as stamps alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from sqlalchemy import event
from support.seeds import a_seed
from support.stored import Library, a_library

from worker.domain.folder.decide import unread_sha256
from worker.domain.folder.reconcile import RACY_MICROSECONDS, UNPROVEN_SIZE, is_racy, was_unread
from worker.domain.folder.snapshot import Batch, Stamp, Unreadable
from worker.domain.seeds import codes
from worker.store import paths

MODIFIED_NS = 1_700_000_000 * 10**9
CHANGED_NS = MODIFIED_NS - 5
LATER = MODIFIED_NS // 1000 + 60_000_000


@pytest.fixture
def library(store_url: str):
    with a_library(store_url) as library:
        yield library


def drop(
    library: Library,
    path: str,
    text: str,
    *,
    observed: int = LATER,
    mtime_ns: int = MODIFIED_NS,
    ctime_ns: int = CHANGED_NS,
    **more: Any,
) -> Stamp:
    """Take in a file with a stamp and a time of the test's choice."""
    data = text.encode()
    stamp = Stamp(size=len(data), mtime_ns=mtime_ns, inode=7, ctime_ns=ctime_ns)
    snapshot = replace(library.snapshot(path, data), stamp=stamp, observed=observed, **more)
    library.take_in_batch((snapshot,), data)
    return stamp


def fill(library: Library) -> dict[str, tuple[Stamp, bool]]:
    """Fill a store with each kind of file; returns their stamps, and whether they prove anything."""
    files = {}
    for number in range(3):
        path = f"still, or 1,2,3/{number}.md"
        files[path] = drop(library, path, a_seed(title=f"{number}")), True
    since = MODIFIED_NS // 1000
    for name, after, proves in (
        ("before", -1, False),
        ("at-once", 0, False),
        ("as-racy-as-can-be", RACY_MICROSECONDS, False),
        ("just-not-racy", RACY_MICROSECONDS + 1, True),
    ):
        for newest in ("mtime_ns", "ctime_ns"):
            path, times = f"{name}-{newest}.md", {"mtime_ns": 5, "ctime_ns": 5}
            times[newest] = MODIFIED_NS
            stamp = drop(library, path, a_seed(title=name), observed=since + after, **times)
            files[path] = stamp, proves
    files["of-1969.md"] = drop(library, "of-1969.md", a_seed(title="Old"), mtime_ns=-1_500), True
    files["refused.md"] = drop(library, "refused.md", "---\ntitle: Nothing else\n---\n"), True
    drop(library, "refused-since.md", a_seed(title="Good"))
    files["refused-since.md"] = (
        drop(library, "refused-since.md", "---\ntitle: Bad\n---\n", observed=LATER + 1),
        True,
    )
    unread = Unreadable(
        path="unread.md",
        stamp=Stamp(size=9, mtime_ns=MODIFIED_NS, inode=7),
        observed=LATER,
        code=codes.NO_PERMISSION,
        detail="Permission denied",
    )
    library.services.take_in_bytes(Batch(id="unread", unreadable=(unread,)), b"")
    files["unread.md"] = unread.stamp, False
    drop(library, "gone.md", a_seed(title="Gone"), observed=10)
    library.remove("gone.md")
    return files


def test_known_files_are_live_documents_and_refused_files(library: Library):
    files = fill(library)
    known = library.services.known_files()
    assert {path: held.stamp for path, held in known.items()} == {
        path: stamp for path, (stamp, _) in files.items()
    }
    assert not known["refused.md"].live
    assert known["refused-since.md"].live
    assert known["unread.md"].sha256 == unread_sha256(known["unread.md"].stamp, codes.NO_PERMISSION)


def test_a_stamp_is_returned_alone_where_it_is_proof(library: Library):
    files = fill(library)
    assert sorted(library.services.stamps()) == sorted(
        (path, stamp.size if proves else UNPROVEN_SIZE, *stamp[1:])
        for path, (stamp, proves) in files.items()
    )
    for path, held in library.services.known_files().items():
        assert files[path][1] is not (is_racy(held, 0) or was_unread(held))


def see_again(library: Library, path: str, text: str, **times: int) -> None:
    """Take in the same bytes with the same stamp, or with another time, later."""
    stamp = library.services.known_files()[path].stamp._replace(**times)
    snapshot = replace(library.snapshot(path, text.encode()), stamp=stamp)
    library.take_in_batch((snapshot,), text.encode())


STEPS: dict[str, Callable[[Library], object]] = {
    "a page": lambda it: it.drop("a.md", title="A"),
    "another": lambda it: it.drop("b.md", title="B"),
    "an edit": lambda it: it.drop("a.md", title="C"),
    "the same bytes under another stamp": lambda it: it.drop("a.md", title="C"),
    "the same bytes with another ctime": lambda it: see_again(
        it, "a.md", a_seed(title="C"), ctime_ns=7
    ),
    "the same file": lambda it: see_again(it, "a.md", a_seed(title="C")),
    "a refusal": lambda it: it.drop("a.md", "---\ntitle: Bad\n---\n"),
    "another refusal": lambda it: it.drop("a.md", "---\ntitle: Not\n---\n"),
    "its fix": lambda it: it.drop("a.md", title="C"),
    "a refusal of a new file": lambda it: it.drop("c.md", "---\ntitle: Bad\n---\n"),
    "its end": lambda it: it.remove("c.md"),
    "a move": lambda it: it.move("b.md", "moved.md", a_seed(title="B")),
    "a retirement": lambda it: it.remove("a.md"),
    "a return": lambda it: it.drop("a.md", title="C"),
}


def test_two_fingerprints_differ_exactly_when_the_known_files_do(library: Library):
    services = library.services
    seen = [("nothing", services.fingerprint(), dict(services.known_files()))]
    for step, take in STEPS.items():
        take(library)
        seen.append((step, services.fingerprint(), dict(services.known_files())))
        assert seen[-1][2] != seen[-2][2], step
    for (one, its_print, its_files), (other, other_print, other_files) in combinations(seen, 2):
        assert (its_print == other_print) == (its_files == other_files), (one, other)


def test_a_fingerprint_works_for_files_of_any_time(library: Library):
    far = 2**63 - 1
    for number, mtime_ns in enumerate((far, far - 1, -far)):
        drop(library, f"{number}.md", a_seed(title=f"{number}"), mtime_ns=mtime_ns)
        drop(library, f"refused-{number}.md", "---\ntitle: Bad\n---\n", mtime_ns=mtime_ns)
    assert library.services.fingerprint()[:3] == (6, 3, 6)


def test_a_file_with_another_ctime_alone_gets_no_version_and_no_event(library: Library):
    pages = {"a.md": a_seed(title="A"), "refused.md": "---\ntitle: Nothing else\n---\n"}
    for path, text in pages.items():
        drop(library, path, text, ctime_ns=0)
    before = library.kinds()
    for path, text in pages.items():
        drop(library, path, text, observed=LATER + 1)
    known = library.services.known_files()
    assert {held.stamp.ctime_ns for held in known.values()} == {CHANGED_NS}
    assert library.kinds() == before


def test_an_empty_store_knows_nothing(library: Library):
    assert library.services.known_files() == {}
    assert library.services.stamps() == set()


def test_all_files_are_read_in_the_order_of_the_table(sqlite_url: str):
    """By an index that holds what is live, SQLite takes twice as long, and on a disk far more."""
    with a_library(sqlite_url) as library, library.store.read() as connection:
        asked: list[tuple[str, Any]] = []

        def note(_connection, _cursor, statement, parameters, *_rest):
            asked.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        paths.known_files(connection, library.services.verdicts)
        paths.stamps(connection, library.services.verdicts)
        event.remove(connection, "before_cursor_execute", note)
        plans = [
            row[3]
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert plans.count("SCAN paths") == 2
    assert plans.count("SCAN paths USING INDEX ix_paths_refused") == 1
    assert not [step for step in plans if "ix_documents_due_on" in step]
