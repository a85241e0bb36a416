"""Fingerprints of findings, and the baseline: the file of those that a team accepts.

A fingerprint is computed from the document, the code and the words at the finding, so it stays the same
when lines move. With a baseline, `validate` reports only the new findings of an old library. The
service ignores baselines and refuses every file with an error.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.domain.seeds.problem import Problem, Span

VERSION = 1
_LENGTH = 16  # 64 bits: two findings of a library never get the same
_LINE_END = re.compile(r"\r\n?|\n")
_FENCE = "---"


def fingerprints(identity: str, data: bytes, problems: Sequence[Problem]) -> tuple[str, ...]:
    """Return a fingerprint for each problem of one document, in hexadecimal.

    `identity` is the document's path in the seeds folder; `data` is the content of the file.
    """
    lines = _LINE_END.split(data.decode("utf-8-sig", errors="replace"))
    seen: Counter[tuple[str, str]] = Counter()
    result = []
    for problem in problems:
        text = _text_at(lines, problem.span).strip()
        if text in {"", _FENCE}:
            # A missing field is reported at the fence, which says nothing about it. The message does,
            # but its counts and dates may change.
            text = re.sub(r"[0-9]+", "#", problem.message)
        seen[problem.code, text] += 1
        parts = (identity, problem.code, text, str(seen[problem.code, text]))
        digest = hashlib.sha256("\0".join(parts).encode(errors="surrogateescape"))
        result.append(digest.hexdigest()[:_LENGTH])
    return tuple(result)


def _text_at(lines: Sequence[str], span: Span) -> str:
    inside = list(lines[span.line - 1 : span.end_line])
    if not inside or span.end_line > len(lines):
        return ""
    inside[-1] = inside[-1][: span.end_column - 1]
    inside[0] = inside[0][span.column - 1 :]
    return "\n".join(inside)


def read_baseline(path: Path) -> frozenset[str]:
    """Return the fingerprints in a baseline; raise `ConfigurationError` when it is unusable."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the baseline {path.absolute()} cannot be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"the baseline {path} is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ConfigurationError(f"{path} is not a baseline; make one with --write-baseline {path}")
    return frozenset(_fingerprints_in(path, content.get("findings")))


def _fingerprints_in(path: Path, findings: Any) -> Iterable[str]:
    of_files = list(findings.values()) if isinstance(findings, dict) else [None]
    for of_file in of_files:
        if not isinstance(of_file, list) or not all(isinstance(one, str) for one in of_file):
            raise ConfigurationError(
                f"{path} is not a baseline: its findings are not lists of strings"
            )
        yield from (one.rpartition(" ")[2] for one in of_file)


def write_baseline(path: Path, found: Iterable[tuple[str, str, str]]) -> None:
    """Write (document, code, fingerprint) of each finding, sorted, and replace the file at once."""
    findings: dict[str, list[str]] = {}
    for identity, code, fingerprint in sorted(set(found)):
        name = identity.encode(errors="backslashreplace").decode()
        findings.setdefault(name, []).append(f"{code} {fingerprint}")
    content = json.dumps({"version": VERSION, "findings": findings}, indent=1, ensure_ascii=False)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_text(f"{content}\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
