"""The library's vocabulary: its JSON Schema, compiled once in each process that checks documents.

A schema that the service cannot use is refused at start, not at the first document. Nothing is
fetched: a reference to another address is an error. `Rules` also holds the severities that a team
sets. Called by `worker.domain.rules.rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from worker.domain.seeds.codes import OFF_BY_DEFAULT
from worker.domain.seeds.facts import STATUSES, Fields

if TYPE_CHECKING:
    import jsonschema_rs

    from worker.domain.seeds.problem import Problem, Severity


@dataclass(frozen=True, kw_only=True)
class Rules:
    """A schema, the names of the fields that the service reads, and the vocabulary.

    `severities` maps codes to the severities that a team sets; `off` holds the codes of rules that are
    off.
    """

    fields: Fields
    schema: Mapping[str, Any]
    required: frozenset[str]
    known: frozenset[str]
    words: Mapping[str, tuple[str, ...]]
    examples: Mapping[str, tuple[str, ...]]
    severities: Mapping[str, Severity]
    off: frozenset[str]

    @cached_property
    def validator(self) -> jsonschema_rs.Validator:
        """Return the compiled schema; raise a one-line `ValueError` if it is not a JSON Schema.

        It is compiled on first use: a process that checks no documents saves 7 MiB.
        """
        import jsonschema_rs  # noqa: PLC0415

        try:
            return jsonschema_rs.validator_for(dict(self.schema), offline=True)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise ValueError("; ".join(_invalid_parts(self.schema))) from error

    def weigh(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """Return the problems with the team's severities, without those of rules that are off."""
        return tuple(
            replace(problem, severity=self.severities[problem.code])
            if problem.code in self.severities
            else problem
            for problem in problems
            if problem.code not in self.off
        )


def compile_rules(
    schema: Mapping[str, Any],
    fields: Fields,
    severities: Mapping[str, Severity | None] | None = None,
) -> Rules:
    """Return the rules of a schema, compiled; raise a one-line `ValueError` if it cannot be used.

    The arguments are the same as for `read_rules`.
    """
    rules = read_rules(schema, fields, severities)
    _ = rules.validator
    return rules


def read_rules(
    schema: Mapping[str, Any],
    fields: Fields,
    severities: Mapping[str, Severity | None] | None = None,
) -> Rules:
    """Return the rules of a schema without compiling it; raise `ValueError` as `compile_rules` does.

    `severities` maps codes to a team's own severities, with None for a rule that is off. The schema must
    define the fields that the store and the review clock need, and must require the title, the version
    and the status. A field that the settings switch off or give a default is not required.
    """
    own = dict(severities or {})
    if not isinstance(schema, Mapping):
        raise ValueError("the schema is not a JSON object")  # noqa: TRY004 - as below
    properties = schema.get("properties")
    required = schema.get("required")
    if not isinstance(properties, Mapping) or not isinstance(required, list):
        # The mistake is in a file, not in the program: hence no TypeError.
        raise ValueError("the schema has no `properties`, or no list `required`")  # noqa: TRY004
    if faults := [*_faults(properties, required, fields)]:
        raise ValueError("; ".join((*faults, *_invalid_parts(schema))))
    optional = _optional(fields)
    required = [name for name in required if name not in optional]
    schema = {**schema, "required": required}
    return Rules(
        fields=fields,
        schema=schema,
        required=frozenset(required),
        known=frozenset(properties),
        words={name: tuple(_words(part)) for name, part in properties.items()},
        examples={name: tuple(_examples(part)) for name, part in properties.items()},
        severities={code: severity for code, severity in own.items() if severity is not None},
        off=OFF_BY_DEFAULT - own.keys() | {code for code in own if own[code] is None},
    )


def _faults(properties: Mapping[str, Any], required: list[Any], fields: Fields) -> Iterator[str]:
    """Yield all that the service misses in a schema, a sentence each."""
    for setting in ("title", "version", "status", "last_reviewed", "review_frequency"):
        name = getattr(fields, setting)
        if name and name not in properties:
            yield f"the schema does not define {name}, which the setting fields.{setting} names"
    optional = _optional(fields)
    for name in (fields.title, fields.version, fields.status):
        if name and name not in optional and name not in required:
            yield f"the schema must require {name}"
    words = [*_words(properties.get(fields.status or Fields().status))] or STATUSES
    if fields.default_status and fields.default_status not in words:
        expected = ", ".join(words)
        yield f"the setting defaults.status is {fields.default_status!r}, not one of {expected}"


def _optional(fields: Fields) -> frozenset[str]:
    """Return the names that no document needs: of fields that are switched off, or have a default.

    A schema that was written for all fields calls one that is switched off by its usual name.
    """
    usual = Fields()
    names = {getattr(usual, name) for name in ("version", "status") if not getattr(fields, name)}
    return frozenset(names | ({fields.status} if fields.default_status else set()))


def _invalid_parts(schema: Mapping[str, Any]) -> list[str]:
    """Return what makes a schema no JSON Schema: a sentence for each field, or one for the rest."""
    properties = schema["properties"]
    rest = _fault_of({**schema, "properties": {}})
    faults = (
        {"": rest}
        if rest
        else {
            f"{name}: ": fault
            for name, part in properties.items()
            if (fault := _fault_of({**schema, "properties": {name: part}}))
        }
    )
    return [f"the schema is not a JSON Schema: {name}{fault}" for name, fault in faults.items()]


def _fault_of(schema: Mapping[str, Any]) -> str:
    """Return why a schema cannot be compiled, in one line; "" if it can."""
    import jsonschema_rs  # noqa: PLC0415

    try:
        jsonschema_rs.validator_for(dict(schema), offline=True)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return str(error).partition("\n")[0]
    return ""


def _words(schema: Any) -> Iterator[str]:
    """Yield the words that a field's schema allows, in every place that lists some."""
    if not isinstance(schema, Mapping):
        return
    yield from _texts(schema.get("enum"))
    yield from _words(schema.get("items"))
    for keyword in ("anyOf", "oneOf", "allOf"):
        parts = schema.get(keyword)
        for part in parts if isinstance(parts, list) else ():
            yield from _words(part)


def _examples(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        yield from _texts(schema.get("examples"))


def _texts(values: Any) -> Iterator[str]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, str))
