"""A real SMTP server and a real HTTP endpoint on loopback, which say what they are told to say."""

# ruff: noqa: N802 - the signatures are those that the servers call

import json
import ssl
import threading
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


@pytest.fixture
def start_post():
    """Start mail servers; each stops with the test."""
    running = []

    def start(*, implicit_tls=None, replies=None, **options):
        post = Post(replies=replies or {})
        if options.pop("auth", False):
            options |= {"authenticator": post.authenticate, "auth_require_tls": False}
        controller = _AnyPortController(
            post, hostname="127.0.0.1", port=0, ssl_context=implicit_tls, **options
        )
        controller.start()
        running.append(controller)
        post.port = controller.port
        return post

    yield start
    for controller in running:
        controller.stop()


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
class Web:
    """What the web service answers, and what it was given."""

    status: int = 200
    headers: dict = field(default_factory=dict)
    port: int = 0
    paths: list = field(default_factory=list)
    bodies: list = field(default_factory=list)


@pytest.fixture
def web():
    """Run a web service that takes POSTs of JSON."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            web.paths.append(self.path)
            web.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(web.status)
            for name, value in web.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format, *args):  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield web
    server.shutdown()
    thread.join()
    server.server_close()
