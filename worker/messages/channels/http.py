"""Makes one HTTP request, with limits on where it connects, how long it takes and how much it reads.

A name is looked up once, and the connection goes to the address that was checked, so an answer that changes
in between (DNS rebinding) has no effect. Redirects are not followed. Proxies from the environment are not
used, because a proxy looks names up itself. There are no retries. Called by `webhook` and `deadman`.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address

import httpcore
import httpx

from worker.errors import ChannelError
from worker.messages.channels.addresses import Address

#: Enough for the reason of an error.
_ANSWER_BYTES = 4096

_FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpx.HTTPError,
    OSError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The reply: its status, the beginning of its body, and its `Retry-After` header."""

    status: int
    text: str
    retry_after: str

    @property
    def phrase(self) -> str:
        """Return the status with its standard phrase, not the one that the server sent."""
        with suppress(ValueError):
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        return str(self.status)


def parse_url(url: str) -> httpx.URL:
    """Parse an http or https URL with a host; raise a `ValueError` that does not show the URL."""
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        parsed = httpx.URL()
    # httpx escapes characters that are invalid in a host, such as `%5B`: no such host exists.
    if parsed.scheme not in {"http", "https"} or not parsed.host or "%" in parsed.host:
        raise ValueError("it is not an http or https URL with a host")
    return parsed


def exchange(
    method: str,
    url: httpx.URL,
    *,
    may_connect: Callable[[Address], bool],
    seconds: float,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> Answer:
    """Send one request and return the answer, whatever its status.

    `seconds` limits everything but the name lookup, which has the limits of the system. Raises
    `ChannelError`, not permanent, when no answer arrives or no address is allowed.
    """
    deadline = time.monotonic() + seconds
    try:
        with (
            _Transport(url, may_connect=may_connect, deadline=deadline) as transport,
            httpx.Client(transport=transport, trust_env=False, timeout=seconds) as client,
            client.stream(
                method,
                url,
                headers={"User-Agent": "content-sync", "Accept-Encoding": "identity"}
                | dict(headers or {}),
                content=content,
            ) as response,
        ):
            return Answer(
                status=response.status_code,
                text=_beginning(response),
                retry_after=response.headers.get("Retry-After", ""),
            )
    except _FAILURES as error:
        # Without the cause, because an exception of the library holds the whole URL.
        raise ChannelError(str(error) or type(error).__name__) from None


def _beginning(response: httpx.Response) -> str:
    """Return the first bytes of the body as text; if reading fails, the status still counts."""
    body = b""
    with suppress(*_FAILURES):
        for chunk in response.iter_raw():
            body += chunk
            if len(body) >= _ANSWER_BYTES:
                break
    return body[:_ANSWER_BYTES].decode("utf-8", "replace")


class _Transport(httpx.BaseTransport):
    """Sends one request over a checked connection with a deadline, for which httpx has no option."""

    def __init__(
        self, url: httpx.URL, *, may_connect: Callable[[Address], bool], deadline: float
    ) -> None:
        # The certificates of the system, as for mail: they include a team's own authority.
        tls = ssl.create_default_context() if url.scheme == "https" else None
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=_CheckedBackend(may_connect, deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=answer.status, headers=answer.headers, stream=_Body(answer)
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """The body of an answer, in the form that httpx needs."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects only to checked addresses, never to a name."""

    def __init__(self, may_connect: Callable[[Address], bool], deadline: float) -> None:
        self._may_connect = may_connect
        self._deadline = deadline
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first allowed address of the host that answers."""
        failure: Exception | None = None
        for address in self._addresses(host, port):
            try:
                stream = self._plain.connect_tcp(
                    address, port, _left(self._deadline, timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failure or httpcore.ConnectError("connections to its addresses are not allowed")

    def _addresses(self, host: str, port: int) -> list[str]:
        """Look the host up once and return its allowed addresses."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the host was not found: {error}") from error
        # In order and without duplicates; a link-local address ends with `%` and its interface.
        texts = dict.fromkeys(str(address[0]) for *_, address in found)
        return [text for text in texts if self._may_connect(ip_address(text.partition("%")[0]))]


class _TimedStream(httpcore.NetworkStream):
    """A connection with one deadline for all its waits, however slow the other side is."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(
            ssl_context, server_hostname, _left(self._deadline, timeout)
        )
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _left(deadline: float, timeout: float | None) -> float:
    """Return the seconds left until the deadline; raise `ReadTimeout` if there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("timed out")
    return left if timeout is None else min(left, timeout)
