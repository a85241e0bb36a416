"""Commands about the rules: `rules` lists them, `explain` gives the reason for one."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import click

from worker.cli import completion
from worker.cli.options import Flags, as_json, read_settings
from worker.cli.output import complain, print_json

if TYPE_CHECKING:
    from worker.settings.model import Settings


@click.command
@as_json
@click.pass_obj
def rules(flags: Flags, *, as_json: bool) -> None:
    """List the rules: what each finds, and its severity here.

    The table [rules] of the settings sets a rule to off, info, warning or error.

    Example: content-sync rules
    """
    settings = read_settings(flags)
    from worker.domain.rules.rule_book import RULE_BOOK

    listed = [_rule(code, settings) for code in sorted(RULE_BOOK)]
    if as_json:
        print_json(listed)
        return
    from worker.cli import text
    from worker.cli.findings import SEVERITY_STYLES
    from worker.cli.tables import Listing

    table = Listing(["code", "rule", "severity", "what it finds"], prose="what it finds")
    for rule in listed:
        severity = rule["severity"]
        own = "" if severity == rule["default"] else f" (not {rule['default']})"
        table.add_row(
            rule["code"],
            rule["rule"],
            text.plain(f"{severity}{own}", SEVERITY_STYLES.get(severity, "dim")),
            text.plain(rule["summary"]),
        )
    text.show(table)


@click.command
@click.argument(
    "code",
    metavar="CODE",
    help="The code or the name of a rule.",
    shell_complete=completion.rules,
)
@as_json
@click.pass_obj
def explain(flags: Flags, *, code: str, as_json: bool) -> None:
    """Explain a rule, with a wrong and a right example.

    Example: content-sync explain CS073
    """
    settings = read_settings(flags)
    from worker.domain.seeds.codes import CODES, code_of

    known = code_of(code)
    if known is None:
        names = [*CODES, *(rule for rule, _ in CODES.values())]
        wanted = code.upper() if code[:2].upper() == "CS" else code.lower()
        near = difflib.get_close_matches(wanted, names, n=1)
        meant = f"; did you mean {near[0]}?" if near else "; `content-sync rules` lists them"
        complain(f"there is no rule {code}{meant}")
        raise click.exceptions.Exit(1)
    rule = _rule(known, settings)
    if as_json:
        print_json(rule)
        return
    from worker.cli import text
    from worker.cli.findings import SEVERITY_STYLES

    severity = rule["severity"]
    lines = [text.plain(f"{rule['code']} {rule['rule']}: ", "bold")]
    lines[0].append_text(text.plain(severity, SEVERITY_STYLES.get(severity, "dim")))
    if severity != rule["default"]:
        lines[0].append(f" (by default {rule['default']})")
    lines.extend(
        text.plain(line)
        for line in (
            *("", rule["why"], "", "Wrong:"),
            *_indented(rule["wrong"]),
            *("", "Right:"),
            *_indented(rule["right"]),
            *("", _how_to_set(rule)),
        )
    )
    text.show(*lines)


def _rule(code: str, settings: Settings) -> dict[str, Any]:
    """Return a rule as JSON, with the severity that the settings give it."""
    from worker.domain.rules.rule_book import RULE_BOOK
    from worker.domain.seeds.codes import CODES, OFF_BY_DEFAULT, PROTECTED

    name, severity = CODES[code]
    default = "off" if code in OFF_BY_DEFAULT else str(severity)
    own = settings.severities
    entry = RULE_BOOK[code]
    return {
        "code": code,
        "rule": name,
        "severity": default if code not in own else str(own[code] or "off"),
        "default": default,
        "can_be_set": code not in PROTECTED,
        "summary": entry.summary,
        "why": entry.why,
        "wrong": entry.wrong,
        "right": entry.right,
    }


def _indented(example: str) -> list[str]:
    return [f"    {line}" for line in example.split("\n")]


def _how_to_set(rule: dict[str, Any]) -> str:
    if not rule["can_be_set"]:
        return "This rule protects the store: no setting changes it."
    return f'Set it in the settings file: [rules] {rule["rule"]} = "off", "info", "warning" or "error".'
