"""What commands show of the library: each function turns the JSON of `worker.library.reader` into text.

Nothing is printed here. Document text and file names go through `worker.cli.text.plain`.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.cli.text import ago, count, local_time, plain, table_of
from worker.domain.changes.summary import changes_in_words
from worker.domain.seeds.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

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
#: What is held, and how to answer.
_ANSWERS = {
    "removals": ASK_TO_APPROVE,
    "refusals": "the last good versions stay: fix the files; to have each told to whoever answers"
    " for it, run content-sync approve",
}

_BAR_CELLS = 30
_MOST_REFUSED_SHOWN = 5
#: A watcher says every few seconds that it lives.
_SILENT_AFTER = timedelta(minutes=1)
#: Rich takes a second a megabyte; a larger page is shown as it was written.
_MOST_MARKDOWN_CHARACTERS = 2_000_000


def glance(
    status: dict[str, Any],
    refusals: Sequence[dict[str, Any]],
    *,
    zone: tzinfo,
    now: datetime,
) -> RenderableType:
    """Return `status`: one labelled line a subject, a bar for each review state, refused files."""
    documents = status["documents"]
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="bold", no_wrap=True)
    lines.add_column(overflow="fold")
    library = f"{count(documents['live'], 'document')}, {count(status['versions'], 'version')}"
    if documents["retired"]:
        library += f"; {documents['retired']:,} retired"
    lines.add_row("Library", library)
    lines.add_row("Reviews", _review_bars(status["review"]))
    lines.add_row("Refused", _refused(refusals))
    lines.add_row("Messages", _notice_counts(status["notices"]))
    for one in status["failing"]:
        failing = f"{one['channel']} since {local_time(one['since'], zone)}: {one['error']}"
        lines.add_row(Text("Failing", style="bold red"), plain(failing, "red"))
    lines.add_row("Watcher", _watcher(status["watcher"], zone=zone, now=now))
    lines.add_row("Clock", _clock(status, zone=zone, now=now))
    for what, answer in _ANSWERS.items():
        if number := status["held"][what]:
            held = f"{count(number, what.removesuffix('s'))}: {answer}"
            lines.add_row(Text("Held", style="bold red"), Text(held, style="bold red"))
    return lines


def held_table(held: dict[str, Any], zone: tzinfo) -> RenderableType:
    """Return `approve --show`: the documents that would be retired, and those that are refused."""
    shown: list[RenderableType] = []
    for what, answer in _ANSWERS.items():
        if not held[what]:
            continue
        table = table_of("path", "title" if what == "removals" else "what is wrong")
        for one in held[what]:
            problems = one.get("problems")
            table.add_row(
                plain(one["path"]), _first_error(problems) if problems else plain(one["title"])
            )
        told = f"{count(len(held[what]), what.removesuffix('s'))}, {held['live']:,} documents live"
        since = local_time(held["since"], zone)
        shown += [table, Text(f"\n{told}, held since {since}: {answer}")]
    return Group(*shown) if shown else Text("Nothing is held.")


def _refused(refusals: Sequence[dict[str, Any]]) -> Text:
    if not refusals:
        return Text("none", style="green")
    shown = [_refusal(one["path"], one["problems"]) for one in refusals[:_MOST_REFUSED_SHOWN]]
    if len(refusals) > len(shown):
        more = f"and {len(refusals) - len(shown):,} more; content-sync validate names all"
        shown.append(Text(more, style="dim"))
    return Text("\n").join([Text(count(len(refusals), "file"), style="red"), *shown])


def _refusal(path: str, problems: Sequence[dict[str, Any]]) -> Text:
    """Return a refused file in one line."""
    line = _errors(problems)[0]["line"]
    return Text.assemble(plain(f"{path}:{line}: ", "bold"), _first_error(problems))


def _first_error(problems: Sequence[dict[str, Any]]) -> Text:
    """Return the first error, for an error is what refuses a file, and how many more there are."""
    first, *others = _errors(problems)
    more = f" (and {count(len(others), 'more error')})" if others else ""
    return plain(f"{first['message']} ({first['code']}){more}")


def _errors(problems: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [problem for problem in problems if problem["severity"] == "error"]


def _review_bars(review: dict[str, int]) -> Table:
    total = sum(review.values())
    bars = Table.grid(padding=(0, 1))
    bars.add_column(no_wrap=True)
    bars.add_column(justify="right", no_wrap=True)
    bars.add_column(no_wrap=True)
    for state, number in review.items():
        style = REVIEW_STYLES.get(state, "")
        cells = -(-number * _BAR_CELLS // total) if total else 0
        bars.add_row(
            plain(state, style if number else "dim"), f"{number:,}", Text("━" * cells, style)
        )
    return bars


def _notice_counts(notices: dict[str, int]) -> Text:
    parts = []
    for state, number in notices.items():
        style = NOTICE_STYLES.get(state, "") if number else "dim"
        parts.append(plain(f"{number:,} {state}", style))
    return Text(", ").join(parts)


def _watcher(watcher: dict[str, Any], *, zone: tzinfo, now: datetime) -> Text:
    seen_at = watcher.get("seen_at")
    silent = seen_at is not None and now - datetime.fromisoformat(seen_at) > _SILENT_AFTER
    healthy = watcher["state"] in {"watching", "polling"} and not silent
    parts = [plain(watcher["state"], "green" if healthy else "red")]
    if silent:
        parts.append(Text(f", but silent since {local_time(seen_at, zone)}", "red"))
    if scanned := watcher["last_scan"]:
        since = ago(now - datetime.fromisoformat(scanned))
        parts.append(Text(f", saw the whole folder {since} ({local_time(scanned, zone)})"))
    if leader := watcher.get("leader"):
        since = local_time(leader["since"], zone)
        parts.append(plain(f"; {leader['host']} (process {leader['pid']}) leads since {since}"))
    parts += [
        plain(f"; {one['host']} (process {one['pid']}) stands by")
        for one in watcher.get("stand_by", ())
    ]
    return Text.assemble(*parts)


def _clock(status: dict[str, Any], *, zone: tzinfo, now: datetime) -> Text:
    """Say when reviews were last looked for, and when messages were last looked after."""
    parts = []
    for what, at in (("swept", status["last_sweep"]), ("delivered", status["last_delivery"])):
        if at is None:
            parts.append(Text(f"never {what}", "red"))
        else:
            since = ago(now - datetime.fromisoformat(at))
            parts.append(Text(f"{what} {since} ({local_time(at, zone)})"))
    return Text(", ").join(parts)


def document_table(documents: Sequence[dict[str, Any]]) -> RenderableType:
    """Return `list`."""
    if not documents:
        return Text("No documents.")
    planned = any(one.get("planned_on") for one in documents)
    columns = ("status", "version", "due", *(["planned"] if planned else []), "review")
    table = table_of("path", "title", *columns, whole=columns)
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
    """Return `history`: what changed with each version, in a few words."""
    table = table_of(
        "number", "label", "stored", "change", "risk", "what",
        numbers=("number",), whole=("label", "stored", "change", "risk"),
    )  # fmt: skip
    for one in history["versions"]:
        first = one["number"] == 1
        table.add_row(
            plain(one["number"]),
            plain(one["label"]),
            plain(local_time(one["stored_at"], zone)),
            plain(one["change"], CHANGE_STYLES.get(one["change"], "")),
            plain("" if first else one["risk"], RISK_STYLES.get(one["risk"], "")),
            plain(f"the first: {count(one['lines_added'], 'line')}", "dim")
            if first
            else Text("; ").join(_change(*change) for change in changes_in_words(one)),
        )
    return Group(plain(history["path"], "bold"), table)


def _change(what: str, old: str | None, new: str | None) -> Text:
    if old is None and new is None:
        return plain(what)
    return plain(f"{what}: " if what else "", "cyan") + old_and_new(old, new)


def field_change(field: dict[str, Any]) -> Text:
    """Return a front-matter field, old and new."""
    old, new = (None if field[side] is None else _value(field[side]) for side in ("old", "new"))
    return plain(f"{field['field']}: ", "cyan") + old_and_new(old, new)


def old_and_new(old: str | None, new: str | None, *, style: str = "") -> Text:
    """Return `old → new`, or what is new or gone where the other side is None."""
    if old is None:
        return Text.assemble(plain(new, f"{style}green"), " (new)")
    if new is None:
        return Text.assemble(plain(old, f"{style}red"), " (gone)")
    return Text.assemble(plain(old, f"{style}red"), " → ", plain(new, f"{style}green"))


def _value(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def document(version: dict[str, Any]) -> RenderableType:
    """Return `show`: Markdown on a terminal, the text as it was written elsewhere."""
    head = table_of("field", "value", whole=("field",))
    head.show_header = False
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

    # Links are written out: a link that shows one address and opens another is no help in a review.
    return Group(title, head, Text(), Markdown(body, hyperlinks=False))


def steps(story: dict[str, Any], zone: tzinfo) -> RenderableType:
    """Return `why`: a line for each step, the oldest first."""
    table = table_of("at", "step", "outcome", "detail", whole=("at", "step", "outcome"))
    for one in story["steps"]:
        style = _OUTCOME_STYLES.get(one["outcome"], "")
        table.add_row(
            plain(local_time(one["at"], zone), "dim"),
            plain(one["step"]),
            plain(one["outcome"], style),
            plain(one["detail"], "bold" if one["step"] == "served" else ""),
        )
    return Group(plain(story["path"], "bold"), table)


def reminders(notices: Sequence[dict[str, Any]], *, dry_run: bool) -> RenderableType:
    """Return `remind`."""
    if not notices:
        return Text("Nobody has to be told of anything new.")
    table = table_of("due", "stage", "path", "route", whole=("due", "stage"))
    for one in notices:
        table.add_row(
            plain(one["due_on"]),
            plain(one["rung"], REVIEW_STYLES.get(one["stage"], "")),
            plain(one["path"]),
            plain(one["route"]),
        )
    verb = "would be sent" if dry_run else "will be sent"
    return Group(table, Text(f"\n{count(len(notices), 'notice')} {verb}, gathered by route."))


def notice_table(notices: Sequence[dict[str, Any]], zone: tzinfo) -> RenderableType:
    """Return `notices`."""
    if not notices:
        return Text("No notices.")
    table = table_of(
        "id", "about", "path", "route", "state", "tries", "sent", "error",
        numbers=("id", "tries"), whole=("about", "state"),
    )  # fmt: skip
    for one in notices:
        table.add_row(
            plain(one["id"]),
            plain(one["rung"] or one["kind"], REVIEW_STYLES.get(one["stage"], "")),
            plain(one["path"]),
            plain(f"{one['route']} ({one['channel']})"),
            plain(one["state"], NOTICE_STYLES.get(one["state"], "")),
            plain(one["attempts"]),
            plain(local_time(one["sent_at"], zone)),
            plain(one["error"], "red"),
        )
    return table


def sync_counts(counts: dict[str, Any], *, dry_run: bool) -> RenderableType:
    """Return the counts of `sync`, those of nothing dimmed."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for name, number in counts.items():
        if name == "seconds":
            continue
        style = "dim" if not number else "red" if name == "refused" else ""
        table.add_row(Text(f"{number:,}", style=style), plain(name, style))
    note = " Nothing was stored: this was a dry run." if dry_run else ""
    return Group(table, Text(f"in {counts['seconds']:.2f} s.{note}", style="dim"))


def sync_findings(report: SyncReport) -> list[Text]:
    """Return a line for every file that `sync` did not store, and for a held removal."""
    lines = []
    for path, problems in report.refusals:
        lines.append(Text.assemble(("refused ", "red"), _refusal(path, problems)))
    lines += [_finding("busy", "yellow", path, reason) for path, reason in report.busy]
    lines += [_finding("not read", "yellow", path, reason) for path, reason in report.unsure]
    lines += [_finding("ignored", "dim", path, reason) for path, reason in report.ignored]
    if report.held:
        held = f"{count(report.held, 'removal')} held: {ASK_TO_APPROVE}"
        lines.append(Text(held, style="bold red"))
    return lines


def _finding(word: str, style: str, path: str, reason: str) -> Text:
    return Text.assemble((f"{word} ", style), plain(path, "bold"), plain(f": {reason}"))
