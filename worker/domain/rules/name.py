"""The rule over the path of a file: a copy that a program made is no page of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.domain.seeds.codes import CONFLICT_COPY, found
from worker.domain.seeds.names import find_copy
from worker.domain.seeds.visible import visible

if TYPE_CHECKING:
    from worker.domain.rules.vocabulary import Rules
    from worker.domain.seeds.problem import Problem


def check_name(path: str, rules: Rules) -> tuple[Problem, ...]:
    """Return the problem of a path that names a copy, with the team's severity."""
    copy = find_copy(path)
    if copy is None:
        return ()
    original = visible(copy.original)
    return rules.weigh(
        [
            found(
                CONFLICT_COPY,
                f"the file is {copy.kind}",
                hint=(
                    f"compare it with {original}, keep what is right there, and delete this file;"
                    " if it is a page of its own, give it another name"
                ),
            )
        ]
    )
