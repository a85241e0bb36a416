"""Check metadata against the schema, and against what a schema cannot express about the review clock.

The validator first answers only yes or no; its slower list of errors is read only after a no, and
put into words here. A finding names its field, and `worker.domain.rules.rules` adds the place in the
file. A hint lists the choices or shows the form of a value. It never proposes one value as a fact,
because an author might copy a wrong source, owner or date.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from worker.domain.reviews.review import parse_cadence
from worker.domain.rules.content import REORDERING
from worker.domain.rules.finding import Finding
from worker.domain.rules.fix import only_near
from worker.domain.rules.near import nearest_word
from worker.domain.seeds import codes
from worker.domain.seeds.facts import ACTIVE, parse_date
from worker.domain.seeds.scalars import yaml_1_1

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    import jsonschema_rs

    from worker.domain.rules.vocabulary import Rules
    from worker.domain.seeds.places import FieldPath

#: The most findings of one kind for one file; a hostile file has ten thousand.
MOST_FINDINGS: Final = 30

#: The words for a review frequency that the clock understands.
FREQUENCIES: Final = ("monthly", "quarterly", "semiannual", "annual", "biennial", "as_needed")
_FREQUENCY_FORMS: Final = ", ".join((*FREQUENCIES, "6 months", "90 days", "P6M"))
_DATE_FORM: Final = "YYYY-MM-DD"

#: The schema keywords that offer choices, and those that require a form.
_CHOICES: Final = frozenset({"enum", "const", "anyOf", "oneOf"})
_FORMS: Final = frozenset({"pattern", "format", "minLength", "maxLength", "minItems", "maxItems"})


#: The longest value that YAML 1.1 could read as anything but text.
_LONGEST_SCALAR: Final = 40
#: The first characters of such values; a value that begins otherwise needs no pattern.
_FIRSTS_OF_TRAPS: Final = frozenset("-+.0123456789ynoYNO~")
_MAYBE_TRAP: Final = re.compile(r"[-+.0-9]|(?:yes|no|on|off|y|n|null|~)\Z", re.IGNORECASE)


def check_metadata(metadata: dict[str, Any], rules: Rules, today: date) -> Iterator[Finding]:
    """Yield the findings of metadata; `today` is a date in the team's zone."""
    # An empty field counts as not given. It cannot be wrong, but it may be required.
    given = metadata
    if "" in metadata.values():
        given = {name: value for name, value in metadata.items() if value != ""}
    wrong: set[str | int] = set()
    explained: set[str | int] = set()  # fields with a finding of the schema
    for finding in _check_review(given, rules, today):
        wrong.add(finding.path[0])
        yield finding
    if not rules.validator.is_valid(given):
        errors = rules.validator.iter_errors(given)
        for error in islice(errors, MOST_FINDINGS):
            if not (error.instance_path and error.instance_path[0] in wrong):
                finding = _explain(error, metadata, rules)
                explained.add(finding.path[0] if finding.path else "")
                yield finding
    if not metadata.keys() <= rules.known:
        yield from _check_names(metadata, rules)
    for finding in _check_scalars(metadata):
        if finding.path[0] not in wrong | explained:
            yield finding
    fields = rules.fields
    if codes.MISSING_OWNER not in rules.off and not (
        given.get(fields.owner) or given.get(fields.reviewer)
    ):
        yield Finding(
            code=codes.MISSING_OWNER,
            path=(fields.owner,),
            message=f"`{fields.owner}` is missing: nobody answers for the document",
            hint=f"add `{fields.owner}: …` with the name of who answers for it",
            on_key=True,
        )


