"""Commands for programs that follow the library: `events` and `export`, in JSON Lines."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from worker.cli.options import Flags, read_settings
from worker.cli.output import complain, json_line, print_json
from worker.errors import CursorLostError

if TYPE_CHECKING:
    from worker.domain.folder.cursor import Cursor

POLL_SECONDS = 0.5


class _Cursor(click.ParamType[Any]):
    name = "cursor"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Cursor:
        from worker.domain.folder.cursor import read_cursor

        try:
            return read_cursor(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command
@click.option(
    "--after",
    metavar="[EPOCH:]ID[:HASH]",
    type=_Cursor(),
    default="0",
    help="The last event you processed; 0 for all events.",
)
@click.option("--follow", is_flag=True, help="Wait for new events until Ctrl-C.")
@click.pass_obj
def events(flags: Flags, *, after: Cursor, follow: bool) -> None:
    """Print what happened, for programs: one CloudEvent per line.

    The oldest comes first. Continue with --after and the last event you processed: no event is skipped. A
    new program reads `content-sync export` first, and continues after its checkpoint. With EPOCH and HASH
    (the end of `source`, and `hash`) it is noticed when a backup was restored: then this exits with 1.

    Example: content-sync events --after 120 --follow
    """
    settings = read_settings(flags)
    from worker.domain.folder.cursor import cursor_at
    from worker.library.opened import open_reader

    with open_reader(settings) as reader:
        while True:
            try:
                page = reader.events(after)
            except CursorLostError as error:
                complain(str(error))
                raise click.exceptions.Exit(1) from None
            for event in page:
                sys.stdout.write(json_line(event))
            sys.stdout.flush()
            if page:
                after = cursor_at(page[-1])
            elif follow:
                time.sleep(POLL_SECONDS)
            else:
                return


@click.command
@click.option(
    "--format",
    "form",
    type=click.Choice(("jsonl", "manifest")),
    default="jsonl",
    help="Documents with their bodies, or a list without them.",
)
@click.option("--active", is_flag=True, help="Only documents that may be served (status active).")
@click.pass_obj
def export(flags: Flags, *, form: str, active: bool) -> None:
    """Print the live library, for programs.

    The search of a chatbot can use it. `jsonl` has one document per line, with metadata, hashes, due date
    and body. `manifest` is one list without bodies. Both name the newest event they include: continue
    with `events --after`.

    Example: content-sync export --active > library.jsonl
    """
    settings = read_settings(flags)
    from worker.library.opened import open_reader

    with open_reader(settings) as reader:
        if form == "manifest":
            print_json(reader.export_manifest(active_only=active))
            return
        for document in reader.export_documents(active_only=active):
            sys.stdout.write(json_line(document))
