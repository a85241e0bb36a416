"""Says what the HTML of a message would load, run or send, so that mail can go without it.

A message has to be readable without asking anybody for anything: a picture from elsewhere tells its
server who read the message and when, and a script or a form has no business in mail. The HTML is
not fixed here. Called by the mail channel.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

#: What a digest is made of. `style` may stand in the head or on an element.
_TAGS = set(
    """
    html head meta title style body header main section article footer nav h1 h2 h3 h4 h5 h6 p div span
    a abbr b blockquote br center code del details em hr i ins kbd mark pre q s small strong sub sup
    summary time tr u wbr ul ol li dl dt dd table caption colgroup col thead tbody tfoot th td
    """.split()  # noqa: SIM905 - two hundred quotes are no easier to read
)
#: What an element may say of itself: nothing that loads, and nothing that runs.
_ATTRIBUTES = set(
    """
    align bgcolor border cellpadding cellspacing charset class color colspan content datetime dir height
    href hreflang http-equiv id lang media name open role rowspan scope start style title valign width
    """.split()  # noqa: SIM905
)
_SCHEMES = frozenset({"http", "https", "mailto"})
#: Functions of CSS that load, and the escapes that could hide them.
_LOADS_IN_CSS = re.compile(r"url\s*\(|@import|image\s*\(|image-set\s*\(|src\s*\(|\\", re.IGNORECASE)


def unwanted(html: str) -> str | None:
    """Return the first thing that a mail must not hold, in a few words; None when there is none.

    Links to http, https and mail addresses are wanted: nothing follows them but a reader.
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
                self._find("a page that goes elsewhere by itself")
            elif name == "style" and _LOADS_IN_CSS.search(text):
                self._find(f"what the style of <{tag}> loads")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._in_style = False

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style and _LOADS_IN_CSS.search(data):
            self._find("what its style sheet loads")

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
