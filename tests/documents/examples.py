"""The examples of the documents: finds, runs and compares them, and writes their output again.

An example is a fence of the language `console`: lines that begin with `$ ` are commands, and what
follows each is its output. A line that ends with a backslash goes on in the next. The commands of one
document run in order in one folder that holds the seeds and the settings of this checkout. Called by
the tests and by `python -m tests.documents`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from documents import ROOT, fences, read

PROMPT = "$ "
#: A command that takes longer than this does not end.
LONGEST_SECONDS = 100
#: Where the examples ran, as the documents show it.
SHOWN_FOLDER = "/home/asha/content-sync"
#: The program of this environment is the one to run, whatever project the folder belongs to.
_PRELUDE = 'uv() { test "$1" = run && shift; "$@"; }\n'

#: What differs from run to run, and what stands for it while two outputs are compared.
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DATE"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "CLOCK"),
    (re.compile(r"\b\d[\d,]*(\.\d+)? ?(ms|s|seconds?|minutes?|hours?|days?)\b"), "DURATION"),
    (re.compile(r"\b(?=[a-z]*\d)[0-9a-f]{12,64}\b"), "HASH"),
    (re.compile(r"\b\d+ MiB free\b"), "SPACE"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A command, the output that the document shows, and where that output stands in it."""

    command: str
    shown: str
    start: int
    end: int


def examples(text: str) -> list[Example]:
    """Return the examples of a document in their order."""
    found: list[Example] = []
    for fence in fences(text):
        if fence.language != "console":
            continue
        if not fence.body.startswith(PROMPT):
            raise ValueError(f"a console block begins without a command: {fence.body[:60]!r}")
        lines = fence.body.splitlines(keepends=True)
        at, index = fence.start, 0
        while index < len(lines):
            command = ""
            while True:
                command += lines[index]
                index += 1
                if not command.endswith("\\\n"):
                    break
            begin = at + len(command)
            output = ""
            while index < len(lines) and not lines[index].startswith(PROMPT):
                output += lines[index]
                index += 1
            at = begin + len(output)
            found.append(Example(command=command[len(PROMPT) :], shown=output, start=begin, end=at))
    return found


def run_examples(document: Path) -> list[str]:
    """Return what the commands of a document print, in their order; each may fail, as it may say so.

    Raises `subprocess.TimeoutExpired` when one does not end.
    """
    with tempfile.TemporaryDirectory(prefix="content-sync-") as scratch:
        folder = Path(scratch).resolve() / "content-sync"
        for file in _files_of_checkout():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, folder / file)
        environment = _environment(home=Path(scratch))
        return [
            _tidy(_run(example.command, folder, environment), folder)
            for example in examples(read(document))
        ]


def masked(output: str) -> str:
    """Return an output without what differs from run to run; runs of blanks and bars are one."""
    for pattern, name in _MASKS:
        output = pattern.sub(name, output)
    return re.sub(r" {2,}", "  ", output)


def rewritten(document: Path) -> str:
    """Return the text of a document with the output of a real run wherever it shows another one."""
    text = read(document)
    outputs = run_examples(document)
    for example, output in reversed(list(zip(examples(text), outputs, strict=True))):
        if masked(example.shown) != masked(output):
            text = text[: example.start] + output + text[example.end :]
    return text


def _files_of_checkout() -> list[Path]:
    """Return the seeds and settings of the repository, without pages that somebody has added to try them."""
    parts = ("seeds", "config")
    listed = ""
    if shutil.which("git") is not None:
        command = ["git", "ls-files", "-z", "--", *parts]
        listed = subprocess.run(
            command, cwd=ROOT, capture_output=True, check=False, encoding="utf-8"
        ).stdout
    if listed:
        named = (Path(name) for name in listed.split("\0") if name)
        return [path for path in named if (ROOT / path).is_file()]
    found = (path for part in parts for path in (ROOT / part).rglob("*") if path.is_file())
    return [path.relative_to(ROOT) for path in found]


def _environment(*, home: Path) -> dict[str, str]:
    """Return the environment of a newcomer: no settings, no colours, nobody's own files."""
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "TZ": "UTC",
    }


def _run(command: str, folder: Path, environment: dict[str, str]) -> str:
    result = subprocess.run(
        ["/bin/sh", "-c", _PRELUDE + command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LONGEST_SECONDS,
        check=False,
        text=True,
        encoding="utf-8",
    )
    return result.stdout


def _tidy(output: str, folder: Path) -> str:
    """Return an output as a document shows it: no blanks at the ends of lines, another folder."""
    lines = output.replace(str(folder), SHOWN_FOLDER).split("\n")
    tidy = "\n".join(line.rstrip() for line in lines).rstrip("\n")
    return f"{tidy}\n" if tidy else ""
