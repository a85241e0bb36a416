"""Checks the files of `validate` one by one, and fixes them with `--fix`.

A library can be larger than memory, so only the metadata of a file without findings is kept.
`worker.cli.reports` prints the findings.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.cli.document_paths import below_seeds
from worker.cli.output import complain
from worker.cli.store_at_hand import ask_store

if TYPE_CHECKING:
    from worker.domain.rules.fix import Edit
    from worker.domain.rules.library_rules import LibraryEntry
    from worker.domain.rules.rules import Examined, Rules
    from worker.domain.seeds.problem import Problem
    from worker.library.reader import Reader
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
    sha256: str = ""
    entry: LibraryEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspector:
    """Checks files one by one as the service does, and fixes them when `fixing` says so."""

    rules: Rules
    settings: Settings
    fixing: Fixing | None = None
    stdin_path: str | None = None
    notes: list[str] = field(default_factory=list)

    def inspect(self, paths: Sequence[str], moved: Progress) -> list[CheckedFile]:
        """Return the checked files in order, and call `moved` after each.

        Plain notes are left out and added to `notes`, because the service ignores them. Only if the store,
        where one is available, has a live document there, a note is checked: the service refuses it.
        """
        checked: dict[str, CheckedFile | None] = {}
        for number, path in enumerate(paths, start=1):
            checked[path] = self._inspect_file(path)
            moved(number, len(paths))
        notes = {path: self._shown(path) for path, file in checked.items() if file is None}
        names = [identity(name, self.settings) for name in notes.values()]
        live = ask_store(self.settings, lambda r: r.live_among(names)) if names else None
        for path, name in notes.items():
            if identity(name, self.settings) in (live or ()):
                checked[path] = self._inspect_file(path, is_document=True)
            else:
                self.notes.append(name)
        files = [file for file in checked.values() if file is not None]
        files = self._with_rules_on_changes(files)
        return self._with_library_rules(files) if len(files) > 1 else files

    def _shown(self, path: str) -> str:
        return (self.stdin_path or _UNNAMED) if path == STANDARD_INPUT else path

    def _inspect_file(self, path: str, *, is_document: bool = False) -> CheckedFile | None:
        """Return a checked file, None for a plain note."""
        from worker.domain.rules.rules import NO_PERMISSION, UNREADABLE, unreadable_problem
        from worker.domain.seeds.seed import is_plain_note

        shown = self._shown(path)
        try:
            data = _read(path, self.settings.intake.max_file_bytes + 1)
        except OSError as error:
            code = NO_PERMISSION if isinstance(error, PermissionError) else UNREADABLE
            problem = unreadable_problem(code, error.strerror or str(error))
            return CheckedFile(path=shown, data=b"", problems=(problem,))
        is_text = shown.lower().endswith(_NOTES_SUFFIX)
        if is_text and not is_document and is_plain_note(data):
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
        kept = data if examined.problems or shown == (self.stdin_path or _UNNAMED) else b""
        sha256 = hashlib.sha256(data).hexdigest()
        return CheckedFile(
            path=shown, data=kept, problems=examined.problems, sha256=sha256, entry=entry
        )

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

    def _with_rules_on_changes(self, files: list[CheckedFile]) -> list[CheckedFile]:
        """Add what the rules find that compare a file with the version before it.

        They need a store; without one the service finds it later.
        """
        names = {identity(file.path, self.settings): file for file in files if file.entry}
        hashes = {name: file.sha256 for name, file in names.items()}
        more: dict[str, tuple[Problem, ...]] = {}

        def has_content(name: str, version: Any) -> bool:
            entry = names[name].entry
            return entry is not None and (entry.metadata, entry.body_sha256) == (
                version.metadata,
                version.body_sha256,
            )

        def ask(reader: Reader) -> list[tuple[str, dict[str, Any], str]]:
            return reader.versions_before(hashes, has_content)

        before = ask_store(self.settings, ask) if hashes else None
        for name, metadata, body in before or ():
            more[names[name].path] = self._compare(names[name], metadata, body)
        return [self._with_more(f, more[f.path]) if more.get(f.path) else f for f in files]

    def _compare(
        self, file: CheckedFile, metadata: dict[str, Any], body: str
    ) -> tuple[Problem, ...]:
        from worker.domain.rules.context import check_against
        from worker.domain.seeds.seed import Seed, parse_seed

        seed = parse_seed(self._data_of(file))
        if not isinstance(seed, Seed):  # it was written meanwhile
            return ()
        return check_against(metadata, body, seed, self.rules)

    def _with_library_rules(self, files: list[CheckedFile]) -> list[CheckedFile]:
        from worker.domain.rules.library_rules import check_library

        entries = [file.entry for file in files if file.entry is not None]
        found = check_library(entries, self.rules)
        return [
            self._with_more(file, found[file.path]) if file.path in found else file
            for file in files
        ]

    def _with_more(self, file: CheckedFile, more: tuple[Problem, ...]) -> CheckedFile:
        problems = sorted(
            (*file.problems, *more),
            key=lambda problem: (problem.span.line, problem.span.column, problem.code),
        )
        return replace(file, data=self._data_of(file), problems=tuple(problems))

    def _data_of(self, file: CheckedFile) -> bytes:
        """Return a file's content; nothing if it cannot be read any more, and its lines are not shown."""
        if file.data or file.path == _UNNAMED:
            return file.data
        try:
            return _read(file.path, self.settings.intake.max_file_bytes + 1)
        except OSError:
            return b""


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
    return look_up(paths, settings)[0]


