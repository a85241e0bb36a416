"""Answers that change files: byte for byte, with their event, and never over a concurrent save."""

import fcntl
import os
import shutil
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest
from support.seeds import a_seed, write
from support.stored import NOON, a_library

from worker.domain.seeds.edit import set_fields
from worker.domain.seeds.seed import parse_seed
from worker.errors import ConfigurationError
from worker.library import seeds_folder, write_back
from worker.library.seeds_folder import WriteRefusedError
from worker.library.write_back import (
    NameNeededError,
    Review,
    assign,
    record_reviews,
    retire,
)
from worker.store.library import events_after

TODAY = NOON.date()
REVIEW = Review(on=TODAY, by="asha", named=False)
EVIDENCE = "https://example.org/minutes"


@pytest.fixture
def library(store_url, seeds):
    with a_library(store_url, seeds=seeds) as library:
        yield library


@pytest.fixture
def quick(sqlite_url, seeds):
    """Return a library where the database does not matter."""
    with a_library(sqlite_url, seeds=seeds) as library:
        yield library


def save(library, path, text):
    """Write a file, and take it in as the service does."""
    data = text if isinstance(text, bytes) else text.encode()
    write(library.services.settings.seeds / path, data)
    return library.drop(path, data)


def events(library, kind):
    """Return path, number and data of the events of a kind."""
    with library.store.read() as connection:
        rows = [row for row in events_after(connection, 0, 1000) if row.kind == kind]
    return [(row.path, row.number, row.data) for row in rows]


def reviewed(library, *paths, **review):
    given = {"on": TODAY, "by": "asha", "named": False, **review}
    return record_reviews(library.services, dict.fromkeys(paths), Review(**given))


def error_of(library, *paths, **review):
    """Return the one error of a review of which nothing was written."""
    answers = reviewed(library, *paths, **review)
    assert not any(answer["recorded"] or answer["written"] for answer in answers)
    assert events(library, "review.recorded") == []
    [error] = [answer["error"] for answer in answers if answer["error"]]
    assert "\n" not in error
    return error


def test_a_review_is_written_into_the_file_with_its_event(library, seeds):
    save(library, "sub/a.md", a_seed().replace("\n", "\r\n"))
    before = (seeds / "sub" / "a.md").read_bytes()
    [answer] = reviewed(library, "sub/a.md", evidence=EVIDENCE)

    after = (seeds / "sub" / "a.md").read_bytes()
    assert after == before.replace(b"'2025-12-30'", b"'2026-11-24'")
    data = {"by": "asha", "on": "2026-11-24", "evidence": EVIDENCE, "edited": False}
    assert events(library, "review.recorded") == [("sub/a.md", 1, data)]
    assert answer == {
        "path": "sub/a.md",
        "recorded": True,
        "written": True,
        "on": "2026-11-24",
        "by": "asha",
        "evidence": EVIDENCE,
        "number": 1,
        "edited": False,
        "fields": [{"field": "lastReviewed", "old": "2025-12-30", "new": "2026-11-24"}],
        "due_on": "2027-02-24",
        "error": None,
    }
    assert library.drop("sub/a.md", after).change.kind == "review"
    assert library.document("sub/a.md")["due_on"] == "2027-02-24"


def test_a_given_name_is_written_into_the_file(quick, seeds):
    save(quick, "a.md", a_seed())
    reviewed(quick, "a.md", by="Dr. Rao", named=True)
    assert (seeds / "a.md").read_text().count("\nreviewerName: Dr. Rao\n---\n") == 1


def test_a_login_name_only_fills_an_empty_field(quick, seeds):
    save(quick, "a.md", a_seed())
    save(quick, "b.md", a_seed(title="Another page", reviewerName=""))
    answers = reviewed(quick, "a.md", "b.md")
    assert "reviewerName" not in (seeds / "a.md").read_text()
    assert "reviewerName: 'asha'\n" in (seeds / "b.md").read_text()
    assert [one["field"] for one in answers[1]["fields"]] == ["lastReviewed", "reviewerName"]


def test_a_login_name_never_replaces_another_reviewer(quick, seeds):
    save(quick, "a.md", a_seed())
    save(quick, "b.md", a_seed(title="Another page", reviewerName="Dr. Rao"))
    before = [(seeds / name).read_text() for name in ("a.md", "b.md")]
    with pytest.raises(NameNeededError, match=r"seeds/b\.md names Dr\. Rao as its reviewer"):
        reviewed(quick, "a.md", "b.md")
    assert [(seeds / name).read_text() for name in ("a.md", "b.md")] == before
    assert events(quick, "review.recorded") == []


def test_a_second_review_of_a_day_is_recorded_and_the_file_stays(quick, seeds):
    save(quick, "a.md", a_seed(lastReviewed="2026-11-24"))
    inode = (seeds / "a.md").stat().st_ino
    [answer] = reviewed(quick, "a.md")
    assert (answer["recorded"], answer["written"]) == (True, False)
    assert (seeds / "a.md").stat().st_ino == inode
    assert len(events(quick, "review.recorded")) == 1


