"""CocoIndex 1.x keeps one row a file in SQLite: path, size and text, memoised by the file's fingerprint."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import cocoindex as coco
from asked import answer, places
from cocoindex.connectors import localfs, sqlite
from cocoindex.resources.file import FileLike, PatternFilePathMatcher

SEEDS, STATE = places()
DATABASE = coco.ContextKey[sqlite.ManagedConnection]("pages")


@dataclass
class Page:
    """One row."""

    path: str
    text: str


@coco.lifespan
async def _open(builder: coco.EnvironmentBuilder):
    builder.settings.db_path = STATE / "cocoindex.db"
    builder.provide_with(DATABASE, sqlite.managed_connection(STATE / "pages.sqlite"))
    yield


@coco.fn(memo=True)
async def keep(file: FileLike, table: sqlite.TableTarget[Page]) -> None:
    """Declare the row of one file."""
    table.declare_row(row=Page(path=str(file.file_path.path), text=await file.read_text()))


@coco.fn
async def pages(seeds: pathlib.Path) -> None:
    """Declare the rows of all files."""
    table = await sqlite.mount_table_target(
        DATABASE, "pages", await sqlite.TableSchema.from_class(Page, primary_key=["path"])
    )
    matcher = PatternFilePathMatcher(included_patterns=["**/*.md"])
    files = localfs.walk_dir(seeds, recursive=True, path_matcher=matcher)
    await coco.mount_each(keep, files.items(), table)


app = coco.App(coco.AppConfig(name="pages"), pages, seeds=SEEDS)
answer(app.update_blocking)
