"""What shells complete beside commands and options: documents, rules and routes.

A completion reads the settings and the seeds folder, and opens no store. `worker.cli.options` and the
commands name these functions as their `shell_complete`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from worker.errors import ContentSyncError

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from worker.settings.model import Settings


def documents(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the documents in the seeds folder; let the shell complete files when none matches.

    In a folder inside the seeds folder paths begin there, so the shell knows them.
    """
    from click.shell_completion import CompletionItem

    from worker.cli.document_paths import below_seeds
    from worker.cli.inspection import files_of
    from worker.domain.seeds.visible import UNSAFE

    found: list[str] = []
    settings = _settings(ctx)
    if settings is not None and below_seeds(os.curdir, settings) in {None, os.curdir}:
        folder = settings.seeds / os.path.dirname(incomplete)  # noqa: PTH120 - "sub/" has one too
        files = files_of([str(folder)], settings) if folder.is_dir() else []
        paths = (Path(os.path.relpath(file, settings.seeds)).as_posix() for file in files)
        found = [path for path in paths if path.startswith(incomplete) and not UNSAFE.search(path)]
    if not found:
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(path) for path in found]


def rules(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the codes and the names of rules."""
    from click.shell_completion import CompletionItem

    from worker.domain.seeds.codes import CODES

    wanted = incomplete.lower()
    codes = [CompletionItem(code, help=name) for code, (name, _) in CODES.items()]
    names = [CompletionItem(name, help=code) for code, (name, _) in CODES.items()]
    return [item for item in (*codes, *names) if item.value.lower().startswith(wanted)]


def routes(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the routes of the settings."""
    from click.shell_completion import CompletionItem

    settings = _settings(ctx)
    names = settings.routes if settings is not None else ()
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _settings(ctx: click.Context) -> Settings | None:
    """Return the settings with the flags typed so far, or None when they are unusable."""
    from worker.settings.model import load_settings

    typed = ctx.find_root().params  # the callback that reads them does not run in a completion
    if typed["config"] is not None:
        os.environ["CONTENT_SYNC_CONFIG"] = str(typed["config"])
    try:
        return load_settings(seeds=typed["seeds"])
    except ContentSyncError:
        return None