def test_a_file_edited_since_is_reviewed_and_marked_as_edited(quick, seeds):
    save(quick, "a.md", a_seed())
    write(seeds / "a.md", a_seed(title="Edited since"))
    [answer] = reviewed(quick, "a.md")
    assert (answer["edited"], answer["number"]) == (True, 1)
    assert events(quick, "review.recorded")[0][2]["edited"] is True
    assert (seeds / "a.md").read_text() == a_seed(title="Edited since", lastReviewed="2026-11-24")


@pytest.mark.parametrize(
    ("text", "day", "expected"),
    [
        (a_seed(), TODAY + timedelta(days=1), "in the future: today is 2026-11-24"),
        (a_seed(), date(2025, 12, 29), "its last review is later: 2025-12-30"),
        (a_seed(status="actve"), TODAY, "a.md:4: `status` may not be"),
        ("---\ntitle: [\n---\nx\n", TODAY, "(CS0"),
    ],
)
def test_an_impossible_review_gives_the_place_and_the_reason(quick, seeds, text, day, expected):
    save(quick, "a.md", a_seed())
    write(seeds / "a.md", text)
    assert expected in error_of(quick, "a.md", on=day)
    assert (seeds / "a.md").read_text() == text


def test_a_refused_file_must_be_fixed_before_a_review(quick, seeds):
    save(quick, "a.md", a_seed(body="word " * 400))
    save(quick, "a.md", a_seed(body="less " * 20))  # under the same label: half of it was lost
    assert "content-sync why a.md says how to fix it" in error_of(quick, "a.md")


def test_no_file_is_written_if_one_has_an_error(quick, seeds):
    for path in ("a.md", "b.md", "c.md"):
        save(quick, path, a_seed(title=path))
    write(seeds / "b.md", a_seed(title="b.md", license="mine"))
    assert error_of(quick, "a.md", "b.md", "c.md").startswith(f"{seeds}/b.md:7: ")
    assert (seeds / "a.md").read_text() == a_seed(title="a.md")
    write(seeds / "b.md", a_seed(title="b.md"))
    assert all(answer["written"] for answer in reviewed(quick, "a.md", "b.md", "c.md"))


def test_a_known_refusal_stops_the_other_files_too(quick):
    save(quick, "a.md", a_seed())
    answers = record_reviews(quick.services, {"a.md": None, "b.md": "no document at b.md"}, REVIEW)
    assert [answer["error"] for answer in answers] == [None, "no document at b.md"]
    assert events(quick, "review.recorded") == []


def save_in_between(monkeypatch, action):
    """Let somebody act at the last moment: after the file was read, before the event is committed."""
    carry_out = write_back._carry_out

    def late(*arguments):
        action()
        return carry_out(*arguments)

    monkeypatch.setattr(write_back, "_carry_out", late)


def test_a_concurrent_save_is_not_lost(library, seeds, monkeypatch):
    save(library, "a.md", a_seed())
    save(library, "b.md", a_seed(title="Another page"))
    newer = a_seed(title="Saved in between")
    save_in_between(monkeypatch, lambda: write(seeds / "a.md", newer))
    first, second = reviewed(library, "a.md", "b.md")

    assert first["error"] == f"{seeds}/a.md was changed since it was read; try again"
    assert (first["recorded"], second["recorded"]) == (False, True)
    assert (seeds / "a.md").read_text() == newer
    assert [path for path, _, _ in events(library, "review.recorded")] == ["b.md"]
    assert sorted(path.name for path in seeds.iterdir()) == ["a.md", "b.md"]


