from __future__ import annotations

import logging
import os
import socket

import pytest
from support.seeds import a_seed, write
from support.waiting import wait_until

from worker.settings.model import WatchSettings
from worker.watch.ignore import IgnoreLog, seed_names, shown, unsafe_name
from worker.watch.scan import walk


@pytest.fixture
def names(seeds):
    return seed_names(seeds, WatchSettings())


@pytest.mark.parametrize(
    "path",
    [
        "a.md",
        "A.MD",
        "a.markdown",
        "a.txt",
        "part/deep/a page (2).md",
        "कैंसर.md",
        "క్యాన్సర్‌.md",  # with a zero-width non-joiner, as Telugu is written
        "no\N{NO-BREAK SPACE}break.md",
        "4913.md",
        "a.tmp.md",
    ],
)
def test_markdown_files_are_seeds(names, path):
    assert names.is_seed(path)


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a.html",
        "a.md~",
        ".a.md",
        ".#a.md",
        "#a.md#",
        "#a.md",
        "4913",
        ".a.md.swp",
        "a.md.swp",
        "a.md.tmp",
        "~$a.md",
        "a.md.part",
        "a.md.crdownload",
        ".~lock.a.md#",
        ".a.md.AbCdEf",
        ".git/a.md",
        "part/.obsidian/deep/a.md",
        "a\n.md",
        "a\x1b[31m.md",
        "a\u2028b.md",
        "caf\udce9.md",
        "caf\udce9/a.md",
    ],
)
def test_other_files_are_not_seeds(names, path):
    assert not names.is_seed(path)


def test_the_seedignore_is_read_as_git_reads_it(seeds, names):
    write(
        seeds / ".seedignore",
        "# notes of our own\r\nREADME.md\n/drafts/\n*.old.md\n!keep.old.md\n\n",
    )
    names.load()
    ignored = ["README.md", "part/README.md", "drafts/a.md", "drafts/deep/keep.old.md", "x.old.md"]
    assert [path for path in ignored if names.is_seed(path)] == []
    assert names.is_seed("part/drafts/a.md")
    assert names.is_seed("keep.old.md")


def test_an_unusable_seedignore_leaves_the_last_one(seeds, names, caplog):
    write(seeds / ".seedignore", "README.md\n")
    names.load()
    write(seeds / ".seedignore", b"\xff\xfe\n")
    names.load()
    assert not names.is_seed("README.md")
    assert ".seedignore is not usable" in caplog.text
    (seeds / ".seedignore").unlink()
    names.load()
    assert names.is_seed("README.md")


def test_a_seedignore_link_to_outside_the_folder_is_not_followed(seeds, names, tmp_path, caplog):
    (seeds / ".seedignore").symlink_to(write(tmp_path / "patterns", "README.md\n"))
    names.load()
    assert names.is_seed("README.md")
    assert ".seedignore cannot be read" in caplog.text


def test_a_name_is_shown_without_control_characters():
    assert shown("part/a\n\x1b[31m\udce9é.md") == "part/a\\n\\x1b[31m\\udce9é.md"


def test_a_reason_is_logged_once_until_it_changes(caplog):
    caplog.set_level(logging.INFO)
    log = IgnoreLog()
    log.add("a.md", "it is a folder")
    log.add("a.md", "it is a folder")
    assert caplog.text.count("ignored a.md: it is a folder") == 1
    log.forget("a.md")
    log.add("a.md", "it is a folder")
    assert caplog.text.count("ignored a.md: it is a folder") == 2


