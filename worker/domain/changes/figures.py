"""Find the figures that changed: numbers, doses, percentages, durations, dates and money.

A figure is a number with its sign and unit, a range of two, or a date. Digits in a name
(`COVID-19`, `HER2`, `v1.2`) or an address are not figures. Two spellings of one value (`85%` and
`85 percent`, `1,000` and `1000`) are equal. Called by `worker.domain.changes.change`.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pygit2 import Patch

from worker.domain.changes.overlap import common_end, common_start
from worker.domain.changes.passages import Block

#: Words reported before and after a figure.
WORDS_AROUND = 3
#: The most characters of a figure.
LONGEST = 80

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DATES = (
    r"\d{4}-\d{2}-\d{2}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\s{_MONTH}(?:,?\s\d{{4}})?"
    rf"|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}}"
    rf"|{_MONTH}\s\d{{4}}"
    rf"|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?"
)
_NUMBER = r"\d++(?:[.,:/]\d++)*+"
_SIGN = r"(?:[<>≤≥±~≈]\s?=?\s?)?(?:(?:Rs\.?|INR|USD|EUR|GBP)\s?|[$€£₹]\s?)?(?:(?<![\w)\]])[-−+])?"
# One unit a line: its name, and its spellings.
_UNITS: dict[str, tuple[str, ...]] = {
    "%": ("%", "percent", "per cent"),
    "mg": ("mg", "milligrams", "milligram", "mgs"),
    "mcg": ("mcg", "micrograms", "microgram", "µg", "μg", "ug"),
    "ng": ("ng", "nanograms", "nanogram"),
    "pg": ("pg",),
    "kg": ("kg", "kilograms", "kilogram", "kgs"),
    "g": ("g", "grams", "gram"),
    "ml": ("mL", "ml", "millilitres", "millilitre", "milliliters", "milliliter", "cc"),
    "dl": ("dL", "dl"),
    "l": ("L", "l", "litres", "litre", "liters", "liter"),
    "units": ("international units", "units", "unit", "IU", "U"),
    "mmol": ("mmol",),
    "mol": ("mol",),
    "meq": ("mEq",),
    "gy": ("Gy", "gray"),
    "cgy": ("cGy",),
    "mgy": ("mGy",),
    "msv": ("mSv",),
    "mbq": ("MBq",),
    "mci": ("mCi",),
    "mmhg": ("mmHg", "mm Hg"),
    "mm": ("mm", "millimeters", "millimeter", "millimetres", "millimetre"),
    "cm": ("cm", "centimeters", "centimeter", "centimetres", "centimetre"),
    "m2": ("m²", "m2"),
    "km": ("km", "kilometers", "kilometres"),
    "m": ("meters", "meter", "metres", "metre", "m"),
    "inches": ("inches", "inch"),
    "feet": ("feet",),
    "pounds": ("pounds", "pound", "lbs", "lb"),
    "ounces": ("ounces", "ounce", "oz"),
    "kcal": ("kcal", "calories", "calorie"),
    "°c": ("°C", "degrees C", "degrees Celsius"),
    "°f": ("°F", "degrees F", "degrees Fahrenheit"),
    "tablets": ("tablets", "tablet"),
    "capsules": ("capsules", "capsule"),
    "pills": ("pills", "pill"),
    "drops": ("drops", "drop"),
    "puffs": ("puffs", "puff"),
    "doses": ("doses", "dose"),
    "cycles": ("cycles", "cycle"),
    "sessions": ("sessions", "session"),
    "teaspoons": ("teaspoons", "teaspoon", "tsp"),
    "tablespoons": ("tablespoons", "tablespoon", "tbsp"),
    "cups": ("cups", "cup"),
    "glasses": ("glasses", "glass"),
    "seconds": ("seconds", "second", "secs", "sec"),
    "minutes": ("minutes", "minute", "mins", "min"),
    "hours": ("hours", "hour", "hrs", "hr", "h"),
    "days": ("days", "day"),
    "weeks": ("weeks", "week", "wks", "wk"),
    "months": ("months", "month"),
    "years": ("years", "year", "yrs", "yr"),
    "times": ("times", "time"),
    "fold": ("fold",),
    "hundred": ("hundred",),
    "thousand": ("thousand",),
    "million": ("million",),
    "billion": ("billion",),
    "lakh": ("lakhs", "lakh"),
    "crore": ("crores", "crore"),
    "th": ("st", "nd", "rd", "th"),
}
_NAMES = {spelling: name for name, spellings in _UNITS.items() for spelling in spellings}
_UNIT = "(?:" + "|".join(map(re.escape, sorted(_NAMES, key=len, reverse=True))) + r")(?![^\W_])"
_EACH = r"(?:\s?/\s?|\s(?:per(?!\scent\b)|a|an|each|every)\s)"
_FIGURE = rf"{_SIGN}{_NUMBER}(?:[\s-]?{_UNIT}(?:{_EACH}{_UNIT}){{0,3}})?(?!\w)"
_TO = r"(?:\s[–—-]\s|[–—-]|\sto\s)"
_TOKEN = re.compile(
    # Most tokens: words that cannot begin a month, a currency or an address.
    r"(?P<plain>(?!https?://|www\.|INR|USD|EUR|GBP|Rs|[JFMASOND][a-z])[^\W\d]\w*+(?:[-.'’_]\w++)*+)"
    r"|(?P<address>(?:https?://|www\.)\S++)"
    rf"|(?P<date>(?:{_DATES})(?!\w|[.,:/]\d))"
    rf"|(?P<figure>{_FIGURE}(?:{_TO}{_FIGURE})?)"
    # A word includes its digits.
    r"|(?P<word>\w++(?:[-.'’_]\w++)*+|[^\w\s])"
)
_PART = re.compile(
    rf"(?P<number>{_NUMBER})|(?P<unit>{_UNIT})|(?P<each>{_EACH})"
    rf"|(?P<to>(?<=[\w%]){_TO}(?=[^\sA-Za-z]))|(?P<rest>[^\s-]|^-)"
)
_DIGIT = re.compile(r"\d")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?")
_DECIMAL = re.compile(r"0*(\d+)(?:\.(\d*?)0*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureChange:
    """One figure as written on both sides, None where it is absent.

    `before` and `after` are the words around it; `line` is its line in the body, counted from 1.
    All three are from the new side, or from the old side if the figure is gone.
    """

    old: str | None
    new: str | None
    before: str
    after: str
    line: int

    def as_json(self) -> dict[str, str | int | None]:
        """Return the change in the form of the store and the commands."""
        return {
            "old": self.old,
            "new": self.new,
            "before": self.before,
            "after": self.after,
            "line": self.line,
        }


@dataclass(slots=True)
class _Token:
    """A word or a figure. Tokens with the same key are equal; `kind` is a figure's unit, empty for words."""

    key: str
    kind: str
    text: str
    block: Block
    start: int


