"""The command `due`: the review calendar, the load of each week, and plans that spread the load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.cli.options import A_FILE, Flags, as_json, by, on_date, read_settings, who_says
from worker.cli.output import complain, print_json

if TYPE_CHECKING:
    from datetime import date

    from worker.settings.model import Settings

DEFAULT_PLAN = Path("review-plan.csv")
_DEFAULT_WEEKS = 26
_MOST_WEEKS = 520


@click.command
@on_date
@click.option(
    "--within",
    metavar="DAYS",
    type=click.IntRange(min=0),
    help="Only reviews due within DAYS days.",
)
@click.option("--forecast", is_flag=True, help="Show how many reviews fall into each week.")
@click.option(
    "--weeks",
    metavar="N",
    type=click.IntRange(min=1, max=_MOST_WEEKS),
    help=f"Forecast N weeks. [default: {_DEFAULT_WEEKS}]",
)
@click.option("--spread", is_flag=True, help="Write a plan with earlier reviews, for even weeks.")
@click.option(
    "--per-week",
    metavar="N",
    type=click.IntRange(min=1),
    help="At most N reviews a week. [default: as few as possible]",
)
@click.option(
    "--plan",
    metavar="FILE",
    type=A_FILE,
    help=f"Where --spread writes the plan. [default: {DEFAULT_PLAN}]",
)
@click.option("--apply", metavar="FILE", type=A_FILE, help="Store the days of a plan.")
@by
@click.option("--yes", is_flag=True, help="Replace an existing plan.")
@as_json
@click.pass_obj
def due(
    flags: Flags,
    *,
    on: date | None,
    within: int | None,
    forecast: bool,
    weeks: int | None,
    spread: bool,
    per_week: int | None,
    plan: Path | None,
    apply: Path | None,
    by: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Show which reviews are overdue, due, and upcoming.

    The longest overdue come first. --forecast counts reviews by week. --spread proposes earlier
    reviews in a CSV file for you to check and edit; --apply stores that plan. A plan changes no due
    date: only a review does.

    Example: content-sync due --within 30
    """
    _check_combinations(
        {"--within": within is not None, "--forecast": forecast, "--spread": spread,
         "--apply": apply is not None},
        {"--weeks": (weeks is not None, forecast or spread, "with --forecast"),
         "--per-week": (per_week is not None, spread, "with --spread"),
         "--plan": (plan is not None, spread, "with --spread"),
         "--yes": (yes, spread, "with --spread"),
         "--by": (by is not None, apply is not None, "with --apply"),
         # A plan is checked against the day on which it is stored.
         "--on": (on is not None, apply is None, "without --apply")},
    )  # fmt: skip
    settings = read_settings(flags)
    if apply is not None:
        _apply(settings, apply, by=by, as_json=as_json)
    elif spread:
        file = plan or DEFAULT_PLAN
        _spread(settings, file, on, per_week, weeks or _DEFAULT_WEEKS, yes=yes, as_json=as_json)
    elif forecast:
        _forecast(settings, on, weeks or _DEFAULT_WEEKS, as_json=as_json)
    else:
        _calendar(settings, on, within, as_json=as_json)


def _check_combinations(alone: dict[str, bool], needing: dict[str, tuple[bool, bool, str]]) -> None:
    """Raise a usage error for options that exclude each other, or that have no effect."""
    given = [name for name, is_given in alone.items() if is_given]
    if len(given) > 1:
        raise click.BadParameter(f"{given[0]} and {given[1]} exclude each other")
    for name, (is_given, has_meaning, where) in needing.items():
        if is_given and not has_meaning:
            raise click.BadParameter(f"{name} works only {where}")


def _calendar(settings: Settings, on: date | None, within: int | None, *, as_json: bool) -> None:
    from worker.library.opened import open_reader

    with open_reader(settings) as reader:
        documents = reader.due(on=on, within_days=within)
    if as_json:
        print_json(documents)
        return
    from worker.cli import text, views_reviews

    text.show(views_reviews.calendar(documents))


def _forecast(settings: Settings, on: date | None, weeks: int, *, as_json: bool) -> None:
    from worker.library.opened import open_reader
    from worker.library.review_plan import forecast_load

    with open_reader(settings) as reader:
        answer = forecast_load(reader, on=on, weeks=weeks)
    if as_json:
        print_json(answer)
        return
    from worker.cli import text, views_reviews

    text.show(views_reviews.forecast(answer))


def _spread(
    settings: Settings,
    file: Path,
    on: date | None,
    per_week: int | None,
    weeks: int,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    from worker.library.opened import open_reader
    from worker.library.review_plan import propose_plan
    from worker.reviews.plan_csv import write_plan

    with open_reader(settings) as reader:
        answer = propose_plan(reader, on=on, per_week=per_week, weeks=weeks)
    write_plan(file, answer["plan"], replace=yes)
    answer["file"] = str(file)
    if as_json:
        print_json(answer)
        return
    from worker.cli import text, views_reviews

    text.show(views_reviews.proposal(answer))


def _apply(settings: Settings, file: Path, *, by: str | None, as_json: bool) -> None:
    from worker.library.opened import open_services
    from worker.library.review_plan import apply_plan
    from worker.reviews.plan_csv import read_plan

    plan = read_plan(file)
    with open_services(settings) as services:
        # Lines that cannot be read and lines that cannot be applied are reported together.
        answer = apply_plan(services, plan, by=who_says(by))
    for error in answer["errors"]:
        complain(f"{file}:{error['line']}: {error['message']}")
    if as_json:
        print_json(answer)
    else:
        _print_applied(file, answer)
    if answer["errors"]:
        raise click.exceptions.Exit(1)


def _print_applied(file: Path, answer: dict[str, Any]) -> None:
    from worker.cli import text, views_reviews

    for skipped in answer["skipped"]:
        complain(f"{file}:{skipped['line']}: skipped: {skipped['message']}")
    if answer["errors"]:
        number = text.count(len(answer["errors"]), "error")
        complain(f"no plan was stored: {file} has {number}")
    else:
        text.show(views_reviews.applied(answer))
