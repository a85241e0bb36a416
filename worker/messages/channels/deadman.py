"""Pings a service such as healthchecks.io, which raises an alarm when the pings stop.

The caller decides when to ping and whether all is well. A ping that fails raises nothing: the missing ping is
the alarm. Called by `worker.messages.silence_alarm`.
"""

from __future__ import annotations

import logging

from worker.domain.seeds.visible import one_line
from worker.errors import ChannelError
from worker.messages.channels.addresses import Address
from worker.messages.channels.redaction import hide, redacted

_log = logging.getLogger("content_sync.deadman")

PING_SECONDS = 5
_REASON_CHARACTERS = 200
#: Healthchecks also answers 200 for a check that it does not know.
_UNKNOWN_CHECK = "OK (not found)"


def ping(url: str, *, ok: bool, seconds: float = PING_SECONDS) -> bool:
    """Request the URL, with `/fail` appended if `ok` is false, and return whether the service accepted it.

    Never raises. The log names only the host, because the URL is a secret. Plain http is allowed to this
    machine only.
    """
    from worker.messages.channels.http import exchange, parse_url  # noqa: PLC0415 - 0.2 s

    hide(url)
    try:
        parsed = parse_url(url)
    except ValueError as error:
        _log.warning("no ping was sent: its URL cannot be used: %s", error)
        return False
    path, question_mark, query = parsed.raw_path.partition(b"?")
    failed = path.rstrip(b"/") + b"/fail" + question_mark + query
    target = parsed if ok else parsed.copy_with(raw_path=failed)

    def may_connect(address: Address) -> bool:
        return parsed.scheme == "https" or address.is_loopback

    try:
        answer = exchange("GET", target, may_connect=may_connect, seconds=seconds)
    except ChannelError as error:
        reason = str(error)
    else:
        said = answer.text.strip()
        if 200 <= answer.status < 300 and said != _UNKNOWN_CHECK:
            return True
        reason = f"{answer.phrase}: {said}"
    _log.warning(
        "the ping did not reach %s: %s",
        parsed.host,
        one_line(redacted(reason), limit=_REASON_CHARACTERS),
    )
    return False