_Part = tuple[Block, int, int]  # a block, and where a part of its text begins and ends


def compare_figures(old: Iterable[Block], new: Iterable[Block]) -> tuple[FigureChange, ...]:
    """Return the figures that differ between the two sides of a passage.

    The words are compared first; then the figures in each run of changed words are paired in order.
    """
    parts = _cut(list(old), list(new))
    if not any(
        _DIGIT.search(block.text, begin, end) for side in parts for block, begin, end in side
    ):
        return ()
    before, after = (list(_read(side)) for side in parts)
    if [t.key for t in before if t.kind] == [t.key for t in after if t.kind]:
        return ()
    return tuple(
        _describe(old_token, new_token)
        for some, others in _changed_runs(before, after)
        for old_token, new_token in _pair(
            [t for t in some if t.kind], [t for t in others if t.kind]
        )
        if old_token is None or new_token is None or old_token.key != new_token.key
    )


def without_moves(changes: Sequence[FigureChange]) -> tuple[FigureChange, ...]:
    """Return the changes without the figures that only moved together with the words around them."""
    removed = Counter(_place(change) for change in changes if change.new is None)
    added = Counter(_place(change) for change in changes if change.old is None)
    moved_away, moved_here = removed & added, removed & added
    kept = []
    for change in changes:
        moved = moved_away if change.new is None else moved_here
        if None in {change.old, change.new} and moved[_place(change)]:
            moved[_place(change)] -= 1
        else:
            kept.append(change)
    return tuple(kept)


def _place(change: FigureChange) -> tuple[str | None, str, str]:
    return change.old or change.new, change.before, change.after


