"""Runs the examples of the documents: `uv run python -m tests.documents [--write]`.

Without `--write` it lists the documents whose output differs from a run today.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from documents import current_documents, name_of, read
from examples import examples, rewritten


def main() -> None:
    """Compare every example with a real run, or write the output of that run; 1 where they differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.documents", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the outputs of this run")
    write = parser.parse_args().write
    differ = False
    for document in current_documents():
        text = read(document)
        if not examples(text):
            continue
        becomes = rewritten(document)
        same = becomes == text
        differ |= not same
        found = "as shown" if same else "written" if write else "differs"
        print(f"{name_of(document)}: {found}")  # noqa: T201 - what this program is for
        if write and not same:
            document.write_text(becomes, encoding="utf-8")
    sys.exit(1 if differ and not write else 0)


if __name__ == "__main__":
    main()
