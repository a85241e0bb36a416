"""The command `verify`: what it checked, what is wrong, and how to fix it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from worker.cli.options import Flags, as_json, read_settings
from worker.cli.output import print_json

if TYPE_CHECKING:
    from rich.text import Text

    from worker.domain.folder.chain import Checkpoint
    from worker.domain.folder.laws import Breaches

#: The names of the counts, in the order in which they are shown, and of one thing of each.
_COUNTED = {
    "documents": "document",
    "versions": "version",
    "bodies": "body",
    "files": "file",
    "refusals": "refusal",
    "events": "event",
    "notices": "notice",
    "acknowledgements": "acknowledgement",
}


class _Checkpoint(click.ParamType[Any]):
    name = "checkpoint"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Checkpoint:
        from worker.domain.folder.chain import read_checkpoint

        try:
            return read_checkpoint(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command
@click.option(
    "--repair",
    is_flag=True,
    help="Repair the store from the folder and the versions, then verify again.",
)
@click.option(
    "--most",
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    help="Show at most N breaches of each law.",
)
@click.option(
    "--against",
    metavar="EPOCH:ID:HASH",
    type=_Checkpoint(),
    help="Check that no event up to this one was altered; digests and exports name one.",
)
@as_json
@click.pass_obj
def verify(
    flags: Flags, *, repair: bool, most: int, against: Checkpoint | None, as_json: bool
) -> None:
    """Check that nothing stored is damaged, lost or wrong.

    Hashes the folder, all versions and all bodies again, and checks that they agree with each other,
    with the events and with the notices, and that no event was altered or removed. --repair reads the
    whole folder again and derives documents from their versions; it deletes nothing.

    Exits with 1 when something is wrong.

    Example: content-sync verify
    """
    settings = read_settings(flags)
    from worker.cli import text
    from worker.run.repair import repair_library
    from worker.run.verify import verify_library

    with text.progress("Verifying") as progress:
        findings = verify_library(settings, most=most, progress=progress, against=against)
    answer = findings.as_json()
    if repair and not findings.ok and not findings.unsound:
        with text.progress("Reading the folder") as progress:
            repaired, report, notices = repair_library(settings, progress=progress)
        with text.progress("Verifying") as progress:
            findings = verify_library(settings, most=most, progress=progress, against=against)
        answer = findings.as_json() | {
            "repaired": {
                "documents": repaired.heads,
                "leases": repaired.leases,
                "notices": notices,
                "sync": report.as_json(),
            }
        }
    if as_json:
        print_json(answer)
    else:
        if "repaired" in answer:
            text.show(text.plain(_repaired(answer["repaired"])))
        text.show(_shown(findings), hang=4)
    if not findings.ok:
        raise click.exceptions.Exit(1)


def _repaired(done: dict[str, Any]) -> str:
    from worker.cli.text import count

    sync = done["sync"]
    read = (
        f"read {count(sync['scanned'], 'file')} again ({sync['new']} new, {sync['changed']} changed, "
        f"{sync['moved']} moved, {sync['retired']} retired, {sync['refused']} refused)"
    )
    parts = [
        f"derived {count(done['documents'], 'document')} from their versions",
        f"ended {count(done['leases'], 'lease')}",
        read,
        f"added {count(done['notices'], 'notice')}",
    ]
    return "Repaired: " + "; ".join(parts) + "."


def _shown(findings: Breaches) -> Text:
    """Return each broken law with its breaches and how to fix it, and what was checked."""
    from rich.text import Text

    from worker.cli.text import count, plain
    from worker.domain.folder.laws import LAWS

    shown = Text()
    for law, number in findings.found.items():
        statement, fix = LAWS[law]
        shown.append(f"{law}: {statement}: broken {number:,} times\n", "bold red")
        listed = [breach for breach in findings.breaches if breach.law is law]
        for breach in listed:
            shown.append("  ").append_text(plain(breach.path or "(no path)"))
            shown.append(": ").append_text(plain(breach.detail)).append("\n")
        if number > len(listed):
            shown.append(f"  and {number - len(listed):,} more: --most {number}\n", "dim")
        repairable = all(breach.repairable for breach in listed)
        shown.append(f"  fix: {'content-sync verify --repair, or ' if repairable else ''}{fix}\n")
    counts = ", ".join(
        f"{number:,} {one if number == 1 else many}"
        for many, one in _COUNTED.items()
        if (number := findings.checked[many])
    )
    shown.append(f"Checked {counts or 'the database alone'}.")
    if waiting := findings.checked["waiting"]:
        shown.append(f"\n{count(waiting, 'change')} in the folder: the next scan stores them.")
    if unproven := findings.checked["unproven"]:
        shown.append(
            f"\n{count(unproven, 'version')} cannot be rebuilt byte for byte (mixed line ends): "
            "for these only the body is verified."
        )
    shown.append("\nNo error found." if findings.ok else "")
    return shown
