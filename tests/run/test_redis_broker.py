"""Only what is signed of a message reaches Celery: the envelope of a stranger has no say."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery
from kombu import Connection
from kombu.serialization import register

from worker.run.celery_settings import INGEST, LIVE, REDIS_TRANSPORT, broker_of, configure
from worker.run.message_signing import (
    SIGNED,
    SIGNED_TYPE,
    ForgedMessageError,
    Forgeries,
    make_signer,
)
from worker.run.redis_broker import open_message
from worker.settings.model import load_settings

ETA = datetime(2030, 1, 1, tzinfo=UTC)
#: Each header and property that kombu or Celery obeys, with what an intruder could want of it.
HEADERS = {
    "argsrepr": "x" * 1000,
    "chain": [{"task": INGEST}],
    "chord": {"task": INGEST},
    "compression": "application/x-bz2",
    "errbacks": [{"task": INGEST}],
    "eta": ETA.isoformat(),
    "expires": (ETA - timedelta(days=9999)).isoformat(),
    "group": "a",
    "id": "another",
    "ignore_result": False,
    "kwargsrepr": "x" * 1000,
    "origin": "x",
    "parent_id": "a",
    "replaced_task_nesting": 9,
    "reply_to": "a-queue",
    "retries": 100,
    "root_id": "a",
    "shadow": "another name\nin the log",
    "stamped_headers": ["a"],
    "stamps": {"a": 1},
    "task": "celery.starmap",
    "timelimit": [1_000_000, 1_000_000],
}
PROPERTIES = {
    "correlation_id": "another",
    "delivery_info": {"exchange": "celeryev", "routing_key": "another"},
    "delivery_tag": "that of another message",
    "priority": 9,
    "reply_to": "a-queue",
}
OUTSIDE = {"content-type": "application/text", "content-encoding": "bz2"}


@pytest.fixture
def settings(redis_url):
    return load_settings(broker_url=redis_url)


@pytest.fixture
def message(settings, shared_redis):
    """Return a message as the service puts it into Redis."""
    app = Celery(broker=broker_of(settings))
    app.forgeries, app.signer = Forgeries(), make_signer(settings)
    register(SIGNED, app.signer.seal, app.signer.open, SIGNED_TYPE, "utf-8")
    configure(app, settings, SIGNED)
    app.send_task(INGEST, ({"a": 1},), queue=LIVE, countdown=3, retries=2)
    app.close()
    return json.loads(shared_redis.client.rpop(f"content-sync:{LIVE}"))


@pytest.fixture
def opened(settings):
    signer = make_signer(settings)

    def opened(message):
        one = open_message(signer, json.loads(json.dumps(message)), LIVE)
        del one["properties"]["delivery_tag"]  # each delivery has its own
        return one

    return opened


def test_a_signed_message_keeps_what_the_service_wrote(message, opened):
    one = opened(message)
    assert one["headers"] == message["headers"]
    assert (one["headers"]["task"], one["headers"]["retries"]) == (INGEST, 2)
    assert one["body"] == message["body"]
    assert opened(one | {"properties": {}}) == one  # as it comes back, unacknowledged


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_is_not_signed_is_ignored(message, opened, name):
    true = opened(message)
    message["headers"][name] = HEADERS[name]
    assert opened(message) == true


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_that_is_not_signed_is_ignored(message, opened, name):
    true = opened(message)
    message["properties"][name] = PROPERTIES[name]
    assert opened(message) == true


@pytest.mark.parametrize("name", OUTSIDE)
def test_the_kind_of_content_is_that_which_was_signed(message, opened, name):
    true = opened(message)
    assert opened(message | {name: OUTSIDE[name]}) == true


@pytest.mark.parametrize("name", sorted({*HEADERS} - {"task", "id"}))
def test_of_the_version_before_no_header_is_obeyed(message, opened, name):
    """Its messages have a signed body only, and wait in Redis during an upgrade."""
    del message["signed"]
    true = opened(message)
    assert set(true["headers"]) == {"task", "id", "lang"}
    message["headers"][name] = HEADERS[name]
    assert opened(message) == true


def without(message, name):
    return {key: value for key, value in message.items() if key != name}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m | {"body": base64.b64encode(b"[]").decode()}, "another body"),
        (lambda m: m | {"signed": m["signed"].replace('"retries":2', '"retries":0')}, "signature"),
        (lambda m: m | {"signed": {"headers": {}}}, "signature"),
        (lambda m: m | {"body": None}, "no body"),
        (lambda m: m | {"body": "no base64"}, "not base64"),
        (lambda m: m | {"body": "A" * 23_000_000}, "more than 16777216 bytes"),
        (lambda m: without(m, "signed") | {"headers": {"task": INGEST}}, "names no task"),
        (lambda m: without(m, "signed") | {"headers": {"task": [], "id": "a"}}, "names no task"),
        (
            lambda m: without(m, "signed") | {"headers": {"task": "celery.map", "id": "a"}},
            "names no task",
        ),
        (lambda m: without(m, "signed") | {"headers": None}, "its content is not"),
        (lambda m: without(m, "signed") | {"content-type": "application/json"}, "content is not"),
        (lambda _: ["a", "list"], "not a message"),
        (lambda _: None, "not a message"),
    ],
)
def test_what_the_service_did_not_write_is_forged(message, opened, change, reason):
    with pytest.raises(ForgedMessageError, match=reason):
        opened(change(message))


def test_tls_is_checked_as_the_url_says():
    url = broker_of(load_settings(broker_url="rediss://:p@example:6380/0"))
    with Connection(url, transport=REDIS_TRANSPORT) as connection:
        assert connection.ssl["ssl_cert_reqs"].name == "CERT_REQUIRED"
        assert (connection.hostname, connection.port) == ("example", 6380)
