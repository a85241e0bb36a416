import subprocess
import sys

import pytest

from worker.errors import ConfigurationError
from worker.messages.channels.console import ConsoleChannel
from worker.messages.channels.mail import MailChannel
from worker.messages.channels.opening import open_channels
from worker.messages.channels.webhook import WebhookChannel
from worker.settings.model import load_settings

# Apprise's e-mail service imports a module that Python 3.13 no longer has.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = "whsec_" + "c2VjcmV0" * 4


@pytest.fixture(autouse=True)
def _no_settings_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def settings(**channels):
    return load_settings(channels={"console": {"kind": "console"}} | channels)


def test_every_channel_of_the_settings_is_opened_under_its_name():
    opened = open_channels(
        settings(
            post={"kind": "email"},
            chat={"kind": "apprise", "url": "json://127.0.0.1/x"},
            hook={"kind": "webhook", "url": "https://example.org/x", "secret": SECRET},
        )
    )
    assert set(opened) == {"console", "post", "chat", "hook"}
    assert isinstance(opened["console"], ConsoleChannel)
    assert isinstance(opened["post"], MailChannel)
    assert isinstance(opened["hook"], WebhookChannel)


@pytest.mark.parametrize(
    "channel",
    [
        {"kind": "apprise", "url": "nosuch://secret-token"},
        {"kind": "email", "sender": "nobody"},
        {"kind": "webhook", "url": "http://example.org/secret-token", "secret": SECRET},
        {"kind": "webhook", "url": "https://example.org/x", "secret": "whsec_secret-token"},
    ],
)
def test_a_channel_that_cannot_be_opened_is_named_without_its_secret(channel):
    with pytest.raises(ConfigurationError, match=r"channels\.team: ") as caught:
        open_channels(settings(team=channel))
    assert "secret-token" not in str(caught.value)


def test_apprise_is_imported_only_where_a_channel_needs_it():
    code = (
        "import sys; from worker.settings.model import load_settings;"
        "from worker.messages.channels.opening import open_channels;"
        "open_channels(load_settings(channels={'console': {'kind': 'console'}}));"
        "sys.exit('apprise' in sys.modules or 'smtplib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