def test_a_file_open_for_writing_is_not_changed(quick, seeds, monkeypatch):
    save(quick, "a.md", a_seed())
    probe = os.open(seeds / "a.md", os.O_RDONLY)
    try:
        fcntl.fcntl(probe, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:
        pytest.skip("this file system gives no leases")
    finally:
        os.close(probe)
    with (seeds / "a.md").open("r+"):
        assert error_of(quick, "a.md") == f"another program is writing {seeds}/a.md; try again"
    with ExitStack() as editors:
        save_in_between(monkeypatch, lambda: editors.enter_context((seeds / "a.md").open("r+")))
        assert "another program is writing" in error_of(quick, "a.md")
    assert (seeds / "a.md").read_text() == a_seed()


def test_no_link_is_followed(quick, seeds, tmp_path):
    save(quick, "a.md", a_seed())
    save(quick, "sub/b.md", a_seed(title="B"))
    outside = write(tmp_path / "outside" / "b.md", a_seed(title="B"))
    (seeds / "a.md").unlink()
    (seeds / "a.md").symlink_to(outside)
    shutil.rmtree(seeds / "sub")
    (seeds / "sub").symlink_to(outside.parent)
    assert "symbolic link" in error_of(quick, "a.md")
    assert "does not exist" in error_of(quick, "sub/b.md")
    assert outside.read_text() == a_seed(title="B")


def test_an_unwritable_folder_is_one_line_with_a_remedy(quick, seeds, monkeypatch):
    save(quick, "a.md", a_seed())

    def read_only(*_arguments, **_options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(seeds_folder, "replace_whole", read_only)  # root may write everywhere
    assert error_of(quick, "a.md") == (
        f"cannot write {seeds}/a.md: Read-only file system; nothing was changed: "
        "use an account and a host that may write to the folder"
    )


def test_an_owner_is_assigned(library, seeds):
    save(library, "a.md", a_seed(owner="Asha"))
    done = assign(library.services, "a.md", owner="Meera: ward 4", by="lead")
    assert (done["old_owner"], done["written"]) == ("Asha", True)
    text = (seeds / "a.md").read_text()
    assert text == a_seed(owner="Asha").replace("owner: Asha\n", "owner: 'Meera: ward 4'\n")
    data = {"by": "lead", "owner": "Meera: ward 4", "edited": False}
    assert events(library, "review.assigned") == [("a.md", 1, data)]
    library.drop("a.md", text)
    assert library.document("a.md")["owner"] == "Meera: ward 4"
    assert assign(library.services, "b.md", owner="Meera", by="lead") is None


def test_a_retired_document_leaves_the_folder(library, seeds):
    save(library, "a.md", a_seed())
    done = retire(library.services, "a.md", by="lead")
    assert done == {"path": "a.md", "number": 1, "by": "lead", "removed": True}
    assert list(seeds.iterdir()) == []
    assert events(library, "document.retire_asked") == [("a.md", 1, {"by": "lead"})]
    library.remove("a.md")
    with pytest.raises(WriteRefusedError, match=r"content-sync restore a\.md 1 brings it back"):
        retire(library.services, "a.md", by="lead")
    assert "is retired" in reviewed(library, "a.md")[0]["error"]


def test_only_stored_content_is_removed_from_the_folder(quick, seeds):
    save(quick, "a.md", a_seed())
    save(quick, "a.md", a_seed(title="Newer"))
    for text in (a_seed(title="Not stored"), a_seed()):
        write(seeds / "a.md", text)
        with pytest.raises(WriteRefusedError, match="would be lost"):
            retire(quick.services, "a.md", by="lead")
        assert (seeds / "a.md").read_text() == text
    assert events(quick, "document.retire_asked") == []


@pytest.mark.parametrize("puts_a_new_one", [False, True])
def test_a_save_during_the_removal_of_a_file_stays(quick, seeds, monkeypatch, puts_a_new_one):
    save(quick, "a.md", a_seed())
    rename, newer = os.rename, a_seed(title="Saved in between")

    def late(old, new, **folders):
        write(seeds / "a.md", newer)
        rename(old, new, **folders)
        if puts_a_new_one:
            write(seeds / "a.md", a_seed(title="And again"))

    monkeypatch.setattr(seeds_folder.os, "rename", late)
    with pytest.raises(WriteRefusedError, match="was changed since it was read"):
        retire(quick.services, "a.md", by="lead")
    texts = sorted(path.read_text() for path in seeds.iterdir())
    assert texts == sorted([newer, *([a_seed(title="And again")] if puts_a_new_one else [])])
    assert events(quick, "document.retire_asked") == []


def test_a_file_that_is_read_only_is_not_replaced(quick, seeds, monkeypatch):
    save(quick, "a.md", a_seed())
    monkeypatch.setattr(seeds_folder.os, "access", lambda *_arguments: False)  # root may write all
    with pytest.raises(ConfigurationError, match="Permission denied; nothing was changed"):
        assign(quick.services, "a.md", owner="Meera", by="lead")
    assert (seeds / "a.md").read_text() == a_seed()


@pytest.mark.corpus
def test_a_review_of_a_real_page_changes_only_the_bytes_of_its_date(corpus, sqlite_url, tmp_path):
    seeds = tmp_path / "pages"
    shutil.copytree(corpus, seeds)
    before = {path: path.read_bytes() for path in seeds.rglob("*.md")}
    with a_library(sqlite_url, seeds=seeds) as library:
        files = {path.relative_to(seeds).as_posix(): data for path, data in before.items()}
        kinds = {outcome.path: outcome.kind for outcome in library.take_in(files)}
        good = [path for path, kind in kinds.items() if kind == "new"]
        answers = record_reviews(library.services, dict.fromkeys(good), REVIEW)
    assert all(answer["written"] for answer in answers)
    windows = 0
    for path in good:
        data = before[Path(seeds, path)]
        day = parse_seed(data).metadata["lastReviewed"].encode()
        expected = data.replace(b"lastReviewed: '" + day, b"lastReviewed: '2026-11-24", 1)
        assert Path(seeds, path).read_bytes() == expected != data
        windows += b"\r\n" in data
    # The pages that are refused are no reviews, but their front matter is as good.
    for path in kinds.keys() - set(good):
        data = before[Path(seeds, path)]
        assert set_fields(data, {"lastReviewed": "2026-11-24"}) == data.replace(
            b"lastReviewed: '" + parse_seed(data).metadata["lastReviewed"].encode(),
            b"lastReviewed: '2026-11-24", 1,
        )  # fmt: skip
    assert windows >= 30
    assert len(good) > 1400
