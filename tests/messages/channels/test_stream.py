import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import redis

from worker.domain.folder.cloud_event import Event
from worker.errors import BrokerUnavailableError, ConfigurationError
from worker.messages.channels.stream import EventStream, Published, open_stream
from worker.settings.model import load_settings

KEY = "content-sync:events"


def event(event_id, **fields):
    given = {
        "id": event_id,
        "at": datetime(2026, 3, 30, 6, 0, 0, 250_000, tzinfo=UTC),
        "kind": "version.stored",
        "path": f"nci/{event_id}.md",
        "document_id": 7,
        "number": 2,
        "data": {"change": "content"},
    }
    return Event(**(given | fields))


@pytest.fixture
def stream(redis_url):
    stream = EventStream(redis_url, key=KEY, max_length=100_000)
    yield stream
    stream.close()


@pytest.fixture
def client(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_an_event_is_a_cloud_event_that_readers_can_filter(stream, client):
    assert stream.publish([event(41)]) == 1

    ((entry_id, fields),) = client.xrange(KEY)
    assert entry_id == b"41-0"
    assert fields[b"type"] == b"org.content-sync.version.stored"
    assert fields[b"subject"] == b"nci/41.md"
    assert json.loads(fields[b"event"]) == {
        "specversion": "1.0",
        "id": "41",
        "source": "/content-sync",
        "type": "org.content-sync.version.stored",
        "subject": "nci/41.md",
        "time": "2026-03-30T06:00:00.250000Z",
        "datacontenttype": "application/json",
        "data": {"change": "content", "document_id": 7, "number": 2},
    }


def test_the_time_is_utc_for_any_zone(stream, client):
    india = timezone(timedelta(hours=5, minutes=30))
    stream.publish([event(1, at=datetime(2026, 3, 30, 11, 30, tzinfo=india))])
    ((_, fields),) = client.xrange(KEY)
    assert json.loads(fields[b"event"])["time"] == "2026-03-30T06:00:00Z"


def test_publishing_is_idempotent(stream, client):
    assert stream.publish([event(1), event(2)]) == 2
    assert stream.publish([event(1), event(2), event(3)]) == 1
    assert [entry_id for entry_id, _ in client.xrange(KEY)] == [b"1-0", b"2-0", b"3-0"]


def test_the_last_id_is_the_cursor_even_of_an_emptied_stream(stream, client):
    assert stream.last() is None
    stream.publish([event(5), event(9)])
    assert stream.last().id == 9
    assert stream.last().event["subject"] == "nci/9.md"
    client.xtrim(KEY, maxlen=0, approximate=False)
    assert stream.last() == Published(id=9, closed=False, event=None)


def test_each_epoch_has_a_stream_and_the_earlier_ones_name_the_newest(stream, client):
    stream.publish([event(5), event(9)])
    for number, name in ((2, "bb"), (3, "cc")):
        began = event(8 + number, kind="epoch.began", path="", data={"epoch": name})
        key = stream.key_of(number, name)
        for _ in range(2):  # a second time adds nothing
            stream.forward(began, key)
        stream.publish([began], key)

    assert stream.key_of(1, "aa") == KEY
    named = {
        key: [
            json.loads(fields[b"event"])["data"].get("stream") for _, fields in client.xrange(key)
        ]
        for key in (KEY, f"{KEY}:bb", f"{KEY}:cc")
    }
    assert named == {
        KEY: [None, None, f"{KEY}:bb", f"{KEY}:cc"],
        f"{KEY}:bb": [None, f"{KEY}:cc"],
        f"{KEY}:cc": [None],
    }
    assert stream.last(KEY).closed


def test_a_reader_finds_the_newest_stream_even_after_redis_was_emptied(stream, client):
    stream.forward(event(9, kind="epoch.began"), stream.key_of(2, "bb"))
    ((_, fields),) = client.xrange(KEY)
    assert json.loads(fields[b"event"])["data"]["stream"] == f"{KEY}:bb"


def test_nothing_to_publish_needs_no_redis():
    assert EventStream("redis://127.0.0.1:1", key=KEY, max_length=10).publish([]) == 0


def test_the_stream_keeps_about_the_configured_length(redis_url, client):
    stream = EventStream(redis_url, key=KEY, max_length=100)
    stream.publish([event(number) for number in range(1, 2001)])
    stream.close()
    assert 100 <= client.xlen(KEY) < 400
    assert client.xrevrange(KEY, count=1)[0][0] == b"2000-0"


def test_unusual_paths_and_data_are_published_unchanged(stream, client):
    paths = ["हिन्दी/క.md", "a\nb\x00.md", "not-utf8-\udcff.md"]
    stream.publish([event(n, path=path, data={"title": path}) for n, path in enumerate(paths, 1)])
    sent = [json.loads(fields[b"event"]) for _, fields in client.xrange(KEY)]
    assert [cloud["subject"] for cloud in sent] == paths
    assert [cloud["data"]["title"] for cloud in sent] == paths


def test_an_event_without_a_document_names_none(stream, client):
    stream.publish([event(1, document_id=None, number=None, data={})])
    ((_, fields),) = client.xrange(KEY)
    assert json.loads(fields[b"event"])["data"] == {}


def test_a_key_of_another_type_is_an_error_not_an_empty_stream(stream, client):
    client.set(KEY, "not a stream")
    for call in (lambda: stream.publish([event(1)]), stream.last):
        with pytest.raises(BrokerUnavailableError, match="WRONGTYPE"):
            call()


def test_a_missing_redis_is_reported_without_the_password():
    stream = EventStream("redis://:hunter2secret@127.0.0.1:1/0", key=KEY, max_length=10)
    for call in (lambda: stream.publish([event(1)]), stream.last):
        with pytest.raises(BrokerUnavailableError) as caught:
            call()
        assert "127.0.0.1:1" in str(caught.value)
        assert "hunter2secret" not in str(caught.value)


def test_the_stream_uses_the_redis_of_the_broker_unless_it_has_a_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_stream(load_settings()) is None
    assert open_stream(load_settings(broker_url="redis://127.0.0.1/0")) is not None
    assert open_stream(load_settings(stream={"url": "redis://127.0.0.1/1"})) is not None
    with pytest.raises(ConfigurationError, match="not a Redis URL"):
        open_stream(load_settings(stream={"url": "http://127.0.0.1"}))
