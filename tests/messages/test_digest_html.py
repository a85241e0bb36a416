"""The HTML of a digest: it says what the text says, and no document adds markup."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from support.digests import HELD, a_full_digest, refused, review, write_all

from worker.messages.channels.mail_html import unwanted
from worker.messages.digest import Cleared, code, open_templates
from worker.settings.model import Settings


class Page(HTMLParser):
    """What a reader sees of a page, and of which elements it is made."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts = set(), set(), []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def words(self):
        return " ".join("".join(self.texts).split())


@pytest.fixture(scope="module")
def templates():
    return open_templates(Settings())


def test_the_html_contains_everything_in_the_text(templates):
    lines = [HELD, *a_full_digest(), review("b.md", days=2, owner="Rao", risk_category="B")]
    news, cleared = {"stored": 1425}, Cleared(reviews=("c.md",))
    _, text, html = write_all(templates, *lines, news=news, cleared=cleared)
    said = Page(html).words.casefold()
    for shown in text.casefold().splitlines()[1:]:
        line, _, _ = shown.replace("`", "").partition("        (you are working on it")
        for words in line.removeprefix("- ").split(": "):
            assert " ".join(words.split()) in said


def test_the_html_is_suitable_for_mail(templates):
    subject, _, html = write_all(templates, HELD, *a_full_digest(), refused())
    assert unwanted(html) is None
    assert "style" not in Page(html).tags
    assert '<html lang="en">' in html
    assert f"<title>{subject}</title>" in html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '"><a href="https://evil.example">click</a>',
        "' onmouseover='x",
        "</title></style></table><h1>x</h1>",
        "<!--[if mso]>x<![endif]-->",
        "`<b>x</b>`",
        "&lt;b&gt;",
        "{{ 7 * 7 }}{% raw %}",
    ],
)
def test_no_document_adds_markup_to_the_html(templates, hostile):
    fields = {"news": {"stored": 1}, "personal": False}
    _, _, plain = write_all(
        templates, *a_full_digest("x"), cleared=Cleared(reviews=("x",)), **fields
    )
    _, _, html = write_all(
        templates,
        *(replace(line, path=hostile) for line in a_full_digest(hostile)),
        cleared=Cleared(reviews=(hostile,), refusals=(hostile,)),
        **fields,
    )
    assert Page(html).tags == Page(plain).tags
    assert Page(html).attributes == Page(plain).attributes
    assert unwanted(html) is None
    assert " ".join(hostile.split()) in Page(html).words


def test_text_in_backquotes_is_code_and_the_rest_is_escaped():
    assert code("run `a<b` & go").startswith("run <code style=")
    assert code("run `a<b` & go").endswith(">a&lt;b</code> &amp; go")
