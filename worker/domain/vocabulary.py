"""The library's vocabulary: its JSON Schema, compiled once for as long as a process lives.

A schema that the service could not work with is refused at start and not at the first document.
Nothing is fetched: a reference to another address is an error. Called by `worker.domain.rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema_rs

if TYPE_CHECKING:
    from worker.domain.seed import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A compiled schema, the names of the fields that the service reads, and the vocabulary."""

    fields: Fields
    validator: jsonschema_rs.Validator
    required: frozenset[str]
    known: frozenset[str]
    words: Mapping[str, tuple[str, ...]]
    examples: Mapping[str, tuple[str, ...]]


def compile_rules(schema: Mapping[str, Any], fields: Fields) -> Rules:
    """Compile the schema once; raise `ValueError` in one line when it cannot be used.

    It has to know the fields that the service reads for the store and the review clock, and to
    require the title, the version and the status.
    """
    properties = schema.get("properties")
    required = schema.get("required")
    if not isinstance(properties, Mapping) or not isinstance(required, list):
        # A wrong value of a file, not of a programmer: hence no TypeError.
        raise ValueError("the schema has no `properties`, or no list `required`")  # noqa: TRY004
    for setting in ("title", "version", "status", "last_reviewed", "review_frequency"):
        name = getattr(fields, setting)
        if name not in properties:
            raise ValueError(
                f"the schema does not know {name}, named by the setting fields.{setting}"
            )
    for name in (fields.title, fields.version, fields.status):
        if name not in required:
            raise ValueError(f"the schema has to require {name}")
    try:
        validator = jsonschema_rs.validator_for(dict(schema), offline=True)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        first_line = str(error).partition("\n")[0]
        raise ValueError(f"the schema is not a JSON Schema: {first_line}") from error
    return Rules(
        fields=fields,
        validator=validator,
        required=frozenset(required),
        known=frozenset(properties),
        words={name: tuple(_words(part)) for name, part in properties.items()},
        examples={name: tuple(_examples(part)) for name, part in properties.items()},
    )


def _words(schema: Any) -> Iterator[str]:
    """Yield the words that a field's schema allows, wherever it lists them."""
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
