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

if TYPE_CHECKING:
    import jsonschema_rs

    from worker.domain.seeds.facts import Fields
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
            first_line = str(error).partition("\n")[0]
            raise ValueError(f"the schema is not a JSON Schema: {first_line}") from error

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
    and the status.
    """
    own = dict(severities or {})
    properties = schema.get("properties")
    required = schema.get("required")
    if not isinstance(properties, Mapping) or not isinstance(required, list):
        # The mistake is in a file, not in the program: hence no TypeError.
        raise ValueError("the schema has no `properties`, or no list `required`")  # noqa: TRY004
    for setting in ("title", "version", "status", "last_reviewed", "review_frequency"):
        name = getattr(fields, setting)
        if name not in properties:
            raise ValueError(
                f"the schema does not define {name}, which the setting fields.{setting} names"
            )
    for name in (fields.title, fields.version, fields.status):
        if name not in required:
            raise ValueError(f"the schema must require {name}")
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


def _words(schema: Any) -> Iterator[str]:
    """Yield the words that a field's schema allows, in every place that lists some."""
    if not isinstance(schema, Mapping):
        return
    yield from (word for word in schema.get("enum", ()) if isinstance(word, str))
    yield from _words(schema.get("items"))
    for keyword in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(keyword, ()):
            yield from _words(part)


def _examples(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        yield from (example for example in schema.get("examples", ()) if isinstance(example, str))
