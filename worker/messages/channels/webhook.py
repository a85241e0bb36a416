"""Messages as signed webhooks, after Standard Webhooks (https://www.standardwebhooks.com).

A receiver checks with its library of that standard that a message is ours and new. The URL is a
secret: no log and no error shows more of it than its host. Addresses inside the own network are
refused unless the settings name the host. There are no retries here. Opened by
`worker.messages.channels.opening`.

The signature is made here and not by the package `standardwebhooks`: it is one HMAC, and the package
takes a mistyped secret without a word, where this refuses it. The tests check with the package.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address

from worker.domain.seeds.visible import one_line, visible
from worker.errors import ChannelError, ConfigurationError
from worker.messages.channels import Message
from worker.messages.channels.addresses import Address, is_public
from worker.messages.channels.http import Answer, exchange, parse_url
from worker.messages.channels.redaction import hide, redacted
from worker.settings.model import WebhookChannel as WebhookSettings

#: The schema of `data`, as the standard has it.
TYPE = "content_sync.digest"

#: Without a full stop, which separates what is signed.
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_KEY_BYTES = range(24, 65)
#: Failures that another try can fix. The redirects are those that are called temporary.
_PASSING = frozenset({302, 303, 307, 408, 425, 429})
#: A service that asks for more must not silence a reminder for good.
_LONGEST_RETRY_AFTER_SECONDS = 86_400
_SUBJECT_CHARACTERS = 200
_REASON_CHARACTERS = 200


class WebhookChannel:
    """Posts each message as JSON to one URL."""

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Use a URL and its secret; raise `ConfigurationError` when one of them cannot be used.

        `clock` dates the messages, in UTC. Nothing is looked up or opened yet.
        """
        for secret in (settings.url, settings.secret, settings.old_secret):
            if secret is not None:
                hide(secret.value)
        try:
            self._url = parse_url(settings.url.value)
        except ValueError as error:
            raise ConfigurationError(f"its `url` cannot be used: {error}") from None
        self._seconds = settings.timeout_seconds
        self._clock = clock
        self._keys = [_key(settings.secret.value, "secret")]
        if settings.old_secret is not None:
            self._keys.append(_key(settings.old_secret.value, "old_secret"))
        self._allowed = _host(self._url.host) in {_host(name) for name in settings.allow_private}
        self._check_host()

    def send(self, message: Message) -> None:
        """Post the message; a repeat has the same `webhook-id` and a new timestamp.

        Raises `ChannelError`: permanent when the receiver refuses it (4xx), worth another try when it
        is out of order, overloaded (408, 425, 429, 5xx) or not reached. `to` is not used.
        """
        content = self._body(message)
        headers = self._headers(message, content)
        try:
            answer = exchange(
                "POST",
                self._url,
                may_connect=self._may_connect,
                seconds=self._seconds,
                headers=headers,
                content=content,
            )
        except ChannelError as error:
            raise self._error(redacted(str(error))) from None
        if not 200 <= answer.status < 300:
            raise self._refusal(answer)

    def preview(self, message: Message) -> str:
        """Return request and body; the signatures, and all of the URL but its host, are left out."""
        content = self._body(message)
        headers = self._headers(message, content)
        headers["webhook-signature"] = " ".join("v1,…" for _ in self._keys)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        host = self._url.netloc.decode("ascii")
        return "\n".join([f"POST {self._url.scheme}://{host}/…", *lines, "", content.decode(), ""])

    def _body(self, message: Message) -> bytes:
        told = {
            "subject": one_line(message.subject, limit=_SUBJECT_CHARACTERS),
            "text": visible(message.text, lines=True),
        }
        whole = {
            "type": TYPE,
            "timestamp": self._clock().astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "data": {**message.data, **told},
        }
        try:
            text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise self._error(f"its data is no JSON: {error}", permanent=True) from error
        # A byte of a file name that is not UTF-8 becomes `\udcff`, as JSON also writes it.
        return text.encode("utf-8", "backslashreplace")

    def _headers(self, message: Message, content: bytes) -> dict[str, str]:
        """Return the headers of one attempt: its time is signed, so that it cannot be replayed."""
        if not _ID.fullmatch(message.id):
            raise self._error(f"{message.id!r} is no id for a message", permanent=True)
        timestamp = str(int(self._clock().timestamp()))
        signed = b".".join([message.id.encode(), timestamp.encode(), content])
        return {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(f"v1,{_signature(key, signed)}" for key in self._keys),
        }

    def _check_host(self) -> None:
        """Refuse at once what can never be sent to; a name is looked up when it is used."""
        host = self._url.host
        if self._url.scheme != "https" and not self._allowed:
            raise ConfigurationError(
                "its `url` is not https: use https, or name the host in `allow_private`"
            )
        try:
            address = ip_address(host)
        except ValueError:
            return
        if not self._may_connect(address):
            raise ConfigurationError(
                f"its `url` leads to {host}, which is no public address:"
                " if that is meant, name the host in `allow_private`"
            )

    def _may_connect(self, address: Address) -> bool:
        return self._allowed or is_public(address)

    def _refusal(self, answer: Answer) -> ChannelError:
        said = one_line(redacted(answer.text), limit=_REASON_CHARACTERS)
        if 300 <= answer.status < 400:
            said = "redirects are not followed; the settings have to name the final URL"
        return self._error(
            f"{answer.phrase}{f': {said}' if said else ''}",
            permanent=answer.status < 500 and answer.status not in _PASSING,
            retry_after=_seconds(answer.retry_after, self._clock()),
        )

    def _error(
        self, why: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> ChannelError:
        """Return an error that names the host and no more of the URL."""
        why = one_line(why, limit=_REASON_CHARACTERS)
        return ChannelError(
            f"webhook {self._url.host}: {why}", permanent=permanent, retry_after=retry_after
        )


def _key(secret: str, name: str) -> bytes:
    """Return the key that a secret spells: `whsec_` and 24 to 64 bytes in base64."""
    encoded = secret.strip().removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not secret.strip().startswith("whsec_") or len(key) not in _KEY_BYTES:
        raise ConfigurationError(
            f"its `{name}` is not `whsec_` and 24 to 64 bytes in base64:"
            ' make one with `echo "whsec_$(openssl rand -base64 32)"`'
        )
    return key


def _signature(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def _host(name: str) -> str:
    """Return a host's name as names are compared."""
    return name.strip().strip("[]").rstrip(".").lower()


def _seconds(retry_after: str, now: datetime) -> float | None:
    """Return how long a `Retry-After` asks to wait: it is a number of seconds or an HTTP date."""
    asked = retry_after.strip()
    if re.fullmatch(r"[0-9]{1,12}", asked):
        wait = float(asked)
    else:
        try:
            then = parsedate_to_datetime(asked)
        except (TypeError, ValueError, OverflowError):
            return None
        # `-0000` says that the zone is not known, and gives a time without one.
        wait = ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds()
    return min(wait, _LONGEST_RETRY_AFTER_SECONDS) if wait > 0 else None
