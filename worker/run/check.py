"""One check of `doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One result: what was checked, whether it is well, and what was found."""

    name: str
    ok: bool
    detail: str