def look_up(paths: list[str], settings: Settings) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the files of the paths as `files_of` does, and the ignored names with their reasons.

    A file that is named itself is checked although it is ignored: a draft may become a page.
    """
    looked = dict.fromkeys(_files(paths, settings))
    files = [path for path, reason in looked if reason is None]
    return files, [(path, reason) for path, reason in looked if reason is not None]


def identity(path: str, settings: Settings) -> str:
    """Return the path of a document in the seeds folder, which is the same in every working directory.

    For a file elsewhere, return its path relative to the working directory.
    """
    if path == _UNNAMED:
        return path
    return Path(below_seeds(path, settings) or os.path.relpath(path)).as_posix()


def _files(paths: list[str], settings: Settings) -> Iterator[tuple[str, str | None]]:
    """Yield each file with None, and each ignored name with its reason."""
    from worker.watch.ignore import seed_names
    from worker.watch.ignored import why_ignored

    names = seed_names(settings.seeds, settings.watch)
    for path in paths:
        if path != STANDARD_INPUT and Path(path).is_dir():
            yield from _seeds_below(path, settings)
            continue
        yield path, None
        below = None if path == STANDARD_INPUT else below_seeds(path, settings)
        if below is not None and (reason := why_ignored(names, Path(below).as_posix())):
            yield path, reason


def _seeds_below(folder: str, settings: Settings) -> Iterator[tuple[str, str | None]]:
    """Yield the files that the watcher would read as seeds, and the names that it ignores, in order."""
    from worker.watch.ignore import seed_names
    from worker.watch.ignored import look_through

    # The `.seedignore` in the seeds folder also applies to the folders inside it.
    below = below_seeds(folder, settings)
    root = folder if below is None else str(settings.seeds)
    start = "" if below in {None, os.curdir} else Path(str(below)).as_posix()
    for path, reason in look_through(seed_names(root, settings.watch), start):
        inside = path.removeprefix(start).removeprefix("/")
        shown = str(Path(folder, inside))
        yield (f"{shown}/" if path.endswith("/") else shown), reason


def _read(path: str, most_bytes: int) -> bytes:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read(most_bytes)
    with Path(path).open("rb") as file:
        return file.read(most_bytes)
