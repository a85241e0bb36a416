"""The types of settings: tables, secrets, limited numbers and times of day."""

from datetime import time
from typing import Annotated, Self

from msgspec import Meta, Struct

PositiveInt = Annotated[int, Meta(gt=0)]
NonNegativeInt = Annotated[int, Meta(ge=0)]
PositiveFloat = Annotated[float, Meta(gt=0)]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the settings file. It is frozen, and an unknown key is an error."""


class Secret:
    """A string that only `value` shows: it appears in no log, error or traceback."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return "Secret(***)"


class ClockTime(time):
    """A time of day, written as `"09:00"`, or as TOML's own time without quotes: `09:00:00`."""

    @classmethod
    def of(cls, written: str | time) -> Self:
        """Read a time of day; raise ValueError when it is not one."""
        return cls.fromisoformat(str(written))