def test_a_walk_logs_why_a_lookalike_is_not_a_seed(seeds, names, tmp_path):
    write(seeds / "a.md", a_seed())
    write(seeds / "notes.html", "<p>")
    (seeds / "x.md").mkdir()
    write(seeds / "x.md/inner.md", a_seed())
    (seeds / "link.md").symlink_to(write(tmp_path / "outside.md", a_seed()))
    (seeds / "linked").symlink_to(tmp_path)
    os.mkfifo(seeds / "pipe.md")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(seeds / "socket.md"))
    write(seeds / "line\nbreak.md", a_seed())
    (seeds / os.fsdecode(b"caf\xe9.md")).write_text(a_seed())
    begun = walk(names)
    found = sorted(path for page in begun.pages for path, *_ in page)
    assert found == ["a.md", "x.md/inner.md"]
    assert begun.ignored == {
        "link.md": "it is a symbolic link",
        "linked": "it is a symbolic link",
        "pipe.md": "it is not a regular file",
        "socket.md": "it is not a regular file",
        "line\nbreak.md": "its name contains a control character or a line break",
        os.fsdecode(b"caf\xe9.md"): "its name is not UTF-8",
    }


def test_the_walk_and_the_name_agree(seeds, names):
    write(seeds / ".seedignore", "drafts/\n*.old.md\n")
    names.load()
    for path in (
        "a.md",
        ".b.md",
        "drafts/c.md",
        "d.old.md",
        "part/e.TXT",
        "ü.md",
        "#f.md",
        "g.md~",
    ):
        write(seeds / path, a_seed())
    walked = {path for page in walk(names).pages for path, *_ in page}
    there = {p.relative_to(seeds).as_posix() for p in seeds.rglob("*") if p.is_file()}
    assert (
        walked == {path for path in there if names.is_seed(path)} == {"a.md", "part/e.TXT", "ü.md"}
    )


def test_every_unsafe_name_has_a_reason():
    assert unsafe_name("a\udce9") == "its name is not UTF-8"
    assert unsafe_name("a\tb") == "its name contains a control character or a line break"
    assert unsafe_name("Überblick.md") is None


def test_bad_files_do_not_block_a_good_one(watching, page, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (watching.seeds / "link.md").symlink_to(write(tmp_path / "outside.md", a_seed(title="Secret")))
    (watching.seeds / "linked").symlink_to(tmp_path)
    os.mkfifo(watching.seeds / "pipe.md")
    (watching.seeds / "x.md").mkdir()
    (watching.seeds / os.fsdecode(b"caf\xe9.md")).write_text(page)
    write(watching.seeds / "line\nbreak.md", page)
    write(watching.seeds / "good.md", page)
    watching.sees("good.md", page)
    wait_until(lambda: "ignored link.md: it is a symbolic link" in caplog.text)
    wait_until(lambda: "ignored caf\\udce9.md: its name is not UTF-8" in caplog.text)
    assert {t.path for t in watching.library.taken} == {"good.md"}


def test_a_changed_seedignore_removes_and_adds_pages(watching, page):
    for name in ("a.md", "notes/b.md"):
        write(watching.seeds / name, page + name)
    watching.settles()
    write(watching.seeds / ".seedignore", "notes/\n")
    wait_until(lambda: watching.library.removed == ["notes/b.md"])
    (watching.seeds / ".seedignore").unlink()
    watching.settles()
    assert set(watching.library.content) == {"a.md", "notes/b.md"}


def test_a_plain_note_is_ignored_and_logged_once(watching, page, caplog):
    caplog.set_level(logging.INFO)
    note = write(watching.seeds / "note.txt", "Buy milk.\n")
    write(watching.seeds / "seed.txt", page)
    watching.sees("seed.txt", page)
    wait_until(lambda: "ignored note.txt: it is a plain note" in caplog.text)
    note.write_text("Buy milk and bread.\n")
    write(watching.seeds / "later.md", "no front matter\n")
    watching.sees("later.md", "no front matter\n")  # to be refused, not ignored
    assert caplog.text.count("ignored note.txt") == 1
    note.write_text(page)
    watching.sees("note.txt", page)


def test_a_document_that_loses_its_fence_is_sent_to_be_refused(watching, page):
    path = write(watching.seeds / "seed.txt", page)
    watching.sees("seed.txt", page)
    path.write_text("No fence any more.\n")
    watching.sees("seed.txt", "No fence any more.\n")
