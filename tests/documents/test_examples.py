"""Every command that a document shows runs, and prints what the document shows."""

from __future__ import annotations

import pytest
from documents import README, all_documents, current_documents, fences, name_of, read
from examples import examples, masked, run_examples

#: Blocks that hold no commands.
WITHOUT_COMMANDS = {"markdown", "mermaid", "text", "toml"}

DOCUMENTS = [document for document in current_documents() if examples(read(document))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_example_command_prints_the_output_shown(document):
    shown = examples(read(document))
    for example, output in zip(shown, run_examples(document), strict=True):
        assert masked(output) == masked(example.shown), (
            f"{name_of(document)}: {example.command}"
            "run `uv run python -m tests.documents --write`, and look at what changed"
        )


def test_readme_shows_examples():
    assert README in DOCUMENTS


@pytest.mark.parametrize("document", all_documents(), ids=name_of)
def test_every_block_is_run_or_has_a_reason_why_not(document):
    for fence in fences(read(document)):
        if fence.language == "console" or fence.language in WITHOUT_COMMANDS:
            assert not fence.says_why_not_run, fence.body
        else:
            assert fence.language == "sh", f"a block of {fence.language or 'no language'}"
            assert fence.says_why_not_run, f"say why this is not run: {fence.body}"


TEXT = """\
Before.

```console
$ echo one
one
$ printf 'a\\n' && \\
  printf 'b\\n'
a
b
$ true
```

After.
"""


def test_examples_are_the_commands_of_console_blocks_with_their_outputs():
    found = examples(TEXT)
    assert [one.command for one in found] == [
        "echo one\n",
        "printf 'a\\n' && \\\n  printf 'b\\n'\n",
        "true\n",
    ]
    assert [one.shown for one in found] == ["one\n", "a\nb\n", ""]
    assert [TEXT[one.start : one.end] for one in found] == ["one\n", "a\nb\n", ""]


def test_a_console_block_begins_with_a_command():
    with pytest.raises(ValueError, match="without a command"):
        examples("```console\nonly output\n```\n")


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("2026-11-30 02:19:57  seen", "2027-01-02 12:00:01  seen"),
        ('"time":"2026-11-30T02:28:12.826961Z"', '"time":"2027-01-02T02:28:12Z"'),
        ("in 0.18 s.", "in 12 s."),
        ("was due on 2026-04-15, 229 days ago", "was due on 2026-04-15, 1,229 days ago"),
        ("sha256 1e20f594e20b", "sha256 9b2af7e3b7e7"),
    ],
)
def test_times_durations_and_hashes_are_masked(one, another):
    assert masked(one) == masked(another)


@pytest.mark.parametrize(
    ("one", "another"), [("4  new", "3  new"), ("version 1", "version 2"), ("CS037", "CS036")]
)
def test_only_times_durations_and_hashes_are_masked(one, another):
    assert masked(one) != masked(another)
