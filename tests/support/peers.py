"""A real SMTP server and a real HTTP endpoint on loopback, which answer as a test configures them."""

# ruff: noqa: N802 - the signatures are those that the servers call

import json
import ssl
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


@dataclass
class Post:
    """What the mail server answers, and what it was given."""

    replies: dict[str, str] = field(default_factory=dict)
    port: int = 0
    envelopes: list = field(default_factory=list)
    logins: list = field(default_factory=list)
    tls: list = field(default_factory=list)

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if reply := self.replies.get("MAIL"):
            return reply
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if reply := self.replies.get(address) or self.replies.get("RCPT"):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if reply := self.replies.get("DATA"):
            return reply
        self.envelopes.append(envelope)
        self.tls.append(session.ssl is not None)
        return "250 Message accepted"

    async def handle_QUIT(self, server, session, envelope):
        return self.replies.get("QUIT", "221 Bye")

    def authenticate(self, server, session, envelope, mechanism, auth_data):
        login = (auth_data.login.decode(), auth_data.password.decode())
        self.logins.append(login)
        return AuthResult(success=login == ("sync", "tr0ub4dor"), handled=False)


class _AnyPortController(Controller):
    """A controller on a port that the system chooses, so that tests in parallel never collide."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(*, implicit_tls=None, replies=None, auth=False, **options):
    """Run a mail server on 127.0.0.1 that takes everything that `replies` does not refuse."""
    post = Post(replies=replies or {})
    if auth:
        login = {"authenticator": post.authenticate, "auth_require_tls": False}
        options = login | options
    controller = _AnyPortController(
        post, hostname="127.0.0.1", port=0, ssl_context=implicit_tls, **options
    )
    controller.start()
    post.port = controller.port
    try:
        yield post
    finally:
        controller.stop()


@pytest.fixture
def start_post():
    """Start mail servers; each stops with the test."""
    with ExitStack() as running:
        yield lambda **options: running.enter_context(mail_server(**options))


@pytest.fixture(scope="session")
def authority():
    """Make a certificate authority that nobody trusts yet."""
    return trustme.CA()


@pytest.fixture
def server_tls(authority):
    """Return the server's side of TLS, for 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trust(authority, tmp_path, monkeypatch):
    """Return a function that makes this process trust the authority from now on."""

    def trust_it():
        path = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(str(path))
        monkeypatch.setenv("SSL_CERT_FILE", str(path))

    return trust_it


@dataclass
class Request:
    """One request as the web service was given it."""

    method: str
    path: str
    headers: dict
    body: bytes


@dataclass
class Web:
    """What the web service answers, and what it was given.

    An answer is held back while `open` is cleared.
    """

    status: int = 200
    headers: dict = field(default_factory=dict)
    answer: bytes = b""
    port: int = 0
    requests: list = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    @property
    def paths(self):
        return [request.path for request in self.requests]

    @property
    def bodies(self):
        return [json.loads(request.body) for request in self.requests]


@pytest.fixture
def start_web():
    """Start web services on 127.0.0.1; each stops with the test."""
    running = []

    def start(*, tls=None):
        web = Web()
        web.open.set()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.do_POST()

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                web.requests.append(Request(self.command, self.path, dict(self.headers), body))
                web.open.wait()
                self.send_response(web.status)
                for name, value in web.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(web.answer)))
                self.end_headers()
                with suppress(OSError):  # whoever asks may read no further
                    self.wfile.write(web.answer)

            def log_message(self, format, *args):  # noqa: A002
                pass

        server = _WebServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            # The handshake belongs to the connection's thread: one that fails must stop no other.
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        web.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((web, server, thread))
        return web

    yield start
    for web, server, thread in running:
        web.open.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _WebServer(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Say nothing: clients that refuse a certificate or hang up are what is tested."""


@pytest.fixture
def web(start_web):
    """Run a web service that takes GET, and POSTs of JSON."""
    return start_web()
