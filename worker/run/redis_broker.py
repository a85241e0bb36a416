"""The Redis broker: kombu's transport, which delivers only what the service has signed.

kombu and Celery obey the envelope of a message before a task could check it: `compression` inflates a
body, the encoding names any codec of Python, `timelimit` and `eta` say how a task runs. So the check
stands in front of kombu, and whatever is not signed in an envelope is written anew. Only processes that
use Redis import this module; `worker.run.celery_settings` names it.
"""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from binascii import Error as NotBase64Error
from hashlib import sha256
from typing import Any
from uuid import uuid4

from kombu.transport import redis

from worker.run.celery_settings import CANARY, DELIVER, INGEST, SWEEP
from worker.run.message_signing import (
    MAX_MESSAGE_BYTES,
    SIGNED_TYPE,
    ForgedMessageError,
    Signer,
)

logger = logging.getLogger("content_sync.consumer")

#: The key of a message with its signed envelope. The version before neither writes nor reads it.
SIGNED_ENVELOPE = "signed"
_MOST_LETTERS = MAX_MESSAGE_BYTES * 4 // 3 + 4
_TASKS = {INGEST, SWEEP, DELIVER, CANARY}


class Channel(redis.Channel):
    """Signs the envelope of each message that it sends; drops what is not even a message."""

    def __init__(self, connection: Any, *arguments: Any, **options: Any) -> None:
        self._signer = connection.signer  # a channel can outlive its connection, and go on sending
        super().__init__(connection, *arguments, **options)

    def prepare_message(self, body: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Return a message with its signed envelope."""
        message: dict[str, Any] = super().prepare_message(body, *arguments, **options)
        return message | {SIGNED_ENVELOPE: self._signer.seal(_envelope(message, body))}

    def _brpop_read(self, **options: Any) -> Any:
        self.connection.delivers = False
        try:
            return super()._brpop_read(**options)
        except (ValueError, TypeError, LookupError, RecursionError):
            if self.connection.delivers:
                raise
            self.connection.drop("a queue", "it is not JSON")
            return True


class Transport(redis.Transport):
    """Checks each message before kombu looks into it."""

    Channel = Channel
    #: Whether the message that was just read could be parsed.
    delivers = False
    client: Any

    @property
    def signer(self) -> Signer:
        """Return the application's signer."""
        signer: Signer = self.client.transport_options["signer"]
        return signer

    def _deliver(self, message: Any, queue: str) -> None:
        self.delivers = True
        try:
            opened = open_message(self.signer, message, queue)
        except ForgedMessageError as error:
            self.drop(queue, str(error))
        else:
            super()._deliver(opened, queue)

    def drop(self, queue: str, why: str) -> None:
        """Count and log a forged message, which is out of its queue already."""
        logger.error("dropped a forged message in %s: %s", queue, why)
        self.client.transport_options["forgeries"].count()


def open_message(signer: Signer, message: Any, queue: str) -> dict[str, Any]:
    """Return a message of Redis with nothing in it that is not signed; raise `ForgedMessageError`.

    A message of the version before has a signed body only: of its headers the task and its ID are kept.
    """
    if not isinstance(message, dict):
        raise ForgedMessageError("it is not a message")
    body = _body(message.get("body"))
    sealed = message.get(SIGNED_ENVELOPE)
    if sealed is None:
        signer.verify(body)
        envelope = _of_the_version_before(message)
    else:
        envelope = signer.open(sealed if isinstance(sealed, str) else "")
        if envelope["body"] != sha256(body).hexdigest():
            raise ForgedMessageError("its envelope belongs to another body")
    opened = {
        "body": b64encode(body).decode(),
        "headers": envelope["headers"],
        "content-type": envelope["content-type"],
        "content-encoding": envelope["content-encoding"],
        "properties": {
            "body_encoding": "base64",
            "correlation_id": envelope["headers"].get("id"),
            "delivery_info": {"exchange": "", "routing_key": queue},
            "delivery_mode": 2,
            "delivery_tag": str(uuid4()),
            "priority": 0,
        },
    }
    # An unacknowledged message returns to its queue, and is checked again.
    return opened if sealed is None else opened | {SIGNED_ENVELOPE: sealed}


def _envelope(message: dict[str, Any], body: str | bytes) -> dict[str, Any]:
    data = body.encode() if isinstance(body, str) else body
    kept = ("headers", "content-type", "content-encoding")
    return {name: message[name] for name in kept} | {"body": sha256(data).hexdigest()}


def _body(text: Any) -> bytes:
    if not isinstance(text, str) or len(text) > _MOST_LETTERS:
        raise ForgedMessageError(f"it has no body, or one of more than {MAX_MESSAGE_BYTES} bytes")
    try:
        return b64decode(text, validate=True)
    except (NotBase64Error, ValueError):
        raise ForgedMessageError("its body is not base64") from None


def _of_the_version_before(message: dict[str, Any]) -> dict[str, Any]:
    headers, content_type = message.get("headers"), message.get("content-type")
    if content_type != SIGNED_TYPE or not isinstance(headers, dict):
        raise ForgedMessageError(f"its content is not {SIGNED_TYPE}")
    task, task_id = headers.get("task"), headers.get("id")
    if not isinstance(task, str) or task not in _TASKS or not isinstance(task_id, str):
        raise ForgedMessageError("it names no task of the service")
    return {
        "headers": {"task": task, "id": task_id, "lang": "py"},
        "content-type": SIGNED_TYPE,
        "content-encoding": "utf-8",
    }
