"""The text of `due` and `owners`: the review calendar, the load of each week, plans, who answers.

As in `worker.cli.views`, each function turns JSON into text, and nothing here prints.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from worker.cli.tables import Listing
from worker.cli.text import count, plain
from worker.cli.views import REVIEW_STYLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: With bars of this length the table fits into 80 columns.
_BAR_CELLS = 30
_LAST = "9999-12-31"
_NUMBERS = {"reviews", "due", "planned"}
_MOST_ORPHANS_SHOWN = 5
_MOST_FREE_WEEKS = 2
_COUNTS = ("overdue", "due", "upcoming")
#: The categories of risk, in the order in which a bar shows them.
_RISK_STYLES = {"A": "red", "B": "yellow", "C": "cyan", "none": "green"}


def calendar(documents: Sequence[dict[str, Any]]) -> RenderableType:
    """Return `due`: the longest overdue first, documents without a due date last."""
    if not documents:
        return Text("No review is due.")
    # A column with nothing in it is left out.
    planned = any(one["planned_on"] for one in documents)
    owned = any(one["owner"] for one in documents)
    columns = ["due", "when", *(["planned"] if planned else []), "path", "title"]
    columns += ["owner"] if owned else []
    table = Listing(columns, key="path", short=["title", *(["owner"] if owned else [])])
    for one in sorted(documents, key=lambda one: (one["due_on"] or _LAST, one["path"])):
        table.add_row(
            plain(one["due_on"]),
            plain(_when(one), REVIEW_STYLES.get(one["state"], "")),
            *([plain(one["planned_on"])] if planned else []),
            plain(one["path"]),
            plain(one["title"]),
            *([plain(one["owner"])] if owned else []),
        )
    return Group(table, Text(f"\n{count(len(documents), 'document')}", style="dim"))


def forecast(answer: dict[str, Any]) -> RenderableType:
    """Return `due --forecast`: what is overdue, a bar for each week up to the last with work, the pace."""
    last = answer["weeks"][-1]["week"]
    mean = f"On average {_rounded(answer['mean'])} a week until {last}"
    pace = f"to keep up with the review frequencies you need {_rounded(answer['pace'])} a week"
    return Group(*_bars(answer), Text(f"\n{mean}; {pace}."))


def proposal(answer: dict[str, Any]) -> RenderableType:
    """Return `due --spread`: what it proposes, the load that results, and what to do next."""
    lines = [
        Text(
            f"{count(answer['moved'], 'review')} earlier than due, {answer['stays']:,} in the week of "
            f"the due date: at most {answer['per_week']:,} a week."
        )
    ]
    if answer["first"]:
        overdue = f"{answer['first']:,} overdue: review these first; the plan leaves room for them."
        lines.append(Text(overdue, style="red"))
    if answer["unfit"]:
        needed = f"{answer['unfit']:,} do not fit: {answer['needed']:,} a week would be enough."
        lines.append(Text(needed, style="bold red"))
    place = plain(answer["file"], "bold")
    written = Text.assemble(
        "\nCheck and edit ", place, ", then store it: content-sync due --apply ", place
    )
    return Group(*lines, Text(), *_bars(answer["load"]), written)


def applied(answer: dict[str, Any]) -> Text:
    """Return `due --apply`, in one line."""
    parts = [f"{count(answer['planned'], 'review')} planned"]
    if answer["taken_back"]:
        parts.append(f"{answer['taken_back']:,} no longer planned")
    if answer["unchanged"]:
        parts.append(f"{answer['unchanged']:,} unchanged")
    if answer["skipped"]:
        parts.append(f"{len(answer['skipped']):,} skipped")
    return Text(", ".join(parts))


def owner_table(answer: dict[str, Any]) -> RenderableType:
    """Return `owners`: a row for each owner, then the first orphaned documents."""
    without = orphans(answer["orphaned"]["paths"], most=_MOST_ORPHANS_SHOWN)
    if not answer["owners"]:
        return Group(*without)
    columns = ["owner", "routes", "documents", *_COUNTS, "next due", "named in"]
    table = Listing(columns, numbers=["documents", *_COUNTS], key="owner", short=["routes"])
    for one in answer["owners"]:
        nobody = one["owner"] is None
        table.add_row(
            Text("nobody", style="bold red") if nobody else plain(one["owner"], "bold"),
            plain(", ".join(one["routes"])) if one["routes"] else Text("no route", style="red"),
            f"{one['documents']:,}",
            *(_number(one[state], REVIEW_STYLES[state]) for state in _COUNTS),
            plain(one["next_due_on"]),
            plain("" if nobody else one["source"], "dim"),
        )
    return Group(table, Text(), *without)


def orphans(paths: Sequence[str], *, most: int | None = None) -> list[Text]:
    """Return `owners --orphaned`: the documents nobody answers for, or that there is none."""
    if not paths:
        return [Text("Somebody answers for every document.", style="green")]
    head = f"Orphaned: {count(len(paths), 'document')}"
    lines = [Text(head, style="bold red"), *(plain(f"  {path}") for path in paths[:most])]
    if more := len(paths) - len(lines) + 1:
        lines.append(Text(f"  and {more:,} more; content-sync owners --orphaned lists all", "dim"))
    return lines


def _number(number: int, style: str) -> Text:
    return Text(f"{number:,}", style=style if number else "dim")


def _bars(answer: dict[str, Any]) -> list[RenderableType]:
    """Return a bar for each week up to the last with work, or a sentence where there is none.

    More than two weeks in a row without a review are one line.
    """
    weeks = list(answer["weeks"])
    ahead = count(len(weeks), "week")
    while weeks and not (weeks[-1]["load"] or weeks[-1]["due"]):
        weeks.pop()
    nothing = [] if weeks else [Text(f"No review falls due in the next {ahead}.")]
    if not (weeks or answer["overdue"] or answer["later"]):
        return list(nothing)
    most = max(answer["overdue"], answer["later"], *(week["load"] for week in weeks), 1)
    planned = any(week["planned"] for week in weeks)
    columns = ["week", "from", "reviews", *(["due", "planned"] if planned else []), ""]
    table = Listing(columns, numbers=[one for one in columns if one in _NUMBERS])
    empty = [Text(), Text()] if planned else []
    if answer["overdue"]:
        table.add_row(
            *(plain("overdue", "red"), Text(), plain(f"{answer['overdue']:,}", "red"), *empty),
            _bar({"overdue": answer["overdue"]}, most, {"overdue": "red"}),
        )
    for free, group in groupby(weeks, key=lambda week: not (week["load"] or week["due"])):
        run = list(group)
        if free and len(run) > _MOST_FREE_WEEKS:
            without = plain(f"{len(run):,} weeks without a review", "dim")
            table.add_row(plain("…", "dim"), Text(), Text(), *empty, without)
            continue
        for week in run:
            style = "" if week["load"] else "dim"
            numbers = [week["load"], *([week["due"], week["planned"]] if planned else [])]
            table.add_row(
                *(plain(week["week"], style), plain(week["from"], style)),
                *(plain(f"{number:,}", style) for number in numbers),
                _bar(week["risks"], most, _RISK_STYLES),
            )
    if answer["later"]:
        table.add_row(
            *(plain("later", "dim"), Text(), plain(f"{answer['later']:,}", "dim"), *empty),
            _bar({"later": answer["later"]}, most, {"later": "dim"}),
        )
    present = {risk for week in weeks for risk in week["risks"]}
    if present <= {"none"}:
        return [table, *nothing]
    legend = Text("  ").join(
        Text.assemble(("━━ ", style), f"risk {risk}" if risk != "none" else "no category")
        for risk, style in _RISK_STYLES.items()
        if risk in present
    )
    return [table, legend]


def _bar(parts: Mapping[str, int], most: int, styles: Mapping[str, str]) -> Text:
    """Return a bar of coloured parts; every number above zero has at least one cell."""
    bar, done = Text(), 0
    for name, style in styles.items():
        if number := parts.get(name, 0):
            done += number
            bar.append("━" * max(1, -(-done * _BAR_CELLS // most) - len(bar)), style)
    return bar


def _rounded(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"


def _when(document: dict[str, Any]) -> str:
    days = document["days"]
    if days is None:
        return "unknown"
    if days < 0:
        when = f"{count(-days, 'day')} overdue"
    else:
        when = "today" if days == 0 else f"in {count(days, 'day')}"
    snoozed = document["state"] == "snoozed"
    return f"{when}, snoozed until {document['snoozed_until']}" if snoozed else when
