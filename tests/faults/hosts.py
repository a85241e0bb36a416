"""Hosts of the test's own on one machine: each a network and a name, joined by a bridge.

A host is a process that holds a namespace of networks and one of host names; it ends with the tests, and
all that is its own with it: nothing of this machine's network is touched. `inside` moves the calling
thread there for a while, so that what it starts or opens belongs to that host. Needs Linux, root and
the command `ip`; `require_hosts` skips a test where they are missing. Used by `test_many_machines`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Self

import pytest
from support.programs import bound_to_us

#: Named in the C library, and in Python from 3.12 on.
NEW_NETWORK, NEW_NAME = 0x4000_0000, 0x0400_0000
#: Documentation calls it TEST-NET-2: nobody has it.
NETWORK = "198.51.100"

HOLDER = """
import ctypes, socket, signal, sys
if ctypes.CDLL(None, use_errno=True).unshare(int(sys.argv[2])):
    sys.exit(f"unshare: {ctypes.get_errno()}")
socket.sethostname(sys.argv[1])
print("ready", flush=True)
signal.pause()
"""


class Host:
    """One machine: `address` is where the others reach it."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.address = f"{NETWORK}.{number}"
        command = [sys.executable, "-I", "-S", "-c", HOLDER, name, str(NEW_NETWORK | NEW_NAME)]
        self._holder = subprocess.Popen(
            bound_to_us(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline().strip()
        if said != "ready":
            self.close()
            raise OSError(said)
        self.ip("link", "set", "lo", "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Return the process that holds the namespaces."""
        return self._holder.pid

    def close(self) -> None:
        """Let go of the namespaces: they end with the last process in them."""
        self._holder.kill()
        self._holder.communicate()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Move this thread to the host; processes and sockets that it makes meanwhile stay there."""
        with ExitStack() as back:
            for kind in ("net", "uts"):
                here = os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
                back.callback(os.close, here)
                there = os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
                back.callback(os.close, there)
                _enter(there)
                back.callback(_enter, here)
            yield

    def ip(self, *words: str) -> None:
        """Run the command `ip` here."""
        with self.inside():
            _run_ip(*words)


class Switch(Host):
    """The bridge that joins hosts, on a host of its own."""

    def __init__(self) -> None:
        super().__init__("switch", 254)
        self.ip("link", "add", "bridge", "type", "bridge")
        self.ip("link", "set", "bridge", "up")

    def join(self, host: Host) -> None:
        """Lay a cable from a host to the bridge."""
        self.ip("link", "add", host.name, "type", "veth", "peer", "eth0", "netns", str(host.pid))
        host.ip("address", "add", f"{host.address}/24", "dev", "eth0")
        host.ip("link", "set", "eth0", "up")
        self.ip("link", "set", host.name, "master", "bridge", "up")

    def cut_off(self, host: Host) -> None:
        """Lose every packet from and to a host, without a word to either side."""
        self.ip("link", "set", host.name, "nomaster")

    def heal(self, host: Host) -> None:
        """Let its packets through again."""
        self.ip("link", "set", host.name, "master", "bridge")


@contextmanager
def hosts(*names: str) -> Iterator[tuple[Switch, dict[str, Host]]]:
    """Give hosts of these names, which reach each other, and the switch between them."""
    with ExitStack() as stack:
        switch = stack.enter_context(Switch())
        made = {}
        for number, name in enumerate(names, 1):
            made[name] = stack.enter_context(Host(name, number))
            switch.join(made[name])
        yield switch, made


@cache
def why_not() -> str | None:
    """Return why no hosts can be made here, None where they can."""
    if sys.platform != "linux" or not Path("/proc/thread-self/ns/net").exists():
        return "only Linux has namespaces"
    if shutil.which("ip") is None:
        return "the command `ip` (iproute2) is not installed"
    try:
        with hosts("one"):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return f"this system lets nobody make them: {getattr(error, 'stderr', None) or error}"


def require_hosts() -> None:
    """Skip the test where this machine lets us make no hosts, and say why."""
    if (reason := why_not()) is not None:
        pytest.skip(f"no network namespaces: {reason}")


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _run_ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
