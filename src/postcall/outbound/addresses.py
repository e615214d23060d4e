"""Which addresses that somebody entered may be asked: those that are open to all the world, and no others.

Whoever can make Postcall ask an address of their choice could otherwise reach what only this machine reaches: its
own services, its network, its cloud's metadata.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from postcall.config import config

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# The addresses of a host; raises OSError.
Resolver = Callable[[str, int], Sequence[str]]

LONGEST_URL: Final = 2000
RESOLVE_S: Final = 5.0
MOST_ADDRESSES: Final = 8

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
# Tunnels: what is at their other end is not what the address says.
_TUNNELS: Final = tuple(map(ipaddress.IPv6Network, ("2002::/16", "2001::/32", "64:ff9b:1::/48", "5f00::/16")))
_IN_A_PATH: Final = "/%:@!$&'()*+,;=~-._"


class OutboundError(Exception):
    """Nothing came of it; the message says why in one sentence.

    OutboundError
      ├─ Refused       the address may not be asked, and was not
      └─ Unreachable   it did not answer, or not in time; it may have got the request
    """


class Refused(OutboundError):
    pass


class Unreachable(OutboundError):
    pass


@dataclass(frozen=True)
class Destination:
    """Where an address leads by name; which machine that is has not been looked up."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


_PORTS: Final = {"https": 443, "http": 80}


def read(url: str) -> Destination:
    """Raises Refused for what is no plain https (or http) address."""
    if len(url) > LONGEST_URL:
        raise Refused(f"The address is longer than {LONGEST_URL:,} characters.")
    # urlsplit drops some of these in silence: what was checked would not be what was asked.
    if any(letter <= " " or letter in "\\\x7f" for letter in url):
        raise Refused("The address holds a space, a backslash or an invisible character.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Refused("This is no address.") from None
    if parts.scheme not in _PORTS or not host:
        raise Refused("The address has to begin with https:// and name a host.")
    if "@" in parts.netloc:
        raise Refused("The address must hold no user and password: the signature shows who asks.")
    if parts.fragment:
        raise Refused("The address must hold no #: that part is never sent.")
    if port == 0:
        raise Refused("The address's port is 0.")
    return Destination(parts.scheme, _ascii(host), port or _PORTS[parts.scheme], _target(parts))


def _ascii(host: str) -> str:
    if "%" in host:
        raise Refused("The address's host holds a percent sign.")
    try:
        plain = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise Refused("The address's host is no name that can be looked up.") from None
    return plain.rstrip(".").lower()


def _target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_IN_A_PATH)
    return f"{path}?{quote(parts.query, safe=_IN_A_PATH + '?')}" if parts.query else path


def look_up(url: str, resolve: Resolver | None = None, allow: Sequence[str] | None = None) -> list[Address]:
    """The machines that `url` leads to, each of which may be asked. Raises Refused and Unreachable.

    `allow` are networks that may be reached although they are private, also over plain http; by default those that
    POSTCALL_OUTBOUND_ALLOW names.
    """
    return machines(read(url), resolve or resolve_by_system, allow)


def machines(to: Destination, resolve: Resolver, allow: Sequence[str] | None = None) -> list[Address]:
    """`look_up`, of an address that was read. A host that leads to a forbidden address as well is refused whole."""
    named = [
        ipaddress.ip_network(each, strict=False) for each in (config().outbound_allow if allow is None else allow)
    ]
    found = _resolved(to, resolve)
    for address in found:
        allowed = any(each in network for each in _meanings(address) for network in named)
        if not allowed and not is_open_to_all(address):
            raise Refused(_why_not(to.host, address))
        if not allowed and to.scheme == "http":
            raise Refused("The address has to begin with https://: over http anybody on the way could read along.")
    return found


def _resolved(to: Destination, resolve: Resolver) -> list[Address]:
    try:
        answers = _within(RESOLVE_S, lambda: resolve(to.host, to.port))
        found = list(dict.fromkeys(ipaddress.ip_address(each.partition("%")[0]) for each in answers))
    except (OSError, UnicodeError, ValueError):
        found = []
    if not found:
        raise Unreachable(f"The host {to.host} is not known: its name leads nowhere.")
    return found[:MOST_ADDRESSES]


def resolve_by_system(host: str, port: int) -> list[str]:
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _within(seconds: float, ask: Callable[[], Sequence[str]]) -> Sequence[str]:
    """The system's resolver knows no deadline: who overruns it is left to itself. Raises TimeoutError."""
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(ask())
        except Exception as error:
            answers.put(error)

    threading.Thread(target=run, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def is_open_to_all(address: Address) -> bool:
    """Whether it is a public address of one machine, in whatever form it is written."""
    return all(_is_public(each) for each in _meanings(address))


def _meanings(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 address that it stands for; of one that is merely mapped that one alone."""
    if not isinstance(address, ipaddress.IPv6Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return True  # as its IPv4 address is, which is looked at as well
        if address.is_site_local or address in _COMPATIBLE or any(address in network for network in _TUNNELS):
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    )


def _why_not(host: str, address: Address) -> str:
    where = f"{host} is" if host == str(address) else f"{host} leads to {address}, which is"
    return f"{where} not a public address. Whoever runs this Postcall can allow it in POSTCALL_OUTBOUND_ALLOW."
