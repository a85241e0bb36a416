"""A mass of refused files is held, sent as one message over a real mail server, and approved or fixed."""

from __future__ import annotations

from functools import partial
from threading import Thread

import pytest
from sqlalchemy import text
from support.seeds import a_seed
from support.stored import Library, a_library, a_mailing_library, mails_at
from support.waiting import wait_until

from worker.ingest.holds import NotApprovedError, hold_refusals, unanswered_refusals
from worker.run.doctor import doctor
from worker.store.acknowledgements import RETIRE_APPROVED
from worker.store.holds import REFUSALS, list_standing
from worker.store.library import events_after

BROKEN = "---\ntitle: [\n---\n\nThe tool that wrote this is broken.\n"
PAGES = tuple(f"{number:02}.md" for number in range(40))


@pytest.fixture
def post(start_post):
    return start_post()


@pytest.fixture
def library(store_url: str, post):
    with a_mailing_library(store_url, post, kinds=("held", "refused")) as library:
        library.take_in({path: a_seed(title=path) for path in PAGES})
        yield library


def refuse(library: Library, paths) -> None:
    library.take_in(dict.fromkeys(paths, BROKEN))


def fix(library: Library, paths) -> None:
    library.take_in({path: a_seed(title=f"{path}, fixed") for path in paths})


def subjects(library: Library, post) -> list[str]:
    """Deliver until nothing is left, and return the subjects of all mails so far."""
    for _ in range(2):
        library.later(seconds=6)
        library.services.deliver()
    return [message["Subject"] for message in mails_at(post)]


def approve(library: Library) -> dict[str, int]:
    """Approve all that is shown."""
    ids = [given for given in library.services.held()["ids"].values() if given is not None]
    return library.services.approve(ids, by="asha")


def refusals_check(library: Library):
    return next(c for c in doctor(library.services.settings, None) if c.name == "refusals")


def waiting_for_locks(library: Library) -> int:
    """Return how many transactions of this PostgreSQL database wait for a lock."""
    locks = text(
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE NOT granted AND d.datname = current_database()"
    )
    with library.store.read() as connection:
        return connection.scalar(locks)


def test_a_mass_of_refusals_is_one_notice(library: Library, post):
    refuse(library, PAGES[:30])
    assert subjects(library, post) == ["Content Sync: 1 hold waits for a person"]
    body = post.envelopes[0].content.decode()
    assert "30 of 40 documents have a newer edit that was refused" in body
    assert library.services.status()["held"] == {"removals": 0, "refusals": 30}
    assert library.document(PAGES[0])["state"] == "live"
    assert not refusals_check(library).ok


def test_a_few_refusals_are_separate_notices(library: Library, post):
    refuse(library, PAGES[:8])
    assert subjects(library, post) == ["Content Sync: 8 files refused"]
    assert library.services.status()["held"]["refusals"] == 0
    assert refusals_check(library).ok


def test_each_refusal_is_a_notice_after_a_person_approves(library: Library, post):
    refuse(library, PAGES[:30])
    subjects(library, post)
    shown = library.services.held()
    assert [one["path"] for one in shown["refusals"]] == list(PAGES[:30])
    assert shown["refusals"][0]["problems"][0]["severity"] == "error"

    assert approve(library) == {"removals": 0, "refusals": 30}
    assert subjects(library, post)[1:] == ["Content Sync: 30 files refused"]
    assert library.services.status()["held"]["refusals"] == 0
    assert refusals_check(library).ok
    assert subjects(library, post)[2:] == []


def test_fixed_files_end_the_hold_without_notices(library: Library, post):
    refuse(library, PAGES[:30])
    subjects(library, post)
    fix(library, PAGES[:28])
    assert subjects(library, post)[1:] == ["Content Sync: 2 files refused"]
    assert library.services.held()["refusals"] == []
    assert approve(library) == {"removals": 0, "refusals": 0}


def test_an_approval_covers_refusals_up_to_its_time(library: Library, post):
    refuse(library, PAGES[:12])
    subjects(library, post)
    approve(library)
    subjects(library, post)
    refuse(library, PAGES[12:14])
    assert subjects(library, post)[2:] == ["Content Sync: 2 files refused"]
    refuse(library, PAGES[14:30])
    assert subjects(library, post)[3:] == ["Content Sync: 1 hold waits for a person"]
    assert not refusals_check(library).ok


def test_refusals_that_gather_slowly_are_no_mass(library: Library, post):
    for number in range(20):
        refuse(library, PAGES[number : number + 1])
        library.later(hours=25)
    assert library.services.status()["held"]["refusals"] == 0
    before = len(subjects(library, post))
    refuse(library, PAGES[20:21])
    assert subjects(library, post)[before:] == ["Content Sync: 1 file refused"]
    assert library.services.held()["refusals"] == []
    brake = library.services.settings.brake
    with library.store.read() as connection:
        assert unanswered_refusals(connection, brake, now=library.time) is None
    assert "21 of 40 live documents" in refusals_check(library).detail


def test_a_mass_within_a_day_is_held_without_what_was_refused_before(library: Library, post):
    refuse(library, PAGES[:5])
    library.later(hours=30)
    subjects(library, post)
    for number in range(5, 30):
        refuse(library, PAGES[number : number + 1])
        library.later(minutes=50)
    assert subjects(library, post)[1:] == ["Content Sync: 1 hold waits for a person"]
    held = [one["path"] for one in library.services.held()["refusals"]]
    assert held == list(PAGES[5:30])
    assert library.services.status()["held"]["refusals"] == 25
    assert not refusals_check(library).ok


