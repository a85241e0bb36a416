"""What commands show of the review calendar: its days, its load by week, plans.

Like `worker.cli.views`: each function turns JSON into text, and nothing is printed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from worker.cli.text import count, plain, table_of
from worker.cli.views import REVIEW_STYLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: With it the table fits into 80 columns.
_BAR_CELLS = 30
_LAST = "9999-12-31"
#: The categories of risk from the bottom of a bar to its end.
_RISK_STYLES = {"A": "red", "B": "yellow", "C": "cyan", "none": "green"}


def calendar(documents: Sequence[dict[str, Any]]) -> RenderableType:
    """Return `due`: the longest overdue first, and last what nobody knows the due date of."""
    if not documents:
        return Text("No review is due.")
    # Most libraries plan nothing: a column of nothing is left out.
    planned = any(one["planned_on"] for one in documents)
    columns = ["due", "when", *(["planned"] if planned else []), "path", "title", "owner"]
    table = table_of(*columns, whole=("due", "when", "planned"))
    for one in sorted(documents, key=lambda one: (one["due_on"] or _LAST, one["path"])):
        table.add_row(
            plain(one["due_on"]),
            plain(_when(one), REVIEW_STYLES.get(one["state"], "")),
            *([plain(one["planned_on"])] if planned else []),
            plain(one["path"]),
            plain(one["title"]),
            plain(one["owner"]),
        )
    return Group(table, Text(f"\n{count(len(documents), 'document')}", style="dim"))


def forecast(answer: dict[str, Any]) -> RenderableType:
    """Return `due --forecast`: a bar a week, what is overdue first, and what a week needs."""
    weeks = answer["weeks"]
    return Group(
        _bars(answer),
        Text(
            f"\n{_rounded(answer['mean'])} a week on average until {weeks[-1]['week']}; to keep up "
            f"with how often each is to be reviewed you need {_rounded(answer['pace'])} a week."
        ),
    )


def proposal(answer: dict[str, Any]) -> RenderableType:
    """Return `due --spread`: what is proposed, the load that it makes, and what to do next."""
    lines = [
        Text(
            f"{count(answer['moved'], 'review')} earlier than due and {answer['stays']:,} as due: "
            f"at most {answer['per_week']:,} a week."
        )
    ]
    if answer["first"]:
        overdue = f"{answer['first']:,} overdue: review first. They take the first places."
        lines.append(Text(overdue, style="red"))
    if answer["unfit"]:
        needed = f"{answer['unfit']:,} do not fit: {answer['needed']:,} a week would do."
        lines.append(Text(needed, style="bold red"))
    place = plain(answer["file"], "bold")
    written = Text.assemble("\nLook over ", place, "; to keep it: content-sync due --apply ", place)
    return Group(*lines, Text(), _bars(answer["load"]), written)


def applied(answer: dict[str, Any]) -> Text:
    """Return `due --apply`, in one line."""
    parts = [f"{count(answer['planned'], 'review')} planned"]
    if answer["taken_back"]:
        parts.append(f"{answer['taken_back']:,} taken back")
    if answer["unchanged"]:
        parts.append(f"{answer['unchanged']:,} as before")
    if answer["skipped"]:
        parts.append(f"{len(answer['skipped']):,} skipped")
    return Text(", ".join(parts))


def _bars(answer: dict[str, Any]) -> RenderableType:
    weeks = answer["weeks"]
    most = max(answer["overdue"], answer["later"], *(week["load"] for week in weeks), 1)
    planned = any(week["planned"] for week in weeks)
    columns = ["week", "from", "reviews", *(["due", "planned"] if planned else []), ""]
    table = table_of(*columns, numbers=("reviews", "due", "planned"), whole=("week", "from", ""))
    empty = [Text(), Text()] if planned else []
    if answer["overdue"]:
        table.add_row(
            *(plain("overdue", "red"), Text(), plain(f"{answer['overdue']:,}", "red"), *empty),
            _bar({"overdue": answer["overdue"]}, most, {"overdue": "red"}),
        )
    for week in weeks:
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
        return table
    legend = Text("  ").join(
        Text.assemble(("━━ ", style), f"risk {risk}" if risk != "none" else "no category")
        for risk, style in _RISK_STYLES.items()
        if risk in present
    )
    return Group(table, legend)


def _bar(parts: Mapping[str, int], most: int, styles: Mapping[str, str]) -> Text:
    """Return a bar of coloured parts; the smallest number still shows one cell."""
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
