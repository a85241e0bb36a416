"""The command `verify`: what is checked, what is wrong with each, and how to fix it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from worker.cli.options import Flags, as_json, read_settings
from worker.cli.output import print_json

if TYPE_CHECKING:
    from rich.text import Text

    from worker.domain.folder.laws import Breaches

#: What the counts are called, in the order in which they are shown.
_COUNTED = (
    *("documents", "versions", "bodies", "files", "refusals", "events", "notices"),
    "acknowledgements",
)


@click.command
@click.option(
    "--repair", is_flag=True, help="Fix what the folder and the versions allow, then verify again."
)
@click.option(
    "--most",
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    help="Show at most N breaches of a law.",
)
@as_json
@click.pass_obj
def verify(flags: Flags, *, repair: bool, most: int, as_json: bool) -> None:
    """Check that nothing stored is damaged, lost or untrue.

    Hashes the folder, all versions and all texts again, and checks whatever must hold between them,
    the events and the messages. --repair reads the whole folder again and derives documents from
    their versions; it deletes nothing.

    Exits with 1 when something is wrong.

    Example: content-sync verify
    """
    settings = read_settings(flags)
    from worker.cli import text
    from worker.run.repair import repair_library
    from worker.run.verify import verify_library

    with text.progress("Verifying") as progress:
        findings = verify_library(settings, most=most, progress=progress)
    answer = findings.as_json()
    if repair and not findings.ok and not findings.unsound:
        with text.progress("Reading the folder") as progress:
            repaired, report, notices = repair_library(settings, progress=progress)
        with text.progress("Verifying") as progress:
            findings = verify_library(settings, most=most, progress=progress)
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
        text.show(_shown(findings))
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
        f"derived {count(done['documents'], 'document')} again from their versions",
        f"ended {count(done['leases'], 'lease')}",
        read,
        f"added {count(done['notices'], 'notice')}",
    ]
    return "Repaired: " + "; ".join(parts) + "."


def _shown(findings: Breaches) -> Text:
    """Return each broken law with its breaches and its fix, and what was checked."""
    from rich.text import Text

    from worker.cli.text import count, plain
    from worker.domain.folder.laws import LAWS

    told = Text()
    for law, number in findings.found.items():
        statement, fix = LAWS[law]
        told.append(f"{law}: {statement}: broken {number:,} times\n", "bold red")
        here = [breach for breach in findings.breaches if breach.law is law]
        for breach in here:
            told.append("  ").append_text(plain(breach.path or "(no path)"))
            told.append(": ").append_text(plain(breach.detail)).append("\n")
        if number > len(here):
            told.append(f"  and {number - len(here):,} more: --most {number}\n", "dim")
        repairable = all(breach.repairable for breach in here)
        told.append(f"  fix: {'content-sync verify --repair, or ' if repairable else ''}{fix}\n")
    counts = ", ".join(
        f"{findings.checked[name]:,} {name}" for name in _COUNTED if findings.checked[name]
    )
    told.append(f"Checked {counts or 'the database alone'}.")
    if waiting := findings.checked["waiting"]:
        told.append(f"\n{count(waiting, 'change')} in the folder: the next look takes them in.")
    if unproven := findings.checked["unproven"]:
        told.append(
            f"\n{count(unproven, 'version')} cannot be built again byte for byte (mixed line ends), "
            "so no hash proves more than the text."
        )
    told.append("\nEverything holds." if findings.ok else "")
    return told
