"""Checks the files of `validate` one by one, and fixes them with `--fix`.

A library can be larger than memory, so only the metadata of a file without findings is kept.
`worker.cli.reports` prints the findings.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.cli.document_paths import below_seeds
from worker.cli.output import complain

if TYPE_CHECKING:
    from worker.domain.rules.fix import Edit
    from worker.domain.rules.library_rules import LibraryEntry
    from worker.domain.rules.rules import Examined, Rules
    from worker.domain.seeds.problem import Problem
    from worker.settings.model import Settings

STANDARD_INPUT = "-"
_UNNAMED = "<stdin>"
_NOTES_SUFFIX = ".txt"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixing:
    """What `--fix` may change; with `dry` it writes nothing."""

    words: bool = False
    dry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """A file with its problems and the fixes in it.

    `data` is the content of a file with problems or fixes, after the fixes; `before` is the content
    before them. `entry` is what the rules over several files need, for a valid document.
    """

    path: str
    data: bytes = field(repr=False)
    problems: tuple[Problem, ...] = ()
    fixed: tuple[Edit, ...] = ()
    before: bytes = field(default=b"", repr=False)
    entry: LibraryEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspector:
    """Checks files one by one as the service does, and fixes them when `fixing` says so."""

    rules: Rules
    settings: Settings
    fixing: Fixing | None = None
    stdin_path: str | None = None

    def inspect(self, paths: Sequence[str], moved: Progress) -> list[CheckedFile]:
        """Return the checked files in order, and call `moved` after each.

        Plain notes are left out, because the service ignores them.
        """
        checked = []
        for number, path in enumerate(paths, start=1):
            file = self._inspect_file(path)
            if file is not None:
                checked.append(file)
            moved(number, len(paths))
        return self._with_library_rules(checked) if len(checked) > 1 else checked

    def _inspect_file(self, path: str) -> CheckedFile | None:
        from worker.domain.rules.rules import NO_PERMISSION, UNREADABLE, unreadable_problem
        from worker.domain.seeds.seed import is_plain_note

        shown = (self.stdin_path or _UNNAMED) if path == STANDARD_INPUT else path
        try:
            data = _read(path, self.settings.intake.max_file_bytes + 1)
        except OSError as error:
            code = NO_PERMISSION if isinstance(error, PermissionError) else UNREADABLE
            problem = unreadable_problem(code, error.strerror or str(error))
            return CheckedFile(path=shown, data=b"", problems=(problem,))
        if shown.lower().endswith(_NOTES_SUFFIX) and is_plain_note(data):
            complain(f"{shown} is ignored: it has no front matter, so it is a plain note")
            return None
        examined = self._examine(shown, data)
        fixed = self._fix(path, data, examined) if self.fixing else None
        if fixed is None:
            return self._checked(shown, data, examined)
        becomes, edits = fixed
        file = self._checked(shown, becomes, self._examine(shown, becomes))
        return replace(file, fixed=edits, before=data, data=becomes)

    def _examine(self, shown: str, data: bytes) -> Examined:
        from worker.domain.rules.rules import examine

        today = datetime.now(UTC).astimezone(self.settings.zone).date()
        most = self.settings.intake.max_file_bytes
        below = below_seeds(shown, self.settings)
        # Of a file elsewhere only the name counts: the folders above it are no part of a library.
        path = Path(below).as_posix() if below is not None else Path(shown).name
        return examine(data, rules=self.rules, today=today, max_bytes=most, path=path)

    def _checked(self, shown: str, data: bytes, examined: Examined) -> CheckedFile:
        from worker.domain.rules.library_rules import LibraryEntry
        from worker.domain.seeds.seed import body_sha256

        seed, entry = examined.seed, None
        if seed is not None and examined.facts is not None:
            entry = LibraryEntry(
                path=shown,
                metadata=seed.metadata,
                body_sha256=body_sha256(seed.body),
                front_matter=seed.front_matter,
                body_line=seed.body_line,
            )
        kept = data if examined.problems else b""
        return CheckedFile(path=shown, data=kept, problems=examined.problems, entry=entry)

    def _fix(
        self, path: str, data: bytes, examined: Examined
    ) -> tuple[bytes, tuple[Edit, ...]] | None:
        """Fix a file and return its new content; None when nothing was fixed or it cannot be written."""
        from worker.cli.fix import replace_file
        from worker.domain.rules.fix import edits_of, fix

        if self.fixing is None or examined.seed is None:
            return None
        words = self.fixing.words
        edits = edits_of(examined.seed, examined.problems, self.rules, words=words)
        becomes = fix(data, edits)
        if becomes == data:
            return None
        if not self.fixing.dry:
            try:
                replace_file(path, was=data, becomes=becomes)
            except OSError as error:
                complain(f"{path} is not fixed: {error.strerror or error}")
                return None
        return becomes, edits

    def _with_library_rules(self, files: list[CheckedFile]) -> list[CheckedFile]:
        from worker.domain.rules.library_rules import check_library

        entries = [file.entry for file in files if file.entry is not None]
        found = check_library(entries, self.rules)
        return [
            self._with_more(file, found[file.path]) if file.path in found else file
            for file in files
        ]

    def _with_more(self, file: CheckedFile, more: tuple[Problem, ...]) -> CheckedFile:
        data = file.data
        if not data and file.path != _UNNAMED:
            try:
                data = _read(file.path, self.settings.intake.max_file_bytes + 1)
            except OSError:
                data = b""  # its lines cannot be shown, but its problems are still reported
        problems = sorted(
            (*file.problems, *more),
            key=lambda problem: (problem.span.line, problem.span.column, problem.code),
        )
        return replace(file, data=data, problems=tuple(problems))


def existing(paths: list[str], settings: Settings) -> list[str]:
    """Return the paths; a path that does not exist is a usage error.

    Other commands and messages name a document by its path in the seeds folder, so that works here, too.
    """
    return [path if path == STANDARD_INPUT else _existing(path, settings) for path in paths]


def _existing(path: str, settings: Settings) -> str:
    if os.path.lexists(path):
        return path
    in_seeds = settings.seeds / path
    if os.path.lexists(in_seeds):
        return os.path.relpath(in_seeds)
    raise click.BadParameter(f"{Path(path).absolute()} does not exist", param_hint="PATH")


def seeds_from_here(settings: Settings) -> str:
    """Return the seeds folder, relative to the working directory when that is inside it."""
    inside = below_seeds(os.curdir, settings) is not None
    return os.path.relpath(settings.seeds) if inside else str(settings.seeds)


def files_of(paths: list[str], settings: Settings) -> list[str]:
    """Return the files of the paths, each once; of a folder, those the watcher would read."""
    return list(dict.fromkeys(_files(paths, settings)))


def identity(path: str, settings: Settings) -> str:
    """Return the path of a document in the seeds folder, which is the same in every working directory.

    For a file elsewhere, return its path relative to the working directory.
    """
    if path == _UNNAMED:
        return path
    return Path(below_seeds(path, settings) or os.path.relpath(path)).as_posix()


def _files(paths: list[str], settings: Settings) -> Iterator[str]:
    for path in paths:
        if path != STANDARD_INPUT and Path(path).is_dir():
            yield from _seeds_below(path, settings)
        else:
            yield path


def _seeds_below(folder: str, settings: Settings) -> Iterator[str]:
    """Yield the files that the watcher would read as seeds, in order."""
    from worker.watch.ignore import seed_names

    # The `.seedignore` in the seeds folder also applies to the folders inside it.
    inside = below_seeds(folder, settings) is not None
    root = str(settings.seeds) if inside else folder
    names = seed_names(root, settings.watch)
    for parent, folders, files in os.walk(folder):
        below = os.path.relpath(parent, root)
        prefix = "" if below == os.curdir else f"{below}/"
        folders[:] = sorted(name for name in folders if names.enters(f"{prefix}{name}"))
        for name in sorted(files):
            path = Path(parent, name)
            if names.is_seed(f"{prefix}{name}") and not path.is_symlink():
                yield str(path)


def _read(path: str, most_bytes: int) -> bytes:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read(most_bytes)
    with Path(path).open("rb") as file:
        return file.read(most_bytes)
