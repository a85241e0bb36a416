"""The form of an event, which followers of the stream read: CloudEvents 1.0."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from worker.domain.folder.cloud_event import Event, cloud_event

NOON = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)


def an_event(**changes):
    values = {
        "id": 12,
        "at": NOON,
        "kind": "document.changed",
        "path": "care/nausea.md",
        "document_id": 7,
        "number": 2,
        "data": {"change": "content"},
    }
    return cloud_event(Event(**(values | changes)))


def test_an_event_has_the_attributes_of_cloudevents():
    assert an_event() == {
        "specversion": "1.0",
        "id": "12",
        "source": "/content-sync",
        "type": "org.content-sync.document.changed",
        "subject": "care/nausea.md",
        "time": "2026-11-24T12:00:00.250000Z",
        "datacontenttype": "application/json",
        "data": {"change": "content", "document_id": 7, "number": 2},
    }


@pytest.mark.parametrize("hours", [-8, 0, 5.5])
def test_the_time_is_utc_wherever_it_was_noted(hours):
    there = NOON.astimezone(timezone(timedelta(hours=hours)))
    assert an_event(at=there)["time"] == "2026-11-24T12:00:00.250000Z"


def test_the_data_of_an_event_has_no_empty_keys():
    assert an_event(document_id=None, number=None)["data"] == {"change": "content"}
    assert an_event(document_id=0, number=None)["data"] == {"change": "content", "document_id": 0}


def test_the_stored_data_stays_as_it_was():
    stored = {"change": "content"}
    an_event(data=stored)
    assert stored == {"change": "content"}
