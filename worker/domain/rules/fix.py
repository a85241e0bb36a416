"""Fixes what is safe to fix: quotes round dates, and, when asked, a near-miss of the vocabulary.

Text in, text out: an edit replaces the characters of one span, so that comments, order, quotes, line
ends, a byte-order mark and the body stay byte for byte. What an edit did is read again before it is
believed; where a value would come out otherwise than meant, nothing is fixed. Whether a file may be
written is asked in `worker.cli.fix`. Called by `validate`.
"""

from __future__ import annotations

import copy
import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from worker.domain.seeds import codes
from worker.domain.seeds.codes import found
from worker.domain.seeds.facts import parse_date
from worker.domain.seeds.places import Source, locate
from worker.domain.seeds.seed import Seed, parse_seed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.domain.rules.vocabulary import Rules
    from worker.domain.seeds.places import FieldPath
    from worker.domain.seeds.problem import Problem, Span

_A_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: What a date without quotes holds: most files have none, and need not be read once more.
_BARE_DATE: Final = re.compile(rf"(?<!['\"]){_A_DATE.pattern}")
#: Codes of values that a list of words does not hold.
_OFF_THE_LIST: Final = frozenset({codes.NOT_ALLOWED, codes.NOT_A_FREQUENCY})
#: How near a word has to be. At 0.8 `actve` is near `active` and not near `inactive`.
_NEAR: Final = 0.8
_LONGEST_WORD: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One replacement: `old` and `new` as they are written, `value` as the field `path` then reads."""

    code: str
    span: Span
    path: FieldPath
    old: str
    new: str
    value: str

    @property
    def rule(self) -> str:
        """Return the name of the rule whose finding this fixes."""
        return codes.CODES[self.code][0]


def unquoted_dates(seed: Seed) -> tuple[Problem, ...]:
    """Return a finding for every date without quotes: other YAML readers take it for no text."""
    return tuple(
        found(
            codes.UNQUOTED_DATE,
            f"the date {edit.value} has no quotes: other YAML readers take it for no text",
            hint=f"write {edit.new}; `content-sync validate --fix` does so",
            span=edit.span,
            fixable=True,
        )
        for edit in _date_edits(seed)
    )


def edits_of(
    seed: Seed, problems: Sequence[Problem], rules: Rules, *, words: bool
) -> tuple[Edit, ...]:
    """Return what can be fixed, in the order of the file; words only when asked."""
    edits = [*_date_edits(seed), *(_word_edits(seed, problems, rules) if words else ())]
    return tuple(sorted(edits, key=lambda edit: (edit.span.line, edit.span.column)))


def fix(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return a seed's bytes with the edits made; the bytes as they were where an edit does not fit."""
    before = parse_seed(data)
    if not edits or not isinstance(before, Seed):
        return data
    # A byte-order mark stands in line 1, before the fence: no edit is there.
    source = Source(data.decode(), first_line=1)
    kept: list[str] = []
    end = 0
    for edit in edits:
        begin, stop = source.range_of(edit.span)
        if begin < end or source.text[begin:stop] != edit.old:
            return data
        kept += (source.text[end:begin], edit.new)
        end = stop
    result = "".join((*kept, source.text[end:])).encode()
    after = parse_seed(result)
    meant = _with_values(before.metadata, edits)
    as_meant = isinstance(after, Seed) and (after.metadata, after.body) == (meant, before.body)
    return result if as_meant else data


def only_near(given: str, words: Sequence[str]) -> str | None:
    """Return the one word that was meant, blind to case, hyphens and underscores.

    None where there is no near one, and where there are several: a guess between `cc_by` and
    `cc_by_nc_sa` is no fix.
    """
    if len(given) > _LONGEST_WORD:
        return None
    plain = {word: _plain(word) for word in dict.fromkeys(words)}
    same = [word for word, letters in plain.items() if letters == _plain(given)]
    if same:
        return same[0] if len(same) == 1 else None
    near = [word for word, letters in plain.items() if _likeness(_plain(given), letters) >= _NEAR]
    return near[0] if len(near) == 1 else None


def _plain(word: str) -> str:
    return re.sub(r"[\W_]", "", word).lower()


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def _date_edits(seed: Seed) -> Iterator[Edit]:
    if not _BARE_DATE.search(seed.front_matter):
        return
    dates = {path: text for path, text in _texts(seed.metadata) if _is_date(text)}
    source = Source(seed.front_matter, first_line=2)
    for path, place in locate(seed.front_matter, dates).items():
        # Between quotes, or in a block, the text is not what the field reads.
        if source.at(place.value) == dates[path]:
            yield Edit(
                code=codes.UNQUOTED_DATE,
                span=place.value,
                path=path,
                old=dates[path],
                new=f"'{dates[path]}'",
                value=dates[path],
            )


def _is_date(text: str) -> bool:
    return _A_DATE.fullmatch(text) is not None and parse_date(text) is not None


def _word_edits(seed: Seed, problems: Sequence[Problem], rules: Rules) -> Iterator[Edit]:
    wrong = {problem.span: problem for problem in problems if problem.code in _OFF_THE_LIST}
    if not wrong:
        return
    texts = {path: text for path, text in _texts(seed.metadata) if rules.words.get(str(path[0]))}
    source = Source(seed.front_matter, first_line=2)
    for path, place in locate(seed.front_matter, texts).items():
        problem, given, old = wrong.get(place.value), texts[path], source.at(place.value)
        word = only_near(given, rules.words[str(path[0])]) if problem else None
        quote = old[:1] if old[:1] in {"'", '"'} else ""
        if problem and word and old == f"{quote}{given}{quote}":
            yield Edit(
                code=problem.code,
                span=place.value,
                path=path,
                old=old,
                new=f"{quote}{word}{quote}",
                value=word,
            )


def _texts(value: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, str]]:
    """Yield every text of metadata with its path."""
    if isinstance(value, str):
        yield path, value
    else:
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(inner, (*path, step))


def _with_values(metadata: Mapping[str, Any], edits: Sequence[Edit]) -> Mapping[str, Any]:
    result = copy.deepcopy(metadata)
    for edit in edits:
        *above, last = edit.path
        holder: Any = result
        for step in above:
            holder = holder[step]
        holder[last] = edit.value
    return result
