"""Commands that answer a reminder of a review: reviewed, snooze, ack, assign, retire."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from worker.cli import completion
from worker.cli.options import (
    A_PATH,
    Flags,
    a_date,
    a_name,
    as_json,
    by,
    document_path,
    read_settings,
    who_says,
)
from worker.cli.output import complain, find, found, not_found, print_json
from worker.domain.seeds.visible import UNSAFE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from worker.library.services import Services
    from worker.settings.model import Settings


def an_address(text: str) -> str:
    """Read a URL of evidence: http or https, without a password."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or UNSAFE.search(text) or " " in text:
        raise ValueError(f"{text!r} is not a web address; write it as https://example.org/page")
    return text


@click.command
@click.argument(
    "paths",
    metavar="PATH…",
    nargs=-1,
    required=True,
    type=A_PATH,
    shell_complete=completion.documents,
    help="The documents: their paths, with or without the seeds folder.",
)
@click.option("--on", metavar="DATE", type=a_date, help="The day of the review. [default: today]")
@by
@click.option(
    "--evidence", metavar="URL", type=an_address, help="The address of the written review."
)
@as_json
@click.pass_obj
def reviewed(
    flags: Flags,
    *,
    paths: tuple[str, ...],
    on: date | None,
    by: str | None,
    evidence: str | None,
    as_json: bool,
) -> None:
    """Write a review into the files: the day and the reviewer.

    Sets the day of the last review, and with --by also the reviewer's name. Everything else stays byte
    for byte. A file that names another reviewer needs --by. All files are checked first; when one has an
    error, none is written.

    Example: content-sync reviewed nausea.md --by "Asha Rao"
    """
    settings = read_settings(flags)
    from worker.library.opened import open_services
    from worker.library.write_back import (
        NameNeededError,
        Review,
        document_at,
        record_reviews,
    )

    who = who_says(by)
    with open_services(settings) as services:
        known: dict[str, str | None] = {}  # an error or None, by path
        for path in paths:
            document = find(settings, path, lambda one: document_at(services, one))
            if document is None:
                known[path] = not_found(services, settings, path)
            else:
                known[document["path"]] = None
        review = Review(on=on or services.today(), by=who, named=by is not None, evidence=evidence)
        try:
            answers = record_reviews(services, known, review)
        except NameNeededError as needed:
            raise click.BadParameter(str(needed), param_hint="--by") from None
    if as_json:
        print_json(answers)
    else:
        from worker.cli import text

        for answer in answers:
            if answer["recorded"]:
                text.show(text.plain(_reviewed(answer, settings)))
    wrong = [answer["error"] for answer in answers if answer["error"]]
    for error in wrong:
        complain(error)
    if wrong:
        if len(answers) > 1 and not any(
            answer["recorded"] or answer["written"] for answer in answers
        ):
            complain("nothing was written")
        raise click.exceptions.Exit(1)


@click.command
@document_path
@click.option(
    "--until", metavar="DATE", type=a_date, required=True, help="The day of the next reminder."
)
@click.option("--reason", metavar="TEXT", required=True, help="Why the review has to wait.")
@by
@as_json
@click.pass_obj
def snooze(
    flags: Flags, *, path: str, until: date, reason: str, by: str | None, as_json: bool
) -> None:
    """Delay the reminders of a review; it stays due.

    The settings review.max_snooze_days and review.max_snoozes limit how long and how often.

    Example: content-sync snooze nausea.md --until 2026-04-15 --reason "waits for the new guideline"
    """
    settings = read_settings(flags)
    from worker.reviews.snooze_and_ack import snooze as delay

    who = who_says(by)
    answer = _result_of(
        settings,
        path,
        lambda services, one: delay(
            services.store,
            one,
            until=until,
            reason=reason,
            by=who,
            settings=settings,
            now=services.now(),
            today=services.today(),
        ),
    )
    left = answer["snoozes_left"]
    _say(
        answer,
        f"{answer['path']}: no reminders until {until}; it stays due on {answer['due_on']}"
        f" ({left or 'no'} more {'snooze' if left == 1 else 'snoozes'} of this review)",
        as_json=as_json,
    )


