"""A program that holds a copy of the library, by `export` and `events` alone. Run by test_export.py.

Its state is one file, replaced at once after each event, so that it may be killed at any moment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CONTENT_SYNC = (sys.executable, "-m", "worker")


def main(state_file: Path) -> None:
    while True:
        if not state_file.exists():
            save(state_file, begin())
        follow(state_file, json.loads(state_file.read_text()))


def follow(state_file: Path, state: dict[str, Any]) -> None:
    """Do what the events say, until a backup was restored or the feed ends for another reason."""
    feed = subprocess.Popen(
        [*CONTENT_SYNC, "events", "--after", state["cursor"], "--follow"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert feed.stdout is not None
    for line in feed.stdout:
        event = json.loads(line)
        if event["type"] == "org.content-sync.epoch.began":
            state = begin()
            feed.kill()
        else:
            take(state["documents"], event)
            state["cursor"] = ":".join((event["source"].split("/")[-1], event["id"], event["hash"]))
        save(state_file, state)
    if feed.wait() == 1:  # the store does not have the event of the cursor
        save(state_file, begin())
    elif feed.returncode > 0:
        time.sleep(0.1)


def begin() -> dict[str, Any]:
    """Copy the library as it is; what changed while it was copied comes with the events."""
    manifest = json.loads(ask("export", "--format", "manifest"))
    lines = [json.loads(line) for line in ask("export").splitlines()]
    documents = {str(line["id"]): {**copied(line), "body": line["body"]} for line in lines}
    return {"cursor": manifest["checkpoint"] or "0", "documents": documents}


def take(documents: dict[str, Any], event: dict[str, Any]) -> None:
    """Do what one event asks for. Only a document whose status is `active` may be served."""
    kind = event["type"].removeprefix("org.content-sync.")
    data = event["data"]
    key = str(data.get("document_id"))
    match kind:
        case "version.stored" | "document.moved" | "document.revived":
            number = data.get("number") or documents.get(key, {}).get("number")
            version = fetch(event["subject"], number)
            if version is not None:
                documents[key] = version
        case "document.withheld":
            if key in documents:
                documents[key]["status"] = data["status"]
        case "document.retired":
            documents.pop(key, None)


def fetch(path: str, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    answer = ask("show", path, "--version", str(number), "--json")
    if not answer:
        return None  # it has moved on since; a later event says where to
    version = json.loads(answer)
    return copied({"status": version["metadata"]["status"], **version}) | {"body": version["body"]}


def copied(line: dict[str, Any]) -> dict[str, Any]:
    return {name: line[name] for name in ("path", "number", "status", "metadata")}


def ask(*arguments: str) -> str:
    return subprocess.run(
        [*CONTENT_SYNC, *arguments], capture_output=True, text=True, check=False
    ).stdout


def save(state_file: Path, state: dict[str, Any]) -> None:
    beside = state_file.with_suffix(".new")
    beside.write_text(json.dumps(state))
    os.replace(beside, state_file)  # noqa: PTH105 - at once, or not at all


if __name__ == "__main__":
    main(Path(sys.argv[1]))
