"""A TCP proxy on loopback that loses the network: it freezes connections, or resets them all.

Frozen, it takes connections and passes nothing on; what was sent meanwhile arrives late, as over a
network that comes back. Used by `deployment.py` between the service and Redis.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress

_AT_ONCE = 65536
_RESET = struct.pack("ii", 1, 0)  # closing sends RST


class Proxy:
    """Passes on what it is sent on `port` to the port behind it, both of loopback."""

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closed = True
        self._open.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def frozen(self):
        """Pass nothing on for a while."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def reset(self) -> None:
        """End every connection at once, as a firewall that has forgotten them does."""
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._connect, client)

    def _connect(self, client: socket.socket) -> None:
        self._open.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self._behind))
        except OSError:  # nobody is behind: the client learns it as it would without us
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            self._sockets |= {client, server}
        back = self._start(self._pump, server, client)
        self._pump(client, server)
        back.join()
        with self._lock:
            self._sockets -= {client, server}
        client.close()
        server.close()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_AT_ONCE):
                self._open.wait()
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _start(self, work, *arguments) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()
        return thread
