"""The text of `status`: the library at a glance.

As in `worker.cli.views`, it turns JSON into text, and nothing here prints.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from rich.text import Text

from worker.cli.tables import Listing
from worker.cli.text import count, plain
from worker.cli.views import ANSWERS, NOTICE_STYLES, REVIEW_STYLES, refusal_line
from worker.domain.reviews.instants import ago, is_future, local_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

_BAR_CELLS = 30
_MOST_REFUSED_SHOWN = 5
_MOST_UNSEEN_SHOWN = 3
#: A running watcher reports every few seconds.
_SILENT_AFTER = timedelta(minutes=1)


def glance(
    status: dict[str, Any],
    refusals: Sequence[dict[str, Any]],
    *,
    zone: tzinfo,
    now: datetime,
) -> RenderableType:
    """Return `status`: one labelled line for each subject, a bar for each review state, refused files."""
    documents = status["documents"]
    library = f"{count(documents['live'], 'document')}, {count(status['versions'], 'version')}"
    if documents["retired"]:
        library += f"; {documents['retired']:,} retired"
    subjects: list[tuple[str, Sequence[Text]]] = [
        ("Library", [Text(library)]),
        ("Reviews", _review_bars(status["review"])),
        ("Refused", _refused(refusals)),
        ("Notices", [_notice_counts(status["notices"])]),
        ("Watcher", [_watcher(status["watcher"], zone=zone, now=now)]),
        ("Schedule", [_schedule(status, zone=zone, now=now)]),
    ]
    lines = Listing(["subject", "state"], prose="state", header=False)
    for name, texts in subjects:
        for number, text in enumerate(texts):
            lines.add_row(Text("" if number else name, style="bold"), text)
    for one in status["failing"]:
        failing = f"{one['channel']} since {local_time(one['since'], zone)}: {one['error']}"
        lines.add_row(Text("Failing", style="bold red"), plain(failing, "red"))
    if ahead := _ahead(status, now=now):
        lines.add_row(Text("Clocks", style="bold red"), ahead)
    if unseen := status["unseen"]:
        lines.add_row(Text("Unseen", style="bold red"), _unseen(unseen))
    for what, answer in ANSWERS.items():
        if number := status["held"][what]:
            held = f"{count(number, what.removesuffix('s'))}: {answer}"
            lines.add_row(Text("Held", style="bold red"), Text(held, style="bold red"))
    return lines


def _refused(refusals: Sequence[dict[str, Any]]) -> list[Text]:
    if not refusals:
        return [Text("none", style="green")]
    shown = [refusal_line(one["path"], one["problems"]) for one in refusals[:_MOST_REFUSED_SHOWN]]
    if len(refusals) > len(shown):
        more = f"and {len(refusals) - len(shown):,} more; content-sync validate lists all"
        shown.append(Text(more, style="dim"))
    return [Text(count(len(refusals), "file"), style="red"), *shown]


def _review_bars(review: dict[str, int]) -> list[Text]:
    total = sum(review.values())
    names = max(map(len, review), default=0)
    digits = max((len(f"{number:,}") for number in review.values()), default=0)
    bars = []
    for state, number in review.items():
        style = REVIEW_STYLES.get(state, "")
        cells = -(-number * _BAR_CELLS // total) if total else 0
        bar = plain(state.ljust(names), style if number else "dim")
        bar.append(f" {number:>{digits},}")
        bars.append(bar.append(" " + "━" * cells, style) if cells else bar)
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
    ahead = seen_at is not None and is_future(now - datetime.fromisoformat(seen_at))
    healthy = watcher["state"] in {"watching", "polling"} and not silent and not ahead
    parts = [plain(watcher["state"], "green" if healthy else "red")]
    if watcher["state"] == "stopped":
        parts.append(Text(f" since {local_time(seen_at, zone)}", "red"))
    elif silent:
        parts.append(Text(f", but silent since {local_time(seen_at, zone)}", "red"))
    if scanned := watcher["last_scan"]:
        parts.append(Text(f", scanned the whole folder {_when(scanned, zone=zone, now=now)}"))
    if unjudged := watcher.get("unjudged"):
        parts.append(plain(f"; {count(unjudged, 'file')} to judge again", "yellow"))
    if leader := watcher.get("leader"):
        since = local_time(leader["since"], zone)
        parts.append(plain(f"; {leader['host']} (process {leader['pid']}) leads since {since}"))
    parts += [
        plain(f"; {one['host']} (process {one['pid']}) stands by")
        for one in watcher.get("stand_by", ())
    ]
    return Text.assemble(*parts)


def _schedule(status: dict[str, Any], *, zone: tzinfo, now: datetime) -> Text:
    """Return when the service last looked for due reviews, and when it last delivered messages."""
    parts = []
    for what, at in (("swept", status["last_sweep"]), ("delivered", status["last_delivery"])):
        if at is None:
            parts.append(Text(f"never {what}", "red"))
        else:
            parts.append(Text(f"{what} {_when(at, zone=zone, now=now)}"))
    return Text(", ").join(parts)


def _ahead(status: dict[str, Any], *, now: datetime) -> Text | None:
    """Return how far the last heartbeats are in the future, if clocks do not agree."""
    beats = (status["watcher"]["seen_at"], status["last_sweep"], status["last_delivery"])
    newest = max((datetime.fromisoformat(at) for at in beats if at is not None), default=now)
    if not is_future(now - newest):
        return None
    line = (
        f"the last heartbeat is {ago(now - newest)}: the clock of a machine was set back, or the clocks "
        "of two machines differ; content-sync doctor names the part"
    )
    return Text(line, style="bold red")


def _unseen(folders: Sequence[dict[str, Any]]) -> Text:
    """Return how many folders cannot be read, and the first of them."""
    names = ", ".join(one["path"] for one in folders[:_MOST_UNSEEN_SHOWN])
    more = (
        f" and {len(folders) - _MOST_UNSEEN_SHOWN:,} more"
        if len(folders) > _MOST_UNSEEN_SHOWN
        else ""
    )
    line = f"{count(len(folders), 'folder')} cannot be read: {names}{more}; content-sync doctor shows all"
    return plain(line, "bold red")


def _when(at: str, *, zone: tzinfo, now: datetime) -> str:
    return f"{ago(now - datetime.fromisoformat(at))} ({local_time(at, zone)})"
