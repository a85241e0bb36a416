"""Messages by SMTP.

What a document holds can become neither a header nor a recipient: headers are cleaned, and the
finished bytes are read back before they are sent. There are no retries here; an error says whether
another try can help. Opened by `worker.channels.opening`.
"""

from __future__ import annotations

import logging
import re
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parseaddr

from worker.channels import Message
from worker.domain.visible import one_line
from worker.errors import ChannelError, ConfigurationError
from worker.settings import EmailChannel

_log = logging.getLogger("content_sync.mail")

#: Lines end in CRLF, and bodies are 7-bit: a server need not know 8BITMIME.
_POLICY = policy.SMTP.clone(cte_type="7bit")
_HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
_BODY_HEADERS = frozenset({"Content-Type", "Content-Transfer-Encoding", "MIME-Version"})
_ADDRESS = re.compile(r"[!-~]+@[!-~]+")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*")
#: RFC 4954: these refuse us, not the message. A mended password delivers it.
_LOGIN_CODES = frozenset({530, 534, 535, 538})
_PERMANENT_CODES = range(500, 600)
_SUBJECT_CHARACTERS = 200
_REPLY_CHARACTERS = 200


class MailChannel:
    """Sends each message over an SMTP connection of its own."""

    def __init__(
        self, settings: EmailChannel, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Use a server and sender; raise `ConfigurationError` when the sender is no address."""
        self._settings = settings
        self._clock = clock
        self._sender = parseaddr(settings.sender)[1]
        if not _ADDRESS.fullmatch(self._sender):
            raise ConfigurationError(f"the sender {settings.sender!r} is no e-mail address")

    def send(self, message: Message) -> None:
        """Hand the message to the server.

        Raises `ChannelError`: permanent when the server refuses the message (5xx) or it is none that
        may be sent, worth another try in every other case. When some recipients are refused and
        others not, it is delivered, and the log names the refused ones.
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

    def _compose(self, message: Message) -> tuple[list[str], bytes]:
        """Return who gets the message, and its bytes on the wire; refuse one that is not as meant."""
        if not _MESSAGE_ID.fullmatch(message.id):
            raise ChannelError(f"{message.id!r} is no id for a message", permanent=True)
        mail = EmailMessage(_POLICY)
        try:
            mail["From"] = self._settings.sender
            mail["To"] = ", ".join(message.to)
            mail["Subject"] = header_text(message.subject)
            mail["Date"] = self._clock()
            mail["Message-ID"] = f"<{message.id}@{self._sender.rpartition('@')[2]}>"
            mail["Auto-Submitted"] = "auto-generated"
            mail.set_content(message.text.encode("utf-8", "backslashreplace").decode())
            recipients = [address.addr_spec for address in mail["To"].addresses]
            data = mail.as_bytes()
        except (MessageError, ValueError, LookupError) as error:
            raise ChannelError(f"no e-mail can be made of it: {error}", permanent=True) from error
        bad = [address for address in recipients if not _ADDRESS.fullmatch(address)]
        if bad or not recipients or len(recipients) != len(message.to):
            raise ChannelError(
                f"its recipients are not all e-mail addresses: {', '.join(message.to)}",
                permanent=True,
            )
        _check_headers(data, recipients)
        return recipients, data

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        """Open a connection, encrypted and logged in as the settings say, and close it."""
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
                smtp.login(s.username, s.password.get_secret_value() if s.password else "")
            yield smtp
        finally:
            # The server has answered for the message by now: a failing goodbye must not repeat it.
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
        """Return an error that names the server; a reply that echoes the password is not repeated."""
        s = self._settings
        if s.password is not None and (secret := s.password.get_secret_value()):
            why = why.replace(secret, "***")
        return ChannelError(f"mail server {s.host}:{s.port}: {why}", permanent=permanent)


def header_text(text: str) -> str:
    """Return text that may stand in a header: one line, and nothing that reads as an encoded word.

    `=?utf-8?q?a=0ABcc:x?=` in a subject makes a header of its own on Pythons before 3.11.10
    (CVE-2024-6923): the library decodes it, and folds it without encoding it again.
    """
    return one_line(text, limit=_SUBJECT_CHARACTERS).replace("=?", "= ?")


def _check_headers(data: bytes, recipients: list[str]) -> None:
    """Read a finished message as its recipient will; refuse it when its headers are not ours."""
    read = message_from_bytes(data, policy=policy.default)
    names = [name for name in read.keys() if name not in _BODY_HEADERS]  # noqa: SIM118 - keeps doubles
    to = [address.addr_spec for address in read["To"].addresses] if names == _HEADERS else []
    if names != _HEADERS or to != recipients:
        raise ChannelError("its headers would not be the ones that were meant", permanent=True)


def _said(code: int, reply: bytes | str) -> str:
    """Return a server's reply in one line."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return one_line(f"{code} {text}", limit=_REPLY_CHARACTERS)