def test_a_held_mass_stays_held_after_a_day_and_grows(library: Library, post):
    refuse(library, PAGES[:30])
    subjects(library, post)
    library.later(days=3)
    refuse(library, PAGES[30:31])
    assert subjects(library, post)[1:] == []
    assert len(library.services.held()["refusals"]) == 31
    assert not refusals_check(library).ok
    assert approve(library) == {"removals": 0, "refusals": 31}
    assert subjects(library, post)[1:] == ["Content Sync: 31 files refused"]
    library.later(days=3)
    assert subjects(library, post)[2:] == []
    with library.store.read() as connection:
        assert list_standing(connection, REFUSALS) == []


def test_a_first_load_of_broken_files_is_not_held(library: Library, post):
    """They replace nothing good."""
    refuse(library, [f"new-{number}.md" for number in range(50)])
    assert subjects(library, post) == ["Content Sync: 50 files refused"]


def test_of_several_concurrent_workers_one_begins_the_hold(postgres_url: str):
    """All of them have seen the mass before the first of them may write."""
    with a_library(postgres_url) as library:
        library.take_in({path: a_seed(title=path) for path in PAGES})
        refuse(library, PAGES[:30])
        look = partial(
            hold_refusals,
            library.store,
            library.services.settings.brake,
            library.services.policy.routes,
            now=library.time,
        )
        looking = [Thread(target=look) for _ in range(4)]

        def all_wait() -> bool:
            waiting = waiting_for_locks(library)
            return waiting == 4 or not any(thread.is_alive() for thread in looking)

        with library.store.write() as connection:
            library.store.lock_events(connection)
            for thread in looking:
                thread.start()
            wait_until(all_wait)
        for thread in looking:
            thread.join()
        held = [notice for notice in library.services.notices(None) if notice["kind"] == "held"]
    assert len(held) == 1


GONE = list(PAGES[:30])


def test_an_approval_covers_exactly_what_was_listed(library: Library):
    library.services.hold(GONE, 40)
    shown = library.services.held()["ids"]["removals"]
    library.services.hold(list(PAGES[:31]), 40)
    with pytest.raises(NotApprovedError, match="it has 31 removals now"):
        library.services.approve([shown], by="asha")
    library.services.hold(GONE, 40)
    assert library.services.approve([shown], by="asha") == {"removals": 30, "refusals": 0}
    assert library.services.removals(()).agreed == set(GONE)

    library.services.hold(list(PAGES), 40)
    found = library.services.removals(())
    assert (found.agreed, found.held) == (set(GONE), set(PAGES[30:]))
    assert library.services.status()["held"]["removals"] == 10
    with pytest.raises(NotApprovedError, match="it was approved"):
        library.services.approve([shown], by="rao")
    library.services.hold(list(PAGES[30:]), 40)
    assert library.services.removals(()).agreed == set()
    library.remove(*GONE)
    found = library.services.removals(())
    assert (found.retired, found.agreed, found.held) == (0, set(), set(PAGES[30:]))


def test_an_approved_hold_ends_when_its_files_are_back(library: Library):
    library.services.hold(GONE, 40)
    approve(library)
    assert library.services.removals(()).agreed == set(GONE)
    library.services.end_hold()
    found = library.services.removals(())
    assert (found.agreed, found.is_held) == (set(), False), (
        "if they vanish again, a person is asked"
    )


def test_of_two_lists_none_is_approved_if_one_has_changed(library: Library):
    library.services.hold(GONE, 40)
    refuse(library, PAGES[:30])
    library.services.deliver()
    shown = library.services.held()["ids"]
    assert None not in shown.values()
    fix(library, PAGES[:1])
    with pytest.raises(NotApprovedError, match="it has 29 refusals now"):
        library.services.approve(shown.values(), by="asha")
    assert library.services.status()["held"] == {"removals": 30, "refusals": 29}


def test_who_approved_is_recorded_with_each_document(library: Library):
    library.services.hold(GONE, 40)
    approve(library)
    with library.store.read() as connection:
        asked = [e for e in events_after(connection, 0, 1000) if e.kind == RETIRE_APPROVED]
    assert [event.path for event in asked] == GONE
    assert {(event.number, event.data["by"]) for event in asked} == {(1, "asha")}


@pytest.mark.parametrize("times", range(3))
def test_a_hold_does_not_grow_while_a_person_approves_it(postgres_url: str, times: int):
    """The watcher and the person have read the hold, and then both write."""
    with a_library(postgres_url) as library:
        library.take_in({path: a_seed(title=path) for path in PAGES})
        library.services.hold(GONE, 40)
        shown = library.services.held()["ids"]["removals"]
        answers: list[object] = []

        def agree() -> None:
            try:
                answers.append(library.services.approve([shown], by="asha"))
            except NotApprovedError as error:
                answers.append(error)

        grow = partial(library.services.hold, list(PAGES), 40)
        both = [Thread(target=work) for work in ((agree, grow), (grow, agree))[times % 2]]
        with library.store.write() as connection:
            library.store.lock_events(connection)
            for number, thread in enumerate(both, start=1):
                thread.start()
                wait_until(lambda number=number: waiting_for_locks(library) == number)
        for thread in both:
            thread.join()

        found = library.services.removals(())
        if isinstance(answers[0], NotApprovedError):
            assert (found.agreed, found.held) == (set(), set(PAGES))
        else:
            assert (found.agreed, found.held) == (set(GONE), set(PAGES[30:]))
