"""The command `init`: writes the files of a new library, and never over a file that exists."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.cli.document_paths import below_seeds
from worker.cli.options import Flags, as_json
from worker.cli.output import print_json
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The files that are copied to `config/`, with what `init` says about each.
_CONFIG_FILES = {
    "content-sync.toml": "the settings and their defaults",
    "seed.schema.json": "what front matter must contain",
    "reviewers": "who answers for which page",
    "templates/digest_subject.txt.j2": "the subject of a mail",
    "templates/digest.txt.j2": "the text of a message",
    "templates/digest.html.j2": "the HTML of a mail",
    "templates/digest_words.j2": "the words that both share",
    "templates/diff.html.j2": "the page of diff --html",
}
_FIRST_PAGE = "seeds/first-page.md"
_PAGE = """\
---
title: The first page
version: v1
status: active
source: Our team
sourceType: 99_local_navigation
license: public_info
lastReviewed: '{today}'
reviewFrequency: 6 months
audienceLevel: general
language: en
---

# The first page

This page shows what a document of this library looks like. Replace it with a page of your own.

## Between the two lines

The fields above say what the page is, where it comes from, and when somebody last reviewed it. The file
`config/seed.schema.json` lists the fields and the values that they can have.

## Below them

Everything here is for readers, in Markdown. Save the file, and `content-sync sync` stores a new
version of the page.
"""
_IGNORED = "/var/\n/review-plan.csv\n"


@click.command
@as_json
@click.pass_obj
def init(flags: Flags, *, as_json: bool) -> None:
    """Write the files of a new library into this folder.

    Settings, schema, message templates, reviewers and a first page. A file that exists stays as it is.

    Example: content-sync init
    """
    from worker.settings.model import load_settings

    if flags != Flags():
        raise click.UsageError("init takes no --seeds, --store-url or --broker-url")
    settings = load_settings()
    if below_seeds(os.curdir, settings) is not None:
        raise ConfigurationError(
            f"{Path.cwd()} is inside the seeds folder {settings.seeds.absolute()}: "
            "run init in another folder"
        )
    files = [
        {"path": path, "what": what, "written": _write(Path(path), data)}
        for path, what, data in _new_files()
    ]
    if as_json:
        print_json({"folder": str(Path.cwd()), "files": files})
    else:
        _show(files)


def _new_files() -> Iterator[tuple[str, str, bytes]]:
    """Yield path, description and content of each file, the first page only for an empty folder."""
    from worker.settings.model import packaged_config

    for name, what in _CONFIG_FILES.items():
        yield f"config/{name}", what, (packaged_config() / name).read_bytes()
    if Path(_FIRST_PAGE).exists() or not _holds_files(Path(_FIRST_PAGE).parent):
        today = datetime.now(UTC).date()
        yield _FIRST_PAGE, "a page to begin with", _PAGE.format(today=today).encode()
    yield ".gitignore", "keeps the database out of git", _IGNORED.encode()


def _holds_files(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except FileNotFoundError:
        return False
    except OSError:  # not a folder, or not readable: it is not a place for a first page
        return True


def _write(path: Path, data: bytes) -> bool:
    """Write a new file; return False when the name is taken, be it by a link to nowhere."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    except FileExistsError:
        if path.parent.is_dir():
            return False
        raise ConfigurationError(f"{path.parent.absolute()} is not a folder") from None
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        with file:
            file.write(data)
    except BaseException as error:
        path.unlink(missing_ok=True)  # half a file would be kept by the next `init`
        if isinstance(error, OSError):
            raise _cannot_write(path, error) from error
        raise
    return True


def _cannot_write(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"cannot write {path.absolute()}: {error.strerror}")


def _show(files: list[dict[str, Any]]) -> None:
    width = max(len(file["path"]) for file in files)
    for file in files:
        done, what = ("wrote", file["what"]) if file["written"] else ("kept", "it exists already")
        click.echo(f"{done:5}  {file['path']:{width}}  {what}")
    click.echo("Next: content-sync validate, then content-sync up")
