"""Files made to harm whoever reads them: bytes that may lie in the folder, and things that are no file.

Each has a name that says what it is, and what should become of it: `stored`, `refused` or `ignored`.
Used by `hostile`, which drops them beside a running service.
"""

from __future__ import annotations

import gzip
import os
import random
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from support.seeds import BODY, a_seed

#: The most that intake takes, less room for front matter.
FULL = 5 * 1024 * 1024 - 2000
#: The most that front matter may have, less room for the fields that have to be there.
FRONT = 64 * 1024 - 1000

FIELDS = a_seed(body="").removeprefix("---\n").removesuffix("---\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """A way to put something hostile at a path, and what has to become of it."""

    name: str
    expected: str
    put: Callable[[Path], object]
    file_name: str | None = None


def _front(text: str, body: str = BODY) -> bytes:
    """Return a seed whose front matter has all fields that it needs, and the text."""
    return f"---\n{FIELDS}{text}\n---\n{body}".encode()


def _body(text: str) -> bytes:
    """Return a valid seed with that body, cut to the most that intake takes."""
    cut = text.encode()[:FULL].decode(errors="ignore")
    return a_seed(body=cut).encode()


def _full(unit: str) -> bytes:
    return _body(unit * (FULL // len(unit.encode()) + 1))


def front_matters() -> Iterator[tuple[str, str, bytes]]:
    """Yield names, fates and bytes of files whose front matter is the weapon."""
    names = "abcdefghi"
    laughs = "\n".join(
        f"{two}: &{two} [{', '.join([f'*{one}'] * 9)}]" for one, two in pairwise(names)
    )
    yield "an alias bomb", "refused", _front(f"a: &a [lol, lol, lol]\n{laughs}")
    yield "a billion laughs of maps", "refused", _front(f"a: &a {{x: lol}}\n{laughs}")
    yield (
        "an anchor of 30 kB, 6,000 times",
        "refused",
        _front(f"a: &a {'x' * 30_000}\nb: [{'*a, ' * 6000}]"),
    )
    yield "an anchor that holds itself", "refused", _front("a: &a [*a]")
    yield "merge keys", "refused", _front("a: {x: y}\nb:\n  <<: {x: z}\n  <<: {y: z}")
    yield "lists nested 60,000 deep", "refused", _front(f"a: {'[' * 60_000}")
    yield "lists nested 30,000 deep, closed", "refused", _front(f"a: {'[' * 30_000}{']' * 30_000}")
    yield "maps nested 20,000 deep", "refused", _front(f"a: {'{x: ' * 15_000}")
    yield "dashes nested 30,000 deep", "refused", _front(f"a:\n  {'- ' * 30_000}x")
    yield (
        "blocks nested 300 deep",
        "refused",
        _front("a:\n" + "\n".join(" " * depth + "x:" for depth in range(1, 300))),
    )
    yield "keys of keys 30,000 deep", "refused", _front("? " * 30_000 + "x")
    yield (
        "a tag that runs a command",
        "refused",
        _front("a: !!python/object/apply:os.system ['touch /tmp/hostile']"),
    )
    yield "a tag that makes an object", "refused", _front("a: !!python/object:os.system {}")
    yield "a tag of binary", "refused", _front(f"a: !!binary {'QUFB' * 15_000}")
    yield "directives", "refused", b"---\n%YAML 9.9\n%TAG ! tag:evil,2000:\n" + FIELDS.encode()
    yield "several documents", "refused", _front("...\n---x\na: b")
    yield "a key given twice", "refused", _front("a: b\na: c")
    yield "12,000 keys", "stored", _front("\n".join(f"k{n}: " for n in range(FRONT // 8)))
    yield "a key of 60 kB", "refused", _front(f"{'k' * 60_000}: x")
    yield "a quoted key of 60 kB", "refused", _front('"' + "k" * 60_000 + '": x')
    yield "a key that is a list", "refused", _front("? [a, b]\n: c")
    yield "a key without a name", "refused", _front(": c")
    yield "front matter of 5 MiB", "refused", b"---\n" + b"a: b\n" * (FULL // 5)
    yield "front matter of 64 KB of one value", "stored", _front(f"a: {'x' * FRONT}")
    yield "a list of 30,000 items", "refused", _front(f"a: [{'x,' * 30_000}]")
    yield "900 tags of nonsense", "stored", _front("tags: [" + ", ".join(["x y"] * 900) + "]")
    yield "a number of 60,000 digits", "stored", _front(f"a: {'9' * 60_000}")
    yield "a number in base 60", "stored", _front(f"a: {'1:' * 30_000}0")
    yield "a review every 9,999 years", "stored", a_seed(reviewFrequency="9999 years").encode()
    yield "a review of the year 1", "stored", a_seed(lastReviewed="0001-01-01").encode()
    yield "a date that never was", "refused", a_seed(lastReviewed="2024-02-30").encode()
    yield "a date of the year 99999", "refused", a_seed(lastReviewed="99999-01-01").encode()
    yield (
        "a time where a date should be",
        "refused",
        _front("", BODY).replace(b"'2025-12-30'", b"2025-12-30T25:61:61+99:99"),
    )
    yield "a language of 50 kB", "refused", a_seed(language="en-" * 17_000).encode()
    yield "an address of 60 kB", "stored", a_seed(url="http://" + "a." * 29_000).encode()
    yield "a title of 60 kB", "refused", a_seed(title="long " * 12_000).encode()
    yield "tabs", "refused", _front("a:\n\t- b\n\t\t- c")
    yield "a quote that never ends", "refused", _front('a: "' + "x " * 30_000)
    yield "60,000 backslashes", "stored", _front('a: "' + "\\" * 60_000 + '"')
    yield "escapes of control characters", "refused", _front('a: "\\0\\x1b[2J\\uD800"')
    yield "colons", "refused", _front("a: " + "b: " * 20_000)
    yield "60,000 blank lines in a text", "stored", _front("a: >\n" + "\n" * 60_000 + "  x")
    yield "60,000 comments", "stored", _front("#\n" * 30_000)
    yield "hashes on a line", "stored", _front("a: x" + " #" * 30_000)
    yield (
        "an owner of mentions and headers",
        "stored",
        a_seed(
            owner="<!channel> @everyone Bcc: x@example.org", title="=?utf-8?q?a=0ABcc:x?="
        ).encode(),
    )
    yield (
        "templates in a title",
        "stored",
        a_seed(
            title="{{ ''.__class__ }} {% for x in range(10**9) %}x{% endfor %} {0.__class__}"
        ).encode(),
    )


def encodings() -> Iterator[tuple[str, str, bytes]]:
    """Yield names, fates and bytes of files that are no text, or no UTF-8."""
    seed = a_seed()
    yield "nothing", "refused", b""
    yield "5 MiB of blanks", "refused", b" " * FULL
    yield "NUL bytes", "refused", seed.encode() + b"\0" * 1000
    yield "5 MiB of NUL bytes", "refused", b"\0" * FULL
    yield "UTF-16", "refused", seed.encode("utf-16")
    yield "UTF-16 without its mark", "refused", seed.encode("utf-16-le")
    yield "UTF-32", "refused", seed.encode("utf-32")
    yield "Latin-1", "refused", a_seed(title="Über Knochen").encode("latin-1", "replace") + b"\xe9"
    yield "surrogates", "refused", _body("a\n") + b"\xed\xa0\x80\xed\xb0\x80"
    yield "overlong bytes", "refused", _body("a\n") + b"\xc0\xaf\xe0\x80\xaf"
    yield "a bad byte at the end of 5 MiB", "refused", _full("text\n") + b"\xff"
    yield "two byte-order marks", "refused", b"\xef\xbb\xbf" * 2 + seed.encode()
    yield "a fence of dashes", "refused", seed.replace("---", "—").encode()
    yield "fences that never close", "refused", b"---\n" + b"--- x\n" * (FULL // 6)
    yield "a zip of zeros", "refused", gzip.compress(bytes(2**26), mtime=0)
    yield "5 MiB of chance", "refused", random.Random(5).randbytes(FULL)
    yield "one byte too many", "refused", b"x" * (5 * 1024 * 1024 + 1)


def bodies() -> Iterator[tuple[str, str, bytes]]:
    """Yield names, fates and bytes of valid seeds whose text is the weapon."""
    for name, unit in {
        "one line of 5 MiB": "word ",
        "one word of 5 MiB": "a",
        "2.6 million lines": "a\n",
        "line separators": "a\u2028\u2029\x0b\x0c",
        "emoji": "👩🏽‍🦱 ",
        "marks on marks": "Z" + "\u0323\u0347" * 50,
        "wide digits": "٣٤٥ मि ५ ",
        "digits": "1234567890",
        "figures": "5 mg 40% 1,000.00 ",
        "brackets": "[",
        "brackets and ends": "[]](",
        "pictures in pictures": "![",
        "stars": "*a **b ",
        "stars and lines": "*_",
        "ticks": "` `` ``` ",
        "quotes in quotes": "> ",
        "lists in lists": "- ",
        "headings": "# A\n",
        "underlines": "a\n=\n",
        "tables": "| a | 5 mg ",
        "references": "[a][a]",
        "definitions of references": "[a]: <b>\n",
        "comments without an end": "<!-- ",
        "fences": "```\n~~~\n",
        "tags without an end": "<a ",
        "tags with handlers, nearly": "<a onon on on",
        "nearly scripts": "<scrip",
        "nearly links": "](                    ",
        "links to pages": "[a](b.md) ",
        "blanks and dashes": "   -   \n",
        "entities": "&#x1F600;&amp",
    }.items():
        yield name, "stored", _full(unit)
    yield (
        "carriage returns alone",
        "stored",
        a_seed(body="a b c\r" * (FULL // 6)).replace("\n", "\r").encode(),
    )
    yield "all line ends at once", "stored", _full("a\r\n\rb\n\r")
    yield "marks that reorder", "stored", _body("Take \u202e5 mg\u202c of it. \u2066\u2069\n" * 99)
    yield "a script", "refused", _body("<script>alert(1)</script>\n" * 9999)
    yield "control characters", "stored", _full("a\x1b[2J\x07 ")
    yield "5 million line ends", "refused", _full("\n")


def specials(outside: Path) -> Iterator[Hostile]:
    """Yield what is no regular file, or has a name that is none; `outside` lies beyond the folder."""

    def huge(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(2**40)  # a terabyte that lies nowhere

    def device(path: Path) -> None:
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero
        except PermissionError:
            path.symlink_to("/dev/zero")

    yield Hostile(
        name="a link to a file outside", expected="ignored", put=lambda p: p.symlink_to(outside)
    )
    yield Hostile(name="a link to itself", expected="ignored", put=lambda p: p.symlink_to(p.name))
    yield Hostile(name="a link to the folder", expected="ignored", put=lambda p: p.symlink_to("."))
    yield Hostile(
        name="a link to /proc", expected="ignored", put=lambda p: p.symlink_to("/proc/self/mem")
    )
    yield Hostile(name="a pipe", expected="ignored", put=os.mkfifo)
    yield Hostile(
        name="a socket", expected="ignored", put=lambda p: os.mknod(p, stat.S_IFSOCK | 0o600)
    )
    yield Hostile(name="an endless device", expected="ignored", put=device)
    yield Hostile(name="a terabyte", expected="refused", put=huge)
    yield Hostile(
        name="a name with a line end",
        expected="ignored",
        put=lambda p: p.write_text(a_seed()),
        file_name="x\nBcc: y.md",
    )
    yield Hostile(
        name="a name that is not UTF-8",
        expected="ignored",
        put=lambda p: p.write_text(a_seed()),
        file_name="x\udcff\udcfe.md",
    )
    yield Hostile(
        name="a name of words and marks",
        expected="stored",
        put=lambda p: p.write_text(a_seed(title="A name")),
        file_name="$(touch x);`id` '{{7*7}} <b>@everyone \u202e.md",
    )
    yield Hostile(
        name="a name of 255 bytes",
        expected="stored",
        put=lambda p: p.write_text(a_seed(title="A long name")),
        file_name="n" * 252 + ".md",
    )


def hostile_files(outside: Path) -> Iterator[Hostile]:
    """Yield all of them."""
    for name, expected, data in (*front_matters(), *encodings(), *bodies()):
        yield Hostile(
            name=name, expected=expected, put=lambda path, data=data: path.write_bytes(data)
        )
    yield from specials(outside)
