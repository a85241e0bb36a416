"""The in-process broker wakes a consumer that waits: otherwise each wait here would end without a message."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Condition, Event, Thread

import pytest
from kombu import Connection, Consumer, Queue
from support.waiting import PATIENCE_SECONDS

from worker.run.memory_broker import Channel, Transport, impatient


class Watched(Condition):
    """A condition that shows when a thread waits for it."""

    def __init__(self):
        super().__init__()
        self.is_waited_for = Event()

    def wait(self, timeout=None):
        self.is_waited_for.set()
        return super().wait(timeout)


@pytest.fixture
def connection():
    with Connection("memory://localhost", transport=Transport) as connection:
        yield connection


@pytest.fixture
def queue(connection, request):
    queue = Queue(request.node.name)
    yield queue
    queue(connection.default_channel).delete()


@pytest.fixture
def once_waited_for(monkeypatch):
    """Return a context in which another thread does something once this one waits for a message."""

    @contextmanager
    def once(do):
        changed = Watched()
        monkeypatch.setattr(Channel, "changed", changed)
        thread = Thread(target=lambda: changed.is_waited_for.wait(PATIENCE_SECONDS) and do())
        thread.start()
        yield
        thread.join()

    return once


def publish(connection, queue, text):
    with connection.clone() as other, other.Producer() as producer:
        producer.publish(text, routing_key=queue.name, declare=[queue])


def test_a_message_wakes_its_consumer(connection, queue, once_waited_for):
    got = []
    with Consumer(connection, [queue], callbacks=[lambda body, _: got.append(body)], no_ack=True):
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.01)
        with once_waited_for(lambda: publish(connection, queue, "a")):
            connection.drain_events(timeout=PATIENCE_SECONDS)
    assert got == ["a"]


def test_a_stopping_consumer_waits_for_no_message(connection, queue, once_waited_for):
    got, ending = [], impatient()
    with Consumer(connection, [queue], on_message=got.append, no_ack=True):
        with once_waited_for(ending.__enter__), pytest.raises(TimeoutError):
            connection.drain_events(timeout=None)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=None)
        ending.__exit__(None, None, None)
        with once_waited_for(lambda: publish(connection, queue, "a")):
            connection.drain_events(timeout=PATIENCE_SECONDS)
    assert len(got) == 1


@pytest.mark.parametrize("answer", ["ack", "reject"])
def test_an_acknowledgement_makes_room_for_the_next_message(
    connection, queue, answer, once_waited_for
):
    messages = []
    for text in "ab":
        publish(connection, queue, text)
    channel = connection.channel()
    channel.basic_qos(0, 1, False)
    with Consumer(channel, [queue], on_message=messages.append):
        connection.drain_events(timeout=PATIENCE_SECONDS)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.01)
        with once_waited_for(getattr(messages[0], answer)):
            connection.drain_events(timeout=PATIENCE_SECONDS)
    assert [message.payload for message in messages] == ["a", "b"]
