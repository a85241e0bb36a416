"""Converts written values (strings, numbers, tables) to typed settings, with one-line errors.

It knows the types it gets and no particular setting. Called by `worker.settings.model`.
"""

import dataclasses
import re
import types
from collections.abc import Mapping, Sequence
from datetime import time
from itertools import takewhile
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from worker.errors import ConfigurationError
from worker.settings.sources import suggest
from worker.settings.types import ClockTime

_TRUTHS = {"yes": True, "on": True, "no": False, "off": False}
#: What messages call the types that msgspec names.
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")
_NO_CHOICE = re.compile(r"Invalid (?:enum )?value (?P<value>'.*'|\d+)")
#: How msgspec writes a key of a table whose keys the team chose.
_ANY_NAME = "..."


def read(values: Any, kind: Any, *, at: Sequence[str] = ()) -> Any:
    """Return values as a type; raise a `ConfigurationError` that names the first wrong one.

    `at` is their place in the settings. Strings become numbers where the type is a number, because the
    environment holds only strings. A message shows a value only when the setting is one of a few words.
    """
    try:
        return msgspec.convert(values, kind, strict=False, dec_hook=_read_own)
    except msgspec.ValidationError as error:
        raise ConfigurationError(_explain(str(error), kind, at)) from None


def _read_own(kind: type, value: Any) -> Any:
    """Make a value of a type that msgspec does not know: a path, a secret, a time of day."""
    if isinstance(value, kind):
        return value
    if kind is ClockTime and isinstance(value, str | time):
        return ClockTime.of(value)
    if not isinstance(value, str):
        raise ValueError("Expected `str`")  # noqa: TRY004 - msgspec adds the place to a ValueError
    return kind(value)


def value_of(text: str, kind: Any) -> Any:
    """Return the value of an environment variable: None when it is empty, JSON for lists and tables.

    Raises ValueError when the JSON is invalid.
    """
    if not text:
        return None
    plain = _plain(kind)
    if plain is bool:
        return _TRUTHS.get(text.lower(), text.lower())
    if get_origin(plain) in {tuple, dict} or fields_of(plain):
        return msgspec.json.decode(text)
    return text


def kind_at(kind: Any, path: Sequence[str]) -> Any:
    """Return the type at a path of keys below a type; None when the path does not exist."""
    for key in path:
        plain = _plain(kind)
        if get_origin(plain) in {tuple, dict}:
            kind = next(one for one in reversed(get_args(plain)) if one is not Ellipsis)
        else:
            kind = fields_of(plain).get(key)
    return kind


def fields_of(kind: Any) -> dict[str, Any]:
    """Return the keys of a table and their types; for a union, those of all its members."""
    plain = _plain(kind)
    if get_origin(plain) in {Union, types.UnionType}:
        found: dict[str, Any] = {}
        for one in get_args(plain):
            for name, own in fields_of(one).items():
                found[name] = found[name] | own if name in found else own
        return found
    if not isinstance(plain, type):
        return {}
    if dataclasses.is_dataclass(plain):
        named = {one.name for one in dataclasses.fields(plain) if one.metadata.get("setting", True)}
        return {name: hint for name, hint in get_type_hints(plain).items() if name in named}
    if issubclass(plain, msgspec.Struct):
        config = plain.__struct_config__
        tag = {config.tag_field: Literal[config.tag]} if config.tag_field else {}
        return tag | {field.name: field.type for field in msgspec.structs.fields(plain)}
    return {}


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both merged: tables key by key, and otherwise the value of `above`."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[name] = merge(old, value)
        else:
            merged[name] = value
    return merged


def _plain(kind: Any) -> Any:
    """Return a type without its annotations and without None."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in {Union, types.UnionType}:
        left = [one for one in get_args(kind) if one is not types.NoneType]
        return _plain(left[0]) if len(left) == 1 else kind
    return kind


def _explain(message: str, kind: Any, at: Sequence[str]) -> str:
    """Return msgspec's message in the words of a settings file."""
    message, _, place = message.partition(" - at `$")
    steps = re.findall(r"\w+|\.\.\.", place)
    where = [*at, *takewhile(lambda step: step != _ANY_NAME, steps)]
    if unknown := _UNKNOWN.fullmatch(message):
        near = suggest(unknown["name"], fields_of(kind_at(kind, steps)))
        return f"unknown setting {'.'.join([*where, unknown['name']])}{near}"
    if missing := _MISSING.fullmatch(message):
        choices = _choices(kind_at(kind, [*steps, missing["name"]]))
        write = f": write {choices}" if choices else ""
        return f"setting {'.'.join([*where, missing['name']])} is missing{write}"
    if wrong := _NO_CHOICE.fullmatch(message):
        message = f"{wrong['value']} is not {_choices(kind_at(kind, steps))}"
    message = re.sub(r"`([a-z |]+)`", _in_words, message)
    if not where:
        return message
    return f"setting {'.'.join(where)}: {message[0].lower()}{message[1:]}"


def _in_words(match: re.Match[str]) -> str:
    return " or ".join(_WORDS.get(word, word) for word in match[1].split(" | "))


def _choices(kind: Any) -> str:
    """Return the words that a setting allows, as `text or json`; empty when it allows any."""
    plain = _plain(kind)
    many = get_args(plain) if get_origin(plain) in {Union, types.UnionType} else [plain]
    words = [str(word) for one in many if get_origin(one) is Literal for word in get_args(one)]
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else "".join(words)
