"""The text of the commands that show the library, from the JSON of `worker.library.reader`.

Nothing here prints. Document text and file names go through `worker.cli.text.plain`.
"""

from __future__ import annotations

import shlex
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from worker.cli.tables import Listing
from worker.cli.text import count, plain
from worker.domain.changes.summary import changes_in_words
from worker.domain.reviews.instants import local_time
from worker.domain.seeds.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from worker.ingest.outcomes import SyncReport

REVIEW_STYLES = {
    "current": "green",
    "upcoming": "cyan",
    "due": "yellow",
    "overdue": "red",
    "escalated": "bold red",
    "snoozed": "blue",
    "unknown": "magenta",
    "exempt": "dim",
}
STATUS_STYLES = {"active": "green", "deprecated": "red", "inactive": "yellow"}
NOTICE_STYLES = {"pending": "yellow", "sent": "green", "failed": "bold red", "cancelled": "dim"}
CHANGE_STYLES = {"content": "yellow", "metadata": "cyan", "review": "green", "cosmetic": "dim"}
RISK_STYLES = {"high": "bold red", "medium": "yellow", "low": "dim"}
_OUTCOME_STYLES = {
    "ok": "green",
    "refused": "bold red",
    "not served": "red",
    "nothing": "bold red",
    "served": "green",
    "failed": "bold red",
    "waiting": "yellow",
    "cancelled": "dim",
}


ASK_TO_APPROVE = "if the files are meant to be gone, run content-sync approve"
#: What may be held, and what to do about it.
ANSWERS = {
    "removals": ASK_TO_APPROVE,
    "refusals": "the last good versions stay published; fix the files, or run content-sync approve"
    " to notify whoever answers for them",
}

#: Rich takes a second for a megabyte; a larger page is shown as it was written.
_MOST_MARKDOWN_CHARACTERS = 2_000_000


def held_table(held: dict[str, Any], zone: tzinfo) -> RenderableType:
    """Return `approve --show`: the documents that would retire, and those whose newest file is refused."""
    shown: list[RenderableType] = []
    for what, answer in ANSWERS.items():
        if not held[what]:
            continue
        about = "title" if what == "removals" else "problem"
        table = Listing(["path", about], key="path", prose=about)
        for one in held[what]:
            problems = one.get("problems")
            table.add_row(
                plain(one["path"]), _first_error(problems) if problems else plain(one["title"])
            )
        number = (
            f"{count(len(held[what]), what.removesuffix('s'))}, {held['live']:,} documents live"
        )
        since = local_time(held["since"], zone)
        command = f"content-sync approve {held['ids'][what]}"
        todo = answer.replace("content-sync approve", command)
        shown += [table, Text(f"\n{number}, held since {since}: {todo}")]
    return Group(*shown) if shown else Text("Nothing is held.")


def refusal_line(path: str, problems: Sequence[dict[str, Any]]) -> Text:
    """Return a refused file, where its first error is, and what it is."""
    line = _errors(problems)[0]["line"]
    return Text.assemble(plain(f"{path}:{line}: ", "bold"), _first_error(problems))


def _first_error(problems: Sequence[dict[str, Any]]) -> Text:
    """Return the first error and how many more there are; warnings do not refuse a file."""
    first, *others = _errors(problems)
    more = f" (and {count(len(others), 'more error')})" if others else ""
    return plain(f"{first['message']} ({first['code']}){more}")


