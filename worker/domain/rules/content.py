"""Check that a seed's body is content; good metadata does not prove it.

These rules find a body that is empty, that a crawler got instead of the page, or that is not what its
author wrote. They do not judge its meaning. They run on every file, so a check of a whole body works
on its bytes or in one pass. Called by `worker.domain.rules.rules`.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from worker.domain.seeds import codes
from worker.domain.seeds.codes import found
from worker.domain.seeds.problem import Problem, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.domain.rules.vocabulary import Rules
    from worker.domain.seeds.seed import Seed

#: A body with this many words is content, whatever phrase it contains.
STUB_WORDS = 60
#: A longer body has more words than that.
_STUB_CHARACTERS = 4000

#: What web servers and bot checks send instead of the page.
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


#: With a larger share of replaced characters, the body is not text.
GARBLED_SHARE: Final = 0.01
_LEAST_GARBLED: Final = 5
_REPLACED: Final = "\ufffd"

_CONTROL_BYTES: Final = bytes(c for c in range(0x20) if c not in b"\t\n\r") + b"\x7f"
#: C1 controls and the marks that reorder text, as UTF-8: two fast searches, each for one first byte.
_C1_BYTES: Final = re.compile(b"\xc2[\x80-\x9f]")
_REORDERING_BYTES: Final = re.compile(b"\xe2(?:\x80[\xaa-\xae]|\x81[\xa6-\xa9])")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: Embeddings, overrides and isolates. Marks without a scope (U+200E) and joiners are harmless.
_REORDERING_MARKS: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
REORDERING: Final = re.compile(f"[{_REORDERING_MARKS}]")

#: Code that a browser would run: a script, an event handler in a tag, a script as a link target.
_SCRIPT: Final = re.compile(
    r"<(?:[sS][cC][rR][iI][pP][tT](?![\w-])|(?:[jJ][aA][vV][aA]|[vV][bB])[sS][cC][rR][iI][pP][tT]:"
    r"|[a-zA-Z][a-zA-Z0-9-]*+(?!:)[^<>]{0,2000}?(?:[\s\"'/][oO][nN][a-zA-Z]+\s*="
    r"|(?:[jJ][aA][vV][aA]|[vV][bB])[sS][cC][rR][iI][pP][tT]:))"
)
_SCRIPT_LINK: Final = re.compile(
    r"\](?:\(|:)\s*+<?\s*+(?:(?:[jJ][aA][vV][aA]|[vV][bB])[sS][cC][rR][iI][pP][tT]:"
    r"|[dD][aA][tT][aA]:text/html)"
)

#: A longer body with many tags or links is first searched for the parts that all code contains, in a
#: copy in lower case with spaces between attributes: the patterns above take 200 ms for 5 MiB of tags.
#: In a body with few tags and links, as in every real page, the patterns alone are faster.
_SEARCHED_DIRECTLY: Final = 100_000
_FEW_TAGS, _FEW_LINKS = 100, 50_000
#: Links are counted only in longer bodies: for this many characters the pattern for links takes at most
#: 8 ms. Counting takes 0.1 ms.
_LINKS_COUNTED: Final = 500_000
_LOWER_AND_SPACED: Final = bytes(
    0x20 if c in b"\t\n\x0b\f\r\x1c\x1d\x1e\x1f\"'/" else ord(chr(c).lower()) if c < 0x80 else c
    for c in range(256)
)
_CODE_BYTES: Final = (b"<script", b"script:", b"data:text ")
_HANDLER_BYTES: Final = re.compile(rb" on[a-z]++ *+=")

#: A link target without a scheme that is neither a place on the page nor another seed.
_RELATIVE_LINK: Final = re.compile(
    r"\]\(\s*+<?(?![a-zA-Z][a-zA-Z0-9+.-]*+:|//|\#)"
    r"(?![^)\s>#]{0,2000}+(?:(?<=\.md)|(?<=\.markdown)|(?<=\.txt))(?:\#[^)\s>]*+)?[)\s>])"
    r"([^)\s>]++)"
)

#: Links are checked in this many characters of the body: twice the longest page of the library.
_LINKS_WITHIN: Final = 2_500_000

#: Findings of one kind are counted up to this number.
_MOST_COUNTED: Final = 1000

#: The first heading is searched for in this many characters of the body.
_HEADING_WITHIN: Final = 4000
_FIRST_HEADING: Final = re.compile(
    r"^[ ]{0,3}(?:(?P<fence>```|~~~)|(?P<marks>\#{1,6})[ \t]+(?P<text>[^\n]*)"
    r"|(?P<under>[^\S\n]*+\S[^\n]*+)\n[ ]{0,3}(?:=+|-+)[ \t]*$)",
    re.MULTILINE,
)


def check_body(seed: Seed, data: bytes, rules: Rules) -> Iterator[Problem]:
    """Yield the problems of a seed's body; `data` is the file's bytes."""
    body = seed.body
    if not body or body.isspace():
        yield found(
            codes.EMPTY_BODY,
            "the document has no body",
            hint="write the body after the closing line `---`",
            span=Span(line=seed.body_line - 1, end_line=seed.body_line - 1, end_column=4),
        )
        return
    for problem in (_check_stub(seed), _check_replaced(seed), _check_script(seed, data)):
        if problem is not None:
            yield problem
    if has_hidden(data) and (problem := _check_hidden(seed, control=_has_control(data))):
        yield problem
    if codes.OTHER_HEADING not in rules.off and (problem := _check_heading(seed, rules)):
        yield problem
    if not seed.metadata.get(rules.fields.url) and (problem := _check_links(seed, rules)):
        yield problem


def has_hidden(data: bytes) -> bool:
    """Return whether a file contains a control character or a mark that reorders text."""
    return _has_control(data) or (not data.isascii() and _REORDERING_BYTES.search(data) is not None)


def _has_control(data: bytes) -> bool:
    if len(data.translate(None, _CONTROL_BYTES)) != len(data):
        return True
    return not data.isascii() and _C1_BYTES.search(data) is not None


def _check_stub(seed: Seed) -> Problem | None:
    body = seed.body
    if len(body) > _STUB_CHARACTERS or len(body.split(maxsplit=STUB_WORDS)) >= STUB_WORDS:
        return None
    phrase = _STUB_PHRASES.search(body)
    if phrase is None:
        return None
    return found(
        codes.CRAWL_STUB,
        f"the body is what a crawler got instead of the page: {phrase[0]!r}",
        hint="fetch the page again, or write the body",
        span=_span(seed, *phrase.span()),
    )


def _check_replaced(seed: Seed) -> Problem | None:
    first = seed.body.find(_REPLACED)
    if first < 0:
        return None
    number = seed.body.count(_REPLACED)
    span = _span(seed, first, first + 1)
    if number >= _LEAST_GARBLED and number > GARBLED_SHARE * len(seed.body):
        return found(
            codes.GARBLED_TEXT,
            f"{number:,} of {len(seed.body):,} characters are lost (U+FFFD): this is not text",
            hint="fetch the file again; it was not text, or was saved in the wrong encoding",
            span=span,
        )
    return found(
        codes.LOST_CHARACTER,
        "a character is lost (U+FFFD)" + (f", and {number - 1:,} more" if number > 1 else ""),
        hint="write the lost character; in a dose it may be the unit or a sign",
        span=span,
    )


def _check_script(seed: Seed, data: bytes) -> Problem | None:
    body = seed.body
    if (
        len(body) > _SEARCHED_DIRECTLY
        and (
            data.count(b"<") > _FEW_TAGS
            or (len(body) > _LINKS_COUNTED and data.count(b"]") > _FEW_LINKS)
        )
        and not _may_hold_code(data.translate(_LOWER_AND_SPACED))
    ):
        return None
    match = _SCRIPT.search(body) if "<" in body else None
    match = match or _SCRIPT_LINK.search(body)
    if match is None:
        return None
    return found(
        codes.SCRIPT,
        f"the body contains code that a browser would run: {' '.join(match[0][:60].split())!r}",
        hint="delete it; if it is an example, write `&lt;` for the angle bracket",
        span=_span(seed, *match.span()),
    )


def _may_hold_code(data: bytes) -> bool:
    return any(part in data for part in _CODE_BYTES) or _HANDLER_BYTES.search(data) is not None


def _check_hidden(seed: Seed, *, control: bool) -> Problem | None:
    """Report control characters before reordering marks: with both, the file is probably not text."""
    # Nine searches for one character each are faster than one search for any of nine.
    marks = [at for mark in _REORDERING_MARKS if (at := seed.body.find(mark)) >= 0]
    for pattern, start, code, what in (
        *(((_CONTROL, 0, codes.CONTROL_IN_TEXT, "control character"),) if control else ()),
        *(
            ((REORDERING, min(marks), codes.REORDERED_TEXT, "mark that reorders text"),)
            if marks
            else ()
        ),
    ):
        matches = pattern.finditer(seed.body, start)
        first = next(matches, None)
        if first is None:
            continue
        more = _count_some(matches)
        rest = f", and {more} more" if more else ""
        return found(
            code,
            f"the body contains the {what} U+{ord(first[0]):04X}{rest}",
            hint="delete it; it is invisible and usually comes from copied text",
            span=_span(seed, *first.span()),
        )
    return None


def _check_heading(seed: Seed, rules: Rules) -> Problem | None:
    """Compare the title with the first heading, if that is of the first level."""
    title = seed.metadata.get(rules.fields.title)
    heading = _FIRST_HEADING.search(seed.body, 0, _HEADING_WITHIN)
    if heading is None or heading["fence"] or not isinstance(title, str) or not title.strip():
        return None
    if heading["marks"] not in {"#", None} or (heading["under"] and "=" not in heading[0]):
        return None
    group = "text" if heading["marks"] else "under"
    if heading[group] == title:
        return None
    written, wanted = _plain(heading[group].rstrip("# \t")), _plain(title)
    # A site's name at the end of either ("… - NCI") does not make it another title.
    if not written or written.startswith(wanted) or wanted.startswith(written):
        return None
    start, end = heading.span(group)
    return found(
        codes.OTHER_HEADING,
        f"the first heading differs from `{rules.fields.title}`",
        hint="check that both belong to this page",
        span=_span(seed, start, min(end, start + len(heading[group].rstrip()))),
    )


def _check_links(seed: Seed, rules: Rules) -> Problem | None:
    matches = _RELATIVE_LINK.finditer(seed.body, 0, _LINKS_WITHIN)
    first = next(matches, None)
    if first is None:
        return None
    more = _count_some(matches)
    rest = f" (and {more} more)" if more else ""
    url = rules.fields.url
    return found(
        codes.RELATIVE_LINK,
        f"the link is relative, and the page has no `{url}` to complete it{rest}",
        hint=f"write the whole address, or add the page's `{url}`",
        span=_span(seed, *first.span(1)),
    )


def _plain(text: str) -> str:
    """Return a heading or a title in lower case, without Markdown and extra white space."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text[:500])
    return " ".join(re.sub(r"[\\*_`#]", "", text).casefold().split())


def _span(seed: Seed, start: int, end: int) -> Span:
    """Return the span in the file of a part of the body."""
    body = seed.body
    line = seed.body_line + body.count("\n", 0, start)
    end_line = line + body.count("\n", start, end)
    return Span(
        line=line,
        column=start - body.rfind("\n", 0, start),
        end_line=end_line,
        end_column=end - body.rfind("\n", 0, end),
    )


def _count_some(matches: Iterator[object]) -> str:
    """Return the number of matches as text, counted up to a limit: a hostile file has millions."""
    number = sum(1 for _ in islice(matches, _MOST_COUNTED))
    return f"over {_MOST_COUNTED:,}" if number == _MOST_COUNTED else str(number or "")
