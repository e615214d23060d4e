"""E-mail out, by the SMTP server of the environment; where none is named, none is sent."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from postcall.config import SmtpServer, config

if TYPE_CHECKING:
    from collections.abc import Iterator

# For each step of the conversation: who waits for a mail server holds a thread.
TIMEOUT_S: Final = 10


class CannotMail(Exception):
    """Why no mail went out, in words for whoever runs this; none of the server's secrets are in them."""


def can_mail() -> bool:
    """Whether the environment names a mail server."""
    return config().smtp is not None


def send_mail(to: str, subject: str, text: str) -> None:
    """Hands one plain mail to the mail server, now; returns once it took it.

    Raises CannotMail: none is named, it cannot be reached within TIMEOUT_S a step, or it refuses.
    """
    environment = config()
    server = _server()
    message = EmailMessage(" ".join(subject.split()), text, environment.mail_from, [to])
    with _told(server, to), closing(_connection(server)) as connection:
        connection.send_messages([message])


def try_server() -> None:
    """Reaches the mail server and signs in there, without a mail. Raises CannotMail."""
    server = _server()
    with _told(server), closing(_connection(server)) as connection:
        connection.open()


def _server() -> SmtpServer:
    server = config().smtp
    if server is None:
        raise CannotMail("No mail server is set: POSTCALL_SMTP_URL names one.")
    return server


def _connection(server: SmtpServer) -> EmailBackend:
    return EmailBackend(
        host=server.host,
        port=server.port,
        username=server.user,
        password=server.password.get_secret_value(),
        use_tls=server.tls == "starttls",
        use_ssl=server.tls == "always",
        timeout=TIMEOUT_S,
        fail_silently=False,
    )


@contextmanager
def _told(server: SmtpServer, to: str = "") -> Iterator[None]:
    """Says in words what went wrong; what a server answers may repeat what it was told, so it is left out."""
    where = f"The mail server {server.host}:{server.port}"
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise CannotMail(f"{where} does not take the user and password of POSTCALL_SMTP_URL.") from error
    except smtplib.SMTPNotSupportedError as error:
        raise CannotMail(f"{where} offers no TLS or no sign-in, which POSTCALL_SMTP_URL asks for.") from error
    except smtplib.SMTPRecipientsRefused as error:
        raise CannotMail(f"{where} takes no mail to {to}.") from error
    except smtplib.SMTPSenderRefused as error:
        raise CannotMail(f"{where} takes no mail from POSTCALL_MAIL_FROM.") from error
    except smtplib.SMTPResponseException as error:
        raise CannotMail(f"{where} refused with code {error.smtp_code}.") from error
    except ssl.SSLError as error:
        raise CannotMail(f"{where} cannot be trusted: {error.reason or 'TLS failed'}.") from error
    except TimeoutError as error:
        raise CannotMail(f"{where} did not answer within {TIMEOUT_S} s.") from error
    except (smtplib.SMTPException, OSError) as error:
        raise CannotMail(f"{where} cannot be reached: {_why(error)}.") from error


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it broke off"
