import logging

import pytest

from worker.errors import ChannelError, ConfigurationError
from worker.messages.channels import Message
from worker.messages.channels.chat import ChatChannel, harmless

# Apprise's e-mail service imports a module that Python 3.13 no longer has.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

LOGGERS = ("apprise", "urllib3", "urllib3.connectionpool", "requests")
SECRET = "t0ken-Abcdef123456"


def message(**fields):
    given = {
        "id": "m1",
        "to": (),
        "subject": "Content Sync: 1 file refused",
        "text": "One.\n\nTwo.\n",
    }
    return Message(**(given | fields))


def url(web, query=""):
    return f"json://user:pa55word-long@127.0.0.1:{web.port}/{SECRET}/{query}"


def test_a_message_reaches_the_service(web):
    ChatChannel(url(web)).send(message())

    assert web.paths == [f"/{SECRET}/"]
    assert web.bodies[0]["title"] == "Content Sync: 1 file refused"
    assert web.bodies[0]["message"] == "One.\n\nTwo."


@pytest.mark.parametrize(
    "mention",
    [
        "<!channel>",
        "<!here|here>",
        "<@U024BE7LH>",
        "<@&1234>",
        "<users/all>",
        "@everyone",
        "@here",
        "x@everyone",
        "@**all**",
        "<https://evil.example|your review>",
        "[your review](https://evil.example)",
        "<b onclick=x>",
    ],
)
def test_a_title_mentions_nobody_and_forges_no_link(web, mention):
    ChatChannel(url(web)).send(message(subject=mention, text=f"- {mention} \\n :smile: *x*"))

    body = web.bodies[0]
    assert mention not in body["title"]
    assert mention not in body["message"]
    assert body["title"].replace("\u200b", "") == mention
    # Escapes, emojis and markup of a document stay letters.
    assert body["message"].replace("\u200b", "") == f"- {mention} \\n :smile: *x*"


def test_text_that_is_not_a_mention_stays():
    text = "a < b, 3 @ 4, [1] (2), x > y"
    assert harmless(text) == text


def test_control_characters_do_not_reach_the_service(web):
    ChatChannel(url(web)).send(message(subject="a\nb\x1b[2J", text="c\x07\u202ed"))

    assert web.bodies[0]["title"] == "a b\\x1b[2J"
    assert web.bodies[0]["message"] == "c\\x07\\u202ed"


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_a_refusing_service_is_tried_again(web, status):
    web.status = status
    with pytest.raises(ChannelError) as caught:
        ChatChannel(url(web)).send(message())

    assert not caught.value.permanent
    assert str(status) in str(caught.value)


def test_an_unreachable_service_is_tried_again(web):
    channel = ChatChannel(f"json://127.0.0.1:1/{SECRET}")
    with pytest.raises(ChannelError) as caught:
        channel.send(message())

    assert not caught.value.permanent
    assert SECRET not in str(caught.value)


def test_a_redirect_is_not_followed(web):
    web.status, web.headers = 307, {"Location": f"http://127.0.0.1:{web.port}/elsewhere"}
    with pytest.raises(ChannelError):
        ChatChannel(url(web)).send(message())
    assert web.paths == [f"/{SECRET}/"]


def test_the_url_is_in_no_log_and_no_error(web, caplog):
    caplog.set_level(logging.DEBUG)
    channel = ChatChannel(url(web))
    for name in LOGGERS:  # even if somebody turns them up again
        caplog.set_level(logging.DEBUG, logger=name)

    channel.send(message())
    web.status = 500
    with pytest.raises(ChannelError) as caught:
        channel.send(message())
    with pytest.raises(ConfigurationError) as refused:
        ChatChannel(f"nosuch://user:pa55word-long@example.org/{SECRET}")
    logging.getLogger("apprise").warning("cannot post to %s", url(web))
    try:
        int(url(web))
    except ValueError:
        logging.getLogger("urllib3.connectionpool").exception("gone")

    shown = "\n".join([caplog.text, str(caught.value), str(refused.value)])
    assert "cannot post to ***" in shown
    assert SECRET.lower() not in shown.lower()
    assert "pa55word" not in shown
    assert "nosuch://" in str(refused.value)
    assert not [r for r in caplog.records if r.name in LOGGERS and r.levelno < logging.WARNING]


@pytest.mark.parametrize(
    "bad", ["", "nonsense", "nosuch://x", "json://", "slack://only-one", "://"]
)
def test_a_url_that_apprise_does_not_understand_cannot_be_opened(bad):
    with pytest.raises(ConfigurationError, match="Apprise does not understand"):
        ChatChannel(bad)


def test_a_long_digest_is_split_unless_the_url_says_otherwise():
    apprise = pytest.importorskip("apprise")
    assert (
        ChatChannel("discord://1234567890/abcdefgh")._service.overflow_mode
        is apprise.OverflowMode.SPLIT
    )
    cut = ChatChannel("discord://1234567890/abcdefgh/?overflow=truncate")
    assert cut._service.overflow_mode is apprise.OverflowMode.TRUNCATE


def test_a_preview_shows_what_the_service_gets_and_not_its_url(web):
    given = message(subject="a\nb @everyone", text="<!channel> c\x07\n")
    shown = ChatChannel(url(web)).preview(given)
    assert not web.requests

    ChatChannel(url(web)).send(given)
    sent = web.bodies[0]
    assert shown == f"JSON: {sent['title']}\n\n{sent['message']}\n"
    assert SECRET not in shown
    assert "pa55word" not in shown
