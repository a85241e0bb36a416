import hashlib
import logging
import socket
import ssl
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import ChannelError, ConfigurationError
from worker.messages.channels import Message
from worker.messages.channels.mail import MailChannel, header_text
from worker.settings.model import EmailChannel
from worker.settings.reading import read

SENT_AT = datetime(2026, 3, 30, 6, 0, tzinfo=UTC)
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "List-Id", "Auto-Submitted"]
BODY_HEADERS = ["Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><style>li { color: #123 }</style></head>
<body><h1 style="margin: 0">1 review</h1><ul><li class="due">naïve &lt;b&gt; నమస్తే</li></ul>
<p>.</p><p><a href="https://charity.example/a?b=1&amp;c=2">open</a></p></body></html>
"""
INJECTIONS = [
    "=?utf-8?q?a=0ABcc:x?=",
    "=?utf-8?q?a=0D=0ABcc=3A_x=40example=2Eorg?=",
    "==??utf-8?q?a=0ABcc:x?=",
    "x\r\nBcc: x@example.org",
    "x\nBcc: x@example.org\n\nbody",
    "x\rBcc: x@example.org",
    "x\u2028Bcc: x@example.org",
    "x\x85Bcc: x@example.org",
    "x\x0b\x0cBcc: x@example.org",
    "x\x00\x1b[2J",
    "é" * 100 + "=?utf-8?q?=0ABcc:x?=" + " y" * 80,
    "\ud800",
    "",
]


def message(**fields):
    given = {
        "id": "0197f3c2-0001",
        "to": ("editor@example.org",),
        "subject": "Content Sync: 1 file refused",
        "text": "Dear editor,\n.\nnaïve ünïcode\n" + "x" * 1200 + "\n",
    }
    return Message(**(given | fields))


def channel(port, **fields):
    given = {
        "kind": "email",
        "host": "127.0.0.1",
        "port": port,
        "sender": "Content Sync <sync@charity.example>",
    }
    return MailChannel(read(given | fields, EmailChannel), clock=lambda: SENT_AT)


def received(post):
    assert len(post.envelopes) == 1
    return message_from_bytes(post.envelopes[0].content, policy=policy.default)


def failure(channel, message):
    with pytest.raises(ChannelError) as caught:
        channel.send(message)
    return caught.value


def test_a_message_arrives_as_it_was_sent(start_post):
    post = start_post()
    channel(post.port).send(message(to=("editor@example.org", "Anna B. <anna@example.org>")))

    mail = received(post)
    assert post.envelopes[0].mail_from == "sync@charity.example"
    assert post.envelopes[0].rcpt_tos == ["editor@example.org", "anna@example.org"]
    assert mail["Subject"] == "Content Sync: 1 file refused"
    assert mail["Message-ID"] == "<0197f3c2-0001@charity.example>"
    assert mail["Date"].datetime == SENT_AT
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] == "Content Sync <content-sync.charity.example>"
    assert mail.get_content().replace("\r\n", "\n") == message().text
    assert post.envelopes[0].content.isascii()


@pytest.mark.parametrize("html", ["", HTML])
def test_a_repeat_is_the_same_message(start_post, html):
    post = start_post()
    for _ in range(2):
        channel(post.port).send(message(html=html))

    first, second = (envelope.content for envelope in post.envelopes)
    assert first == second


def test_a_message_with_html_shows_the_same_as_text(start_post):
    post = start_post()
    channel(post.port).send(message(html=HTML))

    mail = received(post)
    assert mail.get_content_type() == "multipart/alternative"
    # The last one is the one that is preferred.
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text, html = (part.get_content().replace("\r\n", "\n") for part in mail.iter_parts())
    assert text == message().text
    assert html == HTML
    assert post.envelopes[0].content.isascii()
    assert max(map(len, post.envelopes[0].content.splitlines())) < 998


@pytest.mark.parametrize(
    ("html", "because"),
    [
        ('<img src="https://evil.example/x.gif">', "the element <img>"),
        ("<p>a<script>x()</script></p>", "the element <script>"),
        ("<link rel=stylesheet href=//evil.example/x.css>", "the element <link>"),
        ("<iframe src='x'></iframe>", "the element <iframe>"),
        ("<form action=https://evil.example><input name=x></form>", "the element <form>"),
        ("<svg onload=x()>", "the element <svg>"),
        ("<p onclick=x()>", "the attribute onclick"),
        ("<body background=https://evil.example/x.gif>", "the attribute background"),
        ("<a ping=https://evil.example href=https://a.example>a</a>", "the attribute ping"),
        ("<a href='javascript:x()'>a</a>", "the link"),
        ("<a href=' JaVaScRiPt:x()'>a</a>", "the link"),
        ("<a href='data:text/html,x'>a</a>", "the link"),
        ("<a href='//evil.example'>a</a>", "the link"),
        ("<p style='background: URL (https://evil.example/x.gif)'>", "the style of <p>"),
        ("<p style='b: \\75rl(https://evil.example)'>", "the style of <p>"),
        ("<style>@import 'https://evil.example/x.css';</style>", "a style sheet that loads"),
        ("<style>p { background: image-set('https://evil.example/x') }</style>", "style sheet"),
        ("<meta http-equiv=Refresh content='0; https://evil.example'>", "an automatic redirect"),
        ("<base href=https://evil.example>", "the element <base>"),
        ("<!--[if mso]><img src=x><![endif]-->", "a conditional comment"),
        ("<?php x ?>", "a processing instruction"),
    ],
)
def test_html_that_loads_or_runs_something_is_not_sent(start_post, caplog, html, because):
    post = start_post()
    channel(post.port).send(message(html=f"<html><body>{html}</body></html>"))

    assert received(post).get_content_type() == "text/plain"
    assert "is sent without its HTML" in caplog.text
    assert because in caplog.text


def test_messages_about_one_document_are_one_thread(start_post):
    post = start_post()
    long = "document-" + "7" * 120
    for number, thread in enumerate(["document-7", "document-7", long]):
        channel(post.port).send(message(id=f"m{number}", thread=thread, html=HTML))

    first, second, third = (
        message_from_bytes(envelope.content, policy=policy.compat32)  # as it stands there
        for envelope in post.envelopes
    )
    for mail in (first, second):
        assert mail["In-Reply-To"] == "<document-7@charity.example>"
        assert mail["References"] == "<document-7@charity.example>"
    assert first["Message-ID"] != second["Message-ID"]
    assert third["References"].strip() == f"<{long}@charity.example>"


def test_the_list_id_can_be_configured(start_post):
    post = start_post()
    channel(post.port, list_id="reviews.charity.example").send(message())
    assert received(post)["List-Id"] == "Content Sync <reviews.charity.example>"


def test_a_long_domain_makes_no_encoded_id(start_post):
    post = start_post()
    domain = f"reviews.{'long-' * 12}charity.example"
    channel(post.port, sender=f"sync@{domain}").send(message(thread="document-7"))
    raw = message_from_bytes(post.envelopes[0].content, policy=policy.compat32)
    assert raw["Message-ID"].strip() == f"<0197f3c2-0001@{domain}>"
    assert raw["List-Id"].strip() == f"Content Sync <content-sync.{domain}>"
    assert raw["References"].strip() == f"<document-7@{domain}>"


@pytest.mark.parametrize(
    "list_id", ["reviews", "a b.example", "a.example>\r\nBcc: x", "é.example", "a." + "b" * 300]
)
def test_an_invalid_list_id_cannot_be_opened(list_id):
    with pytest.raises(ConfigurationError, match="list_id"):
        channel(25, list_id=list_id)


def test_a_preview_is_the_mail_that_would_be_sent(start_post):
    post = start_post()
    ours = channel(post.port, username="sync", password="tr0ub4dor")
    shown = ours.preview(message(html=HTML, thread="document-7"))
    assert not post.envelopes
    assert "tr0ub4dor" not in shown

    channel(post.port).send(message(html=HTML, thread="document-7"))
    assert shown == post.envelopes[0].content.decode().replace("\r\n", "\n")
    with pytest.raises(ChannelError):
        ours.preview(message(to=("nobody",)))


@pytest.mark.parametrize("payload", INJECTIONS)
def test_no_subject_makes_a_header(start_post, payload):
    post = start_post()
    channel(post.port).send(message(subject=payload, text=payload))

    assert post.envelopes[0].rcpt_tos == ["editor@example.org"]
    assert sorted(received(post).keys()) == sorted(HEADERS + BODY_HEADERS)


@given(st.text())
def test_header_text_is_one_line_without_encoded_words(text):
    shown = header_text(text + "=?utf-8?q?x?=" + text)
    assert "=?" not in shown
    assert len(shown.splitlines()) <= 1


def test_a_message_whose_headers_parse_differently_is_not_sent(start_post, monkeypatch):
    """The last defence: even without the cleaning, a second header never leaves the house."""
    monkeypatch.setattr("worker.messages.channels.mail.header_text", lambda text: text)
    post = start_post()
    for payload in INJECTIONS:
        try:
            channel(post.port).send(message(subject=payload))
        except ChannelError as error:
            assert error.permanent  # noqa: PT017 - on newer Pythons some of them are harmless
    for envelope in post.envelopes:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert sorted(mail.keys()) == sorted(HEADERS + BODY_HEADERS)


@pytest.mark.parametrize(
    "to",
    [
        (),
        ("nobody",),
        ("a@example.org\r\nBcc: b@example.org",),
        ("a@example.org, b@example.org",),
        ("é@example.org",),
        ("group: a@example.org;, b@example.org",),
    ],
)
def test_an_invalid_recipient_is_refused_permanently(start_post, to):
    post = start_post()
    assert failure(channel(post.port), message(to=to)).permanent
    assert not post.envelopes


@pytest.mark.parametrize("name", ["id", "thread"])
@pytest.mark.parametrize("bad", ["x>\r\nBcc: y", "", "a b", "nci/a.md", "é", "x" * 201])
def test_an_invalid_id_is_refused_permanently(start_post, name, bad):
    post = start_post()
    assert failure(channel(post.port), message(**{name: bad})).permanent


def test_a_text_that_contains_the_boundary_makes_no_part(start_post):
    """Nobody can know the id before it is drawn; if somebody did, nothing would be sent."""
    post = start_post()
    boundary = f"=_{hashlib.sha256(message().id.encode()).hexdigest()[:32]}"
    forged = f"a\n--{boundary}\nContent-Type: text/html\n\n<b>x</b>\n--{boundary}--\n"
    for fields in ({"text": forged}, {"html": f"<p>{forged}</p>"}):
        error = failure(channel(post.port), message(**({"html": "<p>a</p>"} | fields)))
        assert error.permanent
        assert "parts would differ" in str(error)
    assert not post.envelopes


def test_an_invalid_sender_cannot_be_opened():
    with pytest.raises(ConfigurationError, match="not an e-mail address"):
        channel(25, sender="Content Sync")


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "permanent"),
    [
        ("550 5.7.1 we do not like it", True),
        ("552 5.3.4 too big", True),
        ("451 4.7.1 greylisted", False),
        ("452 4.2.2 no room", False),
        ("530 5.7.0 authentication required", False),
    ],
)
def test_a_refusal_is_permanent_or_temporary_by_its_code(start_post, step, reply, permanent):
    post = start_post(replies={step: reply})
    error = failure(channel(post.port), message())

    assert error.permanent is permanent
    assert reply in str(error)
    assert f"127.0.0.1:{post.port}" in str(error)


def test_some_refused_recipients_are_logged_and_the_message_counts_as_sent(start_post, caplog):
    post = start_post(replies={"gone@example.org": "550 no such user\x1b[2J"})
    with caplog.at_level(logging.WARNING):
        channel(post.port).send(message(to=("editor@example.org", "gone@example.org")))

    assert post.envelopes[0].rcpt_tos == ["editor@example.org"]
    assert "not to gone@example.org: 550 no such user\\x1b[2J" in caplog.text


def test_recipients_refused_for_different_reasons_are_tried_again(start_post):
    post = start_post(replies={"a@example.org": "550 no such user", "b@example.org": "451 later"})
    error = failure(channel(post.port), message(to=("a@example.org", "b@example.org")))
    assert not error.permanent


def test_a_failed_quit_does_not_repeat_the_message(start_post):
    post = start_post(replies={"QUIT": "421 going away"})
    channel(post.port).send(message())
    assert len(post.envelopes) == 1


def test_an_unreachable_server_is_tried_again():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    error = failure(channel(port), message())
    assert not error.permanent
    assert "refused" in str(error)


def test_a_silent_server_times_out():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = failure(channel(silent.getsockname()[1], timeout_seconds=0.2), message())
    assert not error.permanent
    assert "timed out" in str(error)


def test_starttls_encrypts_and_checks_the_certificate(start_post, server_tls, trust):
    post = start_post(tls_context=server_tls, require_starttls=True)
    starttls = channel(post.port, security="starttls")

    error = failure(starttls, message())
    assert not error.permanent
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)

    trust()
    starttls.send(message(html=HTML))
    assert post.tls == [True]


def test_the_login_is_sent_only_over_the_encrypted_connection(start_post, server_tls, trust):
    trust()
    post = start_post(
        tls_context=server_tls,
        require_starttls=True,
        auth=True,
        auth_required=True,
        auth_require_tls=True,
    )
    channel(post.port, security="starttls", username="sync", password="tr0ub4dor").send(message())
    assert post.logins == [("sync", "tr0ub4dor")]
    assert post.tls == [True]

    plain = start_post(auth=True)  # a server, or somebody before it, that offers no STARTTLS
    error = failure(
        channel(plain.port, security="starttls", username="sync", password="tr0ub4dor"), message()
    )
    assert "STARTTLS" in str(error)
    assert plain.logins == []


def test_starttls_never_falls_back_to_plain_text(start_post):
    post = start_post()
    error = failure(channel(post.port, security="starttls"), message())
    assert not error.permanent
    assert "STARTTLS" in str(error)
    assert not post.envelopes


def test_smtps_uses_tls_from_the_first_byte(start_post, server_tls, trust):
    trust()
    post = start_post(implicit_tls=server_tls)
    channel(post.port, security="tls").send(message())
    assert len(post.envelopes) == 1


def test_tls_to_a_plain_text_server_is_tried_again(start_post):
    post = start_post()
    error = failure(channel(post.port, security="tls"), message())
    assert not error.permanent
    assert isinstance(error.__context__, ssl.SSLError)


def test_the_login_is_used(start_post):
    post = start_post(auth=True, auth_required=False)
    channel(post.port, username="sync", password="tr0ub4dor").send(message())
    assert post.logins == [("sync", "tr0ub4dor")]
    assert len(post.envelopes) == 1


def test_a_wrong_password_is_tried_again_and_never_shown(start_post, caplog):
    post = start_post(auth=True)
    with caplog.at_level(logging.DEBUG):
        error = failure(channel(post.port, username="sync", password="hunter2secret"), message())
    assert not error.permanent
    assert "535" in str(error)
    assert "hunter2secret" not in str(error)
    assert not any(
        "hunter2secret" in r.getMessage()
        for r in caplog.records
        if r.name.startswith("content_sync")
    )


def test_a_reply_that_echoes_the_password_is_not_shown(start_post):
    post = start_post(auth=True, replies={"MAIL": "550 tr0ub4dor is no good"})
    error = failure(channel(post.port, username="sync", password="tr0ub4dor"), message())
    assert "550 *** is no good" in str(error)


def test_a_server_without_auth_is_tried_again(start_post):
    post = start_post()
    error = failure(channel(post.port, username="sync", password="tr0ub4dor"), message())
    assert not error.permanent
