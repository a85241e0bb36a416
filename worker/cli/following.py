"""Commands for programs that follow the library: `events` and `export`. JSON Lines, one a line."""

import sys
import time
from enum import StrEnum
from typing import Annotated

import typer

from worker.cli.options import read_settings
from worker.cli.output import json_line, print_json

POLL_SECONDS = 0.5


class ExportFormat(StrEnum):
    """What `export` writes."""

    JSONL = "jsonl"
    MANIFEST = "manifest"


def events(
    ctx: typer.Context,
    after: Annotated[
        int, typer.Option("--after", min=0, help="The last event that you have; 0 for all.")
    ] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for more, until you end it with Ctrl-C.")
    ] = False,
) -> None:
    """Print what happened, for programs: a CloudEvent a line.

    Oldest first. Keep the id of the last line and go on behind it: no event is missed, in whatever order
    documents were stored. A program that begins takes `content-sync export` first.

    Example: content-sync events --after 120 --follow
    """
    settings = read_settings(ctx)
    from worker.processes import open_services

    with open_services(settings) as services:
        while True:
            page = services.events(after)
            for event in page:
                sys.stdout.write(json_line(event))
            sys.stdout.flush()
            if page:
                after = int(page[-1]["id"])
            elif follow:
                time.sleep(POLL_SECONDS)
            else:
                return


def export(
    ctx: typer.Context,
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="Documents with their text, or a list of them without."),
    ] = ExportFormat.JSONL,
    active: Annotated[
        bool, typer.Option("--active", help="Only documents that may be served: status active.")
    ] = False,
) -> None:
    """Print the live library, for programs.

    The search behind a chatbot is one. `jsonl` is a document a line, with metadata, hashes, due date
    and text; `manifest` is one list without texts. Each names the newest event that it holds: go on
    with `events --after`.

    Example: content-sync export --active > library.jsonl
    """
    settings = read_settings(ctx)
    from worker.processes import open_services

    with open_services(settings) as services:
        if form is ExportFormat.MANIFEST:
            print_json(services.export_manifest(active_only=active))
            return
        for document in services.export_documents(active_only=active):
            sys.stdout.write(json_line(document))
