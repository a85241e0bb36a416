"""A program that holds a copy of the library by its stream and `export`: paths and numbers, by document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from redis import Redis

Copy = dict[int, tuple[str, int]]


class StreamFollower:
    """Follows from the key of the settings; `export` returns the live library as `export` prints it."""

    def __init__(
        self, redis_url: str, key: str, *, export: Callable[[], Iterable[dict[str, Any]]]
    ) -> None:
        self._redis = Redis.from_url(redis_url)
        self._key, self._read = key, "-"
        self._export = export
        self._event = 0
        self.documents: Copy = {}
        self.exports = 0

    def catch_up(self) -> Copy:
        """Read the stream to its end, and return the copy."""
        while entries := self._redis.xrange(self._key, min=self._read):
            for entry_id, fields in entries:
                self._read = f"({entry_id.decode()}"
                event = json.loads(fields[b"event"])
                if event["type"] == "org.content-sync.epoch.began":
                    if "stream" in event["data"]:
                        self._key, self._read = event["data"]["stream"], "-"
                        break
                    self.begin()
                elif int(event["id"]) > self._event:
                    self._take(event)
        return self.documents

    def begin(self) -> None:
        """Copy the library as it is."""
        self.exports += 1
        lines = list(self._export())
        self._event = max((line["event"] for line in lines), default=self._event)
        self.documents = copy_of(lines)

    def close(self) -> None:
        self._redis.close()

    def _take(self, event: dict[str, Any]) -> None:
        self._event = int(event["id"])
        data, kind = event["data"], event["type"].removeprefix("org.content-sync.")
        match kind:
            case "version.stored" | "document.moved" | "document.revived":
                self.documents[data["document_id"]] = (event["subject"], data["number"])
            case "document.retired":
                self.documents.pop(data["document_id"], None)


def copy_of(lines: Iterable[dict[str, Any]]) -> Copy:
    """Return what a follower should hold."""
    return {line["id"]: (line["path"], line["number"]) for line in lines}