def _cut(old: list[Block], new: list[Block]) -> tuple[list[_Part], list[_Part]]:
    """Drop the blocks that both sides begin and end with; in a single block, drop such text."""
    while old and new and old[0].text == new[0].text:
        old, new = old[1:], new[1:]
    while old and new and old[-1].text == new[-1].text:
        old, new = old[:-1], new[:-1]
    if len(old) != 1 or len(new) != 1:
        return [(b, 0, len(b.text)) for b in old], [(b, 0, len(b.text)) for b in new]
    one, other = old[0].text, new[0].text
    begin = common_start(one, other)
    end = common_end(one, other, min(len(one), len(other)) - begin)
    # Cut between two words, far enough from the change to keep each figure whole.
    begin = max(one.rfind(" ", 0, max(0, begin - LONGEST)), 0)
    found = one.find(" ", len(one) - max(0, end - LONGEST))
    end = len(one) - found if found >= 0 else 0
    return [(old[0], begin, len(one) - end)], [(new[0], begin, len(other) - end)]


def _read(parts: Iterable[_Part]) -> Iterator[_Token]:
    for block, begin, end in parts:
        for match in _TOKEN.finditer(block.text, begin, end):
            text = match[0]
            match match.lastgroup:
                case "figure":
                    key, kind = _key(text)
                case "date":
                    key, kind = _date_key(text), "date"
                case _:
                    key, kind = text, ""
            yield _Token(key, kind, text, block, match.start())


def _changed_runs(
    before: Sequence[_Token], after: Sequence[_Token]
) -> Iterator[tuple[Sequence[_Token], Sequence[_Token]]]:
    old = "".join(f"{token.key}\n" for token in before).encode()
    new = "".join(f"{token.key}\n" for token in after).encode()
    patch = Patch.create_from(old, new, context_lines=0)
    for hunk in patch.hunks:
        # An empty side has the number of the line before it.
        i = hunk.old_start - 1 if hunk.old_lines else hunk.old_start
        j = hunk.new_start - 1 if hunk.new_lines else hunk.new_start
        yield before[i : i + hunk.old_lines], after[j : j + hunk.new_lines]


def _pair(old: list[_Token], new: list[_Token]) -> Iterator[tuple[_Token | None, _Token | None]]:
    """Pair figures in order; if one side has more of them, pair only figures with the same unit."""
    if len(old) == len(new):
        yield from zip(old, new, strict=True)
        return
    fewer, more = (old, new) if len(old) < len(new) else (new, old)
    waiting = deque(fewer)
    pairs: list[tuple[_Token | None, _Token | None]] = [
        (waiting.popleft() if waiting and waiting[0].kind == other.kind else None, other)
        for other in more
    ]
    pairs.extend((one, None) for one in waiting)
    yield from pairs if more is new else ((other, one) for one, other in pairs)


def _describe(old: _Token | None, new: _Token | None) -> FigureChange:
    shown = new or old
    assert shown is not None  # noqa: S101 - one side always exists
    text, end = shown.block.text, shown.start + len(shown.text)
    return FigureChange(
        old=old.text if old else None,
        new=new.text if new else None,
        before=" ".join(text[max(0, shown.start - 80) : shown.start].split()[-WORDS_AROUND:]),
        after=" ".join(text[end : end + 80].split()[:WORDS_AROUND]),
        line=shown.block.line + text.count("\n", 0, shown.start) + 1,
    )


@lru_cache(maxsize=512)
def _key(text: str) -> tuple[str, str]:
    """Return the key that equal figures share, and the same key without its numbers."""
    key, kind = ["#"], ["#"]
    for part in _PART.finditer(text):
        match part.lastgroup:
            case "number":
                key.append(_number_key(part[0]))
                kind.append("0")
            case "unit":
                key.append(_NAMES[part[0]])
                kind.append(_NAMES[part[0]])
            case "each":
                key.append("/")
                kind.append("/")
            case "to":
                key.append("–")
                kind.append("–")
            case _:
                key.append(part[0])
    return "".join(key), "".join(kind)


def _number_key(text: str) -> str:
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    if (plain := _DECIMAL.fullmatch(text)) is None:
        return text
    return f"{plain[1]}.{plain[2]}" if plain[2] else plain[1]


def _date_key(text: str) -> str:
    if text[:4].isdigit():
        year, month, day = text.split("-")
        return f"#{int(year)}-{int(month)}-{int(day)}"
    name = re.search(r"[A-Za-z]{3,}", re.sub(r"\d(?:st|nd|rd|th)", "0", text))
    month = str(_MONTHS.index(name[0][:3].lower()) + 1) if name else ""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    year = next((str(number) for number in numbers if number > 31), "")
    day = next((str(number) for number in numbers if number <= 31), "")
    return f"#{year}-{month}-{day}"
