"""Sends messages by SMTP as plain text, with an HTML alternative if the message has one.

Text from documents cannot become a header or a recipient: headers are cleaned, and the finished bytes are
parsed and checked before they are sent. HTML that would load or run anything is left out. The channel does
not retry; an error says whether a retry can help. Opened by `worker.messages.channels.opening`.
"""

from __future__ import annotations

import hashlib
import logging
import re
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.headerregistry import HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.utils import parseaddr

from worker.domain.seeds.visible import one_line, visible
from worker.errors import ChannelError, ConfigurationError
from worker.messages.channels import Message
from worker.messages.channels.mail_html import unwanted
from worker.settings.model import EmailChannel

_log = logging.getLogger("content_sync.mail")

_THREAD_HEADERS = ("In-Reply-To", "References")


class _WholeHeader(UnstructuredHeader):
    """A header on one line, because the library would encode an id longer than a line to fold it."""

    def fold(self, *, policy: policy.EmailPolicy) -> str:
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined] # of the other half


_REGISTRY = HeaderRegistry()
for _name in ("List-Id", *_THREAD_HEADERS):
    _REGISTRY.map_to_type(_name, _WholeHeader)  # type: ignore[arg-type] # typeshed wants both halves
#: Lines end in CRLF, and bodies are 7-bit, so the server does not need 8BITMIME.
_POLICY = policy.SMTP.clone(cte_type="7bit", header_factory=_REGISTRY)
_BODY_HEADERS = frozenset({"Content-Type", "Content-Transfer-Encoding", "MIME-Version"})
_ADDRESS = re.compile(r"[!-~]+@[!-~]+")
_MESSAGE_ID = re.compile(r"(?=.{1,200}$)[A-Za-z0-9]+([._-][A-Za-z0-9]+)*")
#: RFC 2919.
_LIST_ID = re.compile(r"(?=.{1,255}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
#: RFC 4954: these refuse the login, not the message. With a corrected password it is delivered.
_LOGIN_CODES = frozenset({530, 534, 535, 538})
_PERMANENT_CODES = range(500, 600)
_SUBJECT_CHARACTERS = 200
_REPLY_CHARACTERS = 200


class MailChannel:
    """Sends each message over a new SMTP connection."""

    def __init__(
        self, settings: EmailChannel, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Take the settings; raise `ConfigurationError` if the sender or list id is not valid.

        `clock` dates the messages, in UTC.
        """
        self._settings = settings
        self._clock = clock
        self._sender = parseaddr(settings.sender)[1]
        if not _ADDRESS.fullmatch(self._sender):
            raise ConfigurationError(f"the sender {settings.sender!r} is not an e-mail address")
        self._domain = self._sender.rpartition("@")[2]
        list_id = settings.list_id or f"content-sync.{self._domain}"
        if not _LIST_ID.fullmatch(list_id):
            raise ConfigurationError(
                f"its list id {list_id!r} is not one like content-sync.example.org: set `list_id`"
            )
        self._list_id = f"Content Sync <{list_id}>"

    def send(self, message: Message) -> None:
        """Send the message to the server.

        Raises `ChannelError`: permanent if the server refuses the message (5xx) or the message is not valid,
        otherwise a retry can help. If the server refuses only some recipients, the others get the message,
        and the log names the refused ones.
        """
        recipients, data = self._compose(message)
        with self._failing_as_channel_error(), self._connection() as smtp:
            refused = smtp.sendmail(self._sender, recipients, data)
        for recipient, (code, reply) in refused.items():
            _log.warning(
                "message %s was delivered, but not to %s: %s",
                message.id,
                recipient,
                _said(code, reply),
            )

    def preview(self, message: Message) -> str:
        """Return the e-mail as an `.eml` file with the line ends of a text file."""
        return self._compose(message)[1].decode("ascii").replace("\r\n", "\n")

    def _compose(self, message: Message) -> tuple[list[str], bytes]:
        """Return the recipients and the bytes to send; raise `ChannelError` if the message is not valid."""
        for given in (message.id, *([] if message.thread is None else [message.thread])):
            if not _MESSAGE_ID.fullmatch(given):
                raise ChannelError(f"{given!r} is not a valid id of a message", permanent=True)
        plain = self._plain_headers(message)
        bodies = _bodies(message)
        mail = EmailMessage(_POLICY)
        try:
            mail["From"] = self._settings.sender
            mail["To"] = ", ".join(message.to)
            mail["Subject"] = header_text(message.subject)
            mail["Date"] = self._clock()
            for name, value in plain.items():
                mail[name] = value
            mail.set_content(bodies[0])
            if len(bodies) > 1:
                mail.add_alternative(bodies[1], subtype="html")
                # Not random, so that a repeated message has the same bytes.
                mail.set_boundary(f"=_{hashlib.sha256(message.id.encode()).hexdigest()[:32]}")
            recipients = [address.addr_spec for address in mail["To"].addresses]
            data = mail.as_bytes()
        except (MessageError, ValueError, LookupError) as error:
            raise ChannelError(
                f"it cannot be written as an e-mail: {error}", permanent=True
            ) from error
        bad = [address for address in recipients if not _ADDRESS.fullmatch(address)]
        if bad or not recipients or len(recipients) != len(message.to):
            raise ChannelError(
                f"its recipients are not all e-mail addresses: {', '.join(message.to)}",
                permanent=True,
            )
        _check_headers(data, recipients, plain)
        _check_bodies(data, bodies)
        return recipients, data

    def _plain_headers(self, message: Message) -> dict[str, str]:
        """Return the headers that contain no text from documents."""
        headers = {
            "Message-ID": f"<{message.id}@{self._domain}>",
            "List-Id": self._list_id,
            "Auto-Submitted": "auto-generated",
        }
        if message.thread is not None:
            # No message has this id. Messages with the same thread all reply to it, so a mail program groups
            # them, even if the reader has deleted some.
            root = f"<{message.thread}@{self._domain}>"
            headers |= dict.fromkeys(_THREAD_HEADERS, root)
        return headers

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        """Open a connection with the encryption and login of the settings, and close it at the end."""
        s = self._settings
        smtp: smtplib.SMTP
        if s.security == "tls":
            smtp = smtplib.SMTP_SSL(
                s.host, s.port, timeout=s.timeout_seconds, context=ssl.create_default_context()
            )
        else:
            smtp = smtplib.SMTP(s.host, s.port, timeout=s.timeout_seconds)
        try:
            if s.security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
            if s.username:
                smtp.login(s.username, s.password.value if s.password else "")
            yield smtp
        finally:
            # The server has accepted or refused the message by now; a failing QUIT must not repeat it.
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()
            smtp.close()

    @contextmanager
    def _failing_as_channel_error(self) -> Iterator[None]:
        try:
            yield
        except smtplib.SMTPRecipientsRefused as error:
            replies = error.recipients.values()
            raise self._error(
                "; ".join(f"{to}: {_said(*reply)}" for to, reply in error.recipients.items()),
                permanent=all(code in _PERMANENT_CODES for code, _ in replies)
                and not any(code in _LOGIN_CODES for code, _ in replies),
            ) from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            code = error.smtp_code
            raise self._error(
                _said(code, error.smtp_error),
                permanent=code in _PERMANENT_CODES and code not in _LOGIN_CODES,
            ) from None
        except smtplib.SMTPResponseException as error:  # greeting, EHLO, STARTTLS, AUTH
            raise self._error(_said(error.smtp_code, error.smtp_error)) from None
        except (smtplib.SMTPException, OSError) as error:
            raise self._error(str(error) or type(error).__name__) from None

    def _error(self, why: str, *, permanent: bool = False) -> ChannelError:
        """Return an error that names the server, with the password removed if the reply repeats it."""
        s = self._settings
        if s.password is not None and (secret := s.password.value):
            why = why.replace(secret, "***")
        return ChannelError(f"mail server {s.host}:{s.port}: {why}", permanent=permanent)


def header_text(text: str) -> str:
    """Return text that is safe in a header: one line, without encoded words.

    On Python before 3.11.10, `=?utf-8?q?a=0ABcc:x?=` in a subject adds a header (CVE-2024-6923): the library
    decodes it, and folds it without encoding it again.
    """
    return one_line(text, limit=_SUBJECT_CHARACTERS).replace("=?", "= ?")


def _bodies(message: Message) -> list[str]:
    """Return the text, and the HTML if there is any and it is acceptable."""
    bodies = [visible(message.text, lines=True)]
    if message.html:
        html = visible(message.html, lines=True)
        what = unwanted(html)
        if what is None:
            bodies.append(html)
        else:
            # The text says the same as the HTML, so the message can be sent without it.
            _log.warning("message %s is sent without its HTML, because of %s", message.id, what)
    return bodies


def _check_headers(data: bytes, recipients: list[str], plain: dict[str, str]) -> None:
    """Parse a finished message as a recipient would; raise `ChannelError` if its headers differ."""
    read = message_from_bytes(data, policy=policy.default)
    raw = message_from_bytes(data, policy=policy.compat32)  # headers as written, not decoded
    names = [name for name in read.keys() if name not in _BODY_HEADERS]  # noqa: SIM118 - keeps duplicates
    expected = ["From", "To", "Subject", "Date", *plain]
    to = [address.addr_spec for address in read["To"].addresses] if names == expected else []
    if (
        names != expected
        or to != recipients
        or any(" ".join(raw[name].split()) != value for name, value in plain.items())
    ):
        raise ChannelError("its headers would differ from the intended ones", permanent=True)


def _check_bodies(data: bytes, bodies: list[str]) -> None:
    """Parse a finished message; raise `ChannelError` if its parts are not these bodies."""
    read = message_from_bytes(data, policy=policy.default)
    parts = list(read.iter_parts()) if read.is_multipart() else [read]
    kinds = [part.get_content_type() for part in parts]
    if read.is_multipart():
        kinds.insert(0, read.get_content_type())
    expected = ["multipart/alternative", "text/plain", "text/html"]
    if (
        kinds != (expected if len(bodies) > 1 else ["text/plain"])
        or [_lines(part.get_content()) for part in parts] != [_lines(body) for body in bodies]
        or any(set(part.keys()) - _BODY_HEADERS for part in parts if part is not read)
    ):
        raise ChannelError("its parts would differ from the intended ones", permanent=True)


def _lines(text: str) -> list[str]:
    """Return the lines, whatever the line ends are."""
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")


def _said(code: int, reply: bytes | str) -> str:
    """Return the reply of a server as one line."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return one_line(f"{code} {text}", limit=_REPLY_CHARACTERS)
