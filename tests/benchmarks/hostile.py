"""Texts of up to 5 MiB, the most that intake takes, made to be slow: pairs to compare, files to validate."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path

SIZE = 5 * 1024 * 1024 - 1000  # room for front matter
EDITS = 20

Pair = tuple[str, str]


def fill(make: Callable[[int], str]) -> str:
    """Return lines up to the size: the lines that `make` gives for their numbers."""
    lines, size, number = [], 0, 0
    while size < SIZE:
        lines.append(line := make(number))
        size += len(line.encode())
        number += 1
    return "".join(lines)[:SIZE]


def _replaced(make: Callable[[int, str], str]) -> Pair:
    """Return two texts of which every line differs."""
    return fill(lambda n: make(n, "old")), fill(lambda n: make(n, "new"))


def _prose(n: int, side: str) -> str:
    return f"Patients of group {n} were given {n % 90} mg of the {side} drug each day.\n"


def _permuted(text: str) -> Pair:
    lines = text.splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    return text, "".join(lines)


def _every(step: int, text: str) -> Pair:
    """Return the text, and the same with every so manyeth line changed."""
    lines = text.splitlines(keepends=True)
    lines[::step] = [f"5 mg {line}" for line in lines[::step]]
    return text, "".join(lines)


def edited(text: str, *, longer_than: int = 40) -> Pair:
    """Return the text, and the same with a digit changed on twenty of its lines."""
    lines = text.split("\n")
    draw = random.Random(1)
    fit = [
        i for i, line in enumerate(lines) if len(line) > longer_than and any(map(str.isdigit, line))
    ]
    for i in draw.sample(fit, EDITS):
        at = next(k for k, c in enumerate(lines[i]) if c.isdigit())
        lines[i] = f"{lines[i][:at]}{(int(lines[i][at]) + 1) % 10}{lines[i][at + 1 :]}"
    return text, "\n".join(lines)


def _moved(text: str) -> Pair:
    """Return the text, and the same with its last third in front."""
    lines = text.splitlines(keepends=True)
    cut = len(lines) * 2 // 3
    return text, "".join(lines[cut:] + lines[:cut])


def _merged(one: str, other: str) -> str:
    pairs = zip_longest(one.splitlines(keepends=True), other.splitlines(keepends=True))
    return "".join(line for pair in pairs for line in pair if line)[:SIZE]


def page() -> str:
    """Return a made page like the largest of the real library: 1.1 MB, 6,000 lines."""
    draw = random.Random(7)
    words = (
        "patients cells tumor dose study the of in a with treatment survival “months” 5 12 mg 40%"
    )
    choices = words.split()
    parts, size, n = [], 0, 0
    while size < 1_100_000:
        n += 1
        text = " ".join(draw.choices(choices, k=draw.randint(20, 90)))
        parts.append(
            f"### Part {n}\n\n"
            if n % 12 == 0
            else f"- {text} [[{n}](#cit/{n})] [it](https://x.org/{n})\n\n"
        )
        size += len(parts[-1])
    return "".join(parts)


def pairs() -> Iterator[tuple[str, Callable[[], Pair]]]:
    """Yield the pairs to compare by their names, each made when it is asked for."""
    prose = lambda: fill(lambda n: _prose(n, "old"))  # noqa: E731
    yield "20 digits of 5 MiB", lambda: edited(prose())
    yield "20 digits of 5 MiB, short lines", lambda: edited(fill(lambda n: f"{n}\n"), longer_than=0)
    yield "all lines, 70 characters", lambda: _replaced(_prose)
    yield "all lines, 25 characters", lambda: _replaced(lambda n, s: f"{s} line {n} is 5 mg\n")
    yield (
        "all lines, no number equal",
        lambda: _replaced(lambda n, s: f"{s} {n * (7919 if s == 'old' else 104729) % 10**9}\n"),
    )
    yield "all lines, 1 character", lambda: ("a\n" * (SIZE // 2), "b\n" * (SIZE // 2))
    yield "1 character, longer", lambda: ("a\n" * (SIZE // 4), "a\n" * (SIZE // 2))
    yield "empty lines", lambda: ("\n" * (SIZE // 2), "\n" * SIZE)
    yield (
        "2 letters at random",
        lambda: tuple(
            "".join(random.Random(seed).choices(("a\n", "b\n"), k=SIZE // 2)) for seed in (1, 2)
        ),
    )
    yield (
        "10 lines at random",
        lambda: tuple(
            "".join(random.Random(seed).choices([f"line {n}\n" for n in range(10)], k=SIZE // 7))
            for seed in (1, 2)
        ),
    )
    yield (
        "10,000 lines at random amid 5 MiB",
        lambda: tuple(
            (half := fill(lambda n: _prose(n, "old"))[: SIZE // 2])
            + "".join(random.Random(seed).choices(("5 mg\n", "6 mg\n"), k=10_000))
            + half
            for seed in (1, 2)
        ),
    )
    yield (
        "6,000 lines at random, in sections",
        lambda: tuple(
            "".join(
                f"## {n}\n"
                if n % 2
                else f"Take {random.Random(seed * n).randint(1, 3)} mg of it.\n"
                for n in range(6_000)
            )
            for seed in (101, 211)
        ),
    )
    yield "headings of brackets", lambda: _every(2, fill(lambda n: "# " + "[" * 900 + f"{n}\n"))
    yield "one line of 5 MB", lambda: ("word " * (SIZE // 5), "5 mg " * (SIZE // 5))
    yield (
        "one line, one figure",
        lambda: ("word " * (SIZE // 5), "word " * (SIZE // 5 - 9) + "5 mg"),
    )
    yield "100 lines of 50 kB", lambda: _replaced(lambda n, s: f"{s} {n} mg " * 4_000 + "\n")
    yield (
        "lines of 60 kB, far apart",
        lambda: _every(2, fill(lambda n: f"{n} mg of it " * 4000 + "\n\n")),
    )
    yield "all digits", lambda: ("1234567890" * (SIZE // 10), "2345678901" * (SIZE // 10))
    yield (
        "lines of digits",
        lambda: _replaced(lambda n, s: f"{n * (3 if s == 'old' else 7)} 5 6 7\n"),
    )
    yield "all links", lambda: _replaced(lambda n, s: f"[{n}](https://{s}.org/{n})\n")
    yield "all headings", lambda: _replaced(lambda n, s: f"## {s} {n}\n")
    yield (
        "5,000 headings and words",
        lambda: _replaced(
            lambda n, s: f"## {n}\n" if n % 25 == 0 else f"{s} {n} and so on and on and on\n"
        ),
    )
    yield "all list markers", lambda: _replaced(lambda n, s: "- " * 30 + f"{s}\n")
    yield "quotes in quotes", lambda: _replaced(lambda n, s: "> " * 30 + f"{s} {n}\n")
    yield "brackets", lambda: _replaced(lambda n, s: "[" * 60 + f"{s} {n}\n")
    yield "stars", lambda: _replaced(lambda n, s: "*a **b " * 9 + f"{s} {n}\n")
    yield (
        "backticks",
        lambda: _replaced(lambda n, s: " ".join("`" * k for k in range(12)) + f"{s}\n"),
    )
    yield "tables", lambda: _replaced(lambda n, s: f"| {s} | {n} mg | {n * 7} % | 2 days |\n")
    yield "fences", lambda: _replaced(lambda n, s: f"```\n{s} = {n}\n" if n % 3 else "# A\n")
    yield "half fences", lambda: _every(2_000, fill(lambda n: f"``` {n}\n# A {n}\n"))
    yield "html", lambda: _replaced(lambda n, s: f"<div {s}>{n} mg\n\n")
    yield "every second line", lambda: _every(2, prose())
    yield "every tenth line", lambda: _every(10, prose())
    yield "every hundredth line", lambda: _every(100, prose())
    yield "from nothing", lambda: ("", prose())
    yield "to nothing", lambda: (prose(), "")
    yield "permuted lines", lambda: _permuted(prose())
    yield "permuted short lines", lambda: _permuted(fill(lambda n: f"{n}\n"))
    yield "a third moved", lambda: _moved(prose())
    yield (
        "repeated lines, one more",
        lambda: (
            "the same line again\n" * (SIZE // 20),
            "5 mg\n" + "the same line again\n" * (SIZE // 20) + "6 mg\n",
        ),
    )
    yield (
        "other lines between",
        lambda: (
            fill(lambda n: f"line {n} of it\n")[: SIZE // 2],
            _merged(
                fill(lambda n: f"line {n} of it\n")[: SIZE // 2],
                fill(lambda n: f"{n} mg of it\n")[: SIZE // 2],
            ),
        ),
    )
    yield "white space alone", lambda: ("a " * (SIZE // 3), "a  " * (SIZE // 3))
    yield "white space, short lines", lambda: ("a\n" * (SIZE // 4), "a \n" * (SIZE // 4))
    yield "wrapped otherwise", lambda: (prose(), prose().replace(" of ", "\nof ")[:SIZE])
    yield (
        "wide characters",
        lambda: _replaced(lambda n, s: f"क{'अआइ' if s == 'old' else 'उऊए'} {n} मि.ग्रा.\n"),
    )
    yield "emoji", lambda: _replaced(lambda n, s: f"😀{s} {n} 5 mg\n")


def bodies() -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield the bodies to validate by their names."""
    for name, unit in {
        "prose": "Take 5 mg of the drug each day, and [tell](https://x.org) your team.\n",
        "one character": "a\n",
        "empty lines": "\n",
        "carriage returns": "a\r\n",
        "lone carriage returns": "\r",
        "white space": " \t",
        "no white space": "a",
        "wide characters": "अ ",
        "emoji": "😀 ",
        "replaced characters": "\ufffd",
        "control characters": "\x01",
        "C1 controls": "\x85",
        "marks that reorder": "\u202e",
        "near marks": "\u2020\u2010 ",
        "near C1": "é",
        "open tags": "<a ",
        "open tags without an end": "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ",
        "tags with handlers, nearly": "<a onon on on",
        "tags and quotes": "<a \"'/on",
        "angle brackets": "<",
        "tag names": "<a-",
        "nearly script": "<scrip",
        "nearly javascript": "<a javascript ",
        "links with spaces": "](                                        ",
        "relative links": "[a](b) ",
        "links to seeds": "[a](b.md) ",
        "nearly links to seeds": "](b.mdb.md",
        "links without an end": "](aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.md",
        "brackets": "](",
        "schemes": "](aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "headings": "# A\n",
        "fences": "---\n",
        "spaces and a dash": "   -   \n",
    }.items():
        yield (
            name,
            lambda unit=unit: (unit * (SIZE // len(unit.encode()) + 1))[
                : SIZE // max(1, len(unit.encode()) // len(unit))
            ],
        )
    yield "a tag of 5 MB", lambda: "<a " + "b " * (SIZE // 2 - 2)
    yield "one link of 5 MB", lambda: "](" + "b" * (SIZE - 2)
    yield "one link of white space", lambda: "](" + " " * (SIZE - 3) + "x"
    yield "an end of spaces", lambda: "a" + " " * (SIZE - 2) + "\u202e"
    yield "the mark at the end", lambda: "é" * (SIZE // 2 - 9) + "\x85"
    yield "the lost character at the end", lambda: "a\n" * (SIZE // 2 - 9) + "\ufffd"


def sample(path: Path) -> str:
    """Return the body of the largest page of a library."""
    largest = max(path.rglob("*.md"), key=lambda page: page.stat().st_size)
    text = largest.read_text(encoding="utf-8")
    return text.split("\n---\n", 1)[1]
