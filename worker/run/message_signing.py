"""Signs messages, so that workers ignore whoever can write to the broker but does not know the secret.

A body is an HMAC-SHA256 followed by exactly the JSON bytes that it signs. Size and signature are checked
before anything of it is parsed; `worker.run.redis_broker` signs the envelope too. Celery's own serializer
`auth` needs X.509 certificates for each part and the package `cryptography`; one shared secret fits a
service whose parts trust each other. Anybody who saw a signed message can send it again. That is harmless:
the store drops what is not newer than what it has seen, and bytes are fetched by the hashes in the message.
This module knows neither Celery nor batches. Called by `worker.run.redis_broker`, `worker.run.tasks` and
`worker.run.doctor`.
"""

from __future__ import annotations

import hmac
import json
import mmap
import struct
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlsplit

from worker.settings.model import Settings

#: More than 128 files with the longest names that there are; a usual message has 20 kB.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
#: What this serialization is called, and the media type that stands in each message.
SIGNED, SIGNED_TYPE = "content-sync", "application/x-content-sync-signed+json"
_PURPOSE = b"content-sync broker messages 1"
_DIGEST_LETTERS = 64
_COUNT_AND_TIME = struct.Struct("=Qd")


class ForgedMessageError(ValueError):
    """A message that no part of the service wrote, or that was changed on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs with the first key and accepts all keys. `source` says where the first key comes from."""

    keys: tuple[bytes, ...] = field(repr=False)
    source: str

    def seal(self, value: Any) -> str:
        """Return a value's JSON with its signature."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return _digest(self.keys[0], text.encode()) + text

    def open(self, sealed: str | bytes) -> Any:
        """Return the value; raise `ForgedMessageError` if it is too large or no key signed it."""
        return json.loads(self.verify(sealed))

    def verify(self, sealed: str | bytes) -> bytes:
        """Return the unparsed JSON if its signature is right; else raise `ForgedMessageError`."""
        if len(sealed) > MAX_MESSAGE_BYTES:
            raise ForgedMessageError(f"it has more than {MAX_MESSAGE_BYTES} bytes")
        data = sealed.encode(errors="replace") if isinstance(sealed, str) else bytes(sealed)
        claimed, text = data[:_DIGEST_LETTERS], data[_DIGEST_LETTERS:]
        if not any(hmac.compare_digest(claimed, _digest(k, text).encode()) for k in self.keys):
            raise ForgedMessageError("its signature is missing or wrong")
        return text


def make_signer(settings: Settings) -> Signer | None:
    """Return the signer that the settings describe, or None for the in-process broker.

    Without `broker_secret` the key is derived from the broker's password, which stops whoever can write
    there without that password (through another account, from a stolen backup).
    """
    if settings.in_process:
        return None
    given = [settings.broker_secret, settings.broker_old_secret]
    secrets = [secret.value for secret in given if secret is not None]
    source = "broker_secret"
    if settings.broker_secret is None:
        password = unquote(urlsplit(settings.broker_url.value).password or "")
        secrets.insert(0, password)
        source = "the broker's password" if password else ""
    return Signer(keys=tuple(_key(secret) for secret in secrets), source=source)


class Forgeries:
    """The number of forged messages, and when the last came: counted in one process, read in its forks."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _COUNT_AND_TIME.size)  # anonymous: forks share it

    def count(self) -> None:
        """Count one more, now."""
        number, _ = _COUNT_AND_TIME.unpack_from(self._shared)
        _COUNT_AND_TIME.pack_into(self._shared, 0, number + 1, time.time())

    def as_json(self) -> dict[str, Any]:
        """Return the count and the time of the last forgery, in UTC."""
        number, at = _COUNT_AND_TIME.unpack_from(self._shared)
        last = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if number else None
        return {"forged": number, "last_forged_at": last}


def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _PURPOSE, sha256)


def _digest(key: bytes, data: bytes) -> str:
    return hmac.digest(key, data, sha256).hex()