def _check_review(given: Mapping[str, Any], rules: Rules, today: date) -> Iterator[Finding]:
    """Yield the findings of the review date and frequency; the schema checks their types."""
    fields = rules.fields
    reviewed, frequency = given.get(fields.last_reviewed), given.get(fields.review_frequency)
    cadence = parse_cadence(frequency) if isinstance(frequency, str) else None
    if isinstance(frequency, str) and cadence is None:
        yield Finding(
            code=codes.NOT_A_FREQUENCY,
            path=(fields.review_frequency,),
            message=f"{_quote(frequency)} is not a review frequency",
            hint=_frequency_hint(frequency),
            fixable=only_near(frequency, rules.words.get(fields.review_frequency, ())) is not None,
        )
    if isinstance(reviewed, str):
        yield from _check_date(fields.last_reviewed, reviewed, today)
    # An active document needs both for a review clock.
    if fields.status_of(given) != ACTIVE or (cadence is not None and cadence.every is None):
        return
    if reviewed is None:
        yield Finding(
            code=codes.NO_REVIEW_DATE,
            path=(fields.last_reviewed,),
            message=f"`{fields.last_reviewed}` is missing: nobody is notified when a review is due",
            hint=f"add the day of the last review: `{fields.last_reviewed}: {_DATE_FORM}`",
            on_key=True,
        )
    if frequency is None:
        yield Finding(
            code=codes.NO_REVIEW_FREQUENCY,
            path=(fields.review_frequency,),
            message=(
                f"`{fields.review_frequency}` is missing: unless the settings have a default,"
                " nobody is notified when a review is due"
            ),
            hint=f"add `{fields.review_frequency}: …`; it may be {_FREQUENCY_FORMS}",
            on_key=True,
        )


def _check_date(name: str, text: str, today: date) -> Iterator[Finding]:
    reviewed = parse_date(text)
    if reviewed is None:
        shaped = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip())
        yield Finding(
            code=codes.NOT_A_DATE,
            path=(name,),
            message=(
                f"{_quote(text)} is not a day of the calendar"
                if shaped
                else f"{_quote(text)} is not a date of the form {_DATE_FORM}"
            ),
            hint=_date_hint(text),
        )
    elif reviewed > today:
        yield Finding(
            code=codes.DATE_IN_FUTURE,
            path=(name,),
            message=f"{reviewed} is in the future: today is {today}",
            hint=f"write the day on which the document was reviewed, as {_DATE_FORM}",
        )


def _date_hint(text: str) -> str:
    parts = re.fullmatch(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?:[T ].*)?", text.strip())
    meant = "{}-{:0>2}-{:0>2}".format(*parts.groups()) if parts else None
    if meant and parse_date(meant):
        return f'did you mean "{meant}"?'
    return f"write year, month and day as {_DATE_FORM}"


def _frequency_hint(text: str) -> str:
    meant = _did_you_mean(text, FREQUENCIES)
    return f"{meant} ({_FREQUENCY_FORMS})" if meant else f"it may be {_FREQUENCY_FORMS}"


def _explain(
    error: jsonschema_rs.ValidationError, metadata: Mapping[str, Any], rules: Rules
) -> Finding:
    """Return the finding of a validator's error, worded for the document's author."""
    kind, path, value = error.kind.name, tuple(error.instance_path), error.instance
    if kind == "required" and not path:
        return _missing(str(error.kind.as_dict()["property"]), metadata, rules)
    name = str(path[0]) if path else ""
    blank = isinstance(value, str) and not value.strip()
    if blank and path == (name,) and name in rules.required:
        return _missing(name, metadata, rules)

    what = f"`{name}`" if len(path) <= 1 else f"item {_count(path[-1])} of `{name}`"
    words, examples = rules.words.get(name, ()), rules.examples.get(name, ())
    code, message, hint = codes.SCHEMA, f"{what}: {_shorten(error.message)}", ""
    fixable = False
    if blank:
        code, message = codes.WRONG_FORM, f"{what} is empty"
    elif kind == "type" and "array" in error.kind.as_dict()["types"]:
        code, message = codes.WRONG_TYPE, f"{what} must be a list"
        hint = f"write `{name}: [{_shorten(value)}]`" if isinstance(value, str) else ""
    elif kind == "type":
        code, message = codes.WRONG_TYPE, f"{what} must be text"
        hint = "write one value, without brackets or hyphens"
    elif words and kind in _CHOICES:
        expected = ", ".join(dict.fromkeys(words if kind == "enum" else (*words, *examples)))
        code, message = codes.NOT_ALLOWED, f"{what} may not be {_quote(value)}"
        meant = _did_you_mean(value, (*words, *examples))
        hint = f"{meant} ({expected})" if meant else f"it may be {expected}"
        fixable = isinstance(value, str) and only_near(value, words) is not None
    elif kind in _FORMS:
        code, message = codes.WRONG_FORM, f"{what} does not have the right form: {_quote(value)}"
        hint = f"for example {_forms(examples)}" if examples else ""
    return Finding(code=code, path=path, message=message, hint=hint, fixable=fixable)


