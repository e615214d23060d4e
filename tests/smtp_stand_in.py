"""A mail server on loopback, to which mail is really handed over by SMTP."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast


@dataclass
class Mails:
    """What a mail server took, and how it was signed in to."""

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    # A command's answer in place of the usual one, such as {"RCPT": "550 no"}.
    refusals: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.say("220 mail.northgate.example")
        while line := self.rfile.readline().decode().strip():
            self.mails.said.append(line)
            verb = line.split()[0].upper()
            if verb == "DATA":
                self.take()
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.answer(verb, line)

    @property
    def mails(self) -> Mails:
        return cast(Any, self.server).mails  # type: ignore[no-any-return]  # set below

    def answer(self, verb: str, line: str) -> None:
        if verb in self.mails.refusals:
            self.say(self.mails.refusals[verb])
        elif verb == "EHLO":
            self.say("250-mail.northgate.example\r\n250 AUTH PLAIN")
        elif verb == "AUTH":
            self.mails.signed_in.append(base64.b64decode(line.split()[2]).decode().strip("\0").replace("\0", ":"))
            self.say("235 welcome")
        else:
            self.say("250 well")

    def take(self) -> None:
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        self.mails.taken.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self.say("250 taken")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def mail_server() -> Iterator[Mails]:
    with _Server(("127.0.0.1", 0), _Conversation) as server:
        mails = Mails(server.server_address[1])
        cast(Any, server).mails = mails
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield mails
        finally:
            server.shutdown()
            thread.join()
