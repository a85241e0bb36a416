"""What settings are made of: tables, secrets, and the kinds of values that a type alone does not say.

Called by the tables of the settings; `Secret` by whoever makes one.
"""

from datetime import time
from typing import Annotated, Self

from msgspec import Meta, Struct

PositiveInt = Annotated[int, Meta(gt=0)]
NonNegativeInt = Annotated[int, Meta(ge=0)]
PositiveFloat = Annotated[float, Meta(gt=0)]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the settings file: frozen, and unknown keys are errors."""


class Secret:
    """A text that shows itself only where it is asked for: in no log, no error and no traceback."""

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
    """A time of day, written as `09:00`; TOML's own times have seconds and no quotes."""

    @classmethod
    def of(cls, written: str | time) -> Self:
        """Read it; raise ValueError where it is none."""
        return cls.fromisoformat(str(written))
