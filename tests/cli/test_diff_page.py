"""The HTML page of a change: one complete file, and nothing in it but text."""

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from worker.cli.page import page
from worker.errors import ConfigurationError
from worker.settings.model import load_settings

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOSTILE = "</span><script>alert(1)</script>\u202e\x1b[2J{{ 7*7 }}\"'><img src=x onerror=alert(1)>"
VOID = {"meta"}


class Reader(HTMLParser):
    """Notes the tags, the attributes and the text of a page, and that what opens closes."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open, self.text = set(), set(), [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def a_change(text=HOSTILE, **fields):
    side = {"label": text, "sha256": "", "stored_at": "2026-03-01T20:00:00+00:00"}
    return {
        "path": text, "title": text, "from": 1, "to": "file", "change": "content", "risk": "high",
        "reasons": [text], "old": {**side, "number": 1},
        "new": {**side, "number": None, "stored_at": None},
        "fields": [{"field": text, "old": [text, text], "new": None}],
        "figures": [{"old": text, "new": "4.9", "before": text, "after": text, "line": 3}],
        "links": [{"text": text, "old": None, "new": f"javascript:{text}"}],
        "sections": [
            {"heading": text, "level": 2, "status": "added", "lines_added": 1, "lines_removed": 0}
        ],
        "lines_added": 1, "lines_removed": 1,
        "hunks": [
            {
                "old_start": 1, "old_lines": 2, "new_start": 1, "new_lines": 2,
                "lines": [["-", f"a b c {text} 1"], ["+", f"a b c {text} 2"], [" ", text]],
            }
        ],
        **fields,
    }  # fmt: skip


def test_the_words_of_documents_are_text_and_never_markup():
    shown = page(a_change(), load_settings(), now=NOW)
    read = Reader(shown)
    assert not read.tags & {"script", "img", "a", "link", "iframe", "form"}
    assert not {name for name in read.attributes if name.startswith("on")}
    assert not {"\u202e", "\x1b"} & set(shown)
    text = "".join(read.text)
    assert text.count("alert(1)") >= 24, "it is shown, wherever it stands"
    assert "49" not in text.replace("4.9", ""), "a template never comes from a document"
    assert "{{ 7*7 }}" in text


def test_the_page_loads_nothing_and_fits_phones_and_dark_mode():
    shown = page(a_change("plain"), load_settings(), now=NOW)
    assert "default-src 'none'; style-src 'unsafe-inline'" in shown
    assert not {"src", "href"} & Reader(shown).attributes
    assert "url(" not in shown
    assert '<meta name="viewport" content="width=device-width' in shown
    assert "prefers-color-scheme: dark" in shown


def test_figures_fields_and_sections_come_before_the_lines():
    shown = page(a_change("plain"), load_settings(), now=NOW)
    order = [
        shown.index(part)
        for part in ("high risk: plain", "Figures", "Fields", "Sections", "Links", 'class="hunk"')
    ]
    assert order == sorted(order)
    assert '<del>plain</del> <span class="to">→</span> <ins>4.9</ins>' in shown
    assert "<mark>1</mark>" in shown
    assert "<mark>2</mark>" in shown


def test_a_change_of_metadata_alone_says_that_the_body_is_unchanged():
    shown = page(a_change("plain", hunks=[], figures=[]), load_settings(), now=NOW)
    assert "The body is the same." in shown
    assert "Figures" not in shown


def test_a_long_change_is_cut_and_says_so():
    lines = [["+", f"line {number}"] for number in range(20_005)]
    hunk = {"old_start": 0, "old_lines": 0, "new_start": 1, "new_lines": len(lines), "lines": lines}
    shown = page(a_change("plain", hunks=[hunk]), load_settings(), now=NOW)
    assert "5 more lines are not shown" in shown


def test_a_failing_custom_template_is_named(tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "diff.html.j2").write_text("{{ nothing_of_the_kind }}")
    with pytest.raises(ConfigurationError, match=r"template diff\.html\.j2: .*nothing_of_the_kind"):
        page(a_change(), load_settings(templates=folder), now=NOW)
