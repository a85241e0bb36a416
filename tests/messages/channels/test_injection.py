"""Texts from a document pass through every channel to a real server and stay plain words.

No header, recipient, part, mention, link, markup or control character comes from a title, a path, an
owner's name or a problem's message.
"""

import html
import io
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from functools import cache
from html.parser import HTMLParser

import pytest
import redis
from standardwebhooks import Webhook

from worker.domain.folder.cloud_event import Event
from worker.domain.seeds.visible import UNSAFE, visible
from worker.messages.channels import Message
from worker.messages.channels.chat import ChatChannel
from worker.messages.channels.console import ConsoleChannel
from worker.messages.channels.mail import MailChannel
from worker.messages.channels.stream import EventStream
from worker.messages.channels.webhook import WebhookChannel
from worker.messages.digest import Cleared, Digest, open_templates, write_digest
from worker.messages.digest_sections import Changes, DigestLine, make_sections
from worker.settings.model import EmailChannel, Secret, load_settings
from worker.settings.model import WebhookChannel as WebhookSettings

# Apprise's e-mail service imports a module that Python 3.13 no longer has.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = "whsec_" + "c2VjcmV0" * 4
TODAY = date(2026, 3, 30)
NOW = datetime(2026, 3, 30, 6, 0, tzinfo=UTC)
TAME = "A title"

HOSTILE = {
    "CRLF and a header": "x\r\nBcc: victim@example.org",
    "LF, a header and a body": "x\nBcc: victim@example.org\n\nbody",
    "CR alone": "x\rBcc: victim@example.org",
    "CRLF and a recipient": "x\r\nRCPT TO:<victim@example.org>\r\nDATA\r\n.\r\nQUIT",
    "a full stop alone": "x\r\n.\r\nMAIL FROM:<a@example.org>",
    "a line separator": "x\u2028Bcc: victim@example.org",
    "a next line": "x\x85Bcc: victim@example.org",
    "vertical tab and form feed": "x\x0b\x0cBcc: victim@example.org",
    "an encoded word with LF": "=?utf-8?q?a=0ABcc:x?=",
    "an encoded word with CRLF": "=?utf-8?q?a=0D=0ABcc=3A_victim=40example=2Eorg?=",
    "an encoded word in base64": "=?utf-8?b?YQ0KQmNjOiB4QGV4YW1wbGUub3Jn?=",
    "an encoded word in another": "=?utf-8?q?=3D?utf-8?q?a=0ABcc:x?=",
    "an encoded word far along": "é" * 100 + "=?utf-8?q?=0ABcc:x?=" + " y" * 80,
    "a boundary": "\r\n--=_0123456789abcdef\r\nContent-Type: text/html\r\n\r\n<b>x</b>",
    "a Slack mention of all": "<!channel>",
    "a Slack mention with a label": "<!here|here>",
    "a Slack mention of one": "<@U024BE7LH>",
    "a Discord mention of a role": "<@&1234>",
    "a Google Chat mention": "<users/all>",
    "a mention of everyone": "@everyone",
    "a mention inside a word": "x@here",
    "a Zulip mention": "@**all**",
    "a Teams mention": "<at>everyone</at>",
    "a Slack link": "<https://evil.example|your review>",
    "a Markdown link": "[your review](https://evil.example)",
    "a Markdown picture": "![x](https://evil.example/x.gif)",
    "a Markdown reference": "[your review][1]\n\n[1]: https://evil.example",
    "an element": "<b>bold</b>",
    "a script": "</title></td></tr></table><script>alert(1)</script>",
    "a picture with a handler": "<img src=x onerror=alert(1)>",
    "an attribute": '" onmouseover="alert(1)" style=\'background:url(https://evil.example)',
    "a link in HTML": "<a href='javascript:alert(1)'>x</a>",
    "a comment": "<!-- <img src=https://evil.example> --><![CDATA[x]]>",
    "references": "&lt;script&gt; &#60;b&#62; &#x202e;",
    "a format string": "{0.__class__} {route.__init__.__globals__} %s %(path)s %n",
    "a template": "{{7*7}} {{ ''.__class__.__mro__ }} {% for x in (1,2) %}x{% endfor %}",
    "a raw block": "{% raw %}{{ 1 }}{% endraw %}{# x #}",
    "a shell": "$(touch /tmp/x) `id` ; rm -rf / '\"",
    "a reordering": "\u202egnp.exe\u202c \u2066x\u2069 \u200fy\u061c",
    "zero width": "a\u200bb\u200cc\u200dd\ufeffe\u2060f",
    "NUL": "a\x00b",
    "terminal escapes": "\x1b[2J\x1b]0;pwned\x07\x9b31m\x08\x7f",
    "a terminal's link": "\x1b]8;;https://evil.example\x1b\\your review\x1b]8;;\x1b\\",
    "very long": "long " * 20_000,
    "a very long word": "w" * 100_000,
    "lone surrogates": "a\ud800b\udfffc",
    "a byte that is not UTF-8": "nci/\udcff\udc80.md",
    "JSON": '","type":"forged","x":"\\u0000\\ud800',
    "combining characters": "Z" + "\u0323\u0347" * 200,
    "Hindi and Telugu": "क्‍ष నమస్తే 🎗️",
}