@click.command
@document_path
@by
@click.option(
    "--days",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many days. [default: review.ack_days]",
)
@as_json
@click.pass_obj
def ack(flags: Flags, *, path: str, by: str | None, days: int | None, as_json: bool) -> None:
    """Say that you are working on it: no repeats for some days.

    Stops the repeated reminders of an overdue review. Backup and lead still get theirs.

    Example: content-sync ack nausea.md
    """
    settings = read_settings(flags)
    from worker.reviews.snooze_and_ack import acknowledge

    longest = settings.review.max_snooze_days
    if days is not None and days > longest:
        raise click.BadParameter(
            f"{days} is more than {longest} days (review.max_snooze_days)", param_hint="--days"
        )
    who = who_says(by)
    answer = _result_of(
        settings,
        path,
        lambda services, one: acknowledge(
            services.store,
            one,
            until=services.today() + timedelta(days=days or settings.review.ack_days),
            by=who,
            now=services.now(),
            today=services.today(),
        ),
    )
    _say(
        answer,
        f"{answer['path']}: acknowledged by {who}, no reminders until "
        f"{answer['acknowledged_until']}; it stays due on {answer['due_on']}",
        as_json=as_json,
    )


@click.command
@document_path
@click.argument(
    "owner", metavar="OWNER", type=a_name, help="Who answers for the document from now on."
)
@by
@as_json
@click.pass_obj
def assign(flags: Flags, *, path: str, owner: str, by: str | None, as_json: bool) -> None:
    """Write into the file who answers for the document.

    The service then stores a new version and sends reminders to the new owner.

    Example: content-sync assign nausea.md "Asha Rao"
    """
    settings = read_settings(flags)
    from worker.library.write_back import assign as write_owner

    who = who_says(by)
    answer = _result_of(
        settings, path, lambda services, one: write_owner(services, one, owner=owner, by=who)
    )
    old = f", no longer {answer['old_owner']}" if answer["old_owner"] else ""
    _say(
        answer,
        f"{settings.seeds}/{answer['path']}: {owner} answers for it{old}"
        if answer["written"]
        else f"{settings.seeds}/{answer['path']}: {owner} already answers for it",
        as_json=as_json,
    )


@click.command
@document_path
@by
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@click.pass_obj
def retire(flags: Flags, *, path: str, by: str | None, yes: bool, as_json: bool) -> None:
    """Remove a document's file, so that the document retires.

    Its versions stay, and `restore` brings it back. A file with changes that are not stored is not
    removed.

    Example: content-sync retire nausea.md
    """
    settings = read_settings(flags)
    from worker.library.write_back import retire as remove

    who = who_says(by)
    answer = _result_of(
        settings,
        path,
        lambda services, one: remove(services, one, by=who),
        before=lambda one: _consent(f"{settings.seeds}/{one['path']}", yes=yes),
    )
    _say(
        answer,
        f"{settings.seeds}/{answer['path']} was removed, and the service retires the document; "
        f"content-sync restore {answer['path']} {answer['number']} brings it back",
        as_json=as_json,
    )


def _result_of(
    settings: Settings,
    path: str,
    act: Callable[[Services, str], dict[str, Any] | None],
    *,
    before: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Return the result of an answer about a document, or exit with 1 and the reason."""
    from worker.library.opened import open_services
    from worker.library.seeds_folder import WriteRefusedError
    from worker.library.write_back import document_at
    from worker.reviews.snooze_and_ack import NotAnsweredError

    with open_services(settings) as services:
        document = found(services, settings, path, lambda one: document_at(services, one))
        if before is not None:
            before(document)
        try:
            return found(services, settings, document["path"], lambda one: act(services, one))
        except (NotAnsweredError, WriteRefusedError) as error:
            complain(str(error))
            raise click.exceptions.Exit(1) from None


def _consent(place: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.BadParameter(f"this removes {place}", param_hint="--yes")
    try:
        agreed = click.confirm(f"Remove {place}?", err=True)
    except click.Abort:  # Ctrl-C, or the end of the input
        click.echo(err=True)
        agreed = False
    if not agreed:
        complain("nothing was changed")
        raise click.exceptions.Exit(1)


def _reviewed(answer: dict[str, Any], settings: Settings) -> str:
    saw = f"saw version {answer['number']}"
    if answer["edited"]:
        saw += ", and the file has been edited since"
    changed = ", ".join(
        f"{one['field']} {one['old'] or 'nothing'} → {one['new']}" for one in answer["fields"]
    )
    due = f"due again on {answer['due_on']}" if answer["due_on"] else "no review falls due"
    return (
        f"{settings.seeds}/{answer['path']}: reviewed by {answer['by']}, who {saw}; {due} "
        f"({changed or 'the file already says so'})"
    )


def _say(answer: dict[str, Any], line: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    from worker.cli import text

    text.show(text.plain(line))
