"""The peers: other programs that sync a folder into a local store, each in an environment of its own.

They are installed from PyPI into a scratch folder, in the newest release, and asked over a pipe by the
programs in `peer_programs`. None embeds anything: a vector is one number. Their times leave out the
start of their process, which ours has in it. Called by the benchmarks alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from support.programs import clean_environment
from timing import Cost, run, say

PROGRAMS = Path(__file__).with_name("peer_programs")
STOP_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What is installed for a peer, and which program asks it."""

    name: str
    package: str
    program: str


PEERS = (
    Peer(name="CocoIndex into SQLite", package="cocoindex>=1", program="with_cocoindex.py"),
    Peer(
        name="LlamaIndex upserts, persisted",
        package="llama-index-core",
        program="with_llamaindex.py",
    ),
    Peer(
        name="LangChain index(), in memory", package="langchain-core", program="with_langchain.py"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A peer with the Python that it runs in; `name` has its version in it."""

    name: str
    python: Path
    program: Path


def install(peer: Peer, scratch: Path) -> Installed:
    """Install a peer from PyPI."""
    say(f"installing {peer.package}")
    place = scratch / peer.program.removesuffix(".py")
    python = place / "bin" / "python"
    run("uv", "venv", "--quiet", "--python", sys.executable, str(place), cwd=scratch)
    run(
        *("uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)),
        peer.package,
        cwd=scratch,
    )
    package = peer.package.partition(">")[0]
    asked = f"from importlib.metadata import version; print(version({package!r}))"
    version = subprocess.run(
        [python, "-c", asked], capture_output=True, text=True, check=True
    ).stdout.strip()
    return Installed(
        name=peer.name.replace(" ", f" {version} ", 1),
        python=python,
        program=PROGRAMS / peer.program,
    )


class Asked:
    """A peer's process over one folder and one new state: asked to sync, it tells what that took."""

    def __init__(self, peer: Installed, seeds: Path, state: Path) -> None:
        state.mkdir(parents=True)
        self._said = (state / "said").open("w+b")
        self._process = subprocess.Popen(
            [peer.python, peer.program, seeds, state],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=clean_environment({"COCOINDEX_DISABLE_USAGE_TRACKING": "1"}),
            cwd=state,
        )
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):
            self._process.communicate(timeout=STOP_SECONDS)
        self._said.close()

    def sync(self) -> Cost:
        """Sync once."""
        assert self._process.stdin is not None
        self._process.stdin.write("sync\n")
        self._process.stdin.flush()
        return Cost(**self._answer())

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(json.JSONDecodeError):
                answer: dict[str, float] = json.loads(line)
                return answer
        self._said.seek(0)
        raise RuntimeError(f"a peer has ended:\n{self._said.read()[-2000:].decode()}")
