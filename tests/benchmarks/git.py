"""git as the yardstick: it keeps versions of a folder too, without checking them.

After many commits or objects git packs them in the background, which takes a core for half a minute at
20,000. That is off here: it would not count in git's time and would slow the next measurement. By default
git does not wait until its objects are on the disk, as our stores do. Only the benchmarks call this module.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from timing import Cost, run


class Git:
    """A new repository of a folder that lies beside it, so that nobody else finds it in there.

    A `durable` one waits for the disk (git's `core.fsync`).
    """

    def __init__(self, seeds: Path, state: Path, *, durable: bool = False) -> None:
        self._seeds = seeds
        self._env = {
            "GIT_DIR": tempfile.mkdtemp(prefix="repository-", dir=state),
            "GIT_WORK_TREE": str(seeds),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_COUNT": "2" if durable else "1",
            "GIT_CONFIG_KEY_0": "gc.auto",
            "GIT_CONFIG_VALUE_0": "0",
            "GIT_CONFIG_KEY_1": "core.fsync",
            "GIT_CONFIG_VALUE_1": "all",
            "GIT_AUTHOR_NAME": "b",
            "GIT_AUTHOR_EMAIL": "b@example.org",
            "GIT_COMMITTER_NAME": "b",
            "GIT_COMMITTER_EMAIL": "b@example.org",
        }
        self._run("init", "-q")

    def commit(self) -> Cost:
        """Add and commit all."""
        added, committed = self._run("add", "."), self._run("commit", "-qm", "all")
        return Cost(
            seconds=added.seconds + committed.seconds,
            processor_seconds=added.processor_seconds + committed.processor_seconds,
            peak_mebibytes=max(added.peak_mebibytes, committed.peak_mebibytes),
        )

    def status(self) -> Cost:
        """Look for what changed."""
        return self._run("status", "--short")

    def _run(self, *arguments: str) -> Cost:
        return run("git", *arguments, cwd=self._seeds, env=self._env)
