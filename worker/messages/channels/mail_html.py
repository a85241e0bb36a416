"""Finds what the HTML of a message would load, run or send, so that mail is sent without such HTML.

A message must not load anything: a remote image shows its server who reads the message and when. Scripts and
forms do not belong in mail. This module does not fix the HTML. Called by `worker.messages.channels.mail`.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

#: The elements that a digest may use.
_TAGS = set(
    """
    html head meta title style body header main section article footer nav h1 h2 h3 h4 h5 h6 p div span
    a abbr b blockquote br center code del details em hr i ins kbd mark pre q s small strong sub sup
    summary time tr u wbr ul ol li dl dt dd table caption colgroup col thead tbody tfoot th td
    """.split()  # noqa: SIM905 - easier to read than two hundred quotes
)
#: The attributes that an element may have; none of them loads or runs anything.
_ATTRIBUTES = set(
    """
    align bgcolor border cellpadding cellspacing charset class color colspan content datetime dir height
    href hreflang http-equiv id lang media name open role rowspan scope start style title valign width
    """.split()  # noqa: SIM905
)
_SCHEMES = frozenset({"http", "https", "mailto"})
#: CSS that loads something, and the escapes that could hide it.
_LOADS_IN_CSS = re.compile(r"url\s*\(|@import|image\s*\(|image-set\s*\(|src\s*\(|\\", re.IGNORECASE)


def unwanted(html: str) -> str | None:
    """Return a short name of the first thing that mail must not contain, or None.

    Links to http, https and mail addresses are allowed, because only a reader follows them.
    """
    finder = _Finder()
    finder.feed(html)
    finder.close()
    return finder.found


class _Finder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: str | None = None
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        if tag not in _TAGS:
            self._find(f"the element <{tag}>")
        for name, value in attrs:
            text = value or ""
            if name not in _ATTRIBUTES and not name.startswith("aria-"):
                self._find(f"the attribute {name} of <{tag}>")
            elif name == "href" and (tag != "a" or not _is_link(text)):
                self._find(f"the link {text[:80]!r} of <{tag}>")
            elif name == "http-equiv" and text.strip().lower() == "refresh":
                self._find("an automatic redirect")
            elif name == "style" and _LOADS_IN_CSS.search(text):
                self._find(f"the style of <{tag}>, which loads something")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._in_style = False

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style and _LOADS_IN_CSS.search(data):
            self._find("a style sheet that loads something")

    def handle_comment(self, data: str) -> None:
        # Outlook reads conditional comments as markup.
        if data.lstrip().lower().startswith("[if"):
            self._find("a conditional comment")

    def handle_pi(self, data: str) -> None:  # noqa: ARG002
        self._find("a processing instruction")

    def unknown_decl(self, data: str) -> None:  # noqa: ARG002
        self._find("a declaration")

    def _find(self, what: str) -> None:
        self.found = self.found or what


def _is_link(href: str) -> bool:
    try:
        return urlsplit(href).scheme in _SCHEMES
    except ValueError:
        return False
