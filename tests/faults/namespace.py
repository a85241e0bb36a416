"""A namespace of users and mounts around one process: it may mount, and everything ends with it.

Root inside is nobody special outside, so these tests need no root where the system lets users make
namespaces, and leave nothing mounted whatever happens. Used by the tests of disks, mounts and limits.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest


def inside(script: str) -> list[str]:
    """Return the words before a command that run it in its own namespace, after a shell script."""
    own = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"]
    return [*own, "sh", "-ec", f'{script}\nexec "$@"', "sh"]


def run_in(pid: int, script: str) -> str:
    """Run a shell script in the namespace of a process, and return what it printed."""
    command = ["nsenter", "--target", str(pid), "--user", "--preserve-credentials", "--mount"]
    done = subprocess.run(
        [*command, "sh", "-ec", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    return done.stdout


def seen_by(pid: int, path: Path) -> Path:
    """Return where a path of a namespace is found from outside."""
    return Path(f"/proc/{pid}/root{path}")


@cache
def why_not() -> str | None:
    """Return why no namespace can be made here, None where it can."""
    script = "mount -t tmpfs -o size=1m tmpfs /mnt && echo 9 > /proc/sys/user/max_inotify_watches"
    try:
        done = subprocess.run(
            [*inside(script), "true"], capture_output=True, text=True, check=False
        )
    except OSError as error:
        return str(error)
    return done.stderr.strip() if done.returncode else None


def require_namespaces() -> None:
    """Skip the test where this system lets nobody mount in a namespace, and say what it answered."""
    if (reason := why_not()) is not None:
        pytest.skip(f"no namespace with mounts can be made here: {reason}")
