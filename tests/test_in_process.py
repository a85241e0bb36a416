"""The in-process broker wakes who waits for a message: else each wait here would end without one."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Thread

import pytest
from kombu import Connection, Consumer, Queue

from worker.in_process import Transport

LONG_SECONDS = 20


@pytest.fixture
def connection():
    with Connection("memory://localhost", transport=Transport) as connection:
        yield connection


@pytest.fixture
def queue(connection, request):
    queue = Queue(request.node.name)
    yield queue
    queue(connection.default_channel).delete()


@contextmanager
def meanwhile(do):
    """Do something in another thread."""
    thread = Thread(target=do)
    thread.start()
    yield
    thread.join()


def publish(connection, queue, text):
    with connection.clone() as other, other.Producer() as producer:
        producer.publish(text, routing_key=queue.name, declare=[queue])


def test_a_message_wakes_its_consumer(connection, queue):
    got = []
    with Consumer(connection, [queue], callbacks=[lambda body, _: got.append(body)], no_ack=True):
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.01)
        with meanwhile(lambda: publish(connection, queue, "a")):
            connection.drain_events(timeout=LONG_SECONDS)
    assert got == ["a"]


@pytest.mark.parametrize("answer", ["ack", "reject"])
def test_an_answer_makes_room_for_the_next_message(connection, queue, answer):
    messages = []
    for text in "ab":
        publish(connection, queue, text)
    channel = connection.channel()
    channel.basic_qos(0, 1, False)
    with Consumer(channel, [queue], on_message=messages.append):
        connection.drain_events(timeout=LONG_SECONDS)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.01)
        with meanwhile(getattr(messages[0], answer)):
            connection.drain_events(timeout=LONG_SECONDS)
    assert [message.payload for message in messages] == ["a", "b"]