#: What a chat service would act on: see `worker.messages.channels.chat`.
ACTIVE = re.compile(r"[@<][^\s\u200b]|\]\(")
MAIL_HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "List-Id", "Auto-Submitted", "In-Reply-To",
    "References", "Content-Type", "MIME-Version",
]  # fmt: skip


@cache
def given(text):
    """Return a message whose every value holds the text, as nothing before a channel cleaned it."""
    return Message(
        id="0197f3c2-0001",
        to=("editor@example.org",),
        subject=f"Content Sync: {text}",
        text=f"- {text}: {text}\n  {text}\n",
        html=f"<ul><li>{html.escape(text)}</li></ul>",
        thread="document-7",
        data={"path": text, "title": text},
    )


@cache
def composed(text):
    """Return the message that a digest makes of documents whose every value holds the text."""
    lines = [
        DigestLine(
            path=f"nci/{stage}-{text}.md",
            stage=stage,
            title=f"T {text}",
            due_on=TODAY,
            days=3,
            owner=f"O {text}",
            changes=Changes(versions=2, risk="high", words=(visible(text)[:200],)),
        )
        for stage in ("overdue", "due", "upcoming", "escalated", "asked")
    ]
    lines += [
        DigestLine(
            path=f"nci/{stage}-{text}.md",
            stage=stage,
            title=f"T {text}",
            detail=f"D {text}",
            hint=f"H {text}",
            line=3,
        )
        for stage in ("held", "failing", "silent", "unseen", "retracted", "refused")
    ]
    digest = Digest(
        route="team",
        sections=tuple(make_sections(lines, 20)),
        news={"stored": 3},
        cleared=Cleared(reviews=(f"nci/{text}.md",), refusals=(f"nci/{text}.md",)),
    )
    subject, body, markup = write_digest(
        digest, today=TODAY, snooze_until=TODAY, templates=open_templates(load_settings())
    )
    return Message(
        id="0197f3c2-0001",
        to=("editor@example.org",),
        subject=subject,
        text=body,
        html=markup,
        thread="document-7",
        data={"documents": [line.path for line in lines]},
    )


