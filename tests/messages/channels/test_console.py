import fcntl
import io
import os
import pty
import struct
import termios

import pytest

from worker.errors import ChannelError
from worker.messages.channels import Message
from worker.messages.channels.console import ConsoleChannel


def message(**fields):
    given = {
        "id": "m1",
        "to": (),
        "subject": "Content Sync: 1 file refused",
        "text": "One.\n\nTwo.\n",
    }
    return Message(**(given | fields))


def test_a_message_is_printed_as_one_block(capsys):
    ConsoleChannel().send(message(to=("editor@example.org",)))

    assert capsys.readouterr().out == (
        "\n─── Content Sync: 1 file refused\n    to editor@example.org\n\n    One.\n\n    Two.\n───\n"
    )


def test_no_control_character_of_a_document_reaches_the_terminal():
    stream = io.StringIO()
    ConsoleChannel(stream).send(message(subject="a\x1b[2J\nb", text="x\x1b]0;pwned\x07\ry\u202e"))

    assert stream.getvalue().isprintable() or set(stream.getvalue()) - {"\n"} == {
        c for c in stream.getvalue() if c.isprintable()
    }
    assert "a\\x1b[2J b" in stream.getvalue()
    assert "x\\x1b]0;pwned\\x07\\ry\\u202e" in stream.getvalue()


def test_an_ascii_stream_gets_the_message_too():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    ConsoleChannel(stream).send(message(text="naïve \ud800"))

    assert b"na\\xefve \\ud800" in raw.getvalue()


def test_a_closed_stream_is_tried_again():
    stream = io.StringIO()
    stream.close()
    with pytest.raises(ChannelError) as caught:
        ConsoleChannel(stream).send(message())
    assert not caught.value.permanent


def test_a_preview_is_the_block_that_would_be_printed(capsys):
    given = message(to=("editor@example.org",), subject="a\x1b[2J")
    shown = ConsoleChannel().preview(given)
    assert capsys.readouterr().out == ""

    ConsoleChannel().send(given)
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("columns", [80, 140])
def test_on_a_terminal_lines_wrap_at_words_and_paths_stay_whole(columns):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    path = "02_nci_core/dictionaries/" + "a-long-name-" * 4 + "x.md"
    sentence = "Nobody should see this page any more. " * 8
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        shown = ConsoleChannel(terminal).preview(message(text=f"- {path}\n{sentence}\n"))
    os.close(ours)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= columns
    assert any(line.lstrip() == f"- {path}" for line in lines)
    assert " ".join(shown.split()).count("Nobody should see this page any more.") == 8
