"""Fix what is safe to fix: add quotes to dates and, on request, correct misspelt vocabulary words.

An edit replaces the characters of one span; comments, order, quotes, line ends, a byte-order mark and
the body keep every byte. The result is parsed again, and nothing is fixed if a value does not read as
intended. `worker.cli.fix` checks whether the file may be written. Called by `validate`.
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
#: Part of every date without quotes: most files have none, and skip the second parse.
_BARE_DATE: Final = re.compile(rf"(?<!['\"]){_A_DATE.pattern}")
#: Codes of values that are not in a list of words.
_OFF_THE_LIST: Final = frozenset({codes.NOT_ALLOWED, codes.NOT_A_FREQUENCY})
#: How similar a word must be. At 0.8 `actve` is near `active` but not near `inactive`.
_NEAR: Final = 0.8
_LONGEST_WORD: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One replacement: `old` and `new` as written, `value` as the field at `path` reads afterwards."""

    code: str
    span: Span
    path: FieldPath
    old: str
    new: str
    value: str

    @property
    def rule(self) -> str:
        """Return the name of the rule that this edit satisfies."""
        return codes.CODES[self.code][0]


def unquoted_dates(seed: Seed) -> tuple[Problem, ...]:
    """Return a finding for every date without quotes: other YAML readers do not read it as text."""
    return tuple(
        found(
            codes.UNQUOTED_DATE,
            f"the date {edit.value} has no quotes: other YAML readers do not read it as text",
            hint=f"write {edit.new}, or run `content-sync validate --fix`",
            span=edit.span,
            fixable=True,
        )
        for edit in _date_edits(seed)
    )


def edits_of(
    seed: Seed, problems: Sequence[Problem], rules: Rules, *, words: bool
) -> tuple[Edit, ...]:
    """Return the possible fixes in the order of the file; `words` includes misspelt words."""
    edits = [*_date_edits(seed), *(_word_edits(seed, problems, rules) if words else ())]
    return tuple(sorted(edits, key=lambda edit: (edit.span.line, edit.span.column)))


def fix(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return a seed's bytes with the edits made, or the same bytes if an edit does not fit."""
    before = parse_seed(data)
    if not edits or not isinstance(before, Seed):
        return data
    # A byte-order mark is in line 1, before the fence, where no edit is.
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
    """Return the only word that `given` can mean; case, hyphens and underscores do not matter.

    Return None if no word is near, or if several are: a guess between `cc_by` and `cc_by_nc_sa` is not
    a fix.
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
        # In quotes, or in a block, the written text differs from the field's value.
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
    """Yield every text value of the metadata with its path."""
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