@dataclass
class Seen(HTMLParser):
    """The elements of HTML with their attributes, and what a reader reads."""

    elements: set = field(default_factory=set)
    words: list = field(default_factory=list)
    other: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag, attrs):
        self.elements.add((tag, tuple(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def handle_comment(self, data):
        self.other.append(data)

    handle_pi = unknown_decl = handle_comment


def seen(markup):
    parser = Seen()
    parser.feed(markup)
    parser.close()
    return parser


@pytest.fixture(params=[given, composed], ids=["given", "composed"])
def message(request):
    """Return a function that makes a message of a text."""
    return request.param


def test_a_title_adds_no_header_recipient_part_or_markup_to_a_mail(start_post, message, subtests):
    post = start_post()
    settings = EmailChannel(host="127.0.0.1", port=post.port, sender="Sync <sync@charity.example>")
    channel = MailChannel(settings, clock=lambda: NOW)
    ours = seen(message(TAME).html)
    for name, hostile in HOSTILE.items():
        with subtests.test(name):
            channel.send(message(hostile))
            envelope = post.envelopes.pop()
            mail = message_from_bytes(envelope.content, policy=policy.default)

            assert envelope.mail_from == "sync@charity.example"
            assert envelope.rcpt_tos == ["editor@example.org"]
            assert sorted(mail.keys()) == sorted(MAIL_HEADERS)
            assert mail["To"] == "editor@example.org"
            assert "=?" not in mail["Subject"]
            assert mail["Subject"].lstrip().startswith("Content Sync: ")
            assert not UNSAFE.search(mail["Subject"])
            kinds = [part.get_content_type() for part in mail.walk()]
            assert kinds == ["multipart/alternative", "text/plain", "text/html"]
            for part in mail.iter_parts():
                assert not UNSAFE.search(re.sub(r"[\r\n\t]", "", part.get_content()))
            read = seen(mail.get_body(("html",)).get_content())
            assert read.elements <= ours.elements
            assert read.other == []
            # Not taken away either: who reads the message reads what the title says.
            first = re.findall(r"[!-~\u0900-\u0cff]+", hostile)[0][:50]
            assert first in "".join(read.words)


@pytest.mark.parametrize("service", ["json", "mmost"])
def test_a_title_adds_no_mention_link_or_field_to_a_chat(web, message, subtests, service):
    """Mattermost is one that acts on mentions and on Markdown, and may stand anywhere."""
    url = f"{service}://127.0.0.1:{web.port}/3ccdd113474722377935511fc85d3dd4"
    channel = ChatChannel(url)
    channel.send(message(TAME))
    tame = web.bodies[0]
    fixed = tame.keys() - {"title", "message", "text"}
    for name, hostile in HOSTILE.items():
        with subtests.test(name):
            web.requests.clear()
            channel.send(message(hostile))
            assert web.requests
            for body in web.bodies:  # a long message comes in parts
                assert body.keys() == tame.keys()
                assert {name: body[name] for name in fixed} == {name: tame[name] for name in fixed}
                for words in body.keys() - fixed:
                    assert not ACTIVE.search(body[words])
                    assert not UNSAFE.search(re.sub(r"\r?\n", "", body[words]))


def test_a_title_sends_no_control_character_to_the_terminal(message, subtests):
    for name, hostile in HOSTILE.items():
        with subtests.test(name):
            stream = io.StringIO()
            ConsoleChannel(stream).send(message(hostile))
            assert not UNSAFE.search(re.sub(r"[\n\t]", "", stream.getvalue()))
            assert stream.getvalue().splitlines()[1].startswith("─── Content Sync: ")


def test_a_title_adds_no_header_or_field_to_a_webhook(web, message, subtests):
    url = f"http://127.0.0.1:{web.port}/hook"
    settings = WebhookSettings(url=Secret(url), secret=Secret(SECRET), allow_private=("127.0.0.1",))
    channel = WebhookChannel(settings)
    channel.send(message(TAME))
    tame = web.requests.pop()
    for name, hostile in HOSTILE.items():
        with subtests.test(name):
            channel.send(message(hostile))
            request = web.requests.pop()
            assert not web.requests
            assert request.headers.keys() == tame.headers.keys()
            assert request.path == "/hook"
            whole = Webhook(SECRET).verify(request.body, request.headers)
            assert whole.keys() == json.loads(tame.body).keys()
            data = dict(message(hostile).data)
            assert whole["data"].keys() == data.keys() | {"subject", "text"}
            # Programs get values as they are, and words as people may see them.
            assert {name: whole["data"][name] for name in data} == data
            assert not UNSAFE.search(whole["data"]["subject"])
            assert not UNSAFE.search(re.sub(r"[\n\t]", "", whole["data"]["text"]))


def test_a_title_adds_no_field_to_the_stream(redis_url, subtests):
    events = [
        Event(
            id=number,
            at=NOW,
            kind="version.stored",
            path=text,
            document_id=7,
            number=2,
            data={"title": text},
        )
        for number, text in enumerate([TAME, *HOSTILE.values()], 1)
    ]
    stream = EventStream(redis_url, key="events", max_length=100)
    stream.publish(events)
    stream.close()
    with redis.Redis.from_url(redis_url) as client:
        (_, tame), *entries = client.xrange("events")
    for (name, hostile), (_, fields) in zip(HOSTILE.items(), entries, strict=True):
        with subtests.test(name):
            assert fields.keys() == tame.keys()
            assert fields[b"type"] == tame[b"type"]
            whole = json.loads(fields[b"event"])
            assert whole.keys() == json.loads(tame[b"event"]).keys()
            assert whole["subject"] == whole["data"]["title"] == hostile


@pytest.mark.parametrize("name", ["a format string", "a template", "a raw block"])
def test_braces_in_a_title_are_plain_text(name):
    message = composed(HOSTILE[name])
    assert f"T {HOSTILE[name]}" in message.text
    assert f"T {HOSTILE[name]}" in "".join(seen(message.html).words)