def _missing(name: str, metadata: Mapping[str, Any], rules: Rules) -> Finding:
    word = "empty" if name in metadata else "missing"
    return Finding(
        code=codes.MISSING_FIELD,
        path=(name,),
        message=f"`{name}` is {word}",
        hint=f"write `{name}: …`{_expected(name, rules)}",
        on_key=True,
    )


def _expected(name: str, rules: Rules) -> str:
    """Return the choices of a field or the form of its values, to end a hint; "" if there are none.

    A single example is left out: it reads as the value to write.
    """
    words, examples = rules.words.get(name, ()), rules.examples.get(name, ())
    if words:
        return f"; it may be {_forms((*words, *examples))}"
    forms = _forms(examples)
    return f", such as {forms}" if len(set(examples)) > 1 or forms == _DATE_FORM else ""


def _forms(examples: Iterable[str]) -> str:
    """Return examples as one list, each once; a date becomes its form."""
    return ", ".join(dict.fromkeys(_DATE_FORM if parse_date(e) else e for e in examples))


def _check_names(metadata: Mapping[str, Any], rules: Rules) -> Iterator[Finding]:
    unknown = [name for name in metadata if name not in rules.known]
    absent = sorted(rules.known - metadata.keys())
    for name in unknown[:MOST_FINDINGS]:
        yield Finding(
            code=codes.UNKNOWN_FIELD,
            path=(name,),
            message=f"the field {_quote(name)} is not in the schema; it is kept",
            hint=_did_you_mean(name, absent),
            on_key=True,
        )
    if len(unknown) > MOST_FINDINGS:
        yield Finding(
            code=codes.UNKNOWN_FIELD,
            path=(unknown[MOST_FINDINGS],),
            message=f"{len(unknown) - MOST_FINDINGS} more fields are not in the schema",
            on_key=True,
        )


def _did_you_mean(given: Any, known: Iterable[str]) -> str:
    """Return a suggestion from the known words, or nothing."""
    near = nearest_word(given, known, cutoff=0.65) if isinstance(given, str) else None
    return f'did you mean "{near}"?' if near else ""


def _count(step: str | int) -> str | int:
    return step + 1 if isinstance(step, int) else step


def _quote(value: Any) -> str:
    return f'"{_shorten(value)}"'


def _shorten(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _check_scalars(metadata: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the findings of single values, at any depth of the metadata."""
    for path, text in _scalars(metadata, ()):
        if (
            text[:1] in _FIRSTS_OF_TRAPS
            and len(text) <= _LONGEST_SCALAR
            and _MAYBE_TRAP.match(text)
        ):
            meaning = yaml_1_1(text)
            if meaning is not None:
                yield Finding(
                    code=codes.YAML_TRAP,
                    path=path,
                    message=f"other programs read `{text}` as {meaning}, this service as text",
                    hint=f"put it in quotes: `'{text}'`",
                    only_plain=True,
                )
        if not text.isascii() and (mark := REORDERING.search(text)):
            yield Finding(
                code=codes.REORDERED_TEXT,
                path=path,
                message=f"the value contains the mark U+{ord(mark[0]):04X}, which reorders text",
                hint="delete it; it is invisible and usually comes from copied text",
            )


def _scalars(node: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    # Front matter is at most twenty levels deep (`worker.domain.seeds.front_matter`).
    for step, value in node.items() if isinstance(node, dict) else enumerate(node):
        if type(value) is str:
            yield (*path, step), value
        else:
            yield from _scalars(value, (*path, step))
