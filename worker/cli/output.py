"""How a command answers: JSON on standard output, complaints on standard error, not found.

All output of the program goes through `Output`. Light on purpose: nothing here imports Rich.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from worker.cli.document_paths import candidates
from worker.domain.seeds.visible import UNSAFE, visible
from worker.errors import ContentSyncError

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.library.reader import Reader
    from worker.settings.model import Settings

#: JSON escapes C0 controls itself; these could still steer a terminal, or are not valid UTF-8.
_STEERING = re.compile(UNSAFE.pattern.replace("\x00-\x1f", ""))
_MOST_PATHS_COMPARED = 20_000
_LEAST_LETTERS = 4
#: What stands for our own signs where a terminal knows ASCII alone, or lacks just these.
_SIGNS = "…→✓✗─━−–—‘’“”"  # noqa: RUF001 - meant as they are
_ASCII = dict(zip(map(ord, _SIGNS), ("...", "->", *"+x-=---''\"\""), strict=True))


class OutputError(ContentSyncError, OSError):
    """Standard output cannot be written: its disk is full, for one."""


class Output(io.TextIOBase):
    """Standard output or standard error, which takes every character, and says so where it takes none.

    Standard error that cannot be written is no reason to fail. It has no `buffer`: Click would write UTF-8
    into that where the encoding is ASCII. So what Click writes as bytes, completions for shells, comes here.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        """Write to `stream`, from now on with ASCII for what its encoding lacks."""
        stream.reconfigure(errors="ascii-signs")
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a mere attribute there
        """Return what the stream turns text into."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """Return how it writes what its encoding lacks."""
        return self._stream.errors

    def write(self, text: str | bytes) -> int:
        """Write the text; raise `OutputError` where that fails, `BrokenPipeError` where nobody reads."""
        if not isinstance(text, str):
            if not text:
                raise TypeError("this is a stream of text")  # how Click asks
            text = text.decode()
        try:
            return self._stream.write(text)
        except OSError as error:
            self._failed(error)
            return len(text)

    def flush(self) -> None:
        """Write what waits, as `write` does."""
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if self._stream is sys.__stderr__:
            give_up_output(self._stream)
        elif isinstance(error, BrokenPipeError):
            raise error
        else:
            raise OutputError(f"cannot write to standard output: {error.strerror}") from error

    def fileno(self) -> int:
        """Return the stream's descriptor."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Return whether a person reads it."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Return that it can be written."""
        return True


def use_for_output() -> None:
    """Let all that this process prints go through `Output`; what was closed goes nowhere."""
    codecs.register_error("ascii-signs", _in_ascii)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end
        elif isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, Output(stream))


def give_up_output(stream: TextIO | None = None) -> None:
    """Let what waits for a stream, by default standard output, go nowhere: Python would try it once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, (stream or sys.stdout).fileno())
    os.close(nowhere)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end].translate(_ASCII)
    return signs.encode("ascii", "backslashreplace").decode("ascii"), error.end


def print_json(value: Any) -> None:
    """Print JSON for programs: one line of it, or indented where standard output is a terminal."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not utf8, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write(_STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")


def json_line(value: Any) -> str:
    """Return JSON as one line in ASCII, which no terminal and no reader of lines can mistake."""
    return json.dumps(value, separators=(",", ":")) + "\n"


def complain(message: str) -> None:
    """Print one line on standard error, whatever the message holds; on a terminal, wrap it at words."""
    line = f"content-sync: {visible(message)}"
    if sys.stderr.isatty() and (columns := os.get_terminal_size(sys.stderr.fileno()).columns):
        import textwrap

        line = textwrap.fill(
            line, columns, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    sys.stderr.write(f"{line}\n")


def found(
    reader: Reader,
    settings: Settings,
    path: str,
    look_up: Callable[[str], dict[str, Any] | None],
) -> dict[str, Any]:
    """Return what `look_up` finds of a document, or exit with 1 and a line that says what is near.

    `worker.cli.document_paths` says which document a path means.
    """
    answer = find(settings, path, look_up)
    if answer is None:
        complain(not_found(reader, settings, path))
        raise click.exceptions.Exit(1)
    return answer


def find(
    settings: Settings, path: str, look_up: Callable[[str], dict[str, Any] | None]
) -> dict[str, Any] | None:
    """Return what `look_up` finds of the document that `path` means."""
    found = (look_up(candidate) for candidate in candidates(path, settings))
    return next((answer for answer in found if answer is not None), None)


def not_found(reader: Reader, settings: Settings, path: str) -> str:
    """Say in one line that there is no such document, and which one is near."""
    for candidate in candidates(path, settings):
        if (history := reader.history(candidate)) is not None:
            return f"{candidate} has no such version ({_existing(history['versions'])})"
    near = _nearest(path, reader.list_paths())
    return f"no document at {path}" + (f"; did you mean {near}?" if near else "")


def _existing(versions: list[dict[str, Any]]) -> str:
    numbers = [version["number"] for version in versions]
    if len(numbers) == 1:
        return f"only {numbers[0]} exists"
    return f"{min(numbers)}–{max(numbers)} exist"


def _nearest(path: str, known: list[str]) -> str | None:
    import difflib

    name = path.rsplit("/", 1)[-1]
    same_name = [one for one in known if one.rsplit("/", 1)[-1] == name]
    if same_name:
        return same_name[0]
    stem = name.rsplit(".", 1)[0].lower()
    if len(stem) >= _LEAST_LETTERS and (longer := [one for one in known if stem in one.lower()]):
        return min(longer, key=len)
    # Comparing letters takes about 10 µs a path: not worth it over a very large library.
    near = difflib.get_close_matches(path, known[:_MOST_PATHS_COMPARED], n=1)
    if not near:
        names = {one.rsplit("/", 1)[-1]: one for one in known[:_MOST_PATHS_COMPARED]}
        near = [names[close] for close in difflib.get_close_matches(name, list(names), n=1)]
    return near[0] if near else None