def _errors(problems: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [problem for problem in problems if problem["severity"] == "error"]


def document_table(documents: Sequence[dict[str, Any]]) -> RenderableType:
    """Return `list`."""
    if not documents:
        return Text("No documents.")
    planned = any(one.get("planned_on") for one in documents)
    columns = ("status", "version", "due", *(["planned"] if planned else []), "review")
    table = Listing(["path", "title", *columns], key="path", short=["title"])
    for one in documents:
        gone = one["state"] == "retired"
        review = "retired" if gone else one["review_state"]
        table.add_row(
            plain(one["path"], "dim" if gone else ""),
            plain(one["title"], "dim" if gone else ""),
            plain(one["status"], STATUS_STYLES.get(one["status"], "")),
            plain(f"{one['number']} ({one['version']})"),
            plain(one["due_on"]),
            *([plain(one.get("planned_on"))] if planned else []),
            plain(review, REVIEW_STYLES.get(review, "dim")),
        )
    return Group(table, Text(f"\n{count(len(documents), 'document')}", style="dim"))


def version_table(history: dict[str, Any], zone: tzinfo) -> RenderableType:
    """Return `history`: what changed in each version, in a few words."""
    columns = ["number", "label", "stored", "change", "risk", "what"]
    table = Listing(columns, numbers=["number"], short=["label"], prose="what")
    for one in history["versions"]:
        first = one["number"] == 1
        table.add_row(
            plain(one["number"]),
            plain(one["label"]),
            plain(local_time(one["stored_at"], zone)),
            plain(one["change"], CHANGE_STYLES.get(one["change"], "")),
            plain("" if first else one["risk"], RISK_STYLES.get(one["risk"], "")),
            plain(f"first version, {count(one['lines_added'], 'line')}", "dim")
            if first
            else Text("; ").join(_change(*change) for change in changes_in_words(one)),
        )
    return Group(plain(history["path"], "bold"), table, *_before(history["before"], zone))


def _before(before: Sequence[dict[str, Any]], zone: tzinfo) -> list[Text]:
    """Return how to see the last document that lived at the path before, if there was one."""
    if not before:
        return []
    at = datetime.fromisoformat(before[0]["at"]).astimezone(zone).isoformat()
    command = f"content-sync history {shlex.quote(before[0]['path'])} --at {at}"
    more = f" (and {len(before) - 1:,} more before)" if len(before) > 1 else ""
    line = f"Before, another document lived here: {command}{more}"
    return [Text.assemble("\n", plain(line, "yellow"))]


def _change(what: str, old: str | None, new: str | None) -> Text:
    if old is None and new is None:
        return plain(what)
    return plain(f"{what}: " if what else "", "cyan") + old_and_new(old, new)


def field_change(field: dict[str, Any]) -> Text:
    """Return the old and the new value of a front-matter field."""
    old, new = (None if field[side] is None else _value(field[side]) for side in ("old", "new"))
    return plain(f"{field['field']}: ", "cyan") + old_and_new(old, new)


def old_and_new(old: str | None, new: str | None, *, style: str = "") -> Text:
    """Return `old → new`; where one side is None, the other with `(new)` or `(gone)`."""
    if old is None:
        return Text.assemble(plain(new, f"{style}green"), " (new)")
    if new is None:
        return Text.assemble(plain(old, f"{style}red"), " (gone)")
    return Text.assemble(plain(old, f"{style}red"), " → ", plain(new, f"{style}green"))


def _value(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def document(version: dict[str, Any]) -> RenderableType:
    """Return `show`: rendered Markdown on a terminal, the document as it was written in a pipe."""
    head = Listing(["field", "value"], prose="value", header=False)
    for name, value in version["metadata"].items():
        head.add_row(plain(name, "cyan"), plain(_value(value) if value else ""))
    body = visible(version["body"], lines=True)
    if not sys.stdout.isatty():
        import yaml

        fields = yaml.safe_dump(
            version["metadata"], sort_keys=False, allow_unicode=True, width=sys.maxsize
        )
        return Text(f"---\n{visible(fields, lines=True)}---\n{body.removesuffix(chr(10))}")
    title = plain(f"{version['path']}, version {version['number']}", "bold")
    small = len(body) <= _MOST_MARKDOWN_CHARACTERS
    if not small:
        return Group(title, head, Text(), Text(body))
    from rich.markdown import Markdown  # slow to load

    # Links are written out: a reviewer must see the address that a link opens.
    return Group(title, head, Text(), Markdown(body, hyperlinks=False))


def steps(story: dict[str, Any], zone: tzinfo) -> RenderableType:
    """Return `why`: a line for each step, the oldest first."""
    table = Listing(["at", "step", "outcome", "detail"], short=["outcome"], prose="detail")
    for one in story["steps"]:
        style = _OUTCOME_STYLES.get(one["outcome"], "")
        table.add_row(
            plain(local_time(one["at"], zone), "dim"),
            plain(one["step"]),
            plain(one["outcome"], style),
            plain(one["detail"], "bold" if one["step"] == "served" else ""),
        )
    return Group(plain(story["path"], "bold"), table)


def new_notices(notices: Sequence[dict[str, Any]], *, dry_run: bool) -> RenderableType:
    """Return `remind`."""
    if not notices:
        return Text("No new notices.")
    table = Listing(["due", "stage", "path", "route"], key="path", short=["route"])
    for one in notices:
        table.add_row(
            plain(one["due_on"]),
            plain(one["rung"], REVIEW_STYLES.get(one["stage"], "")),
            plain(one["path"]),
            plain(one["route"]),
        )
    verb = "would be sent" if dry_run else "will be sent"
    return Group(
        table, Text(f"\n{count(len(notices), 'notice')} {verb}, one digest for each route.")
    )


def notice_table(
    notices: Sequence[dict[str, Any]], zone: tzinfo, *, more: bool = False
) -> RenderableType:
    """Return `notices`; `more` if there are older ones."""
    if not notices:
        return Text("No notices.")
    # A column with nothing in it is left out.
    late = [
        name
        for name, stored in (("sent", "sent_at"), ("error", "error"))
        if any(one[stored] for one in notices)
    ]
    table = Listing(
        ["id", "about", "path", "route", "state", "tries", *late],
        numbers=["id", "tries"],
        key="path",
        short=["route"],
        prose="error" if "error" in late else None,
    )
    for one in notices:
        texts = {
            "sent": plain(local_time(one["sent_at"], zone)),
            "error": plain(one["error"], "red"),
        }
        table.add_row(
            plain(one["id"]),
            plain(one["rung"] or one["kind"], REVIEW_STYLES.get(one["stage"], "")),
            plain(one["path"]),
            plain(f"{one['route']} ({one['channel']})"),
            plain(one["state"], NOTICE_STYLES.get(one["state"], "")),
            plain(one["attempts"]),
            *(texts[name] for name in late),
        )
    end = count(len(notices), "notice")
    if more:
        end = f"the newest {end}; older ones: --before {notices[-1]['id']}, all: --limit 0"
    return Group(table, Text(f"\n{end}", style="dim"))


def sync_counts(counts: dict[str, Any], *, dry_run: bool) -> RenderableType:
    """Return the counts of `sync`; zeros are dimmed."""
    table = Listing(["number", "what"], numbers=["number"], header=False)
    for name, number in counts.items():
        if name == "seconds" or (name == "judged_again" and not number):
            continue
        style = "dim" if not number else "red" if name == "refused" else ""
        table.add_row(Text(f"{number:,}", style=style), plain(name.replace("_", " "), style))
    note = " Nothing was stored: this was a dry run." if dry_run else ""
    return Group(table, Text(f"in {counts['seconds']:.2f} s.{note}", style="dim"))


def sync_findings(report: SyncReport) -> list[Text]:
    """Return a line for each file that `sync` did not store, and one for held removals."""
    lines = []
    for path, problems in report.refusals:
        lines.append(Text.assemble(("refused ", "red"), refusal_line(path, problems)))
    lines += [_finding("busy", "yellow", path, reason) for path, reason in report.busy]
    lines += [_finding("not read", "yellow", path, reason) for path, reason in report.unsure]
    lines += [_finding("ignored", "dim", path, reason) for path, reason in report.ignored]
    if report.held:
        held = f"{count(report.held, 'removal')} held: {ASK_TO_APPROVE}"
        lines.append(Text(held, style="bold red"))
    return lines


def _finding(word: str, style: str, path: str, reason: str) -> Text:
    return Text.assemble((f"{word} ", style), plain(path, "bold"), plain(f": {reason}"))
