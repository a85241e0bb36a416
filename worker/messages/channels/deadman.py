"""The sign of life to a service that raises the alarm when none comes, as healthchecks.io does.

It decides neither when nor what: it tells a URL that all is well, or that it is not. A sign that does
not get through is no reason to stop, so nothing is raised; the missing sign is itself the alarm.
Called by the tasks.
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
#: Healthchecks answers 200 also for a check that it does not have.
_UNKNOWN_CHECK = "OK (not found)"


def ping(url: str, *, ok: bool, seconds: float = PING_SECONDS) -> bool:
    """Get the URL, or the URL with `/fail` when all is not well, and return whether it was taken.

    Never raises; a log line names the host and no more of the URL, which is a secret. Plain http goes
    to this machine only.
    """
    from worker.messages.channels.http import exchange, parse_url  # noqa: PLC0415 - 0.2 s

    hide(url)
    try:
        parsed = parse_url(url)
    except ValueError as error:
        _log.warning("no sign of life was sent: its URL cannot be used: %s", error)
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
        "the sign of life did not reach %s: %s",
        parsed.host,
        one_line(redacted(reason), limit=_REASON_CHARACTERS),
    )
    return False
