"""The text of `diff`: what a change means, then its lines, or a bar for each section.

Nothing here prints. Document text goes through `worker.cli.text.plain`. `worker.cli.page` shows the same
change as an HTML page.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.cli.tables import Listing
from worker.cli.text import count, plain
from worker.cli.views import CHANGE_STYLES, RISK_STYLES, field_change, old_and_new
from worker.cli.words import Pair, Segments, pair_lines
from worker.domain.reviews.instants import local_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: A terminal of this width has room for both versions side by side.
SIDE_BY_SIDE_COLUMNS = 140
#: Rich takes half a millisecond for a row of a table, and nobody reads more rows than this.
_MOST_ROWS = 5_000
_BAR_CELLS = 40
_SECTION_STYLES = {"added": "green", "removed": "red", "changed": "yellow"}
_MARK = " reverse"
_CLOSING = frozenset(".,;:!?)]")


def difference(diff: Mapping[str, Any], zone: tzinfo, *, width: int = 0) -> RenderableType:
    """Return `diff`: side by side where a terminal of `width` columns has room, else unified."""
    hunks = list(pair_lines(diff["hunks"]))
    if width >= SIDE_BY_SIDE_COLUMNS and sum(map(len, hunks)) <= _MOST_ROWS:
        return Group(heading(diff, zone), *_side_by_side(diff["hunks"], hunks, width))
    lines = [heading(diff, zone)]
    for hunk, pairs in zip(diff["hunks"], hunks, strict=True):
        lines += [_place(hunk), *_unified(pairs)]
    return Text("\n").join(lines)


def stat(diff: Mapping[str, Any], zone: tzinfo) -> RenderableType:
    """Return `diff --stat`: for each section that changed, how many lines, also as a bar."""
    sections = diff["sections"]
    most = max((one["lines_added"] + one["lines_removed"] for one in sections), default=0)
    names = ["section", "lines", "bar"]
    table = Listing(names, numbers=["lines"], short=["section"], header=False)
    for one in sections:
        changed = one["lines_added"] + one["lines_removed"]
        cells = min(most, _BAR_CELLS)
        added = round(one["lines_added"] * cells / most) if most else 0
        removed = round(one["lines_removed"] * cells / most) if most else 0
        bar = Text("+" * max(added, 1 if one["lines_added"] else 0), "green")
        bar += Text("−" * max(removed, 1 if one["lines_removed"] else 0), "red")
        table.add_row(_section_name(one), plain(f"{changed:,}"), bar)
    total = f"{count(len(sections), 'section')}, +{diff['lines_added']:,} −{diff['lines_removed']:,} lines"
    return Group(heading(diff, zone, sections=False), table, Text(total, style="dim"))


def heading(diff: Mapping[str, Any], zone: tzinfo, *, sections: bool = True) -> Text:
    """Return the head of every form: versions, kind of change, risk, fields, figures, links, sections."""
    change, risk = diff["change"], diff["risk"]
    title = Text.assemble(
        plain(f"{diff['path']}, {side_name(diff['from'])} → {diff['to']}", "bold"),
        " (",
        plain(change or "no change", CHANGE_STYLES.get(change, "")),
    )
    if risk:
        because = f": {', '.join(diff['reasons'])}" if diff["reasons"] else ""
        title.append(", ").append_text(plain(f"{risk} risk{because}", RISK_STYLES.get(risk, "")))
    lines = [title.append(")"), _dates(diff, zone)]
    lines += [field_change(field) for field in diff["fields"]]
    lines += [_figure(figure) for figure in diff["figures"]]
    lines += [_link(link) for link in diff["links"]]
    if sections:
        lines += [
            Text.assemble(
                plain(f"{one['status']} ", _SECTION_STYLES.get(one["status"], "")),
                _section_name(one),
                plain(f" +{one['lines_added']:,}", "green"),
                plain(f" −{one['lines_removed']:,}", "red"),
            )
            for one in diff["sections"]
        ]
    return Text("\n").join(lines)


def side_name(number: int | str) -> str:
    """Return `version 3`, or `file` for the file on disk."""
    return f"version {number}" if isinstance(number, int) else number


def side_date(side: Mapping[str, Any] | None, zone: tzinfo) -> str:
    """Return when a side of a diff was stored, and its label."""
    if side is None:
        return "nothing"
    if side["stored_at"] is None:
        return f"the file on disk ({side['label']})"
    return f"{local_time(side['stored_at'], zone)} ({side['label']})"


def _dates(diff: Mapping[str, Any], zone: tzinfo) -> Text:
    return plain(f"{side_date(diff['old'], zone)} → {side_date(diff['new'], zone)}", "dim")


def _figure(figure: Mapping[str, Any]) -> Text:
    before, after = figure["before"], figure["after"]
    gap = "" if after[:1] in _CLOSING else " "
    return Text.assemble(
        plain(f"line {figure['line']}: ", "dim"),
        plain(f"{before} " if before else "", "dim"),
        old_and_new(figure["old"], figure["new"], style="bold "),
        plain(f"{gap}{after}" if after else "", "dim"),
    )


def _link(link: Mapping[str, Any]) -> Text:
    return plain(f"link {link['text']}: ", "cyan") + old_and_new(link["old"], link["new"])


def _section_name(section: Mapping[str, Any]) -> Text:
    if not section["heading"]:
        return Text("(before the first heading)", style="dim")
    return plain(f"{'#' * section['level']} {section['heading']}", "bold")


def _place(hunk: Mapping[str, Any]) -> Text:
    old = f"-{hunk['old_start']},{hunk['old_lines']}"
    new = f"+{hunk['new_start']},{hunk['new_lines']}"
    return Text(f"@@ {old} {new} @@", style="cyan")


def _unified(pairs: Sequence[Pair]) -> Iterator[Text]:
    """Yield the lines of a hunk; in each run of changes, removed lines come before added ones."""
    added: list[Text] = []
    for pair in pairs:
        if pair.same and pair.old is not None:
            yield from added
            added = []
            yield Text(" ") + _line(pair.old.segments, "")
            continue
        if pair.old is not None:
            yield Text("-", "red") + _line(pair.old.segments, "red")
        if pair.new is not None:
            added.append(Text("+", "green") + _line(pair.new.segments, "green"))
    yield from added


def _side_by_side(
    hunks: Sequence[Mapping[str, Any]], paired: Sequence[Sequence[Pair]], width: int
) -> Iterator[RenderableType]:
    highest = max((h["old_start"] + h["old_lines"] + h["new_lines"] for h in hunks), default=1)
    digits = len(str(highest + max((h["new_start"] for h in hunks), default=0)))
    text_width = (width - 2 * (digits + 3) - 1) // 2
    for hunk, pairs in zip(hunks, paired, strict=True):
        yield _place(hunk)
        table = Table.grid(padding=(0, 1, 0, 0))
        for _ in range(2):
            table.add_column(justify="right", style="dim", width=digits, no_wrap=True)
            table.add_column(width=text_width, overflow="fold")
        for pair in pairs:
            cells: list[Text] = []
            for side, sign, style in ((pair.old, "-", "red"), (pair.new, "+", "green")):
                if side is None:
                    cells += [Text(), Text()]
                    continue
                style, sign = ("", " ") if pair.same else (style, sign)  # noqa: PLW2901
                cells += [
                    Text(str(side.number)),
                    Text(sign, style) + _line(side.segments, style),
                ]
            table.add_row(*cells)
        yield table


def _line(segments: Segments, style: str) -> Text:
    line = Text()
    for text, changed in segments:
        line.append_text(plain(text, style + _MARK if changed else style))
    return line
