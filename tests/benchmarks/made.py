"""A generated library of any size: pages of about 4 kB in folders of 500, one in a hundred overdue.

The same number gives the same page, and no two pages are equal. Called by the benchmarks alone.
"""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOLDER_FILES = 500
#: How long ago the pages were reviewed, which all is once a year: the overdue ones, and the others.
OVERDUE_DAYS, LONGEST_DAYS = 400, 200
#: What was written within two seconds is hashed again by the next scan, as git does.
_AGE_SECONDS = 3600
_WORDS = """
    patient treatment dose tumour therapy clinical radiation symptom nurse trial care cell study blood
    pain surgery risk drug week result stage doctor family side effect growth tissue body
"""


def make_library(folder: Path, pages: int) -> Path:
    """Write a library of so many pages, all of them an hour old; returns the folder."""
    paragraphs = _paragraphs()
    today, then = datetime.now(UTC).date(), time.time() - _AGE_SECONDS
    for number in range(pages):
        if number % FOLDER_FILES == 0:
            within = folder / f"{number // FOLDER_FILES:04}"
            within.mkdir(parents=True)
        overdue = number % 100 == 0
        days = OVERDUE_DAYS if overdue else number % LONGEST_DAYS
        path = within / f"page-{number:06}.md"
        path.write_bytes(_page(number, today - timedelta(days=days), paragraphs))
        os.utime(path, (then, then))
    return folder


def _page(number: int, reviewed: object, paragraphs: list[str]) -> bytes:
    chosen = (paragraphs[(number * 7 + step * 31) % len(paragraphs)] for step in range(10))
    return (
        f'---\ntitle: "Page {number}"\nversion: v1\nstatus: active\nsource: "NCI"\n'
        f"sourceType: 02_nci_core\nlicense: public_domain\nlastReviewed: '{reviewed}'\n"
        f"reviewFrequency: annual\naudienceLevel: patient\nlanguage: en\n"
        f'url: "https://example.org/{number}"\ntags: [page, made]\nowner: team\n---\n\n'
        f"# Page {number}\n\nThis is page {number}.\n\n{chr(10).join(chosen)}"
    ).encode()


def _paragraphs() -> list[str]:
    chance, words = random.Random(4), _WORDS.split()
    return [f"{' '.join(chance.choices(words, k=58)).capitalize()}.\n" for _ in range(997)]
