"""Gates on a seed's body: metadata alone is no proof that there is content.

Today two: a body that is empty, and a body that is what a crawler got instead of the page. Nothing
here judges what a text says. Called by `worker.domain.rules`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from worker.domain import codes
from worker.domain.codes import found
from worker.domain.problem import Problem, Span

if TYPE_CHECKING:
    from worker.domain.seed import Seed

#: A page with so many words is content, whatever phrase is in it.
STUB_WORDS = 60
#: A body longer than this cannot have so few words, unless one of them is no word.
_STUB_CHARACTERS = 4000

#: What web servers and their guards say instead of the page.
_STUB_PHRASES = re.compile(
    r"""
      (?:enable|turn\ on|activate)\ (?:javascript|cookies)
    | (?:javascript|cookies)\ (?:is|are|must\ be)\ (?:disabled|required|enabled|not\ enabled)
    | access\ (?:is\ )?denied
    | access\ to\ this\ (?:page|site|resource)\ (?:has\ been|is|was)\ (?:denied|blocked)
    | you\ (?:do\ not|don['\u2019]t)\ have\ permission\ to\ (?:access|view)
    | (?:please|you\ (?:must|need\ to)(?:\ be)?)\ (?:log(?:ged)?|sign(?:ed)?)\ in
    | (?:log|sign)\ in\ to\ (?:continue|view|see)
    | (?:404|page|file)\ not\ found
    | (?:error|http)\ (?:40[0-9]|429|50[0-9])\b
    | 403\ forbidden | 429\ too\ many\ requests | 500\ internal\ server\ error
    | 502\ bad\ gateway | 503\ service\ (?:temporarily\ )?unavailable | 504\ gateway\ time-?out
    | (?:this|the)\ page\ (?:can['\u2019]t\ be|cannot\ be|could\ not\ be)\ (?:found|displayed)
    | checking\ (?:your|if\ the\ site\ connection|the\ site\ connection)
    | verify(?:ing)?\ (?:that\ )?you\ are\ (?:a\ )?human
    | are\ you\ a\ robot | complete\ the\ captcha
    """,
    re.IGNORECASE | re.VERBOSE,
)


def check_body(seed: Seed) -> Problem | None:
    """Return what is wrong with a seed's body as content, if anything is."""
    body = seed.body
    if not body or body.isspace():
        return found(
            codes.EMPTY_BODY,
            "the document has no text",
            hint="write the text after the closing line `---`",
            span=Span(line=seed.body_line - 1, end_line=seed.body_line - 1, end_column=4),
        )
    if len(body) > _STUB_CHARACTERS or len(body.split(maxsplit=STUB_WORDS)) >= STUB_WORDS:
        return None
    phrase = _STUB_PHRASES.search(body)
    if phrase is None:
        return None
    line = seed.body_line + body.count("\n", 0, phrase.start())
    column = phrase.start() - body.rfind("\n", 0, phrase.start())
    return found(
        codes.CRAWL_STUB,
        f"the text is what a crawler got instead of the page: {phrase[0]!r}",
        hint="fetch the page again, or write its text",
        span=Span(line=line, column=column, end_line=line, end_column=column + len(phrase[0])),
    )
