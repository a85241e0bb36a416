"""Sends messages as signed webhooks, following Standard Webhooks (https://www.standardwebhooks.com).

With any library of that standard, a receiver checks that a message is authentic and new. The URL is a secret:
logs and errors show only its host. Addresses in the internal network are refused unless the settings name the
host. The channel does not retry. Opened by `worker.messages.channels.opening`.

The signature is one HMAC, so this module does not use the package `standardwebhooks`, which silently accepts
a mistyped secret; this module refuses it. The tests check signatures with the package.
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

#: The `type` of the standard; it names the schema of `data`.
TYPE = "content_sync.digest"

#: Without a full stop, because that separates the signed parts.
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_KEY_BYTES = range(24, 65)
#: Failures that a retry can fix, including the temporary redirects.
_PASSING = frozenset({302, 303, 307, 408, 425, 429})
#: A longer `Retry-After` must not suppress a message for good.
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
        """Take the settings; raise `ConfigurationError` if the URL or a secret cannot be used.

        `clock` dates the messages, in UTC. Looks nothing up and opens no connection yet.
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

        Raises `ChannelError`: permanent if the receiver refuses the message (4xx); a retry can help if it
        fails, is overloaded (408, 425, 429, 5xx) or cannot be reached. Ignores `to`.
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
        """Return the request and its body, without the signatures and with only the host of the URL."""
        content = self._body(message)
        headers = self._headers(message, content)
        headers["webhook-signature"] = " ".join("v1,…" for _ in self._keys)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        host = self._url.netloc.decode("ascii")
        return "\n".join([f"POST {self._url.scheme}://{host}/…", *lines, "", content.decode(), ""])

    def _body(self, message: Message) -> bytes:
        shown = {
            "subject": one_line(message.subject, limit=_SUBJECT_CHARACTERS),
            "text": visible(message.text, lines=True),
        }
        whole = {
            "type": TYPE,
            "timestamp": self._clock().astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "data": {**message.data, **shown},
        }
        try:
            text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise self._error(
                f"its data cannot be written as JSON: {error}", permanent=True
            ) from error
        # A byte of a file name that is not UTF-8 becomes `\udcff`, as in JSON.
        return text.encode("utf-8", "backslashreplace")

    def _headers(self, message: Message, content: bytes) -> dict[str, str]:
        """Return the headers of one attempt; the timestamp is signed to prevent replays."""
        if not _ID.fullmatch(message.id):
            raise self._error(f"{message.id!r} is not a valid id of a message", permanent=True)
        timestamp = str(int(self._clock().timestamp()))
        signed = b".".join([message.id.encode(), timestamp.encode(), content])
        return {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(f"v1,{_signature(key, signed)}" for key in self._keys),
        }

    def _check_host(self) -> None:
        """Raise `ConfigurationError` for a URL that is never allowed; names are looked up when sending."""
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
                f"its `url` leads to {host}, which is not a public address:"
                " if that is intended, name the host in `allow_private`"
            )

    def _may_connect(self, address: Address) -> bool:
        return self._allowed or is_public(address)

    def _refusal(self, answer: Answer) -> ChannelError:
        said = one_line(redacted(answer.text), limit=_REASON_CHARACTERS)
        if 300 <= answer.status < 400:
            said = "redirects are not followed; set `url` to the final URL"
        return self._error(
            f"{answer.phrase}{f': {said}' if said else ''}",
            permanent=answer.status < 500 and answer.status not in _PASSING,
            retry_after=_seconds(answer.retry_after, self._clock()),
        )

    def _error(
        self, why: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> ChannelError:
        """Return an error that shows only the host of the URL."""
        why = one_line(why, limit=_REASON_CHARACTERS)
        return ChannelError(
            f"webhook {self._url.host}: {why}", permanent=permanent, retry_after=retry_after
        )


def _key(secret: str, name: str) -> bytes:
    """Decode a secret, which is `whsec_` and 24 to 64 bytes in base64."""
    encoded = secret.strip().removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not secret.strip().startswith("whsec_") or len(key) not in _KEY_BYTES:
        raise ConfigurationError(
            f"its `{name}` is not `whsec_` and 24 to 64 bytes in base64:"
            ' create one with `echo "whsec_$(openssl rand -base64 32)"`'
        )
    return key


def _signature(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def _host(name: str) -> str:
    """Return the name of a host in the form that is compared."""
    return name.strip().strip("[]").rstrip(".").lower()


def _seconds(retry_after: str, now: datetime) -> float | None:
    """Return the seconds of a `Retry-After` header, which holds a number of seconds or an HTTP date."""
    value = retry_after.strip()
    if re.fullmatch(r"[0-9]{1,12}", value):
        wait = float(value)
    else:
        try:
            then = parsedate_to_datetime(value)
        except (TypeError, ValueError, OverflowError):
            return None
        # `-0000` means an unknown zone, which gives a time without a zone.
        wait = ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds()
    return min(wait, _LONGEST_RETRY_AFTER_SECONDS) if wait > 0 else None
