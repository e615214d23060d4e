"""Servers on loopback that behave as badly as servers do."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Behaviour = Callable[[socket.socket], None]
FINE = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Server:
    port: int
    asked: list[bytes] = field(default_factory=list)


def answering(answer: bytes) -> Behaviour:
    return lambda connection: connection.sendall(answer)


@contextmanager
def serving(behave: Behaviour | None = None, trust: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Takes one connection after another; each request is written down, then `behave` answers (by default well)."""
    answer = behave or answering(FINE)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(listening.getsockname()[1])
        ended = threading.Event()

        def run() -> None:
            while not ended.is_set():
                try:
                    raw, _ = listening.accept()
                except OSError:
                    return
                raw.settimeout(5)
                try:
                    connection = trust.wrap_socket(raw, server_side=True) if trust else raw
                    server.asked.append(_request(connection))
                    answer(connection)
                    connection.close()
                except OSError:
                    raw.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _request(connection: socket.socket) -> bytes:
    request = connection.recv(65_536)
    length = re.search(rb"Content-Length: (\d+)", request)
    while length and len(request.partition(b"\r\n\r\n")[2]) < int(length[1]) and (more := connection.recv(65_536)):
        request += more
    return request


def certificate(folder: Path, host: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server that is called `host`, and for whoever trusts nothing but its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))
