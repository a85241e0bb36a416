"""Bar 9: eight processes write at once, and the store holds what each was reported."""

from __future__ import annotations

from faults.store import write_at_once

EACH = 100


def test_eight_writers_lose_no_update_and_never_get_a_locked_error(store_url: str):
    verdict = write_at_once(store_url, transactions=EACH)
    assert verdict.wrong == []
    assert verdict.versions > 100
    assert verdict.answers > 50
