"""A version written back into the folder: byte for byte, and never over unstored edits."""

import stat

import pytest
from support.seeds import BODY, a_seed, write
from support.stored import a_library

from worker.errors import ConfigurationError
from worker.library.restore import rebuild, restore
from worker.library.seeds_folder import WriteRefusedError, write_whole


@pytest.fixture
def library(store_url, seeds):
    with a_library(store_url, seeds=seeds) as library:
        yield library


@pytest.fixture
def seeds(tmp_path):
    folder = tmp_path / "seeds"
    folder.mkdir()
    return folder


def save(library, seeds, path, text):
    """Write a file, and take it in as the service does."""
    write(seeds / path, text)
    library.drop(path, text)


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda text: text, id="LF"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(lambda text: "\ufeff" + text, id="byte-order mark"),
        pytest.param(
            lambda text: text.replace("\n", "\r\n").replace(BODY.replace("\n", "\r\n"), BODY),
            id="CRLF above, LF below",
        ),
        pytest.param(lambda text: text.replace("title:", "# a comment\ntitle:"), id="a comment"),
    ],
)
def test_a_version_comes_back_byte_for_byte(library, seeds, rewrite):
    text = rewrite(a_seed())
    save(library, seeds, "a.md", text)
    save(library, seeds, "a.md", a_seed(title="Later"))
    done = restore(library.services, "a.md", 1, unasked=False)

    assert (seeds / "a.md").read_bytes() == text.encode()
    assert (done["written"], done["exact"], done["newest"]) == (True, True, False)
    assert library.drop("a.md", text).number == 3, "the service stores it as a new version"


def test_a_file_that_cannot_be_rebuilt_says_so():
    rebuilt = rebuild("title: x\r\n", "One.\nTwo.\n", "0" * 64)
    assert rebuilt.data == b"---\r\ntitle: x\r\n---\r\nOne.\r\nTwo.\r\n"
    assert not rebuilt.exact


def test_the_file_keeps_its_mode_and_no_temporary_file_remains(library, seeds):
    save(library, seeds, "sub/a.md", a_seed())
    save(library, seeds, "sub/a.md", a_seed(title="Later"))
    (seeds / "sub" / "a.md").chmod(0o640)
    restore(library.services, "sub/a.md", 1, unasked=False)

    assert stat.S_IMODE((seeds / "sub" / "a.md").stat().st_mode) == 0o640
    assert [path.name for path in (seeds / "sub").iterdir()] == ["a.md"]


def test_unstored_edits_are_overwritten_only_on_request(library, seeds):
    save(library, seeds, "a.md", a_seed())
    unsaved = a_seed(title="Not stored yet")
    write(seeds / "a.md", unsaved)
    with pytest.raises(WriteRefusedError, match="has content that is not stored"):
        restore(library.services, "a.md", 1, unasked=False)
    assert (seeds / "a.md").read_text() == unsaved

    restore(library.services, "a.md", 1, unasked=True)
    assert (seeds / "a.md").read_text() == a_seed()


def test_a_retired_document_comes_back_with_its_folders(library, seeds):
    save(library, seeds, "deep/er/a.md", a_seed())
    (seeds / "deep" / "er" / "a.md").unlink()
    (seeds / "deep" / "er").rmdir()
    library.remove("deep/er/a.md")
    done = restore(library.services, "deep/er/a.md", 1, unasked=False)

    assert done["retired"]
    assert (seeds / "deep" / "er" / "a.md").read_text() == a_seed()
    assert library.drop("deep/er/a.md", a_seed()).kind == "revived"


def test_an_equal_file_is_not_written_again(library, seeds):
    save(library, seeds, "a.md", a_seed())
    before = (seeds / "a.md").stat()
    assert restore(library.services, "a.md", 1, unasked=False)["written"] is False
    assert (seeds / "a.md").stat().st_ino == before.st_ino


def test_no_link_is_followed(library, seeds, tmp_path):
    save(library, seeds, "a.md", a_seed())
    save(library, seeds, "sub/b.md", a_seed(title="B"))
    outside = write(tmp_path / "outside" / "b.md", "mine\n")
    (seeds / "a.md").unlink()
    (seeds / "a.md").symlink_to(outside)
    (seeds / "sub" / "b.md").unlink()
    (seeds / "sub").rmdir()
    (seeds / "sub").symlink_to(outside.parent)

    with pytest.raises(WriteRefusedError, match="symbolic link"):
        restore(library.services, "a.md", 1, unasked=True)
    with pytest.raises(ConfigurationError, match=r"cannot write .*sub/b\.md"):
        restore(library.services, "sub/b.md", 1, unasked=True)
    assert outside.read_text() == "mine\n"


@pytest.mark.parametrize("path", ["../a.md", "a/../../b.md", "/a.md", "a//b.md", "./a.md", ""])
def test_nothing_is_written_outside_the_folder(seeds, path):
    with pytest.raises(WriteRefusedError):
        write_whole(seeds, path, b"x")


def test_an_unwritable_folder_is_reported_in_one_line(library, seeds):
    save(library, seeds, "a.md", a_seed())
    save(library, seeds, "a.md", a_seed(title="Later"))
    (seeds / "a.md").unlink()
    seeds.rmdir()
    write(seeds, "a file in place of the folder")
    with pytest.raises(ConfigurationError, match="nothing was changed") as refused:
        restore(library.services, "a.md", 1, unasked=True)
    assert "\n" not in str(refused.value)


def test_an_unknown_version_gives_none(library, seeds):
    save(library, seeds, "a.md", a_seed())
    assert restore(library.services, "a.md", 2, unasked=False) is None
    assert restore(library.services, "b.md", 1, unasked=False) is None


def test_a_version_that_would_be_refused_today_is_written_only_on_request(library, seeds):
    save(library, seeds, "a.md", a_seed(lastReviewed="2026-11-24"))
    save(library, seeds, "a.md", a_seed())
    library.later(days=-30)  # the review of version 1 now lies in the future
    with pytest.raises(WriteRefusedError, match="version 1 would be refused today: line 8"):
        restore(library.services, "a.md", 1, unasked=False)
    assert (seeds / "a.md").read_text() == a_seed()
