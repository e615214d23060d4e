"""Where the web process listens, and how this machine's own commands reach it."""

from __future__ import annotations

import errno
import socket
import urllib.request
from typing import Any, Final

from postcall.config import ConfigError, config

# Our own addresses are on this machine or beside it: a proxy of the environment leads away from them.
_direct: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask_directly(request: str | urllib.request.Request, timeout: float) -> Any:
    """As `urllib.request.urlopen`, past any proxy."""
    return _direct.open(request, timeout=timeout)


def listening_address(host: str) -> str:
    """The IP address of POSTCALL_HOST, which may be a name. Raises ConfigError."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        raise ConfigError(f"POSTCALL_HOST: {host} is no address or name of this machine") from None


def refuse_taken_port(host: str, port: int) -> None:
    """Raises ConfigError when nobody could listen there, naming the setting to change."""
    address = listening_address(host)
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen()
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise ConfigError(f"POSTCALL_HOST: {host} is no address of this machine") from None
            raise ConfigError(
                f"POSTCALL_PORT: cannot listen on {host} port {port} ({error.strerror}); choose another port"
            ) from None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def local_url() -> str:
    """Where this machine reaches the web process, whatever the public address is."""
    environment = config()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(environment.host, environment.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{environment.port}"


def shown_url() -> str:
    """The address that a person on this machine can open: the public one when there is one."""
    return config().public_url or local_url()


def answers(url: str) -> bool:
    """Whether a Twilio stand-in answers there."""
    try:
        with ask_directly(f"{url}/sandbox", 3) as answer:
            return int(answer.status) == 200
    except (OSError, ValueError):
        return False
